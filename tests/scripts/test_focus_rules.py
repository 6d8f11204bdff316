"""The export by the rules of FOCUS 1.2, as the published validator has them: `focus_1_2.json`.

The validator itself needs Python 3.12 and pandas below 3, neither of which this project has; docs/accounting.md says
how to run it. It knows no rules of 1.4: there, what both versions have is held to those of 1.2.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.operators.exporting import as_csv
from scripts.operators.focus import Version, focus_rows
from tests.scripts.test_export import NOW, OF_VERSION, book, price_of

Row = Mapping[str, str | None]
Check = Sequence[Any]

RULES: Sequence[tuple[str, Check, Check]] = [
    (name, check, condition[0] if condition else [])
    for name, check, *condition in json.loads(Path(__file__).with_name("focus_1_2.json").read_text())["rules"]
]
DECIMAL = r"-?\d+\.\d+"
NUMBER = r"-?\d+(\.\d+)?([eE][-+]?\d+)?"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PATTERNS = {
    "TypeString": r".*",
    "FormatString": r"[^\x00-\x1f]*",
    "TypeDecimal": DECIMAL,
    "CheckDecimalValue": DECIMAL,
    "FormatNumeric": NUMBER,
    "TypeDateTime": MOMENT,
    "FormatDateTime": MOMENT,
    "FormatCurrency": r"[A-Z]{3}",
    "CheckNationalCurrency": r"USD",
    "FormatUnit": r"(\d+ )?[A-Z][A-Za-z]*",
    "FormatKeyValue": r'\{("[A-Za-z_]+": "[^"]*"(, )?)*\}',
}
MICRO_HALVED = Decimal("0.0000005")
"""Costs are whole micro-dollars: a product is rounded to one."""


def rows(version: Version = "1.2") -> list[dict[str, str | None]]:
    """Return the rows of two months' days as a tool reads them from the CSV: what is empty is null."""
    dice = Random(5)  # noqa: S311  (repeatable)
    books = {day: book(dice) for day in ("2026-10-31", "2026-11-01", "2026-11-20")}
    text = as_csv(focus_rows(books, "demo", price_of, NOW, version), version)
    return [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(io.StringIO(text))]


def _product(row: Row, first: str, second: str, result: str) -> bool:
    amounts = [Decimal(row[name] or 0) for name in (first, second, result)]
    return abs(amounts[0] * amounts[1] - amounts[2]) <= MICRO_HALVED


OF_A_ROW: Mapping[str, Callable[..., bool]] = {
    "AND": lambda row, *checks: all(holds(each, row) for each in checks),
    "OR": lambda row, *checks: any(holds(each, row) for each in checks),
    "OneOf": lambda row, name, *values: row.get(name) is None or row.get(name) in values,
    "CheckValue": lambda row, name, value: row.get(name) == value,
    "CheckNotValue": lambda row, name, value: row.get(name) != value,
    "CheckNotSameValue": lambda row, first, second: row.get(first) != row.get(second),
    "CheckGreaterOrEqualThanValue": lambda row, name, least: Decimal(row.get(name) or least) >= least,
    "Product": _product,
    "ColumnPresent": lambda row, name: name in row,
}


def holds(check: Check, row: Row) -> bool:
    """Tell whether a check holds for a row; what is said of a value's form holds for none."""
    function, *arguments = check
    if function in PATTERNS:
        value = row.get(arguments[0])
        return value is None or re.fullmatch(PATTERNS[function], value) is not None
    return OF_A_ROW[function](row, *arguments)


def broken(table: Sequence[Row]) -> set[str]:
    """Return the rules that a table does not keep."""
    found = set()
    for name, check, condition in RULES:
        if check[0] == "CheckDistinctCount":
            pairs = {(row.get(check[1]), row.get(check[2])) for row in table if row.get(check[1])}
            if len(pairs) != len({first for first, _ in pairs}):
                found.add(name)
        elif not all(holds(check, row) for row in table if not condition or holds(condition, row)):
            found.add(name)
    return found


def test_the_export_keeps_every_rule_of_1_2() -> None:
    """Usage and adjustments, two lanes, models of two providers and one without a price."""
    assert len(RULES) > 140
    assert broken(rows()) == set()


def test_1_4_keeps_those_of_what_it_has_in_common() -> None:
    """All but the names that it has dropped."""
    dropped = {name for name, *of in RULES if any(f"'{column}'" in str(of) for column in OF_VERSION["1.2"])}
    assert broken(rows("1.4")) <= dropped
    assert len(dropped) < 12


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"BilledCost": "many"}, "BilledCost-C-001-M"),
        ({"BillingCurrency": "usd"}, "BillingCurrency-C-003-M"),
        ({"ChargePeriodStart": "2026-11-20"}, "ChargePeriodStart-C-002-M"),
        ({"ChargeCategory": "Usages"}, "ChargeCategory-C-003-M"),
        ({"ConsumedUnit": "tokens"}, "ConsumedUnit-C-003-O"),
        ({"PricingQuantity": "7"}, "PricingQuantity-C-001-M"),
        ({"PricingCategory": None}, "PricingCategory-C-004-C"),
        ({"ListCost": "9.5"}, "ListCost-C-009-C"),
        ({"ServiceSubcategory": "Bots"}, "ServiceName-C-008-C"),
        ({"SkuMeter": None}, "SkuMeter-C-005-C"),
        ({"Tags": "lane"}, "Tags-C-001-M"),
    ],
)
def test_a_row_that_breaks_a_rule_is_found(changes: dict[str, str | None], rule: str) -> None:
    """One of each kind of rule."""
    first, *others = rows()
    assert rule in broken([{**first, **changes}, *others])


def test_a_column_that_lacks_is_found() -> None:
    """Of those that must be there."""
    assert broken([{name: cell for name, cell in row.items() if name != "ChargeClass"} for row in rows()])
