"""The budget through the functions: what is held, what it comes to, what users see, and what nobody can break."""

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from firebase_functions.https_fn import FunctionsErrorCode, HttpsError
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud.firestore import Transaction, transactional

from functions.adapters.alerting import AlertNotDeliveredError
from functions.adapters.firestore import writes
from functions.adapters.providers import openai as adapter
from functions.core.batches import reports
from functions.core.budget.holds import SHARDS, Mode, Shard
from functions.core.jobs.idempotency import job_id_for
from functions.core.model.parsing import read_completion
from functions.core.model.usage import UnknownPriceError
from functions.core.shared.alerts import Alert
from functions.core.shared.errors import (
    BudgetExhausted,
    DailyLimit,
    EcolaneError,
    InvalidRequest,
    PhotoRefused,
    ProviderUnavailable,
)
from functions.edge.http_errors import STORE_RETRY_SECONDS, errors_to_https
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.register_device import RegisterDevice, register_device
from scripts.inprocess import InProcessCloud
from tests.app import photo

PHOTO = photo(64)
BIG = 1_000_000_000
MIDNIGHT = "2026-11-22T00:00:00Z"


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, with a budget of ten dollars for the day and tokens enough."""
    cloud = InProcessCloud(seed=1)
    configure(cloud)
    return cloud


def configure(cloud: InProcessCloud, **budget: Any) -> None:
    """Set the budget's rules, as an operator does in the document."""
    tokens = {"welcome": 200}
    plan = {"instantPerDay": 1_000, "batchPerDay": 1_000, "manualPerDay": 5, "callsPerMinute": 1_000, "priority": 0}
    cloud.configure({"tokens": tokens, "plans": {"free": plan}, "budget": budget})


def classify(cloud: InProcessCloud, key: str, mode: str = "instant", user: str = "ann", **more: Any) -> dict[str, Any]:
    """Classify one photo."""
    path = cloud.upload(user, f"{key}.jpg", PHOTO)
    request = {"requestId": f"request-{key}", "imagePath": path, "mode": mode, **more}
    return classify_image(ClassifyImage.model_validate(request), user, cloud.deps)


def today(cloud: InProcessCloud) -> str:
    """Return the day by the cloud's clock."""
    return cloud.clock().date().isoformat()


def books(cloud: InProcessCloud, day: str | None = None) -> tuple[int, int, int]:
    """Return limit, reserved and spent of a day, over its shards."""
    shards = cloud.deps.store.budget_shards(day or today(cloud)).values()
    return sum(s.limit for s in shards), sum(s.reserved for s in shards), sum(s.spent for s in shards)


def stored(cloud: InProcessCloud, path: str) -> dict[str, Any]:
    """Return a document."""
    return cloud.client.document(path).get().to_dict() or {}


def job(cloud: InProcessCloud, answer: dict[str, Any]) -> dict[str, Any]:
    """Return the job's document."""
    return stored(cloud, f"aiJobs/{answer['jobId']}")


def batch_hold(cloud: InProcessCloud) -> Any:
    """Return what is held for the only batch there is."""
    (batch,) = cloud.client.collection("batches").stream()
    return (batch.to_dict() or {})["hold"]


def alerts(cloud: InProcessCloud) -> set[str]:
    """Return the ids of the alerts there are."""
    return {snapshot.id for snapshot in cloud.client.collection("alerts").stream()}


def held_for_a_call(cloud: InProcessCloud) -> int:
    """Return what is held for one instant call of the tests' photo."""
    probe = InProcessCloud(seed=1)
    configure(probe)
    return int(job(probe, classify(probe, "probe"))["hold"]["lineMicros"])


def ticks(cloud: InProcessCloud, duration: timedelta) -> None:
    """Let all crons run every five minutes for a while."""
    end = cloud.clock() + duration
    while cloud.clock() < end:
        for run in (submit_batches, poll_batches, recover_jobs, guard_budget):
            run(cloud.deps)
        cloud.clock.advance(timedelta(minutes=5))


