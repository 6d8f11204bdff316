"""Credit refresh: when a user's allowance comes, how much of it, and what becomes of those who stay away.

    period   a UTC day (2026-11-21) or month (2026-11), by the plan; each brings its allowance once
    slot     the user's minute of the day, out of 1,440, from the uid: a period falls due at that minute of its first
             day, so that everybody's credits come at another time
    shard    one of 16, from the uid: what keeps workers apart, and the index of due times from being one hot spot

`refreshed_period` is the last period that was dealt with, and the only memory that a decision rests on. From it follow
the periods that are open (all that have fallen due since) and `next_refresh_at`, by which the worker finds the wallet.
So it does not matter who comes first, how late, how often, or by which clock:

    a worker      credits the open periods, and moves `next_refresh_at` on
    a contact     (any call of the user's that writes the wallet) does the same, before anything else
    nobody        a user without contact for some days is dormant: the worker takes them off the schedule, at no
                  further cost, and their next contact finds the same periods open and credits them

Several open periods are one entry, `refresh:{the last of them}`: `detail` names the first and their number. One that
brings nothing, because the balance is high, leaves no entry.
"""

import hashlib
from datetime import UTC, date, datetime, time, timedelta

from functions.core.config.plans import Allowance, AllowanceKind, Every, Plan
from functions.core.config.runtime import RuntimeConfig
from functions.core.wallet.accounts import Account, open_account
from functions.core.wallet.ledger import Reason, Wallet

SLOTS = 24 * 60
"""Minutes of a day."""

SHARDS = 16
"""Shards of the schedule. A range of an index whose values only grow takes 500 writes a second, 16 of them 8,000;
and one query can ask for all of them, because `in` takes 30 values."""

RETRY_AFTER = (timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4))
"""How long a user who could not be refreshed waits for each further attempt, before it is given up."""

UNKNOWN_PLAN_WAIT = timedelta(hours=1)
"""When a wallet is looked at again whose plan the config does not know yet: a paying user is not given up for that."""


class UnknownPlanError(ValueError):
    """The wallet names a plan that the runtime config does not know."""


def slot_of(uid: str) -> int:
    """Return a user's minute of the day, 0 to 1439: 64 bits of a hash, so that every minute is as likely."""
    return int.from_bytes(_hashed(uid)[:8]) % SLOTS


def shard_of(uid: str) -> int:
    """Return a user's shard: other bits of the hash, so that each shard's work is spread over the day, too."""
    return int.from_bytes(_hashed(uid)[8:16]) % SHARDS


def _hashed(uid: str) -> bytes:
    return hashlib.sha256(uid.encode()).digest()


def due_at(every: Every, period: str, slot: int) -> datetime:
    """Return when a period falls due."""
    return datetime.combine(_first_day(every, period), time(), UTC) + timedelta(minutes=slot)


def last_due(every: Every, slot: int, now: datetime) -> str:
    """Return the period that fell due last."""
    return _period(every, (now.astimezone(UTC) - timedelta(minutes=slot)).date())


def first_open(every: Every, refreshed: str) -> str:
    """Return the first period that is not dealt with yet, when the last one that is was `refreshed`.

    That may be of the other kind, from before a change of plan. A day leaves its month open, a month deals with all of
    its days: so a change in either direction, or there and back, brings no period twice.
    """
    by_day = _is_day(refreshed)
    if by_day and every is Every.MONTH:
        return refreshed[:7]
    return _period(every, _following(Every.DAY if by_day else Every.MONTH, refreshed))


def open_periods(every: Every, refreshed: str, slot: int, now: datetime) -> int:
    """Count the periods that have fallen due and are not dealt with: 0 also when the clock has gone back.

    After a change between days and months it is 1 at most: what came before belonged to the other plan.
    """
    first = _first_day(every, first_open(every, refreshed))
    last = _first_day(every, last_due(every, slot, now))
    if last < first:
        return 0
    if _is_day(refreshed) is not (every is Every.DAY):
        return 1
    if every is Every.DAY:
        return (last - first).days + 1
    return (last.year - first.year) * 12 + last.month - first.month + 1


