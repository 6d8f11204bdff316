"""Each change of a bulk job: what is charged, made, ended and given back."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.holds import CostCeiling
from functions.core.bulk.bulks import Bulk, BulkState, Waiting
from functions.core.bulk.changes import (
    LOST,
    Change,
    Seen,
    Terms,
    all_ended,
    counted,
    emptied,
    ended,
    given_back,
    page,
    put_off,
)
from functions.core.bulk.quota import started
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.jobs import Failure, JobError, Status
from functions.core.shared.errors import InsufficientTokens
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.quotas import ActualSpend, RecountNeeded
from functions.core.wallet.refusals import AccountBlocked
from functions.core.wallet.team_wallet import Member, Role, nobodys
from tests.builders import NOW, account, bulk, job

RUNTIME = RuntimeConfig.model_validate({"tokens": {"welcome": 200}})
LATER = NOW + timedelta(minutes=15)
TERMS = Terms(CostCeiling(300), timedelta(hours=4), "run-1", LATER)
BAD = JobError(code=Failure.INVALID_IMAGE, message="no photo", problem="damaged")


def wallet(**changes: Any) -> Wallet:
    """Return a wallet with 200 tokens."""
    fields = {"balance": 200, "total_earned": 200, "entry_count": 1, "contact_at": NOW}
    return account().with_fields(**{**fields, **changes}).wallet


def seen(count: int, bad: tuple[int, ...] = (), first: int = 0) -> list[Seen]:
    """Return so many photos, some of them unusable."""
    paths = [f"users/ana/uploads/trip-{n}.jpg" for n in range(first, first + count)]
    return [Seen(path, error=BAD) if n in bad else Seen(path, "d" * 64) for n, path in enumerate(paths)]


def taken_on(of: Bulk, photos: list[Seen], having: Wallet | None = None, terms: Terms = TERMS) -> Change:
    """Take these photos on."""
    change = page(having or wallet(), of, photos, terms, RUNTIME, NOW)
    assert isinstance(change, Change)
    return change


def test_the_whole_price_is_charged_with_the_points_of_all() -> None:
    """By one entry; free tokens go first."""
    after, stored = started(wallet(purchased=150), bulk(), RUNTIME)
    entry = after.new_entries[-1]
    assert (entry.entry_id, entry.delta, entry.points, entry.bought) == (f"bulk:{'b' * 32}", -100, 1_000, -50)
    assert (after.wallet.scans, stored.tokens_bought, entry.detail) == (0, 50, {"photos": "100"})
    assert started(None, bulk(), RUNTIME)[0].wallet.balance == 100


def test_what_the_wallet_refuses_is_not_started() -> None:
    """Too few tokens, or an operator's block."""
    with pytest.raises(InsufficientTokens):
        started(wallet(balance=99), bulk(), RUNTIME)
    with pytest.raises(AccountBlocked):
        started(wallet(blocked_at=NOW), bulk(), RUNTIME)


def test_photos_of_a_plan_without_tokens_cost_none() -> None:
    """The bulk job keeps that they did."""
    free = {"instantPerDay": 1, "batchPerDay": 1, "manualPerDay": 1, "callsPerMinute": 1, "priority": 0}
    unlimited = RuntimeConfig.model_validate({"plans": {"free": {**free, "unlimited": True}}})
    after, stored = started(wallet(), bulk(), unlimited)
    assert (after.wallet.balance, stored.tokens_cost, stored.price_of(0, 100)) == (200, 0, (0, 0))


def test_a_page_becomes_jobs() -> None:
    """One each, at its share, in no queue of the day; the first photo of the day is noted."""
    change = taken_on(bulk(), seen(50))
    assert (change.bulk.taken, change.bulk.state, change.bulk.due_at, change.bulk.moves) == (50, "taking", LATER, 1)
    assert len({each.job_id for each in change.opened}) == 50
    first, second = change.opened[:2]
    assert (first.bulk_id, first.tokens_cost, first.image_digest, first.points) == ("b" * 32, 1, "d" * 64, 10)
    assert (first.region, first.status, first.notify) == ("IN", Status.QUEUED, ())
    assert (first.visit_age, second.visit_age) == (0, None)
    assert (first.visit_again, second.visit_again) == (False, None)
    assert (first.plan, second.plan) == ("free", "free")
    assert change.account is not None
    today = change.account.wallet.today
    assert (today.batch, today.held_micros, change.account.new_entries) == (0, 15_000, ())


def test_the_last_page_ends_the_taking() -> None:
    """From then on answers are waited for."""
    change = taken_on(bulk(taken=60), seen(40, first=60))
    assert (change.bulk.taken, change.bulk.state) == (100, BulkState.WORKING)


