"""Limits of the day, the month and the user: what is refused or waits, and how an operator changes them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from functions.adapters.breaker import OPEN_FOR
from functions.core.shared.errors import (
    BudgetExhausted,
    DailyLimit,
    EcolaneError,
    ProviderUnavailable,
)
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, alerts, classify, job, stored, ticks, today
from tests.use_cases.budget.books import BIG, MIDNIGHT, batch_hold, books, configure, held_for_a_call


@pytest.mark.parametrize("calls", [0, 1, 7])
def test_a_budget_for_so_many_calls_serves_so_many(cloud: InProcessCloud, calls: int) -> None:
    """Held at the most each, with all of them in flight: so many go, not one more; the others are told until when."""
    most = held_for_a_call(cloud)
    configure(cloud, dailyLimitMicros=calls * most * 8 + 7, monthlyLimitMicros=BIG)
    guard_budget(cloud.deps)
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/chat/completions", count=None)
    outcomes = []
    for number in range(calls * 8 + 3):
        cloud.clock.advance(OPEN_FOR)  # so that the provider is asked again, however often it has failed
        try:
            classify(cloud, str(number), uid=f"user-{number}", allowBatch=False)
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
    ticks(cloud, timedelta(hours=2), CRONS)
    assert (job(cloud, queued)["status"], sum(cloud.openai.requests.values())) == ("queued", 0)
    assert books(cloud) == (0, 0, 0)
    assert f"closed-{today(cloud)}" in alerts(cloud)


def test_without_room_an_instant_photo_is_queued_and_told_why(cloud: InProcessCloud) -> None:
    """At the batch price, with the reason; nothing is sent that day, and it is answered on the next."""
    configure(cloud, dailyLimitMicros=100, monthlyLimitMicros=BIG)
    answer = classify(cloud, "one")
    assert (answer["status"], answer["mode"], answer["requestedMode"]) == ("queued", "batch", "instant")
    assert (answer["tokensCost"], answer["closedBecause"]) == (1, "BUDGET")
    ticks(cloud, timedelta(hours=6), CRONS)
    assert job(cloud, answer)["status"] == "queued"
    configure(cloud)
    ticks(cloud, timedelta(hours=1), CRONS)
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
    ticks(cloud, timedelta(hours=37), CRONS)
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
    assert classify(cloud, "another", uid="bob")["status"] == "done"
    cloud.clock.advance(timedelta(days=1))
    assert classify(cloud, "tomorrow")["status"] == "done"


def test_only_a_user_at_the_cap_pays_for_a_recount(cloud: InProcessCloud) -> None:
    """Two reads a call, until what was held comes to the cap; then two for adding up, and both again."""
    most = held_for_a_call(cloud)
    configure(cloud, perUserDailyMicros=2 * most)
    guard_budget(cloud.deps)
    classify(cloud, "first")
    reads = []
    for key in ("second", "third"):
        cloud.firestore.bill.reset()
        classify(cloud, key)
        reads.append(cloud.firestore.bill.reset()["totals"]["reads"])
    assert reads == [2, 2 + 1 + 1 + 2]


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
