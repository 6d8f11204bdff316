"""Holds and settlements: what is reserved before the provider is asked, and what is booked when it has answered."""

from datetime import timedelta
from typing import Any

import pytest
from firebase_functions.https_fn import FunctionsErrorCode, HttpsError
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud.firestore import Transaction, transactional

from functions.adapters.firestore import writes
from functions.core.budget.shards import SHARDS_MIN, Shard
from functions.core.shared.errors import (
    PhotoRefused,
    ProviderUnavailable,
)
from functions.edge.http_errors import STORE_RETRY_SECONDS, errors_to_https
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, classify, job, stored, ticks, today
from tests.use_cases.budget.books import batch_hold, books


def test_an_instant_call_leaves_its_cost_and_no_hold(cloud: InProcessCloud) -> None:
    """Held while it ran, settled in the commit that made it done: the shards say what the job says."""
    answer = classify(cloud, "one")
    cost = job(cloud, answer)["costMicros"]
    assert books(cloud) == (10_000_000, 0, cost)
    assert job(cloud, answer)["hold"] | {"parts": {}, "micros": 0, "settled": cost} == job(cloud, answer)["hold"]


def test_a_call_holds_before_the_provider_is_asked(cloud: InProcessCloud) -> None:
    """When the request leaves, its most is reserved already."""
    seen: list[tuple[int, int, int]] = []
    cloud.interrupt = lambda call, when: (
        seen.append(books(cloud)) if (call, when) == ("openai.complete", "before") else None
    )
    answer = classify(cloud, "one")
    assert [reserved for _, reserved, _ in seen] == [job(cloud, answer)["hold"]["lineMicros"]]


@pytest.mark.parametrize(
    ("fault", "billed"),
    [
        ({"kind": "server_error"}, "nothing"),
        ({"kind": "unavailable"}, "nothing"),
        ({"kind": "rate_limited"}, "nothing"),
        ({"kind": "refused", "status": 404, "code": "model_not_found"}, "nothing"),
        ({"kind": "error_in_success", "status": 404, "code": "model_not_found"}, "nothing"),
        ({"kind": "reply_lost"}, "the most"),
        ({"kind": "connection_reset"}, "the most"),
        ({"kind": "bad_gateway"}, "the most"),
        ({"kind": "malformed_json"}, "the most"),
        ({"kind": "refusal"}, "usage"),
        ({"kind": "cut_answer"}, "usage"),
        ({"kind": "answer_text", "text": "a bottle"}, "usage"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value["kind"]),
)
def test_a_failure_releases_what_was_not_billed(cloud: InProcessCloud, fault: dict[str, Any], billed: str) -> None:
    """A refusal of the provider costs nothing, a useless answer its usage, and what is not known the most it can be."""
    cloud.openai.faults.add(endpoint="POST /v1/chat/completions", **fault)
    with pytest.raises((ProviderUnavailable, PhotoRefused)) as failure:
        classify(cloud, "one")
    found = stored(cloud, f"aiJobs/{failure.value.details['jobId']}")
    most = found["hold"]["lineMicros"]
    expected = {"nothing": (0, 0), "the most": (most, most), "usage": (1, most - 1)}[billed]
    assert expected[0] <= found["costMicros"] <= expected[1]
    assert books(cloud)[1:] == (0, found["costMicros"])


def test_an_upgrade_holds_and_settles_like_an_instant_call(cloud: InProcessCloud) -> None:
    """The queued job held nothing; upgraded, it does, until its answer is there."""
    queued = classify(cloud, "one", "batch")
    assert books(cloud) == (0, 0, 0)
    upgraded = upgrade_job(UpgradeJob(jobId=queued["jobId"]), "ann", cloud.deps)
    assert upgraded["status"] == "done"
    assert books(cloud)[1:] == (0, job(cloud, queued)["costMicros"])


def test_a_batch_holds_once_and_settles_what_it_cost(cloud: InProcessCloud) -> None:
    """From submission to collection its most is reserved; then its cost is spent, at half the price."""
    answers = [classify(cloud, str(number), "batch") for number in range(5)]
    submit_batches(cloud.deps)
    held = batch_hold(cloud)
    assert held["micros"] == 5 * held["lineMicros"] == books(cloud)[1]
    ticks(cloud, timedelta(hours=1), CRONS)
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert books(cloud)[1:] == (0, costs)
    assert stored(cloud, f"budget/{today(cloud)}")["costs"] == {"batch": {"gpt-6-luna": costs}}


def test_a_call_that_never_came_back_is_booked_at_the_most(cloud: InProcessCloud) -> None:
    """The process died while the provider worked: the tokens come back, the money counts as spent."""

    def die(call: str, when: str) -> None:
        if (call, when) == ("openai.complete", "after"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), cloud.interrupting(die):
        classify(cloud, "one")
    held = books(cloud)[1]
    assert held > 0
    cloud.clock.advance(timedelta(minutes=5))
    assert recover_jobs(cloud.deps)["recovered"] == 1
    assert books(cloud)[1:] == (0, held)


def test_a_day_that_changes_in_mid_flight(cloud: InProcessCloud) -> None:
    """Held before midnight, answered after it: settled on the day it was held, and the new day starts with nothing."""
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=59, second=59)
    day = today(cloud)

    def midnight(call: str, when: str) -> None:
        if (call, when) == ("openai.complete", "before"):
            cloud.clock.advance(timedelta(seconds=5))
            guard_budget(cloud.deps)

    cloud.interrupt = midnight
    answer = classify(cloud, "one")
    cost = job(cloud, answer)["costMicros"]
    assert (books(cloud, day)[1:], books(cloud)) == ((0, cost), (10_000_000, 0, 0))
    guard_budget(cloud.deps)
    assert cloud.deps.store.budget_shards(day)["0"].room == 0
    assert stored(cloud, "stats/budget")["committed"] == {day: cost, today(cloud): 10_000_000}


