"""Opening jobs: what an order becomes in its lane, who is charged, and what stands in the way."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.holds import CostCeiling, call_hold
from functions.core.config.runtime import BudgetRules, RuntimeConfig
from functions.core.jobs.idempotency import job_id_for
from functions.core.jobs.jobs import JOB_LIFETIME, Job, Status
from functions.core.jobs.opening import Asked, Opened, batch_job, decide, instant_job
from functions.core.shared.errors import DailyLimit, InsufficientTokens
from functions.core.shared.lanes import Lane
from functions.core.wallet.accounts import open_account
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.quotas import ActualSpend, RecountNeeded
from tests.builders import NOW, job, offered

RUNTIME = RuntimeConfig()
ASKED = Asked("ana", "request-1", "users/ana/uploads/bottle.jpg", Lane.INSTANT, None, "de", "invocation-1", NOW)
HOLD = call_hold("2026-11-21", "3", "gpt-test", 600)


def photos(*prices: int) -> list[Job]:
    """Return queued jobs at these prices."""
    return [job(job_id=f"{number:032x}", tokens_cost=price) for number, price in enumerate(prices)]


def wallet(**changes: Any) -> Wallet:
    """Return the wallet of somebody with ten tokens."""
    return open_account(None, 10, NOW).with_fields(**changes).wallet


def opened(*prices: int, ceiling: CostCeiling | None = None, **changes: Any) -> Opened:
    """Return what is decided about queued photos at these prices."""
    decided = decide(wallet(**changes), photos(*prices), ceiling or CostCeiling(100), RUNTIME)
    assert isinstance(decided, Opened)
    return decided


def test_an_instant_job_is_under_a_lease_from_the_first() -> None:
    """It is being processed, at its first attempt, and `recover_jobs` finds it after its lease."""
    made = instant_job(ASKED, 5, RUNTIME)
    lease = NOW + timedelta(seconds=RUNTIME.instant.lease_seconds)
    assert (made.mode, made.status, made.attempts, made.lease_until) == (Lane.INSTANT, Status.PROCESSING, 1, lease)
    assert (made.queued_at, made.estimated_completion, made.tokens_cost) == (None, None, 5)


def test_a_batch_job_is_queued_from_the_first() -> None:
    """It has its place in the queue and no lease; that the instant lane was wanted stays with it."""
    made = batch_job(ASKED, 1, timedelta(minutes=90), RUNTIME)
    assert (made.mode, made.requested_mode, made.status) == (Lane.BATCH, Lane.INSTANT, Status.QUEUED)
    assert (made.attempts, made.lease_until, made.queued_at) == (0, None, NOW)
    assert made.estimated_completion == NOW + timedelta(minutes=90)


def test_in_both_lanes_an_order_is_the_same_job() -> None:
    """Id, owner, photo, and what was left to the default do not depend on the lane."""
    both = instant_job(ASKED, 5, RUNTIME), batch_job(ASKED, 1, timedelta(0), RUNTIME)
    for made in both:
        assert (made.job_id, made.uid, made.image_path) == (job_id_for("ana", "request-1"), "ana", ASKED.image_path)
        assert (made.requested_region, made.region) == (None, RUNTIME.default_region)
        assert (made.requested_language, made.language) == ("de", "de")
        assert (made.created_at, made.day, made.expire_at) == (NOW, "2026-11-21", NOW + JOB_LIFETIME)
        assert (made.points, made.opened_by) == (RUNTIME.tokens.points_per_classification, "invocation-1")
    assert both[0].shard == both[1].shard


def test_a_photo_that_is_answered_already_costs_its_user_tokens_and_the_operator_nothing() -> None:
    """It is charged, and counts for the day, at no upper bound; the one beside it has its own."""
    done = job(job_id="d" * 32, status=Status.DONE, tokens_cost=1)
    decided = decide(wallet(), [done, *photos(2)], CostCeiling(100), RUNTIME)
    assert isinstance(decided, Opened)
    assert (decided.account.wallet.balance, decided.account.wallet.today.held_micros) == (7, 100)
    assert decided.account.wallet.today.batch == 2


def test_as_many_are_charged_as_there_are_tokens_for() -> None:
    """In their order; one that is too expensive does not keep a later one back, and the refusal names its price."""
    decided = opened(6, 5, 4)
    assert [made.job_id for made in decided.jobs] == [f"{number:032x}" for number in (0, 2)]
    refusal = decided.refused[f"{1:032x}"]
    assert isinstance(refusal, InsufficientTokens)
    assert refusal.details == {"balance": 4, "price": 5}
    assert (list(decided.refused), decided.account.wallet.balance) == ([f"{1:032x}"], 0)
    assert [entry.entry_id for entry in decided.account.new_entries] == [
        f"charge:{made.job_id}" for made in decided.jobs
    ]


def test_a_job_knows_which_of_its_tokens_were_bought() -> None:
    """Its refund puts back as many: the first photo takes free tokens alone, the second one what is left of them."""
    assert [made.tokens_bought for made in opened(6, 5, 4, balance=15, purchased=8).jobs] == [0, 4, 4]


def test_a_stranger_gets_the_welcome_first() -> None:
    """On first contact there are tokens to pay with."""
    decided = decide(None, photos(1), CostCeiling(100), RUNTIME)
    assert isinstance(decided, Opened)
    assert [entry.entry_id for entry in decided.account.new_entries] == ["welcome", f"charge:{0:032x}"]


def test_the_job_takes_along_what_the_wallet_and_the_budget_know() -> None:
    """Push tokens, the plan's place in the queue, one higher for the faithful, and the hold."""
    rules = RUNTIME.tokens
    plain = opened(1, ceiling=CostCeiling(600, HOLD), push_tokens=("phone",)).jobs[0]
    faithful = opened(1, streak_days=rules.streak_days_for_priority, bonus_day="2026-11-21").jobs[0]
    assert (plain.notify, plain.hold, plain.priority) == (("phone",), HOLD, RUNTIME.plans.of("free").priority)
    assert (faithful.hold, faithful.priority) == (None, plain.priority + 1)


