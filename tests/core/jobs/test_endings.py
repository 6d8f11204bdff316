"""A failure and its refund are one decision, and only its holder may take it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.holds import CostCeiling, call_hold
from functions.core.config.runtime import BudgetRules, RuntimeConfig
from functions.core.jobs.cancelling import cancelling
from functions.core.jobs.endings import Decision, Settled, Upgrade, giving_up, refunding, upgrading
from functions.core.jobs.jobs import BY_THE_PHOTO, FAILURE_TEXTS, FINAL, Failure, Job, JobError, Status
from functions.core.jobs.transitions import with_fields
from functions.core.shared.errors import (
    DailyLimit,
    EcolaneError,
    InsufficientTokens,
    JobNotCancellable,
    JobNotFound,
    JobNotUpgradable,
    PriceChanged,
)
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account, charge, open_account
from functions.core.wallet.ledger import Reason, Today, Wallet
from functions.core.wallet.quotas import FAILURES_REFUNDED_MAX, ActualSpend, RecountNeeded
from functions.core.wallet.refusals import PlanRequired
from functions.core.wallet.token_prices import Prices
from tests.builders import NOW, job, offered

ERROR = JobError(code=Failure.LINE_MISSING, message="lost")
HELD = job(status=Status.PROCESSING, batch_id="batch-1", tokens_cost=5)
LATER = NOW + timedelta(hours=1)
RUNTIME = RuntimeConfig()


def settled(decision: Settled | RecountNeeded | None) -> tuple[Account, Fields]:
    """Return what was decided for a user who is there."""
    assert isinstance(decision, Settled)
    assert decision.account is not None
    return decision.account, decision.fields


def paid_wallet() -> Wallet:
    """Return the wallet from which `HELD` was paid."""
    return charge(open_account(None, 10, NOW), HELD.job_id, HELD.tokens_cost, NOW).wallet


def test_a_failure_gives_the_whole_price_back() -> None:
    """Charge and refund cancel out, under the job's own entry id, and the provider's cost stays on the books."""
    decision = settled(refunding(lambda _: True, ERROR, 55, LATER)(paid_wallet(), HELD))
    account, fields = decision
    assert [(e.entry_id, e.delta, e.balance_after) for e in account.new_entries] == [(f"refund:{HELD.job_id}", 5, 10)]
    ended = with_fields(HELD, fields)
    assert (ended.status, ended.cost_micros, ended.completed_at) == (Status.FAILED, 55, LATER)
    assert ended.error == JobError(code=ERROR.code, message=FAILURE_TEXTS[Failure.LINE_MISSING])


@pytest.mark.parametrize("code", [Failure.LINE_MISSING, *sorted(BY_THE_PHOTO)])
def test_a_check_of_the_cache_pays_nobody_back(code: Failure) -> None:
    """Nobody has paid for it, and its failure is not its user's, whether it has failed or waited too long."""
    check = HELD.model_copy(update={"job_id": f"check-{HELD.job_id}", "tokens_cost": 0})
    failed = refunding(lambda _: True, JobError(code=code, message="no"), 55, LATER)(paid_wallet(), check)
    waiting = check.model_copy(update={"status": Status.QUEUED, "batch_id": None})
    for decision in (failed, giving_up(LATER)(paid_wallet(), waiting)):
        assert isinstance(decision, Settled)
        assert (decision.account, decision.fields["status"]) == (None, Status.FAILED)


@pytest.mark.parametrize("code", sorted(BY_THE_PHOTO))
def test_what_a_photo_shows_is_refunded_a_few_times_a_day(code: Failure) -> None:
    """Three that the provider was paid for; the price of a fourth stays. None gives its place in the day back, and
    after midnight it begins anew."""
    error, wallet, stands = JobError(code=code, message="no"), paid_wallet(), []
    for _ in range(FAILURES_REFUNDED_MAX + 1):
        account, fields = settled(refunding(lambda _: True, error, 55, LATER)(wallet, HELD))
        stands.append(fields.get("chargeStands", False))
        assert [entry.delta for entry in account.new_entries] == ([] if stands[-1] else [5])
        assert fields["status"] is Status.FAILED
        wallet = account.wallet
    assert stands == [False] * FAILURES_REFUNDED_MAX + [True]
    tomorrow = NOW + timedelta(days=1)
    assert "chargeStands" not in settled(refunding(lambda _: True, error, 55, tomorrow)(wallet, HELD))[1]


