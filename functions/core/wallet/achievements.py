"""Achievements: rules over what the wallet counts, unlocked by the write that counts.

Each is an entry `achieve:{name}`, and its name in the wallet: a further write finds it there, and a wallet that was
lost gets it back from the ledger. So none comes twice, and a write that unlocks nothing costs nothing.
"""

from datetime import datetime
from typing import Any

from functions.core.config.achievements import Counter
from functions.core.config.runtime import RuntimeConfig
from functions.core.wallet.accounts import Account
from functions.core.wallet.earning import streak
from functions.core.wallet.ledger import Reason, Wallet


def unlocked(account: Account, runtime: RuntimeConfig, now: datetime) -> Account:
    """Return the account with the achievements that it has reached and does not have: an entry each. A team has
    none."""
    if not account.wallet.earns:
        return account
    for rule in runtime.achievements.rules if runtime.achievements.open else ():
        wallet = account.wallet
        if rule.name not in wallet.achieved and _reached(wallet, rule.counter, now) >= rule.at_least:
            cap = runtime.tokens.balance_cap
            account = account.earn(rule.tokens, Reason.ACHIEVE, rule.name, now, cap=cap)
            account = account.with_fields(achieved=(*wallet.achieved, rule.name))
    return account


def shown_achievements(wallet: Wallet, runtime: RuntimeConfig, now: datetime) -> list[dict[str, Any]]:
    """Return each achievement that there is as JSON: what it takes, how much of that the user has, whether it is
    `unlocked`."""
    return [
        {
            **rule.as_json(),
            "reached": min(max(_reached(wallet, rule.counter, now), 0), rule.at_least),
            "unlocked": rule.name in wallet.achieved,
        }
        for rule in (runtime.achievements.rules if runtime.achievements.open else ())
    ]


def _reached(wallet: Wallet, counter: Counter, now: datetime) -> int:
    counted = {
        Counter.SCANS: wallet.scans,
        Counter.STREAK_DAYS: streak(wallet, now),
        Counter.POINTS: wallet.points,
        Counter.CORRECTIONS: wallet.corrections,
    }
    return counted[counter]