@pytest.mark.parametrize(("spend", "refused"), [(799, False), (801, True)])
def test_at_the_cap_the_actual_spend_decides(spend: int, *, refused: bool) -> None:
    """Upper bounds that leave no room are no refusal yet: what the day did cost is asked for, and then counts."""
    capped = RUNTIME.model_copy(update={"budget": BudgetRules(per_user_daily_micros=1_000)})
    today = wallet().today.model_copy(update={"day": "2026-11-21", "held_micros": 900})
    paying, wanted = wallet(today=today), photos(1, 1)
    assert decide(paying, wanted, CostCeiling(100), capped) == RecountNeeded("2026-11-21", 900)
    known = CostCeiling(100, recount=ActualSpend("2026-11-21", counted_micros=900, micros=spend))
    decided = decide(paying, wanted, known, capped)
    assert isinstance(decided, Opened)
    assert [isinstance(error, DailyLimit) for error in decided.refused.values()] == ([True] if refused else [])


def test_a_plan_may_cost_less_a_day_than_everybody() -> None:
    """Its users are refused at its own limit, and those of other plans are not."""
    plus = {**RUNTIME.plans.plus.as_json(), "microsPerDay": 150}
    limited = RuntimeConfig.model_validate({"plans": {"plus": plus}})
    known = CostCeiling(100, recount=ActualSpend("2026-11-21", counted_micros=0, micros=0))
    for plan, refused in (("plus", 1), ("free", 0)):
        today = wallet().today.model_copy(update={"day": "2026-11-21"})
        decided = decide(wallet(plan=plan, today=today), photos(1, 1), known, limited)
        assert isinstance(decided, Opened)
        assert [type(error) for error in decided.refused.values()] == [DailyLimit] * refused


def ruled(plan: str, **rules: Any) -> RuntimeConfig:
    """Return a config in which a plan has other rules."""
    return RuntimeConfig.model_validate({"plans": {plan: {**RUNTIME.plans.of(plan).as_json(), **rules}}})


def test_an_unlimited_plan_takes_no_tokens() -> None:
    """Each photo is an entry of nothing, so that its job can be told from one that was never charged."""
    decided = opened(5, 1, balance=0, plan="business")
    assert [made.tokens_cost for made in decided.jobs] == [0, 0]
    assert [(entry.entry_id, entry.delta) for entry in decided.account.new_entries] == [
        (f"charge:{made.job_id}", 0) for made in decided.jobs
    ]


def test_several_photos_of_one_call_take_a_plan_that_has_them() -> None:
    """All are refused on a plan without; a single one never is."""
    rules = ruled("free", features=["upgrade"])
    decided = decide(wallet(), photos(1, 1), CostCeiling(100), rules)
    assert isinstance(decided, Opened)
    assert [error.details["plan"] for error in decided.refused.values()] == ["plus", "plus"]
    alone = decide(wallet(), photos(1), CostCeiling(100), rules)
    assert isinstance(alone, Opened)
    assert len(alone.jobs) == 1


def test_the_refusal_names_the_plan_that_would_have_taken_the_photo() -> None:
    """Tried with the plan's own limits: plus has no photo more this month, pro has."""
    rules = {name: {**RUNTIME.plans.of(name).as_json(), "photosPerMonth": 1} for name in ("free", "plus")}
    sold = [{"name": name, "plan": name, "tokens": 9, "minor": 99, "storeIds": [name]} for name in ("plus", "pro")]
    config = RuntimeConfig.model_validate({"plans": rules, "billing": {"sellOn": ["ios"], "products": sold}})
    decided = decide(wallet(), photos(1, 1), CostCeiling(100), config)
    assert isinstance(decided, Opened)
    ((name, refusal),) = decided.refused.items()
    assert (name, [each["plan"] for each in offered(refusal)]) == (f"{1:032x}", ["pro"])