@pytest.mark.parametrize(("code", "micros"), [(Failure.ANSWER_UNUSABLE, 0), (Failure.PROVIDER_UNAVAILABLE, 55)])
def test_what_costs_nothing_or_is_not_the_photos_is_always_refunded(code: Failure, micros: int) -> None:
    """An outage that may be billed is nobody's photo; neither does it count."""
    error, wallet = JobError(code=code, message="no"), paid_wallet()
    for _ in range(2 * FAILURES_REFUNDED_MAX):
        account, fields = settled(refunding(lambda _: True, error, micros, LATER)(wallet, HELD))
        assert "chargeStands" not in fields
        wallet = account.wallet
    assert wallet.today.failed == 0


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PROCESSING}))
def test_a_job_that_is_not_being_processed_is_left_alone(status: Status) -> None:
    """A job that has ended, or waits for its turn again, is neither failed nor refunded a second time."""
    assert refunding(lambda _: True, ERROR, 0, LATER)(paid_wallet(), HELD.model_copy(update={"status": status})) is None


def test_a_job_that_somebody_else_holds_is_left_alone() -> None:
    """The holder's question is asked of the job as it is now."""
    decide = refunding(lambda job: job.batch_id == "batch-1", ERROR, 0, LATER)
    assert decide(paid_wallet(), HELD.model_copy(update={"batch_id": "batch-2"})) is None
    assert decide(paid_wallet(), HELD) is not None


# The user's own decisions


QUEUED = HELD.model_copy(update={"status": Status.QUEUED, "batch_id": None, "tokens_cost": 1})
UPGRADE = Upgrade(
    prices=Prices(5, 1),
    tokens_max=None,
    opened_by="invocation-2",
    lease_until=LATER + timedelta(minutes=3),
    ceiling=CostCeiling(600, call_hold("2026-11-21", "0", "gpt-test", 600)),
)


def batch_wallet(**changes: Any) -> Wallet:
    """Return the wallet from which `QUEUED` was paid."""
    account = charge(open_account(None, 10, NOW), QUEUED.job_id, QUEUED.tokens_cost, NOW)
    return account.with_fields(today=Today(day="2026-11-21", batch=1)).with_fields(**changes).wallet


def test_an_upgrade_counts_against_what_the_user_may_cost() -> None:
    """Its most, until it is known what it came to; over the cap it is refused, and the job stays queued."""
    decision = settled(upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(), QUEUED))
    account, _ = decision
    assert account.wallet.today.held_micros == 600
    capped = RUNTIME.model_copy(update={"budget": BudgetRules(per_user_daily_micros=599)})
    assert upgrading("ana", capped, LATER, UPGRADE)(batch_wallet(), QUEUED) == RecountNeeded("2026-11-21", 0)
    spend = ActualSpend("2026-11-21", counted_micros=0, micros=0)
    known = replace(UPGRADE, ceiling=replace(UPGRADE.ceiling, recount=spend))
    with pytest.raises(DailyLimit):
        upgrading("ana", capped, LATER, known)(batch_wallet(), QUEUED)
    plus = {**RUNTIME.plans.plus.as_json(), "microsPerDay": 599}
    limited = RuntimeConfig.model_validate({"plans": {"plus": plus}})
    with pytest.raises(DailyLimit):
        upgrading("ana", limited, LATER, known)(batch_wallet(plan="plus"), QUEUED)
    assert settled(upgrading("ana", limited, LATER, known)(batch_wallet(), QUEUED))