def test_unusable_photos_are_failed_and_refunded_with_their_page() -> None:
    """By one entry, with their points; they hold no money."""
    change = taken_on(bulk(), seen(50, bad=(3, 7)))
    assert Counter(each.status for each in change.opened) == {Status.QUEUED: 48, Status.FAILED: 2}
    assert change.account is not None
    (entry,) = change.account.new_entries
    assert (entry.entry_id, entry.delta, entry.points) == (f"refund:{'b' * 32}:1", 2, -20)
    assert (change.bulk.refunds, change.bulk.refunded, entry.detail) == (1, 2, {"photos": "2"})
    assert change.account.wallet.today.held_micros == 48 * 300
    bad = change.opened[3]
    assert bad.error is not None
    assert (bad.error.code, bad.error.problem, bad.queued_at, bad.completed_at) == (BAD.code, "damaged", None, NOW)


def test_a_day_takes_as_many_as_it_may_cost() -> None:
    """The actual spend counts if the upper bounds leave no room; then the rest waits."""
    held = wallet(today={"day": "2026-11-21", "held_micros": 1_999_000})
    needed = page(held, bulk(), seen(50), TERMS, RUNTIME, NOW)
    assert needed == RecountNeeded("2026-11-21", 1_999_000)
    spend = ActualSpend("2026-11-21", 1_999_000, 1_998_500)
    few = taken_on(bulk(), seen(50, bad=(0,)), held, replace(TERMS, ceiling=CostCeiling(300, recount=spend)))
    assert [each.status for each in few.opened] == ["failed", *["queued"] * 5]
    full = replace(TERMS, ceiling=CostCeiling(300, recount=ActualSpend("2026-11-21", 1_999_000, 1_999_900)))
    none = taken_on(bulk(), seen(50), held, full)
    assert (none.bulk.waiting, none.bulk.due_at, none.opened) == (Waiting.LIMIT, NOW + timedelta(hours=1), ())
    assert none.account is not None
    same = replace(TERMS, ceiling=CostCeiling(300, recount=ActualSpend("2026-11-21", 1_999_000, 1_999_000)))
    unchanged = wallet(today={"day": "2026-11-21", "held_micros": 1_999_800})
    recounted = replace(same, ceiling=CostCeiling(300, recount=ActualSpend("2026-11-21", 1_999_800, 1_999_800)))
    assert taken_on(bulk(), seen(50), unchanged, recounted).account is None


def test_a_page_of_what_is_taken_no_more_changes_nothing() -> None:
    """It was cancelled meanwhile."""
    cancelled = bulk(state=BulkState.CANCELLING)
    assert taken_on(cancelled, seen(50)) == Change(cancelled)


def test_who_has_left_or_is_blocked_gets_nothing_on() -> None:
    """The first ends, the second waits."""
    left = page(None, bulk(), seen(50), TERMS, RUNTIME, NOW)
    assert isinstance(left, Change)
    assert (left.bulk.state, left.bulk.completed_at, left.account) == (BulkState.CANCELLED, NOW, None)
    blocked = taken_on(bulk(), seen(50), wallet(blocked_at=NOW))
    assert (blocked.bulk.waiting, blocked.bulk.due_at) == (Waiting.BLOCKED, NOW + timedelta(hours=1))


def test_what_was_not_taken_on_comes_back() -> None:
    """At once, bought tokens as such; nobody gets it if there is nobody."""
    change = given_back(wallet(), bulk(taken=40, tokens_bought=70), BulkState.CANCELLING, NOW)
    assert change.account is not None
    (entry,) = change.account.new_entries
    assert (entry.delta, entry.bought, entry.points) == (60, 60, -600)
    assert (change.bulk.state, change.bulk.taken, change.bulk.refunded) == (BulkState.CANCELLING, 40, 60)
    assert given_back(None, bulk(), BulkState.CANCELLING, NOW).account is None


def test_giving_back_twice_gives_back_once() -> None:
    """One that works is cancelled for its queue; one that is cancelled, or has ended, stays as it is."""
    working = given_back(wallet(), bulk(state=BulkState.WORKING, taken=100), BulkState.CANCELLING, NOW)
    assert (working.bulk.state, working.account) == (BulkState.CANCELLING, None)
    for state in (BulkState.CANCELLING, BulkState.CANCELLED, BulkState.DONE):
        assert given_back(wallet(), bulk(state=state), BulkState.CANCELLING, NOW) == Change(bulk(state=state))


