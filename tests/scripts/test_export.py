"""The books in FOCUS: to the micro-dollar, in each version, for BigQuery and for a spreadsheet."""

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.api_core import exceptions
from typer.testing import CliRunner, Result

from functions.core.budget.day_review import BudgetDay
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.lanes import Lane
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from scripts.operators.focus import Version, columns, focus_rows, schema
from tests.steps import classify, enqueue, stored, ticks

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PRICE = ModelPrice(Decimal("0.1"), Decimal("0.01"), Decimal("0.125"), Decimal("0.6"))

REQUIRED = {
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd"),
    *("BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd"),
    *("ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity"),
    *("PricingUnit", "ServiceCategory", "ServiceName"),
}
"""The columns that both versions demand."""
OF_VERSION: dict[Version, set[str]] = {
    "1.2": {"ProviderName", "PublisherName"},
    "1.4": {"ServiceProviderName", "HostProviderName"},
}


def price_of(model: str, _lane: Lane, _at: datetime) -> ModelPrice:
    """Return the price of every model but one."""
    if model == "unlisted":
        raise UnknownPriceError(model)
    return PRICE


def book(dice: Random) -> BudgetDay:
    """Return a day whose books have any costs and tokens."""
    costs: dict[str, dict[str, int]] = {}
    tally: dict[str, dict[str, dict[str, int]]] = {}
    for lane in ("instant", "batch"):
        for model in ("gpt-6-luna", "anthropic:claude-haiku-5-5", "unlisted"):
            costs.setdefault(lane, {})[model] = dice.randrange(0, 10**9)
            tokens = {"input": dice.randrange(0, 10**8), "output": dice.randrange(0, 10**7), "done": dice.randrange(9)}
            tally.setdefault(lane, {})[model] = {**tokens, "cached": dice.randrange(0, tokens["input"] + 1)}
    return BudgetDay(costs=costs, tally=tally)


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_the_rows_of_any_day_add_up_to_its_book(version: Version) -> None:
    """A thousand days: not a micro-dollar off, in each kind of cost; photos are counted once."""
    dice = Random(3)  # noqa: S311  (repeatable)
    for _ in range(1_000):
        day = book(dice)
        rows = list(focus_rows({"2026-11-20": day}, "demo", price_of, NOW, version))
        for cost in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"):
            assert sum(Decimal(row[cost]) for row in rows) * 1_000_000 == sum(
                sum(models.values()) for models in day.costs.values()
            )
        done = sum(counters["done"] for models in day.tally.values() for counters in models.values())
        assert sum(row["x_Photos"] for row in rows) == done


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_each_version_has_its_columns(version: Version) -> None:
    """What it demands, nothing that it has dropped; required ones are never empty; the schema names all."""
    rows = list(focus_rows({"2026-11-20": book(Random(1))}, "demo", price_of, NOW, version))  # noqa: S311
    other = OF_VERSION["1.4" if version == "1.2" else "1.2"]
    names = {column.name for column in columns(version)}
    assert names >= REQUIRED | OF_VERSION[version]
    assert not names & other
    assert [each["name"] for each in schema(version)] == sorted(names, key=lambda name: (name.startswith("x_"), name))
    needed = {each["name"] for each in schema(version) if each["mode"] == "REQUIRED"}
    for row in rows:
        assert list(row) == [each["name"] for each in schema(version)]
        assert all(row[name] is not None for name in needed)


def test_a_row_is_a_meter_at_its_lanes_price() -> None:
    """Quantity times unit price is the cost; what is left is an adjustment."""
    counters = {"input": 1_000, "cached": 400, "output": 100, "done": 2, "failed:TIMEOUT": 1}
    day = BudgetDay(costs={"batch": {"gpt-6-luna": 130}}, tally={"batch": {"gpt-6-luna": counters}})
    rows = list(focus_rows({"2026-11-20": day}, "demo", price_of, NOW, "1.2"))
    shown = [(row["ChargeCategory"], row["SkuMeter"], row["ConsumedQuantity"], row["BilledCost"]) for row in rows]
    assert shown == [
        ("Usage", "input tokens", "600.0", "0.00006"),
        ("Usage", "cached input tokens", "400.0", "0.000004"),
        ("Usage", "output tokens", "100.0", "0.00006"),
        ("Adjustment", None, None, "0.000006"),
    ]
    assert [row["x_Photos"] for row in rows] == [3, 0, 0, 0]
    assert {(row["ProviderName"], row["ServiceCategory"]) for row in rows} == {("OpenAI", "AI and Machine Learning")}
    assert rows[0]["Tags"] == {"lane": "batch", "model": "gpt-6-luna"}
    assert (rows[0]["BillingPeriodStart"], rows[0]["BillingPeriodEnd"]) == (
        "2026-11-01T00:00:00Z",
        "2026-12-01T00:00:00Z",
    )


