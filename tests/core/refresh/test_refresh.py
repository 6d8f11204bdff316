"""Credit refresh: slots, periods, allowances, and that it does not matter who comes, when, or how often."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.core.config.plans import Every
from functions.core.config.runtime import RuntimeConfig
from functions.core.refresh import refresh
from functions.core.refresh.refresh import (
    RETRY_AFTER,
    SHARDS,
    SLOTS,
    UnknownPlanError,
    credit_due,
    due_at,
    first_open,
    in_arrears,
    last_due,
    open_periods,
    refreshed,
    retry_at,
    shard_of,
    slot_of,
)
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.team_wallet import nobodys
from tests.builders import NOW

UID = "ana"
DAY, MONTH = Every.DAY, Every.MONTH
MINUTE, ONE_DAY = timedelta(minutes=1), timedelta(days=1)
SLOT = slot_of(UID)


def config(kind: str = "add", amount: int = 10, every: str = "day", dormant_days: int = 14) -> RuntimeConfig:
    """Return a config in which the free plan has this allowance."""
    allowance = {"kind": kind, "amount": amount, "every": every}
    allowances = {"free": allowance, "pro": {"kind": "add", "amount": 100, "every": "month"}}
    return RuntimeConfig.model_validate({"refresh": {"allowances": allowances, "dormantDays": dormant_days}})


def opened(at: datetime = NOW, runtime: RuntimeConfig | None = None) -> Wallet:
    """Return the wallet of a user whose first contact is at this time."""
    return credit_due(None, UID, runtime or config(), at).wallet


def next_at(wallet: Wallet) -> datetime:
    """Return when a wallet on the schedule is due."""
    assert wallet.next_refresh_at is not None
    return wallet.next_refresh_at


def entries(account: Account | None) -> list[tuple[str, int]]:
    """Return an account's new entries as lines: id and tokens."""
    assert account is not None
    return [(entry.entry_id, entry.delta) for entry in account.new_entries]


def with_fields(wallet: Wallet, **changes: Any) -> Wallet:
    """Return a wallet with other values."""
    return wallet.model_copy(update=changes)


# Slots and shards