def test_queued_jobs_of_a_cancelled_bulk_job_come_back() -> None:
    """By one entry for all of them; of one that goes on none does."""
    queued = [job(job_id=f"{n:032x}", points=10, tokens_bought=n) for n in range(2)]
    change = emptied(wallet(), bulk(state=BulkState.CANCELLING, refunds=1, refunded=7), queued, NOW)
    assert change.account is not None
    (entry,) = change.account.new_entries
    assert (entry.entry_id, entry.delta, entry.bought, entry.points) == (f"refund:{'b' * 32}:2", 2, 1, -20)
    assert change.bulk.refunded == 9
    assert {fields["status"] for fields in (change.ended or {}).values()} == {Status.CANCELLED}
    assert emptied(None, bulk(state=BulkState.CANCELLING), queued, NOW).account is None
    for state, jobs in ((BulkState.WORKING, queued), (BulkState.CANCELLING, [])):
        assert emptied(wallet(), bulk(state=state), jobs, NOW) == Change(bulk(state=state))


def test_it_ends_when_all_its_jobs_have() -> None:
    """By the last count; long after its deadline all the same."""
    some = counted(bulk(state=BulkState.WORKING, taken=100), {"done": 90, "failed": 4, "cancelled": 5}, NOW)
    assert (some.done, some.failed, some.cancelled, some.due_at) == (90, 4, 5, NOW + timedelta(minutes=5))
    assert not all_ended(some, NOW)
    assert all_ended(some.model_copy(update={"done": 91}), NOW)
    assert all_ended(some, some.deadline + LOST + timedelta(seconds=1))
    assert ended(some, NOW).state == BulkState.DONE
    over = ended(some.model_copy(update={"state": BulkState.CANCELLING}), NOW)
    assert (over.state, over.completed_at, over.due_at) == (BulkState.CANCELLED, NOW, None)


def test_it_is_put_off_unless_it_was_cancelled() -> None:
    """Its user would wait for the refund."""
    later = put_off(bulk(), Waiting.QUEUE, LATER).bulk
    assert (later.waiting, later.due_at) == (Waiting.QUEUE, LATER)
    cancelled = bulk(state=BulkState.CANCELLING)
    assert put_off(cancelled, Waiting.QUEUE, LATER) == Change(cancelled)


@pytest.mark.parametrize("still_there", [True, False], ids=["removed", "closed"])
def test_a_team_that_pays_for_its_user_no_more_gets_back_what_is_not_taken_on(still_there: bool) -> None:
    """Not a photo more becomes a job; of a closed team nobody is there to get anything."""
    team, of = nobodys("7" * 32).with_fields(balance=5), bulk(payer="7" * 32, taken=60)
    stopped = page(team if still_there else None, of, seen(40, first=60), TERMS, RUNTIME, NOW)
    assert isinstance(stopped, Change)
    assert (stopped.bulk.state, stopped.bulk.due_at, stopped.opened) == (BulkState.CANCELLING, NOW, ())
    assert (stopped.account.wallet.balance if stopped.account else None) == (45 if still_there else None)


def test_a_team_pays_on_for_a_member() -> None:
    """Each photo says who has paid, and when."""
    team = nobodys("7" * 32).with_fields(members={"ana": Member(role=Role.MEMBER, joined_at=NOW)}).entered_by("ana")
    (job,) = taken_on(bulk(payer="7" * 32), seen(1), team).opened
    assert (job.payer, job.paid_at, job.charged_at) == ("7" * 32, NOW, NOW)


def test_photos_count_for_achievements_from_their_page_on_until_they_are_paid_back() -> None:
    """Not those that are useless, or never taken on: nobody gets ahead by what is cancelled before it is a job."""
    rule = {"name": "keen", "counter": "scans", "atLeast": 48, "tokens": 3}
    runtime = RuntimeConfig.model_validate({"achievements": {"open": True, "rules": [rule]}})
    begun, _ = started(wallet(), bulk(), runtime)
    assert (begun.wallet.scans, begun.wallet.achieved) == (0, ())
    few = page(begun.wallet, bulk(), seen(49, bad=(3, 7)), TERMS, runtime, NOW)
    assert isinstance(few, Change)
    assert few.account is not None
    assert (few.account.wallet.scans, few.account.wallet.achieved) == (47, ())
    one_more = page(few.account.wallet, few.bulk, seen(1, first=49), TERMS, runtime, NOW)
    assert isinstance(one_more, Change)
    assert one_more.account is not None
    assert (one_more.account.wallet.scans, one_more.account.wallet.achieved) == (48, ("keen",))
    stopped = given_back(one_more.account.wallet, one_more.bulk, BulkState.CANCELLING, NOW)
    assert stopped.account is not None
    assert stopped.account.wallet.scans == 48
    queued = [each for each in few.opened if each.status is Status.QUEUED]
    empty = emptied(stopped.account.wallet, stopped.bulk, queued, NOW)
    assert empty.account is not None
    assert empty.account.wallet.scans == 1
