"""A budget for many calls: as many shards as it asks for, and nobody reads them all for one call or one batch."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.day_review import FENCE
from functions.core.budget.shards import BATCH_LOOKS, CALL_LOOKS, LOOK
from functions.core.shared.errors import BudgetExhausted
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import classify, job, stored, today
from tests.use_cases.budget.books import batch_hold, books, configure

DOLLARS = 1_000_000
SHARDS = 73
"""Of a day with 100 dollars: room for 2,000 calls at 683 micro-dollars on each."""


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud with a hundred dollars a day, which is open."""
    cloud = InProcessCloud(seed=1)
    configure(cloud, dailyLimitMicros=100 * DOLLARS, monthlyLimitMicros=10_000 * DOLLARS)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    return cloud


def shards(cloud: InProcessCloud) -> dict[str, dict[str, Any]]:
    """Return today's shards as stored, by name."""
    found = cloud.client.collection("budget", today(cloud), "shards").stream()
    return {each.id: each.to_dict() or {} for each in found}


def fill(cloud: InProcessCloud, but: dict[str, int]) -> None:
    """Leave no room on any shard, but so much on these."""
    for name, shard in shards(cloud).items():
        ref = cloud.client.document(f"budget/{today(cloud)}/shards/{name}")
        ref.update({"spent": shard["limit"] - shard["reserved"] - but.get(name, 0)})


@contextmanager
def billed(cloud: InProcessCloud) -> Iterator[Callable[[], tuple[int, int]]]:
    """Return what has been read and written of the budget's shards since."""
    cloud.firestore.bill.reset()

    def of_shards() -> tuple[int, int]:
        found = cloud.firestore.bill.snapshot()["by_collection"].get("shards", {})
        return found.get("reads", 0), found.get("writes", 0)

    yield of_shards


def test_calls_are_spread_over_all_shards(cloud: InProcessCloud) -> None:
    """Each by chance, so that no document takes more than its part of the writes; and their sum is what they cost."""
    held = [job(cloud, classify(cloud, f"{n}", uid=f"user-{n % 20}")) for n in range(150)]
    assert len(shards(cloud)) == stored(cloud, "stats/budget")["shardCount"] == SHARDS
    written = [name for name, shard in shards(cloud).items() if shard["spent"]]
    assert len(written) > SHARDS / 2
    assert books(cloud)[1:] == (0, sum(each["costMicros"] for each in held))


def test_a_call_reads_its_shard_and_writes_it_twice(cloud: InProcessCloud) -> None:
    """As many as with eight: the number of a day's shards costs a call nothing."""
    classify(cloud, "first")
    with billed(cloud) as of_shards:
        classify(cloud, "one")
    assert of_shards() == (1, 2)


def test_a_full_shard_sends_on_to_one_with_room(cloud: InProcessCloud) -> None:
    """Found among a few that are looked at."""
    names = [str(number) for number in range(0, SHARDS, 4)]
    fill(cloud, dict.fromkeys(names, DOLLARS))
    for number in range(10):
        with billed(cloud) as of_shards:
            answer = classify(cloud, f"{number}", uid=f"user-{number}", allowBatch=False)
        assert answer["status"] == "done"
        assert of_shards()[0] <= 2 + CALL_LOOKS * LOOK


def test_a_used_up_budget_is_found_out_with_few_reads(cloud: InProcessCloud) -> None:
    """The call is refused, and held is nothing."""
    fill(cloud, {})
    classify(cloud, "first")
    with billed(cloud) as of_shards, pytest.raises(BudgetExhausted):
        classify(cloud, "one", allowBatch=False)
    assert of_shards() == (1 + CALL_LOOKS * LOOK, 0)
    assert books(cloud)[1] == 0


def test_a_batch_takes_from_a_few_shards(cloud: InProcessCloud) -> None:
    """It reads no more than it needs to find room for all its lines."""
    for number in range(20):
        classify(cloud, f"{number}", "batch")
    with billed(cloud) as of_shards:
        assert submit_batches(cloud.deps)["jobs"] == 20
    assert len(batch_hold(cloud)["parts"]) == 1
    assert of_shards()[0] <= LOOK + 1


def test_a_batch_that_finds_little_room_takes_that(cloud: InProcessCloud) -> None:
    """Room for one line on each shard: as many lines as shards are looked at, and the rest wait."""
    for number in range(50):
        classify(cloud, f"{number}", "batch", uid=f"user-{number % 5}")
    fill(cloud, dict.fromkeys(shards(cloud), 342))
    guarded = books(cloud)[0]
    submit_batches(cloud.deps)
    hold = batch_hold(cloud)
    assert len(hold["parts"]) == BATCH_LOOKS * LOOK
    assert hold["micros"] <= BATCH_LOOKS * LOOK * 342
    limit, reserved, spent = books(cloud)
    assert (limit, reserved + spent <= limit) == (guarded, True)


def test_a_guard_that_finds_nothing_to_do_locks_and_writes_no_shard(cloud: InProcessCloud) -> None:
    """It reads each once, and records the sums."""
    answer = classify(cloud, "one")
    with billed(cloud) as of_shards:
        guard_budget(cloud.deps)
    reads, writes = of_shards()
    assert writes == 0
    assert SHARDS <= reads <= SHARDS + 3  # three past days, which never were, cost a read each
    assert stored(cloud, f"budget/{today(cloud)}")["spent"] == job(cloud, answer)["costMicros"]


