"""A change of plan: what is owed, and from when the new plan holds."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.core.config.plans import Allowance, AllowanceKind, Allowances, Every, Plan
from functions.core.config.runtime import RefreshRules, RuntimeConfig
from functions.core.refresh.refresh import credit_due, refreshed, slot_of
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet
from scripts.operators.subscriptions import with_plan
from tests.builders import NOW

DAY = timedelta(days=1)
RUNTIME = RuntimeConfig(
    refresh=RefreshRules(
        allowances=Allowances(
            free=Allowance(kind=AllowanceKind.ADD, amount=1, every=Every.DAY),
            plus=Allowance(kind=AllowanceKind.ADD, amount=10, every=Every.DAY),
            pro=Allowance(kind=AllowanceKind.ADD, amount=100, every=Every.MONTH),
        )
    )
)
"""Free and plus by the day, pro by the month; NOW is the 21st of November, and Ann's slot has passed."""

assert timedelta(minutes=slot_of("ann")) < timedelta(hours=12)


def opened() -> Wallet:
    """Return Ann's wallet after her first contact: ten welcome tokens."""
    return credit_due(None, "ann", RUNTIME, NOW).wallet


def put_on(wallet: Wallet, plan: Plan, days: int = 0) -> tuple[Wallet, list[tuple[str, int]]]:
    """Put Ann on a plan so many days later. Returns her wallet, and what was posted."""
    account = with_plan(wallet, "ann", plan, RUNTIME, NOW + days * DAY)
    return account.wallet, [(entry.entry_id, entry.delta) for entry in account.new_entries]


def test_the_old_plan_pays_what_it_owes_and_the_new_one_begins_with_the_next_day() -> None:
    """Three days that no worker came are free days; the fourth is the first of the new plan."""
    wallet, posted = put_on(opened(), Plan.PLUS, days=3)
    assert (wallet.plan, posted) == ("plus", [("refresh:2026-11-24", 3)])
    account = refreshed(wallet, "ann", RUNTIME, NOW + 4 * DAY)
    assert account is not None
    assert [(entry.entry_id, entry.delta) for entry in account.new_entries] == [("refresh:2026-11-25", 10)]


def test_there_and_back_brings_nothing_twice() -> None:
    """The month covers its days, and is not paid again."""
    monthly, _ = put_on(opened(), Plan.PRO)
    daily, posted = put_on(monthly, Plan.FREE, days=1)
    assert posted == []
    again, posted = put_on(daily, Plan.PRO, days=2)
    assert (posted, again.balance) == ([], 110)


def test_a_plan_that_there_is_not_owes_nothing_and_can_be_left() -> None:
    """A wallet that names one gets what the new plan brings for the days that nobody could tell."""
    lost = opened().model_copy(update={"plan": "gold"})
    wallet, posted = put_on(lost, Plan.PLUS, days=2)
    assert (wallet.plan, posted) == ("plus", [("refresh:2026-11-23", 20)])


def test_a_change_of_plan_is_no_contact() -> None:
    """A user who stays away stays dormant, whatever an operator does."""
    assert put_on(opened(), Plan.PRO, days=20)[0].contact_at == NOW


@given(
    uid=st.sampled_from(["ann", "bob", "eve", "joe"]),
    steps=st.lists(st.tuples(st.integers(0, 40 * 24), st.sampled_from([*Plan, None])), max_size=25),
)
def test_no_change_of_plans_brings_a_period_twice(uid: str, steps: list[tuple[int, Plan | None]]) -> None:
    """Whenever an operator changes plans (or the user comes, None): each entry is new, and no day is paid by two."""
    now, account = NOW, credit_due(None, uid, RUNTIME, NOW)
    for hours, plan in steps:
        now += timedelta(hours=hours)
        wallet = account.wallet
        step = credit_due(wallet, uid, RUNTIME, now) if plan is None else with_plan(wallet, uid, plan, RUNTIME, now)
        account = Account(step.wallet, (*account.new_entries, *step.new_entries))
    periods = [entry.ref or "" for entry in account.new_entries if entry.reason is Reason.REFRESH]
    assert len(set(periods)) == len(periods)
    months = {period for period in periods if len(period) == len("2026-11")}
    for later, period in enumerate(periods):
        paid_before = {each for each in periods[:later] if each in months}
        assert period[:7] not in paid_before