def test_an_upgrade_takes_what_the_plan_takes() -> None:
    """Nothing on an unlimited one, on top of what was paid; and it is refused on a plan that has no upgrades."""
    for plan, cost, delta in (("business", 1, 0), ("free", 5, -4)):
        account, fields = settled(upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(plan=plan), QUEUED))
        assert (fields["tokensCost"], account.new_entries[-1].delta) == (cost, delta)
    without = {**RUNTIME.plans.free.as_json(), "features": []}
    rules = RuntimeConfig.model_validate({"plans": {"free": without}, "billing": {"sellOn": ["ios"], "products": SOLD}})
    with pytest.raises(PlanRequired) as refused:
        upgrading("ana", rules, LATER, UPGRADE)(batch_wallet(), QUEUED)
    assert refused.value.details["feature"] == "upgrade"
    assert [each["plan"] for each in offered(refused.value)] == ["pro"]


SOLD = [{"name": "pro_month", "plan": "pro", "tokens": 9, "minor": 99, "storeIds": ["pro"]}]


def test_a_queued_job_can_be_cancelled_for_its_whole_price() -> None:
    """The price is back, the job has ended, and the photo does not count for today."""
    decision = settled(cancelling("ana", RUNTIME, LATER)(batch_wallet(), QUEUED))
    account, fields = decision
    assert [(e.entry_id, e.delta) for e in account.new_entries] == [(f"refund:{QUEUED.job_id}", 1)]
    assert with_fields(QUEUED, fields).status is Status.CANCELLED
    assert account.wallet.today.batch == 0


@pytest.mark.parametrize(
    ("decide", "job"),
    [
        (cancelling("ana", RUNTIME, LATER), QUEUED),
        (giving_up(LATER), QUEUED),
        (refunding(lambda _: True, ERROR, 0, LATER), HELD),
    ],
    ids=["cancelled", "given up", "failed"],
)
def test_nothing_is_kept_anew_of_a_user_who_was_erased(decide: Decision, job: Job) -> None:
    """Their job ends; there is no wallet that its price could come back to, and none is made."""
    decision = decide(None, job)
    assert decision is not None
    account, fields = decision
    assert account is None
    assert with_fields(job, fields).status in FINAL


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.DONE, Status.FAILED])
def test_what_has_left_the_queue_can_neither_be_cancelled_nor_upgraded(status: Status) -> None:
    """It is too late, and the answer says how far the job is."""
    gone = QUEUED.model_copy(update={"status": status})
    with pytest.raises(JobNotCancellable) as not_cancelled:
        cancelling("ana", RUNTIME, LATER)(batch_wallet(), gone)
    with pytest.raises(JobNotUpgradable) as not_upgraded:
        upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(), gone)
    assert not_cancelled.value.details == not_upgraded.value.details == {"status": status}


def test_cancelling_or_upgrading_again_changes_nothing() -> None:
    """A repeated call finds its own effect."""
    cancelled = QUEUED.model_copy(update={"status": Status.CANCELLED})
    instant = QUEUED.model_copy(update={"mode": Lane.INSTANT, "status": Status.DONE})
    assert cancelling("ana", RUNTIME, LATER)(batch_wallet(), cancelled) is None
    assert upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(), instant) is None


def test_somebody_elses_job_is_not_there() -> None:
    """The same answer as for a job that does not exist, whatever state it is in."""
    for decide in (cancelling("bob", RUNTIME, LATER), upgrading("bob", RUNTIME, LATER, UPGRADE)):
        with pytest.raises(JobNotFound):
            decide(batch_wallet(), QUEUED)


def test_an_upgrade_costs_the_difference_and_counts_as_instant() -> None:
    """Four tokens more, an instant photo of today instead of a batch one, and a lease for the call."""
    decision = settled(upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(), QUEUED))
    account, fields = decision
    upgraded = with_fields(QUEUED, fields)
    assert [(e.entry_id, e.delta) for e in account.new_entries] == [(f"upgrade:{QUEUED.job_id}", -4)]
    assert (upgraded.mode, upgraded.tokens_cost, upgraded.opened_by) == (Lane.INSTANT, 5, "invocation-2")
    assert (account.wallet.today.batch, account.wallet.today.instant) == (0, 1)