def test_every_minute_of_the_day_is_somebodys_and_they_are_even() -> None:
    """A hundred thousand users reach all 1,440 minutes, and no 5-minute window has a quarter more than the mean."""
    slots = Counter(slot_of(f"user-{number}") for number in range(100_000))
    windows = Counter(dict.fromkeys(range(SLOTS // 5), 0))
    for slot, users in slots.items():
        windows[slot // 5] += users
    assert set(slots) == set(range(SLOTS))
    assert max(windows.values()) / (100_000 / len(windows)) <= 1.25


def test_shards_are_even_and_independent_of_the_slots() -> None:
    """Each shard has its part of the users, and of each hour's users."""
    users = [f"user-{number}" for number in range(100_000)]
    shards = Counter(shard_of(user) for user in users)
    noon = Counter(shard_of(user) for user in users if slot_of(user) // 60 == 12)
    assert set(shards) == set(noon) == set(range(SHARDS))
    assert max(shards.values()) / (100_000 / SHARDS) < 1.1
    assert max(noon.values()) / (noon.total() / SHARDS) < 1.5


def test_slot_and_shard_of_a_user_never_change() -> None:
    """They are stored nowhere and computed everywhere, so the formula is a promise."""
    assert [(slot_of(uid), shard_of(uid)) for uid in ("ana", "bob", "Ünal")] == PINNED


PINNED = [(1258, 14), (890, 7), (1346, 9)]


# Periods


@pytest.mark.parametrize(
    ("every", "now", "period"),
    [
        (DAY, "2026-11-21T10:00", "2026-11-21"),
        (DAY, "2026-11-21T09:59", "2026-11-20"),
        (DAY, "2027-01-01T00:00", "2026-12-31"),
        (MONTH, "2026-11-21T10:00", "2026-11"),
        (MONTH, "2026-11-01T10:00", "2026-11"),
        (MONTH, "2026-11-01T09:59", "2026-10"),
        (MONTH, "2027-01-01T00:00", "2026-12"),
    ],
)
def test_a_period_falls_due_at_the_slot_of_its_first_day(every: Every, now: str, period: str) -> None:
    """With the slot at ten o'clock, a day begins then, and a month on its first day then."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert last_due(every, 600, moment) == period
    assert due_at(every, period, 600) <= moment


@pytest.mark.parametrize(
    ("every", "refreshed_last", "first"),
    [
        (DAY, "2026-11-21", "2026-11-22"),
        (DAY, "2026-12-31", "2027-01-01"),
        (DAY, "2028-02-28", "2028-02-29"),
        (DAY, "2026-11", "2026-12-01"),
        (MONTH, "2026-11", "2026-12"),
        (MONTH, "2026-12", "2027-01"),
        (MONTH, "2026-01", "2026-02"),
        (MONTH, "2026-11-21", "2026-11"),
    ],
)
def test_the_period_after_the_last(every: Every, refreshed_last: str, first: str) -> None:
    """The next day or month; a day leaves its month open, a month deals with all its days."""
    assert first_open(every, refreshed_last) == first


@pytest.mark.parametrize(
    ("every", "refreshed_last", "periods"),
    [
        (DAY, "2026-11-21", 0),
        (DAY, "2026-11-18", 3),
        (MONTH, "2025-11", 12),
        (DAY, "2026-10", 1),
        (MONTH, "2026-11-20", 1),
        (DAY, "2026-11-22", 0),
        (MONTH, "2026-12", 0),
    ],
)
def test_the_periods_since_the_last(every: Every, refreshed_last: str, periods: int) -> None:
    """One for each day or month; one after a change between them; none if the clock has gone back."""
    assert open_periods(every, refreshed_last, 600, datetime(2026, 11, 21, 10, tzinfo=UTC)) == periods


@given(every=st.sampled_from(Every), slot=st.integers(0, SLOTS - 1), minute=st.integers(0, 100 * 365 * SLOTS))
@example(every=MONTH, slot=0, minute=31 * SLOTS - 1)
@example(every=DAY, slot=SLOTS - 1, minute=(31 + 29) * SLOTS)
def test_time_is_divided_into_periods(every: Every, slot: int, minute: int) -> None:
    """At every moment exactly one period fell due last: it is due, and the one after it is not."""
    moment = datetime(2000, 1, 1, tzinfo=UTC) + minute * MINUTE
    last = last_due(every, slot, moment)
    assert due_at(every, last, slot) <= moment < due_at(every, first_open(every, last), slot)
    assert open_periods(every, last, slot, moment) == 0


# Allowances


def test_a_new_user_begins_with_the_next_period() -> None:
    """The welcome tokens are for today; the first contact puts the wallet on the schedule for its next slot."""
    wallet = opened(NOW)
    assert entries(credit_due(None, UID, config(), NOW)) == [("welcome", 10)]
    assert (wallet.refresh_shard, wallet.contact_at) == (shard_of(UID), NOW)
    assert NOW < next_at(wallet) <= NOW + ONE_DAY
    assert (next_at(wallet).hour * 60 + next_at(wallet).minute) == SLOT
    assert refreshed(wallet, UID, config(), next_at(wallet) - MINUTE) is None


def test_a_team_earns_nothing_by_being_there() -> None:
    """No welcome and no allowance, whenever somebody looks at it."""
    wallet = nobodys("7" * 32)
    found = credit_due(wallet, UID, config(), NOW)
    assert (entries(found), found.wallet) == ([], wallet)


@pytest.mark.parametrize(
    ("kind", "amount", "balance", "tokens"),
    [
        ("add", 10, 0, 10),
        ("add", 10, 195, 5),
        ("add", 10, 200, 0),
        ("add", 10, 230, 0),
        ("add", 0, 3, 0),
        ("top_up", 5, 0, 5),
        ("top_up", 5, 3, 2),
        ("top_up", 5, 5, 0),
        ("top_up", 5, 90, 0),
        ("top_up", 300, 190, 10),
        ("top_up", 300, 230, 0),
    ],
)
def test_what_one_period_brings(kind: str, amount: int, balance: int, tokens: int) -> None:
    """`add` adds, `top_up` fills up, both up to the balance cap of 200; nothing leaves no entry."""
    runtime = config(kind, amount)
    wallet = with_fields(opened(), balance=balance, total_earned=balance)
    account = refreshed(wallet, UID, runtime, next_at(wallet))
    period = next_at(wallet).date().isoformat()
    assert entries(account) == ([(f"refresh:{period}", tokens)] if tokens else [])
    assert account is not None
    assert account.wallet.balance == balance + tokens
    assert account.wallet.refreshed_period == period
    assert account.wallet.next_refresh_at == next_at(wallet) + ONE_DAY
    assert refreshed(account.wallet, UID, runtime, next_at(wallet)) is None


def test_bought_tokens_fill_no_allowance_up() -> None:
    """Who has bought tokens gets the free ones all the same: they are spent first."""
    bought = with_fields(opened(), balance=252, total_earned=252, purchased=250)
    account = refreshed(bought, UID, config("top_up", 5), next_at(bought))
    assert account is not None
    assert (account.wallet.balance, account.wallet.purchased) == (255, 250)


def test_a_run_after_midnight_still_credits_the_day_before() -> None:
    """A slot at 23:59 is met by a cron of the next day; the period is the slot's, and the next one comes in a day."""
    uid = next(uid for uid in map(str, range(10_000)) if slot_of(uid) == SLOTS - 1)
    wallet = credit_due(None, uid, config(), NOW).wallet
    account = refreshed(wallet, uid, config(), datetime(2026, 11, 22, 0, 4, tzinfo=UTC))
    assert entries(account) == [("refresh:2026-11-21", 10)]
    assert account is not None
    assert account.wallet.next_refresh_at == datetime(2026, 11, 22, 23, 59, tzinfo=UTC)


# Who comes, when, and how often


def test_a_dormant_user_leaves_the_schedule_and_loses_nothing() -> None:
    """After 14 days without contact the worker takes a wallet off, once; the next contact credits all of it."""
    wallet = opened()
    now = next_at(wallet)
    while now <= NOW + 14 * ONE_DAY:
        account = refreshed(wallet, UID, config(), now)
        assert account is not None
        wallet, now = account.wallet, next_at(account.wallet)
    left = refreshed(wallet, UID, config(), now)
    assert left is not None
    assert (left.wallet.next_refresh_at, left.new_entries, left.wallet.balance) == (None, (), wallet.balance)
    assert refreshed(left.wallet, UID, config(), now + ONE_DAY) is None
    assert in_arrears(left.wallet, config(), now)
    spent = with_fields(left.wallet, balance=0, total_spent=left.wallet.total_earned)
    back = credit_due(spent, UID, config(), now + 3 * ONE_DAY)
    assert entries(back) == [(f"refresh:{(now + 3 * ONE_DAY).date()}", 40)]
    assert back.new_entries[0].detail == {"first": now.date().isoformat(), "periods": "4"}
    assert back.wallet.next_refresh_at == now + 4 * ONE_DAY


def test_a_late_worker_credits_what_it_missed() -> None:
    """After three days without any run, a user who is not dormant gets three allowances."""
    wallet = opened()
    account = refreshed(wallet, UID, config(), next_at(wallet) + 2 * ONE_DAY)
    assert entries(account) == [(f"refresh:{(next_at(wallet) + 2 * ONE_DAY).date()}", 30)]


allowances = st.builds(
    config, st.sampled_from(["add", "top_up"]), st.integers(0, 120), st.sampled_from(["day", "month"])
)


@given(
    runtime=allowances,
    balance=st.integers(0, 250),
    days=st.integers(0, 400),
    minutes=st.integers(0, SLOTS - 1),
    start=st.dates(date(2026, 1, 1), date(2029, 1, 1)),
)
def test_coming_back_brings_exactly_what_the_schedule_would_have(
    runtime: RuntimeConfig, balance: int, days: int, minutes: int, start: date
) -> None:
    """Whoever stays away, for however long, ends up where a worker that comes every time would have left them."""
    begin = datetime.combine(start, NOW.timetz())
    wallet = with_fields(opened(begin, runtime), balance=balance, total_earned=balance)
    back = begin + timedelta(days=days, minutes=minutes)
    scheduled = Account(wallet)
    while next_at(scheduled.wallet) <= back:
        present = with_fields(scheduled.wallet, contact_at=next_at(scheduled.wallet))
        after = refreshed(present, UID, runtime, next_at(scheduled.wallet))
        assert after is not None
        scheduled = after
    lazily = credit_due(with_fields(wallet, next_refresh_at=None), UID, runtime, back)
    assert lazily.wallet.balance == scheduled.wallet.balance
    assert lazily.wallet.next_refresh_at == scheduled.wallet.next_refresh_at
    assert lazily.wallet.refreshed_period == scheduled.wallet.refreshed_period
    assert len(lazily.new_entries) <= 1


# Changes


def test_another_daily_plan_counts_from_the_next_period_on() -> None:
    """An upgrade after today's refresh brings today nothing more, and from tomorrow on what the new plan brings."""
    wallet = opened()
    free = refreshed(wallet, UID, config(), next_at(wallet))
    assert free is not None
    plus = with_fields(free.wallet, plan="plus")
    assert entries(credit_due(plus, UID, config("add", 3), next_at(wallet) + MINUTE)) == []
    tomorrow = refreshed(plus, UID, config("add", 3), next_at(free.wallet))
    assert entries(tomorrow) == [(f"refresh:{next_at(free.wallet).date()}", 10)]


def test_from_days_to_months_and_back() -> None:
    """The month under way is credited once, however often the plan changes; its days are dealt with by it."""
    free = opened(NOW - 3 * ONE_DAY)
    pro = credit_due(with_fields(free, plan="pro"), UID, config(), NOW)
    assert entries(pro) == [("refresh:2026-11", 100)]
    again = credit_due(with_fields(pro.wallet, plan="free"), UID, config(), NOW + 2 * ONE_DAY)
    assert entries(again) == []
    assert again.wallet.next_refresh_at == datetime(2026, 12, 1, tzinfo=UTC) + SLOT * MINUTE
    assert entries(credit_due(with_fields(again.wallet, plan="pro"), UID, config(), NOW + 3 * ONE_DAY)) == []


def test_what_came_before_a_change_belonged_to_the_other_plan() -> None:
    """Months after the last day that was refreshed, a change to months credits the month under way and no others."""
    pro = with_fields(opened(), plan="pro")
    account = credit_due(pro, UID, config(), NOW + 80 * ONE_DAY)
    assert [entry for entry, _ in entries(account)] == ["refresh:2027-02"]


plans = st.sampled_from(["free", "plus", "pro"])
steps = st.lists(
    st.tuples(st.integers(-3_000, 60_000), plans, st.integers(0, SLOTS - 1), st.booleans()), min_size=1, max_size=30
)


@given(steps=steps)
def test_no_period_twice_whatever_changes(steps: list[tuple[int, str, int, bool]]) -> None:
    """Plans and slots move, the clock goes both ways, workers and contacts alternate: each entry id comes once."""
    runtime, now, ids = config(), NOW, set[str]()
    wallet = opened()
    with pytest.MonkeyPatch.context() as patch:
        for minutes, plan, slot, by_worker in steps:
            now += minutes * MINUTE
            patch.setattr(refresh, "slot_of", lambda _uid, slot=slot: slot)
            wallet = with_fields(wallet, plan=plan, balance=0)
            account = refreshed(wallet, UID, runtime, now) if by_worker else credit_due(wallet, UID, runtime, now)
            for entry in account.new_entries if account else ():
                assert entry.entry_id not in ids
                ids.add(entry.entry_id)
            wallet = account.wallet if account else wallet


@pytest.mark.parametrize(("before", "after"), [(600, 60), (60, 600), (0, SLOTS - 1), (SLOTS - 1, 0)])
def test_a_slot_that_moves_skips_nothing(before: int, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moved earlier or later, every day from the first contact on is credited once."""
    monkeypatch.setattr(refresh, "slot_of", lambda _uid: before)
    wallet = opened()
    first, tokens = date.fromisoformat(wallet.refreshed_period), wallet.balance
    for step in range(10 * 24 * 12):
        if step == 5 * 24 * 12:
            monkeypatch.setattr(refresh, "slot_of", lambda _uid: after)
        account = refreshed(wallet, UID, config(), NOW + step * 5 * MINUTE)
        wallet = account.wallet if account else wallet
    last = last_due(DAY, after, NOW + 10 * ONE_DAY - 5 * MINUTE)
    assert wallet.refreshed_period == last
    assert wallet.balance - tokens == 10 * (date.fromisoformat(last) - first).days


# What goes wrong


def test_a_plan_that_nobody_knows_is_no_allowance() -> None:
    """The worker refuses it, with its name; a contact goes on without it, and the wallet is not in arrears."""
    wallet = with_fields(opened(), plan="gold")
    with pytest.raises(UnknownPlanError, match="gold"):
        refreshed(wallet, UID, config(), next_at(wallet))
    account = credit_due(wallet, UID, config(), NOW + ONE_DAY)
    assert (account.new_entries, account.wallet.balance) == ((), wallet.balance)
    assert not in_arrears(wallet, config(), NOW + 5 * ONE_DAY)
    assert entries(credit_due(with_fields(account.wallet, plan="free"), UID, config(), NOW + ONE_DAY)) != []


def test_a_user_is_tried_again_after_1_2_and_4_minutes_and_then_given_up() -> None:
    """The fourth failure is the last."""
    waits = [retry_at(failures, NOW) for failures in range(1, 5)]
    assert waits == [*(NOW + wait for wait in RETRY_AFTER), None]
    assert RETRY_AFTER == (MINUTE, 2 * MINUTE, 4 * MINUTE)
