"""The books as FOCUS has it (FinOps Open Cost and Usage Specification, https://focus.finops.org), 1.2 or 1.4.

A row for each day, lane, model and meter: plain input, cached input, output, at the list price of that lane, which for
batches is a price and no discount. What a day's book has beyond that (rounding, answers without a report that are
booked at their most) is one row of the category Adjustment. So the rows add up to the book, to the micro-dollar.

A day that may still change is `x_Provisional`: export it again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.days_due import OPEN_DAYS
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, split
from functions.core.shared.utc_days import day_bounds, iso_text

Version = Literal["1.2", "1.4"]
Row = dict[str, Any]
PriceOf = Callable[[str, Lane, datetime], ModelPrice]
"""The price of a model in a lane at a time. Raises UnknownPriceError."""

MICROS = Decimal(1_000_000)
VENDORS: Mapping[str, str] = {
    Provider.OPENAI: "OpenAI",
    Provider.AZURE: "Microsoft",
    Provider.ANTHROPIC: "Anthropic",
}


@dataclass(frozen=True)
class Column:
    """A column: its name, its type in BigQuery, whether it may be empty, and the versions that have it."""

    name: str
    type: str
    empty: bool = False
    versions: tuple[Version, ...] = ("1.2", "1.4")


COLUMNS: tuple[Column, ...] = (
    Column("BilledCost", "NUMERIC"),
    Column("BillingAccountId", "STRING"),
    Column("BillingAccountName", "STRING"),
    Column("BillingCurrency", "STRING"),
    Column("BillingPeriodEnd", "TIMESTAMP"),
    Column("BillingPeriodStart", "TIMESTAMP"),
    Column("ChargeCategory", "STRING"),
    Column("ChargeClass", "STRING", empty=True),
    Column("ChargeDescription", "STRING"),
    Column("ChargeFrequency", "STRING"),
    Column("ChargePeriodEnd", "TIMESTAMP"),
    Column("ChargePeriodStart", "TIMESTAMP"),
    Column("ConsumedQuantity", "NUMERIC", empty=True),
    Column("ConsumedUnit", "STRING", empty=True),
    Column("ContractedCost", "NUMERIC"),
    Column("EffectiveCost", "NUMERIC"),
    Column("HostProviderName", "STRING", versions=("1.4",)),
    Column("InvoiceId", "STRING", empty=True),
    Column("InvoiceIssuerName", "STRING"),
    Column("ListCost", "NUMERIC"),
    Column("ListUnitPrice", "BIGNUMERIC", empty=True),  # a token's price can have ten digits behind the point
    Column("PricingCategory", "STRING", empty=True),
    Column("PricingQuantity", "NUMERIC", empty=True),
    Column("PricingUnit", "STRING", empty=True),
    Column("ProviderName", "STRING", versions=("1.2",)),
    Column("PublisherName", "STRING", versions=("1.2",)),
    Column("ServiceCategory", "STRING"),
    Column("ServiceName", "STRING"),
    Column("ServiceProviderName", "STRING", versions=("1.4",)),
    Column("ServiceSubcategory", "STRING"),
    Column("SkuId", "STRING", empty=True),
    Column("SkuMeter", "STRING", empty=True),
    Column("SkuPriceDetails", "JSON", empty=True),
    Column("SkuPriceId", "STRING", empty=True),
    Column("Tags", "JSON"),
    Column("x_Photos", "INTEGER"),
    Column("x_Provisional", "BOOLEAN"),
)


NUMBERS = frozenset(column.name for column in COLUMNS if column.type.endswith(("NUMERIC", "INTEGER")))


def columns(version: Version) -> list[Column]:
    """Return the columns of a version, in the order of their names."""
    return [column for column in COLUMNS if version in column.versions]


def schema(version: Version) -> list[dict[str, str]]:
    """Return the table's schema as BigQuery takes it."""
    return [
        {"name": each.name, "type": each.type, "mode": "NULLABLE" if each.empty else "REQUIRED"}
        for each in columns(version)
    ]