def credited(account: Account, uid: str, allowance: Allowance, cap: int, now: datetime) -> Account:
    """Credit the open periods, clipped at the balance cap, and put the wallet on the schedule for the next one.

    A wallet that was never on it begins with the next period; its welcome tokens are for the current one.
    """
    wallet, slot, every = account.wallet, slot_of(uid), allowance.every
    last = last_due(every, slot, now)
    count = open_periods(every, wallet.refreshed_period, slot, now) if wallet.refreshed_period else 0
    refreshed = last if count or not wallet.refreshed_period else wallet.refreshed_period
    if count:
        tokens = _tokens(allowance, wallet.free, cap, count)
        detail = {"first": first_open(every, wallet.refreshed_period), "periods": str(count)} if count > 1 else None
        account = account.post(tokens, Reason.REFRESH, last, now, detail=detail) if tokens else account
    return account.with_fields(
        refreshed_period=refreshed,
        next_refresh_at=due_at(every, first_open(every, refreshed), slot),
        refresh_shard=shard_of(uid),
        refresh_failures=0,
    )


def _tokens(allowance: Allowance, free: int, cap: int, count: int) -> int:
    """Return what so many periods bring, one after another: each `add` adds, only the first `top_up` finds less."""
    wanted = allowance.amount * count if allowance.kind is AllowanceKind.ADD else allowance.amount - free
    return max(min(wanted, cap - free), 0)


def credit_due(wallet: Wallet | None, uid: str, runtime: RuntimeConfig, now: datetime) -> Account:
    """Return the account of a user who is here: opened on first contact, on the schedule, with all that is due. A
    team's is as it is."""
    if wallet is not None and not wallet.earns:
        return Account(wallet)
    return up_to_date(open_account(wallet, runtime.tokens.welcome, now).with_fields(contact_at=now), uid, runtime, now)


def up_to_date(account: Account, uid: str, runtime: RuntimeConfig, now: datetime) -> Account:
    """Credit what the wallet's plan owes by now; one that an operator has set until then ends, and the free one holds.
    A plan that the config does not know brings nothing until it does."""
    until = account.wallet.plan_until
    if until is not None and _is_over(account.wallet, now):
        account = _up_to(account, uid, runtime, until).with_fields(plan=Plan.FREE, plan_until=None, updated_at=now)
    return _up_to(account, uid, runtime, now)


def _up_to(account: Account, uid: str, runtime: RuntimeConfig, moment: datetime) -> Account:
    allowance = runtime.refresh.allowances.of(account.wallet.plan)
    return credited(account, uid, allowance, runtime.tokens.balance_cap, moment) if allowance else account


def _is_over(wallet: Wallet, now: datetime) -> bool:
    """Tell whether a plan is over that an operator has set. Of one that was bought `reconcile_billing` decides."""
    return wallet.plan_seller is None and wallet.plan_until is not None and wallet.plan_until <= now


def in_arrears(wallet: Wallet, runtime: RuntimeConfig, now: datetime) -> bool:
    """Tell, at no read, whether a contact would change more than its own time."""
    known = runtime.refresh.allowances.of(wallet.plan) is not None
    due = wallet.next_refresh_at is None or wallet.next_refresh_at <= now
    return (known and due) or _is_over(wallet, now)


def refreshed(wallet: Wallet, uid: str, runtime: RuntimeConfig, now: datetime) -> Account | None:
    """Return what a worker makes of a wallet that it found due; None if somebody else has dealt with it meanwhile.

    Raises:
        UnknownPlanError: the config does not know the wallet's plan.
        ValueError: the wallet's last period is no period.
    """
    if wallet.next_refresh_at is None or wallet.next_refresh_at > now:
        return None
    if now - (wallet.contact_at or wallet.updated_at) > timedelta(days=runtime.refresh.dormant_days):
        return Account(wallet).with_fields(next_refresh_at=None, refresh_failures=0)
    if runtime.refresh.allowances.of(wallet.plan) is None:
        raise UnknownPlanError(f"the config knows no plan {wallet.plan!r}")
    return up_to_date(Account(wallet), uid, runtime, now)


def retry_at(failures: int, now: datetime) -> datetime | None:
    """Return when to try a user again who has now failed so many times; None when it is given up."""
    return now + RETRY_AFTER[failures - 1] if failures <= len(RETRY_AFTER) else None


def _is_day(period: str) -> bool:
    return len(period) > len("2026-11")


def _period(every: Every, day: date) -> str:
    return day.isoformat() if every is Every.DAY else f"{day:%Y-%m}"


def _first_day(every: Every, period: str) -> date:
    return date.fromisoformat(period if every is Every.DAY else f"{period}-01")


def _following(every: Every, period: str) -> date:
    first = _first_day(every, period)
    return first + timedelta(days=1) if every is Every.DAY else (first + timedelta(days=31)).replace(day=1)