# Holds and settlements


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


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        {"prompt_tokens": -5, "completion_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": -1},
        {"prompt_tokens": 10**30, "completion_tokens": 1},
        {"prompt_tokens": 9_000_000, "completion_tokens": 9_000_000},
        {"prompt_tokens": "many", "completion_tokens": 1},
        {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}},
    ],
    ids=str,
)
def test_a_usage_that_cannot_be_is_booked_at_the_most(
    cloud: InProcessCloud, usage: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent, negative or absurd: the result counts, the most that it can have cost is booked, operators are told."""
    read = read_completion  # what the stand-in reports is spoilt on its way
    monkeypatch.setattr(adapter, "read_completion", lambda body: read({**body, "usage": usage}))
    found = job(cloud, classify(cloud, "one"))
    assert (found["status"], found["costMicros"]) == ("done", found["hold"]["lineMicros"])
    assert books(cloud)[1:] == (0, found["hold"]["lineMicros"])
    assert alerts(cloud) == {f"usage_unreported-{today(cloud)}"}


def reporting(monkeypatch: pytest.MonkeyPatch, input_tokens: int, output_tokens: int = 200) -> None:
    """Let the provider report so many tokens for every answer."""
    read = read_completion
    usage = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}
    monkeypatch.setattr(adapter, "read_completion", lambda body: read({**body, "usage": usage}))


def test_a_report_above_the_hold_is_booked_and_held_for_from_then_on(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what the invoice will say: booked in full, told, and the next call holds as much as that came to."""
    held = held_for_a_call(cloud)
    reporting(monkeypatch, 8_000)
    first = job(cloud, classify(cloud, "one"))
    assert held < first["costMicros"] == 900 <= 2 * held
    _, reserved, spent = books(cloud)
    assert (reserved, spent) == (0, held)
    guard_budget(cloud.deps)  # finds room for what was not held
    assert books(cloud)[1:] == (0, 900)
    assert guard_budget(cloud.deps)["repaired"] == 0
    assert alerts(cloud) == {f"estimate_exceeded-{today(cloud)}"}
    cloud.clock.advance(timedelta(seconds=31))
    second = job(cloud, classify(cloud, "two"))
    assert second["hold"]["lineMicros"] >= 900
    assert books(cloud)[1:] == (0, 1_800)
    assert stored(cloud, f"budget/{today(cloud)}")["costs"] == {"instant": {"gpt-6-luna": 900}}


def test_reserved_and_spent_stay_within_the_limit_whatever_is_reported(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the last of the budget in flight, answers come to more than was held: the accounts stop at the limit, the
    rest is on record and told, and nothing more is sent."""
    most = held_for_a_call(cloud)
    configure(cloud, dailyLimitMicros=16 * most + 7, monthlyLimitMicros=BIG)
    reporting(monkeypatch, 10_000)
    served = 0
    for number in range(40):
        try:
            served += classify(cloud, str(number), user=f"user-{number}", allowBatch=False)["status"] == "done"
        except BudgetExhausted:
            break
        limit, reserved, spent = books(cloud)
        assert reserved + spent <= limit
    guard_budget(cloud.deps)
    book = stored(cloud, f"budget/{today(cloud)}")
    assert book["reserved"] + book["spent"] <= book["limit"]
    assert book["spent"] + book["excess"] == served * 1_100
    with pytest.raises(BudgetExhausted):
        classify(cloud, "more", allowBatch=False)


def test_absurd_reports_close_the_day(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is a slip; with the third nobody knows what the bill is: nothing is sent until midnight, or until an operator
    has looked."""
    reporting(monkeypatch, 9_000_000)
    for key in ("one", "two", "three"):
        assert classify(cloud, key)["status"] == "done"
    cloud.clock.advance(timedelta(seconds=31))
    with pytest.raises(BudgetExhausted) as refused:
        classify(cloud, "four", allowBatch=False)
    assert refused.value.details == {"resetsAt": MIDNIGHT}
    assert alerts(cloud) == {f"usage_unreported-{today(cloud)}", f"usage_absurd-{today(cloud)}"}
    until = (cloud.clock() + timedelta(hours=1)).isoformat()
    changes = {"budget": {"overrideMode": "normal", "overrideUntil": until}}
    admin_set_config(AdminSetConfig(changes=changes), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert classify(cloud, "five", allowBatch=False)["status"] == "done"


def test_more_output_than_was_asked_for_is_booked_and_closes_nothing(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers of 950 tokens that cost less than was held are paid for, and nobody has to be told or waits for it."""
    reporting(monkeypatch, 500, 950)
    for key in ("one", "two", "three", "four"):
        assert job(cloud, classify(cloud, key, allowBatch=False))["costMicros"] == 525
        cloud.clock.advance(timedelta(seconds=31))
    assert alerts(cloud) == set()


def test_absurd_reports_that_endanger_no_money_close_nothing(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told, and booked at the most; if all of them were true, the day would still be far from its limit."""
    reporting(monkeypatch, 100_000)
    for key in ("one", "two", "three", "four"):
        assert classify(cloud, key, allowBatch=False)["status"] == "done"
        cloud.clock.advance(timedelta(seconds=31))
    assert alerts(cloud) == {f"usage_unreported-{today(cloud)}"}
    assert stored(cloud, "stats/budget")["absurd"] == 4


def test_a_batch_whose_lines_cost_more_than_was_held(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Booked in full, told once, and lines of the next batch are held at what these came to."""
    answers = [classify(cloud, str(number), "batch") for number in range(5)]
    submit_batches(cloud.deps)
    held = batch_hold(cloud)
    read = read_completion
    usage = {"prompt_tokens": 8_000, "completion_tokens": 200}
    monkeypatch.setattr(reports, "read_completion", lambda body: read({**body, "usage": usage}))
    ticks(cloud, timedelta(hours=1))
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert costs == 5 * 450 > held["micros"]
    assert books(cloud)[1:] == (0, costs)
    assert alerts(cloud) == {f"estimate_exceeded-{today(cloud)}"}
    assert stored(cloud, "stats/budget")["holdPercents"]["gpt-6-luna"] == -(-100 * 450 // held["lineMicros"])


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
    ticks(cloud, timedelta(hours=1))
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert books(cloud)[1:] == (0, costs)
    assert stored(cloud, f"budget/{today(cloud)}")["costs"] == {"batch": {"gpt-6-luna": costs}}


def test_a_call_that_never_came_back_is_booked_at_the_most(cloud: InProcessCloud) -> None:
    """The process died while the provider worked: the tokens come back, the money counts as spent."""

    def die(call: str, when: str) -> None:
        if (call, when) == ("openai.complete", "after"):
            raise KeyboardInterrupt

    cloud.interrupt = die
    with pytest.raises(KeyboardInterrupt):
        classify(cloud, "one")
    cloud.interrupt = lambda _call, _when: None
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
    ticks(cloud, timedelta(hours=3))
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert (books(cloud, day)[1:], books(cloud)[1:]) == ((0, costs), (0, 0))
    assert stored(cloud, f"budget/{day}")["costs"] == {"batch": {"gpt-6-luna": costs}}


def deployed_with(cloud: InProcessCloud, model: str) -> None:
    """Let a new process serve that asks another model."""
    cloud.restart({"openai_model": model})


def test_a_batch_costs_the_price_of_the_model_that_it_was_sent_to(cloud: InProcessCloud) -> None:
    """Also when another one, forty times as dear, is deployed while it is under way."""
    answers = [classify(cloud, str(number), "batch") for number in range(3)]
    submit_batches(cloud.deps)
    held = batch_hold(cloud)
    deployed_with(cloud, "gpt-4o")
    ticks(cloud, timedelta(hours=1))
    costs = sum(job(cloud, answer)["costMicros"] for answer in answers)
    assert 0 < costs < held["micros"]
    assert stored(cloud, f"budget/{today(cloud)}")["costs"] == {"batch": {"gpt-6-luna": costs}}


def test_a_price_that_goes_missing_stops_what_would_be_spent(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a process serves: nothing is charged, held or sent; what is under way comes to the most, and is told."""
    under_way = classify(cloud, "under-way", "batch")
    submit_batches(cloud.deps)
    held = batch_hold(cloud)["micros"]
    wallet = stored(cloud, "users/ann/wallet/main")
    monkeypatch.setattr("functions.adapters.prices.get_snapshot", _no_prices)
    for mode in ("instant", "batch"):
        with pytest.raises(UnknownPriceError):
            classify(cloud, mode, mode)
    assert stored(cloud, "users/ann/wallet/main") == wallet
    assert books(cloud)[1:] == (held, 0)
    cloud.clock.advance(timedelta(hours=1))
    poll_batches(cloud.deps)
    assert (job(cloud, under_way)["status"], job(cloud, under_way)["costMicros"]) == ("done", held)
    assert books(cloud)[1:] == (0, held)
    assert alerts(cloud) == {f"usage_unreported-{today(cloud)}"}


def _no_prices() -> Any:
    """Return a table that knows nothing."""

    def unknown(*_: object) -> None:
        raise LookupError

    return SimpleNamespace(find_provider_model=unknown)


# Limits


@pytest.mark.parametrize("calls", [0, 1, 7])
def test_a_budget_for_so_many_calls_serves_so_many(cloud: InProcessCloud, calls: int) -> None:
    """Held at the most each, with all of them in flight: so many go, not one more; the others are told until when."""
    most = held_for_a_call(cloud)
    configure(cloud, dailyLimitMicros=calls * most * 8 + 7, monthlyLimitMicros=BIG)
    guard_budget(cloud.deps)
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/chat/completions", count=None)
    outcomes = []
    for number in range(calls * 8 + 3):
        try:
            classify(cloud, str(number), user=f"user-{number}", allowBatch=False)
        except EcolaneError as error:
            outcomes.append((type(error), error.details.get("resetsAt")))
    assert outcomes == [(ProviderUnavailable, None)] * (calls * 8) + [(BudgetExhausted, MIDNIGHT)] * 3
    limit, reserved, spent = books(cloud)
    assert reserved + spent == calls * 8 * most <= limit


@pytest.mark.parametrize("limit", ["dailyLimitMicros", "monthlyLimitMicros"])
def test_a_limit_of_nothing_spends_nothing(cloud: InProcessCloud, limit: str) -> None:
    """From the first moment of a new project: no call of either lane leaves, and operators are told that it is so."""
    configure(cloud, **{limit: 0})
    with pytest.raises(BudgetExhausted):
        classify(cloud, "one", allowBatch=False)
    queued = classify(cloud, "two", "batch")
    cloud.openai.requests.reset()
    ticks(cloud, timedelta(hours=2))
    assert (job(cloud, queued)["status"], sum(cloud.openai.requests.values())) == ("queued", 0)
    assert books(cloud) == (0, 0, 0)
    assert f"closed-{today(cloud)}" in alerts(cloud)


def test_without_room_an_instant_photo_is_queued_and_told_why(cloud: InProcessCloud) -> None:
    """At the batch price, with the reason; nothing is sent that day, and it is answered on the next."""
    configure(cloud, dailyLimitMicros=100, monthlyLimitMicros=BIG)
    answer = classify(cloud, "one")
    assert (answer["status"], answer["mode"], answer["requestedMode"]) == ("queued", "batch", "instant")
    assert (answer["tokensCost"], answer["closedBecause"]) == (1, "BUDGET")
    ticks(cloud, timedelta(hours=6))
    assert job(cloud, answer)["status"] == "queued"
    configure(cloud)
    ticks(cloud, timedelta(hours=1))
    assert job(cloud, answer)["status"] == "done"


def test_a_batch_sends_as_many_lines_as_there_is_room_for(cloud: InProcessCloud) -> None:
    """Ten wait, the budget has room for four: four go, six wait for the next day, and then go too."""
    answers = [classify(cloud, str(number), "batch") for number in range(10)]
    probe = InProcessCloud(seed=1)
    configure(probe)
    classify(probe, "probe", "batch")
    submit_batches(probe.deps)
    line = batch_hold(probe)["lineMicros"]
    configure(cloud, dailyLimitMicros=4 * line + 8, monthlyLimitMicros=BIG)
    submit_batches(cloud.deps)
    statuses = [job(cloud, answer)["status"] for answer in answers]
    assert (statuses.count("processing"), statuses.count("queued")) == (4, 6)
    assert submit_batches(cloud.deps)["jobs"] == 0
    ticks(cloud, timedelta(hours=37))
    final = [job(cloud, answer)["status"] for answer in answers]
    assert final.count("queued") == 0
    assert final.count("done") >= 8


def test_one_users_photos_cost_so_much_a_day(cloud: InProcessCloud) -> None:
    """The cap is of each user, counts both lanes, and begins anew at midnight."""
    most = held_for_a_call(cloud)
    cap = 4 * most
    configure(cloud, perUserDailyMicros=cap)
    classify(cloud, "queued", "batch")
    costs: list[int] = []
    refused: DailyLimit | None = None
    while refused is None:
        try:
            costs.append(job(cloud, classify(cloud, str(len(costs))))["costMicros"])
        except DailyLimit as error:
            refused = error
    assert sum(costs) <= cap - most  # the queued one may still cost something
    assert len(costs) > cap // most  # what the answers did not cost was given back
    assert refused.details == {"limit": len(costs) + 1, "resetsAt": MIDNIGHT}
    assert classify(cloud, "another", user="bob")["status"] == "done"
    cloud.clock.advance(timedelta(days=1))
    assert classify(cloud, "tomorrow")["status"] == "done"


def test_only_a_user_at_the_cap_pays_for_a_recount(cloud: InProcessCloud) -> None:
    """Two reads a call, until what was held comes to the cap; then three more, for adding up."""
    most = held_for_a_call(cloud)
    configure(cloud, perUserDailyMicros=2 * most)
    guard_budget(cloud.deps)
    classify(cloud, "first")
    reads = []
    for key in ("second", "third"):
        cloud.firestore.bill.reset()
        classify(cloud, key)
        reads.append(cloud.firestore.bill.reset()["totals"]["reads"])
    assert reads == [2, 2 + 1 + 1 + 1]


def test_calls_at_once_never_pass_a_users_cap(cloud: InProcessCloud) -> None:
    """Held, open and settled ones together; each of the others is told to wait a second, or until tomorrow."""
    most = held_for_a_call(cloud)
    configure(cloud, perUserDailyMicros=3 * most)
    guard_budget(cloud.deps)
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/chat/completions", count=None)

    def attempt(number: int) -> str:
        try:
            classify(cloud, str(number))
        except EcolaneError as error:
            return error.reason
        return "served"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(attempt, range(12)))
    assert set(outcomes) <= {"PROVIDER_UNAVAILABLE", "DAILY_LIMIT", "RATE_LIMITED"}
    assert outcomes["PROVIDER_UNAVAILABLE"] == 3
    assert books(cloud)[1:] == (0, 3 * most)


@pytest.mark.parametrize(
    ("budget", "field"),
    [
        ({"dailyLimitMicros": -1}, "budget.dailyLimitMicros"),
        ({"monthlyLimitMicros": 10**12}, "budget.monthlyLimitMicros"),
        ({"batchOnlyPercent": 0}, "budget.batchOnlyPercent"),
        ({"overrideMode": "normal"}, "budget"),
        ({"overrideMode": "open", "overrideUntil": MIDNIGHT}, "budget.overrideMode"),
        ({"overrideMode": "normal", "overrideUntil": "2026-11-22T00:00:00"}, "budget.overrideUntil"),
    ],
    ids=str,
)
def test_a_wrong_rule_is_refused_by_name(cloud: InProcessCloud, budget: dict[str, Any], field: str) -> None:
    """Negative, absurd, half an override: nothing changes."""
    with pytest.raises(InvalidRequest) as refused:
        admin_set_config(AdminSetConfig(changes={"budget": budget}), "root", cloud.deps)
    assert refused.value.details == {"field": field}
    assert cloud.deps.runtime().budget.daily_limit_micros == 10_000_000


def test_a_negative_limit_in_the_document_is_not_believed(cloud: InProcessCloud) -> None:
    """Written past the checks, it is reported, and the last good limit stays in force."""
    classify(cloud, "one")
    configure(cloud, dailyLimitMicros=-5)
    guard_budget(cloud.deps)
    assert books(cloud)[0] == pytest.approx(10_000_000, abs=8)  # what does not divide by eight is left over


def test_a_lowered_limit_binds_at_once(cloud: InProcessCloud) -> None:
    """When `admin_set_config` returns, no process holds a micro-dollar more, whatever config it has cached."""
    classify(cloud, "one")
    stale = cloud.new_process()
    stale.runtime()
    admin_set_config(AdminSetConfig(changes={"budget": {"dailyLimitMicros": 0}}), "root", cloud.deps)
    cloud.deps = stale
    with pytest.raises(BudgetExhausted):
        classify(cloud, "two", allowBatch=False)
    admin_set_config(AdminSetConfig(changes={"budget": {"dailyLimitMicros": None}}), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert classify(cloud, "three", allowBatch=False)["status"] == "done"


def test_a_new_day_is_opened_under_the_config_as_it_is(cloud: InProcessCloud) -> None:
    """A process with an old, larger limit in its cache opens the day: it gets the new one."""
    cloud.deps.runtime()
    document = stored(cloud, "config/runtime")
    cloud.client.document("config/runtime").set({**document, "budget": {"dailyLimitMicros": 800_000}})
    classify(cloud, "one")
    assert books(cloud)[0] == 800_000


def test_the_month_binds_over_days(cloud: InProcessCloud) -> None:
    """With a month of one and a half daily limits, the second day gets what the first has left."""
    configure(cloud, dailyLimitMicros=4_000_000, monthlyLimitMicros=6_000_000)
    spent = job(cloud, classify(cloud, "one"))["costMicros"]
    cloud.clock.advance(timedelta(days=1))
    classify(cloud, "two")
    assert books(cloud)[0] == 2_000_000  # nobody has looked at the first day: it counts in full
    guard_budget(cloud.deps)
    assert 4_000_000 - 8 <= books(cloud)[0] <= min(4_000_000, 6_000_000 - spent)


# The guard


def add_cost(cloud: InProcessCloud, micros: int) -> None:
    """Make a day's first shard say that this much is spent, as it is after many calls."""
    day = today(cloud)
    guard_budget(cloud.deps)
    hold = {"day": day, "lane": "batch", "model": "m", "parts": {}, "micros": 0, "settled": micros, "lineMicros": 1}
    state = {"state": "done", "createdAt": cloud.clock(), "dueAt": cloud.clock(), "model": "m", "hold": hold}
    cloud.client.document(f"batches/spent-{micros}").set(state)
    cloud.client.document(f"budget/{day}/shards/0").update({"spent": micros})


def test_at_eighty_percent_everybody_goes_by_batch(cloud: InProcessCloud) -> None:
    """Instant is served as batch and says so; quote says why and until when; batches are still sent."""
    add_cost(cloud, 8_000_000)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    quoted = quote(Quote(), "ann", cloud.deps)
    assert quoted["instant"] | {"open": False, "closedBecause": "BUDGET", "opensAt": MIDNIGHT} == quoted["instant"]
    assert (quoted["recommended"], quoted["batch"]["pausedUntil"]) == ("batch", None)
    answer = classify(cloud, "one")
    assert (answer["mode"], answer["closedBecause"], answer["tokensCost"]) == ("batch", "BUDGET", 1)
    with pytest.raises(BudgetExhausted) as refused:
        classify(cloud, "two", allowBatch=False)
    assert refused.value.details == {"resetsAt": MIDNIGHT}
    with pytest.raises(BudgetExhausted):
        upgrade_job(UpgradeJob(jobId=answer["jobId"]), "ann", cloud.deps)
    ticks(cloud, timedelta(hours=1))
    assert job(cloud, answer)["status"] == "done"


def test_at_the_limit_nothing_is_sent_and_the_next_day_reopens(cloud: InProcessCloud) -> None:
    """Photos are still taken into the queue; they wait, and quote says until when; after midnight they go."""
    add_cost(cloud, 10_000_000)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert quote(Quote(), "ann", cloud.deps)["batch"]["pausedUntil"] == MIDNIGHT
    answer = classify(cloud, "one", "batch")
    cloud.openai.requests.reset()
    ticks(cloud, timedelta(hours=11))
    assert (job(cloud, answer)["status"], sum(cloud.openai.requests.values())) == ("queued", 0)
    ticks(cloud, timedelta(hours=2))
    assert job(cloud, answer)["status"] == "done"
    assert classify(cloud, "two")["mode"] == "instant"


def test_a_raised_limit_reopens(cloud: InProcessCloud) -> None:
    """The same day, as soon as the operator has raised it."""
    add_cost(cloud, 10_000_000)
    guard_budget(cloud.deps)
    admin_set_config(AdminSetConfig(changes={"budget": {"dailyLimitMicros": 20_000_000}}), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    assert classify(cloud, "one")["mode"] == "instant"


def test_an_override_closes_until_it_expires_and_is_on_record(cloud: InProcessCloud) -> None:
    """An operator's mode wins while it lasts; who set it, and when, stays in the audit."""
    until = (cloud.clock() + timedelta(hours=1)).isoformat()
    changes = {"budget": {"overrideMode": "closed", "overrideUntil": until}}
    admin_set_config(AdminSetConfig(changes=changes), "root", cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    answer = classify(cloud, "one")
    assert answer["closedBecause"] == "BUDGET"
    assert submit_batches(cloud.deps)["jobs"] == 0
    (audit,) = cloud.client.collection("config/runtime/audit").stream()
    assert (audit.to_dict() or {})["by"] == "root"
    cloud.clock.advance(timedelta(hours=1))
    assert classify(cloud, "two")["mode"] == "instant"
    assert submit_batches(cloud.deps)["jobs"] == 1


@pytest.mark.parametrize("field", ["reserved", "spent"])
@pytest.mark.parametrize("wrong", [-50_000, 70_000])
def test_a_drift_is_repaired_and_told(cloud: InProcessCloud, field: str, wrong: int) -> None:
    """Whoever has changed a shard by hand: the guard finds what the calls say, books it, and raises an alert, once."""
    answer = classify(cloud, "one")
    guard_budget(cloud.deps)
    shard = cloud.client.document(f"budget/{today(cloud)}/shards/2")
    shard.update({field: (shard.get().to_dict() or {})[field] + wrong})
    assert guard_budget(cloud.deps)["repaired"] == 1
    assert books(cloud)[1:] == (0, job(cloud, answer)["costMicros"])
    assert alerts(cloud) == {f"drift-{today(cloud)}"}
    assert guard_budget(cloud.deps)["repaired"] == 0


def test_shards_that_were_deleted_come_back(cloud: InProcessCloud) -> None:
    """With what was spent on them, so that the limit still holds."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    for number in range(8):
        cloud.client.document(f"budget/{today(cloud)}/shards/{number}").delete()
    guard_budget(cloud.deps)
    assert books(cloud) == (10_000_000 - (10_000_000 - cost) % 8, 0, cost)


def test_calls_go_round_a_shard_that_is_missing(cloud: InProcessCloud) -> None:
    """They are served from the others; what was spent on it comes back with the guard, so nothing is spent twice."""
    costs = job(cloud, classify(cloud, "one"))["costMicros"]
    cloud.client.document(f"budget/{today(cloud)}/shards/5").delete()
    for number in range(24):
        answer = classify(cloud, str(number), user=f"user-{number}")
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
        for number in range(SHARDS):
            cloud.client.document(f"budget/{today(cloud)}/shards/{number}").get(transaction=crowd)
        with pytest.raises(HttpsError) as refused, errors_to_https("classify_image"):
            classify(cloud, "two")
        return refused.value

    refusal: HttpsError = crowded(cloud.client.transaction())
    assert refusal.code is FunctionsErrorCode.UNAVAILABLE
    assert refusal.details == {"reason": "STORE_UNAVAILABLE", "retryAfter": STORE_RETRY_SECONDS}
    assert (books(cloud), stored(cloud, "users/ann/wallet/main")) == (before, wallet)
    assert classify(cloud, "two")["status"] == "done"


def test_guards_at_once_repair_once(cloud: InProcessCloud) -> None:
    """Four guards measure the same drift; it is booked once, and one alert is raised and delivered."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    guard_budget(cloud.deps)
    cloud.client.document(f"budget/{today(cloud)}/shards/2").update({"reserved": 90_000})
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: guard_budget(cloud.deps), range(4)))
    assert books(cloud)[1:] == (0, cost)
    assert sum(count["raised"] for count in counts) == 1
    assert sum(count["delivered"] for count in counts) == 1


def test_a_repair_measured_before_another_guards_is_not_made(cloud: InProcessCloud) -> None:
    """A guard that measured a drift which another has repaired since, at the very same time, leaves it alone."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    guard_budget(cloud.deps)
    cloud.client.document(f"budget/{today(cloud)}/shards/2").update({"reserved": 90_000})
    honest = cloud.deps.store.budget_drift
    stale = {today(cloud): honest(today(cloud))}
    guard_budget(cloud.deps)
    vars(cloud.deps.store)["budget_drift"] = lambda day: stale.get(day) or honest(day)
    guard_budget(cloud.deps)
    assert books(cloud)[1:] == (0, cost)


def test_a_guard_that_dies_anywhere_leaves_it_to_the_next(cloud: InProcessCloud) -> None:
    """Killed before and after each of its calls: the next one ends with the same books, and the alert goes out."""
    for when in ("before", "after"):
        for at in range(1, 100):
            cloud = InProcessCloud(seed=1)
            configure(cloud, alertUids=["root"])
            register_device(RegisterDevice(deviceId="device-1", pushToken="token", platform="web"), "root", cloud.deps)
            add_cost(cloud, 8_500_000)
            cloud.clock.advance(timedelta(seconds=31))
            if not killed(cloud, at, when, guard_budget):
                break
            cloud.restart()
            cloud.clock.advance(timedelta(minutes=15))
            guard_budget(cloud.deps)
            assert books(cloud)[2] == 8_500_000
            cloud.clock.advance(timedelta(seconds=31))
            assert cloud.deps.budget().mode is Mode.BATCH_ONLY
            assert stored(cloud, f"alerts/batch_only-{today(cloud)}")["dueAt"] is None
        else:
            raise AssertionError("more calls than were tried")


def test_what_users_cost_outlives_their_jobs(cloud: InProcessCloud) -> None:
    """Both lanes, by the day on which a photo was handed in; exact, and kept when the jobs are gone."""
    day = today(cloud)
    answers = {
        "ann": [classify(cloud, "one"), classify(cloud, "two", "batch")],
        "bob": [classify(cloud, "three", "batch", user="bob")],
        "cy": [],
    }
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=50)
    guard_budget(cloud.deps)
    assert set(stored(cloud, f"budget/{day}")["users"]) == {"ann"}  # the batches have cost nothing yet
    ticks(cloud, timedelta(hours=3))
    ticks(cloud, timedelta(days=2))
    expected = {user: sum(job(cloud, one)["costMicros"] for one in theirs) for user, theirs in answers.items()}
    for snapshot in cloud.client.collection("aiJobs").stream():
        snapshot.reference.delete()  # what TTL does
    cloud.clock.advance(timedelta(days=90))
    guard_budget(cloud.deps)
    assert stored(cloud, f"budget/{day}")["users"] == {"ann": expected["ann"], "bob": expected["bob"]}


def test_knowing_who_costs_most_costs_a_bounded_number_of_reads(cloud: InProcessCloud) -> None:
    """Of a thousand users' day a fair sample is read and no more; the one who makes a tenth of it is found."""
    hold = {"day": today(cloud), "micros": 0, "settled": 0}
    for number in range(1_000):
        uid = "ann" if number % 10 == 0 else f"user-{number}"
        fields = {"uid": uid, "day": today(cloud), "createdAt": cloud.clock(), "costMicros": 250, "hold": hold}
        cloud.client.document(f"aiJobs/{job_id_for(uid, str(number))}").set(fields)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(minutes=15))
    usual = guard_reads(cloud)
    cloud.clock.advance(timedelta(hours=1))
    assert guard_reads(cloud) - usual == 300 + 50
    users = stored(cloud, f"budget/{today(cloud)}")["users"]
    assert (len(users), max(users, key=users.__getitem__), users["ann"]) == (50, "ann", 100 * 250)


def guard_reads(cloud: InProcessCloud) -> int:
    """Run the guard and return how many reads that was."""
    cloud.firestore.bill.reset()
    guard_budget(cloud.deps)
    return int(cloud.firestore.bill.reset()["totals"]["reads"])


def test_the_first_look_at_a_new_project_is_cheap(cloud: InProcessCloud) -> None:
    """There are no days to look back at, and it does not read through a month to find that out."""
    assert guard_reads(cloud) < 60


def test_a_lost_state_is_made_anew_from_the_days_that_there_are(cloud: InProcessCloud) -> None:
    """Whoever deletes `stats/budget` does not reopen the month: its days are found and counted again."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    day = today(cloud)
    cloud.clock.advance(timedelta(days=9))
    guard_budget(cloud.deps)
    cloud.client.document("stats/budget").delete()
    cloud.clock.advance(timedelta(seconds=31))
    guard_budget(cloud.deps)
    assert stored(cloud, "stats/budget")["committed"][day] == cost


def killed(cloud: InProcessCloud, at: int, when: str, run: Callable[[Any], Any]) -> bool:
    """Run until the n-th outside call, and die there. False if there was no such call."""
    calls = 0

    def count(_call: str, moment: str) -> None:
        nonlocal calls
        calls += moment == when
        if calls >= at:
            raise KeyboardInterrupt

    cloud.interrupt = count
    try:
        run(cloud.deps)
    except BaseException:  # noqa: BLE001  (a client library may cover it with an error of its own)
        return True
    finally:
        cloud.interrupt = lambda _call, _when: None
    return False


def test_alerts_go_to_the_log_the_webhook_and_the_operators_devices(
    cloud: InProcessCloud, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once each, however often the guard looks; at ALERT severity in the log."""
    sent: list[Alert] = []
    cloud.restart(alerting=_Webhook(sent))
    configure(cloud, alertUids=["root", "nobody"])
    register_device(RegisterDevice(deviceId="device-1", pushToken="token-1", platform="web"), "root", cloud.deps)
    add_cost(cloud, 10_000_000)
    for _ in range(3):
        guard_budget(cloud.deps)
        cloud.clock.advance(timedelta(minutes=15))
    assert [alert.kind for alert in sent] == ["closed"]
    assert [(tokens, kind) for tokens, kind, _, _ in cloud.messaging.alerts] == [(("token-1",), "closed")]
    logged = [json.loads(line) for line in capfd.readouterr().out.splitlines() if "operator_alert" in line]
    assert [(entry["severity"], entry["kind"]) for entry in logged] == [("ALERT", "closed")]


def test_an_alert_that_nobody_takes_is_delivered_later(cloud: InProcessCloud) -> None:
    """A webhook that is down delays its alert, twice as long each time, and nothing else."""
    sent: list[Alert] = []
    cloud.restart(alerting=_Webhook(sent, failures=2))
    add_cost(cloud, 8_000_000)
    delivered = []
    for _ in range(5):
        delivered.append(guard_budget(cloud.deps)["delivered"])
        cloud.clock.advance(timedelta(minutes=15))
    assert delivered == [0, 0, 0, 1, 0]
    assert len(sent) == 1


class _Webhook:
    """Takes alerts, after so many failures."""

    def __init__(self, sent: list[Alert], failures: int = 0) -> None:
        self.sent, self.failures = sent, failures

    def send(self, alert: Alert) -> None:
        """Take an alert."""
        if self.failures:
            self.failures -= 1
            raise AlertNotDeliveredError("status 500")
        self.sent.append(alert)


def test_a_shard_reads_back_as_it_was_stored(cloud: InProcessCloud) -> None:
    """Also with a model whose name holds dots."""
    cloud.client.document("budget/2026-01-01/shards/0").set(
        Shard(limit=5, costs={"instant": {"gpt-4.1-nano": 3}}).model_dump(by_alias=True)
    )
    assert cloud.deps.store.budget_shards("2026-01-01")["0"].costs == {"instant": {"gpt-4.1-nano": 3}}
