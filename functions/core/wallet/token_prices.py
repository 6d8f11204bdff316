"""What a photo costs a user now, in tokens, and which lane suits them."""

from dataclasses import dataclass

from functions.core.config.tokens import TokenRules
from functions.core.shared.errors import PriceChanged
from functions.core.shared.lanes import Lane


@dataclass(frozen=True)
class Prices:
    """The prices in force, in tokens. The same version means the same prices."""

    instant: int
    batch: int

    @property
    def version(self) -> str:
        """A name for these prices, to tell whether a quote still holds."""
        return f"{self.instant}-{self.batch}"

    def of(self, lane: Lane) -> int:
        """Return the price of a lane."""
        return self.instant if lane is Lane.INSTANT else self.batch


def prices_now(rules: TokenRules, queued: int) -> Prices:
    """Return the prices at this queue length: a long queue raises the batch price, never above the instant one."""
    percent = max((step.percent for step in rules.surge if queued > step.queued_above), default=100)
    batch = -(-rules.batch_price * percent // 100)  # rounded up
    return Prices(rules.instant_price, min(batch, rules.instant_price))


def require_within(price: int, tokens_max: int | None, prices: Prices) -> None:
    """Check a price against the caller's maximum. Raises PriceChanged, with `price`, `maxTokens` and the current
    `priceVersion`."""
    if tokens_max is not None and price > tokens_max:
        raise PriceChanged(
            f"This costs {price} tokens now; you agreed to {tokens_max}. Ask for a new quote.",
            price=price,
            maxTokens=tokens_max,
            priceVersion=prices.version,
        )


def recommended_lane(prices: Prices, balance: int, scans: int, first_scans: int, *, instant_open: bool) -> Lane:
    """Recommend instant to new users, who should see at once what this is for, and batch after that."""
    if instant_open and scans < first_scans and balance >= prices.instant:
        return Lane.INSTANT
    return Lane.BATCH
