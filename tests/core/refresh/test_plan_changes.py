"""A change of plan: what is owed, and from when the new plan holds."""

from datetime import timedelta
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from functions.core.config.plans import Allowance, AllowanceKind, Allowances, Every, Plan
from functions.core.config.runtime import RefreshRules, RuntimeConfig
from functions.core.refresh.plan_changes import with_paid_plan, with_plan
from functions.core.refresh.refresh import credit_due, in_arrears, refreshed, slot_of
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet
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
    account = with_plan(Account(wallet), "ann", plan, RUNTIME, NOW + days * DAY)
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
        put = partial(with_plan, Account(wallet), uid)
        step = credit_due(wallet, uid, RUNTIME, now) if plan is None else put(plan, RUNTIME, now)
        account = Account(step.wallet, (*account.new_entries, *step.new_entries))
    periods = [entry.ref or "" for entry in account.new_entries if entry.reason is Reason.REFRESH]
    assert len(set(periods)) == len(periods)
    months = {period for period in periods if len(period) == len("2026-11")}
    for later, period in enumerate(periods):
        paid_before = {each for each in periods[:later] if each in months}
        assert period[:7] not in paid_before


def paid(wallet: Wallet, plan: Plan, seller: str | None = "stripe", days: int = 1) -> Wallet:
    """Return Ann's wallet once this is what she pays for, until in so many days."""
    until = NOW + days * DAY if seller else None
    return with_paid_plan(Account(wallet), "ann", plan, until, seller, RUNTIME, NOW).wallet


def test_a_plan_holds_as_long_as_it_is_paid_for() -> None:
    """It begins, is renewed without a change but its end, and goes back to free."""
    plus = paid(opened(), Plan.PLUS)
    assert (plus.plan, plus.plan_seller, plus.plan_until) == ("plus", "stripe", NOW + DAY)
    renewed = paid(plus, Plan.PLUS, days=31)
    assert (renewed.plan, renewed.plan_until) == ("plus", NOW + 31 * DAY)
    ended = paid(renewed, Plan.FREE, seller=None)
    assert (ended.plan, ended.plan_seller, ended.plan_until) == ("free", None, None)


def test_a_plan_that_an_operator_has_set_is_not_ended_by_one_that_is_paid_for() -> None:
    """A lower one changes nothing, and none neither; a higher one counts, and an operator has the last word."""
    by_hand, _ = put_on(opened(), Plan.PLUS)
    assert paid(by_hand, Plan.FREE, seller=None) == paid(by_hand, Plan.PLUS) == by_hand
    assert paid(by_hand, Plan.PRO).plan == "pro"
    again, _ = put_on(paid(by_hand, Plan.PRO), Plan.PLUS)
    assert (again.plan, again.plan_seller) == ("plus", None)
    newer = opened().model_copy(update={"plan": "gold"})
    assert paid(newer, Plan.PRO) == newer


def test_a_plan_that_an_operator_has_set_until_a_day_ends_with_it() -> None:
    """What it owed by then is credited, and the free plan's days since; a worker ends it as a contact does."""
    until = NOW + 3 * DAY
    account = with_plan(Account(opened()), "ann", Plan.PLUS, RUNTIME, NOW, until)
    assert credit_due(account.wallet, "ann", RUNTIME, NOW + 2 * DAY).wallet.plan == Plan.PLUS
    ended = credit_due(account.wallet, "ann", RUNTIME, NOW + 5 * DAY)
    assert (ended.wallet.plan, ended.wallet.plan_until) == (Plan.FREE, None)
    assert [entry.delta for entry in ended.new_entries] == [30, 2]
    assert in_arrears(account.wallet.with_fields(next_refresh_at=NOW + 9 * DAY), RUNTIME, NOW + 5 * DAY)
    assert not in_arrears(account.wallet.with_fields(next_refresh_at=NOW + 9 * DAY), RUNTIME, NOW + 2 * DAY)
    worked = refreshed(account.wallet, "ann", RUNTIME, NOW + 5 * DAY)
    assert worked is not None
    assert (worked.wallet.plan, worked.wallet.balance) == (Plan.FREE, ended.wallet.balance)
    bought = account.wallet.with_fields(plan_seller="stripe")
    assert credit_due(bought, "ann", RUNTIME, NOW + 5 * DAY).wallet.plan == Plan.PLUS