def test_a_batch_that_ends_on_the_next_day(cloud: InProcessCloud) -> None:
    """What it held and what it cost are of the day on which it was sent; the new day starts with nothing."""
    answers = [classify(cloud, str(number), "batch") for number in range(3)]
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=58)
    submit_batches(cloud.deps)
    day = today(cloud)
    ticks(cloud, timedelta(hours=3), CRONS)
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert (books(cloud, day)[1:], books(cloud)[1:]) == ((0, costs), (0, 0))
    assert stored(cloud, f"budget/{day}")["costs"] == {"batch": {"gpt-6-luna": costs}}


def test_calls_go_round_a_shard_that_is_missing(cloud: InProcessCloud) -> None:
    """They are served from the others; what was spent on it comes back with the guard, so nothing is spent twice."""
    costs = job(cloud, classify(cloud, "one"))["costMicros"]
    cloud.client.document(f"budget/{today(cloud)}/shards/5").delete()
    for number in range(24):
        answer = classify(cloud, str(number), uid=f"user-{number}")
        assert answer["mode"] == "instant"
        costs += job(cloud, answer)["costMicros"]
    guard_budget(cloud.deps)
    assert books(cloud)[1:] == (0, costs)


def test_a_burst_that_the_shards_cannot_take_is_told_to_come_back(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with `retryAfter`, never INTERNAL: nothing is charged or held, and the same request works afterwards."""
    classify(cloud, "one")
    before, wallet = books(cloud), stored(cloud, "users/ann/wallet/main")
    impatient = Retry(if_exception_type(exceptions.Aborted), initial=0.01, timeout=0.1)
    monkeypatch.setattr(writes, "_REPEATED", impatient)

    @transactional
    def crowded(crowd: Transaction) -> HttpsError:
        for number in range(SHARDS_MIN):
            cloud.client.document(f"budget/{today(cloud)}/shards/{number}").get(transaction=crowd)
        with pytest.raises(HttpsError) as refused, errors_to_https("classify_image"):
            classify(cloud, "two")
        return refused.value

    refusal: HttpsError = crowded(cloud.client.transaction())
    assert refusal.code is FunctionsErrorCode.UNAVAILABLE
    assert refusal.details == {"reason": "STORE_UNAVAILABLE", "retryAfter": STORE_RETRY_SECONDS}
    assert (books(cloud), stored(cloud, "users/ann/wallet/main")) == (before, wallet)
    assert classify(cloud, "two")["status"] == "done"


def test_a_shard_reads_back_as_it_was_stored(cloud: InProcessCloud) -> None:
    """Also with a model whose name holds dots."""
    cloud.client.document("budget/2026-01-01/shards/0").set(
        Shard(limit=5, costs={"instant": {"gpt-4.1-nano": 3}}).model_dump(by_alias=True)
    )
    assert cloud.deps.store.budget_shards("2026-01-01")["0"].costs == {"instant": {"gpt-4.1-nano": 3}}