def test_charge_upgrade_and_refund_cancel_out() -> None:
    """An upgraded job that fails gives everything back that was paid for it."""
    decision = settled(upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(), QUEUED))
    upgraded = with_fields(QUEUED, decision[1])
    failed = settled(refunding(lambda _: True, ERROR, 0, LATER)(decision[0].wallet, upgraded))
    assert failed[0].wallet.balance == 10


def test_bought_tokens_come_back_as_bought_ones() -> None:
    """Of a photo that took the last free token and then bought ones, all of them; a cancelled one's come back, too."""
    wallet = charge(open_account(None, 1, NOW).post(0, Reason.BUY, "a", NOW, bought=10), "job", 1, NOW).wallet
    account, fields = settled(upgrading("ana", RUNTIME, LATER, UPGRADE)(wallet, QUEUED))
    upgraded = with_fields(QUEUED, fields)
    assert (upgraded.tokens_cost, upgraded.tokens_bought, account.wallet.purchased) == (5, 4, 6)
    refunded, _ = settled(refunding(lambda _: True, ERROR, 0, LATER)(account.wallet, upgraded))
    assert (refunded.wallet.balance, refunded.wallet.purchased) == (11, 10)
    unusable = refunding(lambda _: True, JobError(code=Failure.ANSWER_UNUSABLE, message=""), 5, LATER)
    assert settled(unusable(account.wallet, upgraded))[0].wallet.purchased == 10
    queued = QUEUED.model_copy(update={"tokens_bought": 1})
    cancelled, _ = settled(cancelling("ana", RUNTIME, LATER)(account.wallet, queued))
    assert (cancelled.wallet.balance, cancelled.wallet.purchased) == (account.wallet.balance + 1, 7)


@pytest.mark.parametrize(
    ("wallet", "upgrade", "error"),
    [
        (batch_wallet(balance=3), UPGRADE, InsufficientTokens),
        (batch_wallet(), replace(UPGRADE, tokens_max=3), PriceChanged),
        (batch_wallet(today=Today(day="2026-11-21", instant=20)), UPGRADE, DailyLimit),
        (None, UPGRADE, JobNotUpgradable),
    ],
)
def test_an_upgrade_that_cannot_be_had_changes_nothing(
    wallet: Wallet | None, upgrade: Upgrade, error: type[EcolaneError]
) -> None:
    """Too few tokens, a higher price than agreed, no instant photos left today, no wallet."""
    with pytest.raises(error):
        upgrading("ana", RUNTIME, LATER, upgrade)(wallet, QUEUED)


def test_an_upgrade_of_a_job_that_cost_more_is_free() -> None:
    """When the queue had raised the batch price above today's instant one, nothing is owed and nothing given back."""
    decision = settled(
        upgrading("ana", RUNTIME, LATER, UPGRADE)(batch_wallet(), QUEUED.model_copy(update={"tokens_cost": 7}))
    )
    assert decision[0].new_entries[-1].delta == 0
    assert decision[1]["tokensCost"] == 7


def test_a_job_that_waited_too_long_is_given_up_and_refunded() -> None:
    """Its cost so far stays on the books; one that is being worked on is left alone."""
    waiting = QUEUED.model_copy(update={"cost_micros": 70})
    decision = settled(giving_up(LATER)(batch_wallet(), waiting))
    ended = with_fields(waiting, decision[1])
    assert ended.error is not None
    assert (ended.status, ended.error.code, ended.cost_micros) == (Status.FAILED, Failure.WAITED_TOO_LONG, 70)
    assert decision[0].wallet.balance == 10
    assert giving_up(LATER)(batch_wallet(), HELD) is None
