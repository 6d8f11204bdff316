"""What a user has used by UTC month. It is kept in the wallet, where it is read and written with everything else."""

from datetime import datetime

from functions.core.shared.utc_days import month_of
from functions.core.wallet.ledger import UsedMonth, Wallet

MONTHS_KEPT = 12


def this_month(wallet: Wallet, now: datetime) -> UsedMonth:
    """Return the month's counters in force: new ones after its end, never older ones when the clock goes back."""
    month, newest = month_of(now), next(iter(wallet.months), None)
    return newest if newest and newest.month >= month else UsedMonth(month=month)


def with_month(wallet: Wallet, used: UsedMonth) -> tuple[UsedMonth, ...]:
    """Return the wallet's months with these counters for the newest one."""
    return (used, *(each for each in wallet.months if each.month != used.month))[:MONTHS_KEPT]