@pytest.mark.parametrize(("days_later", "provisional"), [(1, True), (3, True), (5, False)])
def test_a_day_that_may_change_says_so(days_later: int, provisional: bool) -> None:
    """Batches add to it for three days after its end."""
    now = datetime(2026, 11, 20, 1, tzinfo=UTC) + timedelta(days=days_later)
    day = BudgetDay(costs={"batch": {"unlisted": 5}})
    (row,) = focus_rows({"2026-11-20": day}, "demo", price_of, now, "1.4")
    assert (row["x_Provisional"], row["ChargeCategory"]) == (provisional, "Adjustment")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """A cloud with photos of both lanes."""
    cloud = InProcessCloud(seed=1)
    monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
    guard_budget(cloud.deps)
    classify(cloud, "one")
    enqueue(cloud, "bob", 3)
    ticks(cloud, timedelta(hours=5))
    guard_budget(cloud.deps)
    return cloud


def run(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["export", *arguments], env={"GCLOUD_PROJECT": "demo", "COLUMNS": "200"})


def test_a_folder_gets_what_bigquery_and_a_spreadsheet_take(cloud: InProcessCloud, tmp_path: Path) -> None:
    """The same rows in both; the command says how much they are."""
    answer = json.loads(run(str(tmp_path / "new"), "--focus", "1.4", "--json").stdout)
    day = cloud.clock().date().isoformat()
    micros = sum(sum(models.values()) for models in stored(cloud, f"budget/{day}")["costs"].values())
    assert (answer["micros"], answer["days"]) == (micros, 1)
    lines = [json.loads(line) for line in (tmp_path / "new/focus-1.4.jsonl").read_text().splitlines()]
    with (tmp_path / "new/focus-1.4.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(lines) == len(table) == answer["rows"] >= 4
    for rows in (lines, table):
        assert sum(Decimal(row["BilledCost"]) for row in rows) * 1_000_000 == micros
    fields = json.loads((tmp_path / "new/focus-1.4.schema.json").read_text())
    assert {field["name"] for field in fields} == set(lines[0])
    usage = [row for row in lines if row["ChargeCategory"] == "Usage"]
    assert sum(Decimal(row["BilledCost"]) for row in usage) * 1_000_000 == pytest.approx(micros, abs=3)
    assert "rows, 1 days, $" in run(str(tmp_path)).stdout


def test_a_bucket_gets_the_same(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under its prefix."""
    del cloud
    written: dict[str, str] = {}

    class Bucket:
        def __init__(self, name: str) -> None:
            self.name = name

        def blob(self, path: str) -> Any:
            name = f"{self.name}/{path}"

            class Blob:
                def upload_from_string(self, text: str, content_type: str) -> None:
                    del content_type
                    written[name] = text

            return Blob()

    class Client:
        def bucket(self, name: str) -> Bucket:
            return Bucket(name)

    monkeypatch.setattr("google.cloud.storage.Client", Client)
    assert run("gs://books/ecolane/").exit_code == 0
    assert run("gs://books").exit_code == 0
    names = [f"focus-1.2.{ending}" for ending in ("csv", "jsonl", "schema.json")]
    assert list(written) == [*(f"books/ecolane/{name}" for name in names), *(f"books/{name}" for name in names)]


@pytest.mark.parametrize(
    ("to", "said", "code"),
    [
        ("{folder}/file", "file cannot be written: File exists", 1),
        ("{folder}/file/in", "file/in cannot be written: Not a directory", 1),
        ("gs://nobodys/books", "gs://nobodys/books cannot be written: 404 no such bucket", 1),
        ("gs://", "gs:// names no bucket: gs://BUCKET/PREFIX", 2),
        ("gs://-/books", "names no bucket", 2),
    ],
)
def test_a_place_that_cannot_be_written_is_named(
    cloud: InProcessCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, said: str, code: int
) -> None:
    """A file where the folder should be, a bucket that is not there, and what is no bucket's name."""
    del cloud

    def upload(*_: object, **__: object) -> None:
        raise exceptions.NotFound("no such bucket")  # type: ignore[no-untyped-call]

    monkeypatch.setattr("google.cloud.storage.Blob.upload_from_string", upload)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    (tmp_path / "file").write_text("")
    refused = run(to.format(folder=tmp_path))
    assert refused.exit_code == code
    assert said in " ".join(refused.stderr.replace("│", " ").split())


def test_a_book_that_cannot_be_read_is_no_sum(cloud: InProcessCloud, tmp_path: Path) -> None:
    """It is named, and nothing is written."""
    day = cloud.clock().date().isoformat()
    cloud.client.document(f"budget/{day}").update({"costs": "many"})
    refused = run(str(tmp_path / "new"))
    assert refused.exit_code == 1
    assert f"budget/{day} cannot be read in full" in refused.stderr
    assert not (tmp_path / "new").exists()
