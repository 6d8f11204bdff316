"""What tokens buy beside answers: `perk:{requestId}`, once.

priorityDay   for a day the user's photos stand before those without priority in the batch queue; days add up
streakSaver   a day without a bonus does not end the streak, the next one or one just missed: `core.wallet.earning`
              uses it up
"""

from datetime import datetime, timedelta

from functions.core.config.shop import Perk
from functions.core.shared.errors import InvalidRequest, PriceChanged
from functions.core.wallet.accounts import Account, spend
from functions.core.wallet.ledger import Reason, Wallet

DAY = timedelta(days=1)


def perk_bought(
    account: Account, perk: Perk, price: int, request_id: str, tokens_max: int, savers_max: int, now: datetime
) -> Account:
    """Take the price of a perk, and give it.

    Raises:
        PriceChanged: it costs more than the caller agreed to; details `price`, `maxTokens`.
        InvalidRequest: the user has as many streak savers as one can have.
        InsufficientTokens: details `balance` and `price`.
    """
    if price > tokens_max:
        text = f"This costs {price} tokens now; you agreed to {tokens_max}."
        raise PriceChanged(text, price=price, maxTokens=tokens_max)
    wallet = account.wallet
    if perk is Perk.STREAK_SAVER and wallet.streak_savers >= savers_max:
        raise InvalidRequest(f"perk: you have {wallet.streak_savers} already.", field="perk")
    paid = spend(account, Reason.PERK, request_id, price, now, detail={"perk": perk.value})
    if perk is Perk.STREAK_SAVER:
        return paid.with_fields(streak_savers=wallet.streak_savers + 1)
    return paid.with_fields(priority_until=max(wallet.priority_until or now, now) + DAY)


def has_priority(wallet: Wallet, now: datetime) -> bool:
    """Tell whether a day of priority runs."""
    return wallet.priority_until is not None and wallet.priority_until > now