def focus_rows(
    books: Mapping[str, BudgetDay], project: str, price_of: PriceOf, now: datetime, version: Version
) -> Iterator[Row]:
    """Yield the rows of the days, oldest first; days without a cost have none."""
    names = [column.name for column in columns(version)]
    for day, book in sorted(books.items()):
        for lane, models in sorted(book.costs.items()):
            for model, micros in sorted(models.items()):
                for row in _charges(day, Lane(lane), model, micros, book.tally.get(lane, {}).get(model, {}), price_of):
                    whole = {**_whole(day, project, model, now), **row}
                    yield {name: whole[name] for name in names}


def _whole(day: str, project: str, model: str, now: datetime) -> Row:
    """Return what all rows of a day and model have."""
    begins, ends = day_bounds(day)
    month = begins.replace(day=1)
    vendor = VENDORS.get(split(model)[0], split(model)[0])
    return {
        "BillingAccountId": project,
        "BillingAccountName": project,
        "BillingCurrency": "USD",
        "BillingPeriodStart": iso_text(month),
        "BillingPeriodEnd": iso_text((month + timedelta(days=32)).replace(day=1)),
        "ChargeClass": None,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": iso_text(begins),
        "ChargePeriodEnd": iso_text(ends),
        "InvoiceId": None,  # the provider's invoices are not known here
        **dict.fromkeys(
            ("InvoiceIssuerName", "ProviderName", "PublisherName", "ServiceProviderName", "HostProviderName"), vendor
        ),
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": f"{vendor} API",
        "ServiceSubcategory": "Generative AI",
        "x_Provisional": now < ends + timedelta(days=OPEN_DAYS),
    }


def _charges(
    day: str, lane: Lane, model: str, micros: int, counters: Mapping[str, int], price_of: PriceOf
) -> Iterator[Row]:
    """Yield a lane's and model's charges of a day, which add up to `micros`."""
    left, photos = micros, sum(n for name, n in counters.items() if name == "done" or name.startswith("failed:"))
    for meter, tokens, price in _meters(day, lane, model, counters, price_of):
        cost = int((tokens * price).quantize(Decimal(1), ROUND_HALF_UP))
        left -= cost
        quantity = f"{tokens}.0"  # a whole number would pass for an integer, where a decimal is demanded
        yield _charge(cost, lane, model, photos) | {
            "ChargeCategory": "Usage",
            "ChargeDescription": f"{model}, {lane}: {meter} tokens",
            "ConsumedQuantity": quantity,
            "ConsumedUnit": "Tokens",
            "ListUnitPrice": _plain(price / MICROS),
            "PricingCategory": "Standard",
            "PricingQuantity": quantity,
            "PricingUnit": "Tokens",
            "SkuMeter": f"{meter} tokens",
            "SkuPriceDetails": {"x_Lane": lane.value, "x_Meter": meter},
            "SkuPriceId": f"{model}/{lane}/{meter}",
        }
        photos = 0  # counted once
    if left:
        description = f"{model}, {lane}: rounding, and answers that were booked without a report"
        empty = ("ConsumedQuantity", "ConsumedUnit", "ListUnitPrice", "PricingCategory", "PricingQuantity")
        nothing = dict.fromkeys((*empty, "PricingUnit", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId"))
        charge = _charge(left, lane, model, photos)
        yield charge | nothing | {"ChargeCategory": "Adjustment", "ChargeDescription": description}


def _meters(
    day: str, lane: Lane, model: str, counters: Mapping[str, int], price_of: PriceOf
) -> Iterator[tuple[str, int, Decimal]]:
    """Yield each meter that has tokens, with its price in micro-dollars a token; none without a price."""
    try:
        price = price_of(model, lane, day_bounds(day)[0])
    except UnknownPriceError:
        return
    cached = counters.get("cached", 0)
    meters = (
        ("input", counters.get("input", 0) - cached, price.input),
        ("cached input", cached, price.cached),
        ("output", counters.get("output", 0), price.output),
    )
    yield from (each for each in meters if each[1] > 0)


def _charge(micros: int, lane: Lane, model: str, photos: int) -> Row:
    cost = _plain(micros / MICROS)
    costs = dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost)
    return {**costs, "SkuId": model, "Tags": {"lane": lane.value, "model": model}, "x_Photos": photos}


def _plain(value: Decimal) -> str:
    """Return a number as text without an exponent: floats would not add up."""
    return f"{value:f}"