def test_a_guard_spreads_what_is_left_once_a_shard_runs_dry(cloud: InProcessCloud) -> None:
    """Nothing is added, and the poorest shard has as much as the others again."""
    for name in ("3", "70"):
        shard = cloud.client.document(f"budget/{today(cloud)}/shards/{name}")
        shard.update({"spent": shards(cloud)[name]["limit"], "reserved": 0})
    guard_budget(cloud.deps)  # what nobody has spent is a drift, and repaired
    rooms = [shard["limit"] - shard["reserved"] - shard["spent"] for shard in shards(cloud).values()]
    assert max(rooms) - min(rooms) == 0
    assert 100 * DOLLARS - SHARDS < books(cloud)[0] <= 100 * DOLLARS


@pytest.mark.parametrize("dollars", [1, 10, 500])
def test_a_changed_limit_is_spread_over_the_shards_that_there_are(cloud: InProcessCloud, dollars: int) -> None:
    """At once, for more and for less money; the next day has its own number."""
    cloud.restart(settings={"daily_limit_micros_max": 1_000 * DOLLARS})
    classify(cloud, "one")
    change = {"budget": {"dailyLimitMicros": dollars * DOLLARS}}
    admin_set_config(AdminSetConfig(changes=change), "root", cloud.deps)
    assert len(shards(cloud)) == SHARDS
    assert dollars * DOLLARS - SHARDS < books(cloud)[0] <= dollars * DOLLARS
    cloud.clock.advance(timedelta(days=1))
    guard_budget(cloud.deps)
    assert len(shards(cloud)) == {1: 8, 10: 8, 500: 366}[dollars]


@pytest.mark.parametrize("dollars", [10, 500])
def test_a_process_that_knows_yesterdays_number_serves_today(cloud: InProcessCloud, dollars: int) -> None:
    """For as long as it remembers that, half a minute: today has fewer shards, or more."""
    settings = {"daily_limit_micros_max": 1_000 * DOLLARS}
    cloud.restart(settings)
    cloud.client.document("config/runtime").update({"budget.dailyLimitMicros": dollars * DOLLARS})
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=59, second=50)
    classify(cloud, "before")
    cloud.clock.advance(timedelta(seconds=15))
    guard_budget(cloud.new_process(settings))
    count = len(shards(cloud))
    for number in range(20):
        assert classify(cloud, f"{number}", uid=f"user-{number}", allowBatch=False)["status"] == "done"
    assert len(shards(cloud)) == count != SHARDS
    assert books(cloud)[0] <= dollars * DOLLARS


def test_a_day_is_opened_once_by_many_callers(cloud: InProcessCloud) -> None:
    """At midnight, all at once: each is served, and the day's limits add up to its own."""
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=59, second=50)
    classify(cloud, "before")
    cloud.clock.advance(timedelta(seconds=15))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: classify(cloud, f"{n}", uid=f"user-{n}", allowBatch=False), range(16)))
    assert {answer["status"] for answer in answers} == {"done"}
    assert stored(cloud, f"budget/{today(cloud)}")["rounds"] == 1
    assert len(shards(cloud)) == SHARDS
    assert books(cloud) == (
        SHARDS * (100 * DOLLARS // SHARDS),
        0,
        sum(job(cloud, each)["costMicros"] for each in answers),
    )


@pytest.mark.parametrize("dollars", [50, 90])
def test_the_guard_opens_the_next_day_ahead(cloud: InProcessCloud, dollars: int) -> None:
    """In the last half hour, under the limit of that moment. A limit that an operator sets later is its own as well."""
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=45)
    guard_budget(cloud.deps)
    day, tomorrow = today(cloud), "2026-11-22"
    assert books(cloud, tomorrow) == (SHARDS * (100 * DOLLARS // SHARDS), 0, 0)
    assert stored(cloud, "stats/budget")["day"] == day
    change = {"budget": {"dailyLimitMicros": dollars * DOLLARS}}
    admin_set_config(AdminSetConfig(changes=change), "root", cloud.deps)
    limit = SHARDS * (dollars * DOLLARS // SHARDS)
    assert (books(cloud, day)[0], books(cloud, tomorrow)[0]) == (limit, limit)
    assert list(stored(cloud, "stats/budget")["committed"]) == [day]
    cloud.clock.advance(timedelta(minutes=15, seconds=1))
    assert classify(cloud, "first", allowBatch=False)["status"] == "done"
    assert stored(cloud, f"budget/{tomorrow}")["rounds"] == 2


def test_a_day_whose_record_was_deleted_keeps_its_shards(cloud: InProcessCloud) -> None:
    """No limit is given twice: not by the next call, which finds no record, nor by the guard, which writes it anew."""
    costs = [job(cloud, classify(cloud, "one"))["costMicros"]]
    cloud.client.document(f"budget/{today(cloud)}").delete()
    cloud.client.document("stats/budget").update({"day": "2026-11-20"})
    cloud.restart()
    costs.append(job(cloud, classify(cloud, "two"))["costMicros"])
    guard_budget(cloud.deps)
    assert stored(cloud, f"budget/{today(cloud)}")["shardCount"] == SHARDS
    assert books(cloud) == (SHARDS * (100 * DOLLARS // SHARDS), 0, sum(costs))


def test_a_release_that_knows_eight_shards_fails_before_it_writes_a_day(cloud: InProcessCloud) -> None:
    """It counts its review on, in `reviews`, in the transaction that would give eight shards the whole limit."""
    ref = cloud.client.document(f"budget/{today(cloud)}")
    before = stored(cloud, ref.path)
    assert before["reviews"] == FENCE
    with pytest.raises(ValueError, match="out of range"):
        ref.set({**before, "reviews": before["reviews"] + 1})
    guard_budget(cloud.deps)
    assert stored(cloud, ref.path)["reviews"] == FENCE
