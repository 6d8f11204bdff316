"""Money while its documents are damaged: nothing more than the truth leaves room for is ever held, and the guard mends
what can be mended."""

from datetime import timedelta
from typing import Any

import pytest
from google.cloud.firestore import DELETE_FIELD

from functions.core.shared.errors import BudgetExhausted
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.budget.days import open_day
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, stored, today
from tests.use_cases.budget.books import books, configure

LIMIT = 8_000_000


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud with eight dollars a day, of which two photos were paid and twenty more are held in a batch."""
    cloud = InProcessCloud(seed=1)
    configure(cloud, dailyLimitMicros=LIMIT, monthlyLimitMicros=10_000_000)
    for key in ("a", "b"):
        classify(cloud, f"paid-{key}")
    for number in range(20):
        classify(cloud, f"held-{number}", "batch")
    submit_batches(cloud.deps)
    guard_budget(cloud.deps)
    return cloud


DAMAGES: list[dict[str, Any]] = [
    {"reserved": "a lot"},
    {"spent": float("nan")},
    {"limit": -1},
    {"costs": {"instant": {"gpt-6-luna": "dear"}}},
    {"excess": {"a": 1}, "reserved": DELETE_FIELD},
]


@pytest.mark.parametrize("damage", DAMAGES, ids=str)
@pytest.mark.parametrize("names", [["0"], [str(number) for number in range(8)]], ids=["one", "all"])
def test_the_guard_mends_damaged_shards_from_what_calls_say(
    cloud: InProcessCloud, damage: dict[str, Any], names: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing held or spent is forgotten, the limit is what it was, and operators hear which document it was."""
    before = books(cloud)
    for name in names:
        cloud.client.document(f"budget/{today(cloud)}/shards/{name}").update(damage)
    guard_budget(cloud.deps)
    assert books(cloud)[1:] == before[1:]
    assert LIMIT - 8 < books(cloud)[0] <= LIMIT
    assert f"document_damaged-{today(cloud)}" in alerts(cloud)
    assert f"budget/{today(cloud)}/shards/{names[0]}" in capfd.readouterr().err
    assert guard_budget(cloud.deps)["repaired"] == 0
    assert classify(cloud, "next", allowBatch=False)["status"] == "done"


@pytest.mark.parametrize("look", ["open", "config"])
def test_while_nobody_has_measured_nothing_more_is_held(cloud: InProcessCloud, look: str) -> None:
    """Whoever looks at a day without adding up its calls does not know what is left of it: no shard gets room until the
    guard has."""
    for number in range(8):
        damage = {"reserved": "?", "spent": "?"}
        cloud.client.document(f"budget/{today(cloud)}/shards/{number}").update(damage)
    if look == "open":
        open_day(today(cloud), cloud.deps)
    else:
        admin_set_config(AdminSetConfig(changes={"tokens": {"welcome": 3}}), "root", cloud.deps)
    with pytest.raises(BudgetExhausted):
        classify(cloud, "next", allowBatch=False)
    guard_budget(cloud.deps)
    assert classify(cloud, "later", allowBatch=False)["status"] == "done"


@pytest.mark.parametrize("damage", [{"committed": 5}, {"committed": {"2026-11-20": "x"}}, None], ids=str)
def test_a_month_that_the_state_has_lost_is_told_by_the_days(
    cloud: InProcessCloud, damage: dict[str, Any] | None
) -> None:
    """Ten dollars a month, of which the first day has cost some and the second can cost the rest, as before."""
    month = stored(cloud, "stats/budget")["committed"]
    assert month == {today(cloud): LIMIT}
    cloud.clock.advance(timedelta(days=1))
    state = cloud.client.document("stats/budget")
    if damage is None:
        state.delete()
    else:
        state.update(damage)
    open_day(today(cloud), cloud.deps)
    assert books(cloud)[0] == 10_000_000 - LIMIT  # nobody has looked at the first day since: it counts in full
    guard_budget(cloud.deps)
    committed = stored(cloud, "stats/budget")["committed"]
    assert committed["2026-11-21"] < LIMIT
    assert committed["2026-11-22"] == LIMIT


def test_doubts_about_an_answer_leave_a_damaged_state_to_the_guard(cloud: InProcessCloud) -> None:
    """What they change is written, and nothing of the month is forgotten by it."""
    state = cloud.client.document("stats/budget")
    state.update({"committed": 5, "absurd": -1})
    before = stored(cloud, "stats/budget")
    cloud.deps.store.change_budget_state(lambda found: found.model_copy(update={"doubted_day": today(cloud)}))
    assert stored(cloud, "stats/budget") == {**before, "doubtedDay": today(cloud)}
    cloud.deps.store.change_budget_state(lambda found: found)
    guard_budget(cloud.deps)
    assert stored(cloud, "stats/budget")["committed"] == {today(cloud): LIMIT}


@pytest.mark.parametrize("damage", [{"reviews": "many"}, {"limit": "x", "users": 5}, {"costs": []}], ids=str)
def test_a_damaged_book_is_written_anew(cloud: InProcessCloud, damage: dict[str, Any]) -> None:
    """Today's and yesterday's: sums, costs and limit are what the shards say."""
    path = f"budget/{today(cloud)}"
    before = stored(cloud, path)
    cloud.client.document(path).update(damage)
    guard_budget(cloud.deps)
    after = stored(cloud, path)
    assert {name: after[name] for name in ("limit", "reserved", "spent", "costs")} == {
        name: before[name] for name in ("limit", "reserved", "spent", "costs")
    }
    assert isinstance(after["reviews"], int)
    assert f"document_damaged-{today(cloud)}" in alerts(cloud)
