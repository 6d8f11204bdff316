"""One payment: what a provider tells of it, the tokens that this is worth, and the entries that bring a wallet there.

    facts    what was paid, and what of it was taken back, as read at the provider
    target   the tokens that these facts are worth: tokens x (paid - taken back) / paid, rounded down
    given    the tokens that were posted so far; what is missing to the target, or too much, is one more entry

An event says only that there is something to read. What is read is joined to what is known: of two amounts the larger
one, each taking back under its own id and as far as it has ever come. Joining is commutative, associative and
idempotent, so facts end alike in any order, and a read that is old or comes twice takes nothing back and gives nothing
again.

Entries are named by the payment and never by an event, because one payment speaks through several events, and each
event may come several times:

    buy:{payment}      a pack           payment = {provider}:{the provider's id}
    period:{payment}   a paid period    payment = {provider}:{subscription}:{second of its beginning}
    ...:{n}            its n-th correction: a refund, a dispute, one that was won, a refund that failed
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from functions.core.shared.records import Kept, Open
from functions.core.wallet.accounts import Account
from functions.core.wallet.figures import Count
from functions.core.wallet.ledger import Reason
from functions.core.wallet.team_wallet import wallet_name

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")

ABSENT_FOR = timedelta(minutes=10)
"""Between two reads that do not show a payment any more. One alone may be the provider's slip, or a wrong key."""


class UnreadError(Exception):
    """What a provider shows cannot be understood, and why: an operator has to do something about it."""


class Provider(StrEnum):
    """Who tells of a payment."""

    STRIPE = "stripe"
    REVENUECAT = "revenuecat"


class Stage(StrEnum):
    """How far a taking back has come, a refund or a dispute; from one stage only to later ones.

    A dispute takes the money when it opens. It is returned if the dispute is won, or if a refund fails at the bank.
    """

    ANNOUNCED = "announced"
    TAKEN = "taken"
    RETURNED = "returned"
    LOST = "lost"


_COUNTS = frozenset({Stage.TAKEN, Stage.LOST})


class Reversal(Kept):
    """One refund or dispute. `minor`: how much it takes, in the payment's minor units; None for all that was paid, as
    for a dispute in another currency."""

    minor: Count | None
    stage: Open[Stage]


class Facts(Kept):
    """What is known of a payment. `paid_minor`: integer minor units of its currency (cents), None until it is paid: a
    payment of nothing, as with a coupon of 100 %, is paid with 0. `reversals`: by the provider's id of each."""

    paid_minor: Count | None = None
    reversals: Mapping[str, Reversal] = Field(default_factory=dict)

    def joined(self, other: "Facts") -> "Facts":
        """Return both taken together. Each read keeps what an older release did not know of."""
        paid = [each for each in (self.paid_minor, other.paid_minor) if each is not None]
        reversals = dict(self.reversals)
        for name, new in other.reversals.items():
            reversals[name] = _further(reversals.get(name, new), new)
        return self.model_copy(update={"paid_minor": max(paid, default=None), "reversals": reversals})


def _further(one: Reversal, other: Reversal) -> Reversal:
    """Return the one that has come further, at the larger amount."""
    minors = [each.minor for each in (one, other)]
    minor = None if None in minors else max(each for each in minors if each is not None)
    return max(one, other, key=lambda each: _rank(each.stage)).model_copy(update={"minor": minor})


def _rank(stage: str) -> int:
    """A newer release's stage stays above all that we know."""
    return list(Stage).index(Stage(stage)) if stage in set(Stage) else len(Stage)


class Payment(Kept):
    """A payment as stored in `payments/{paymentId}`, for good.

    `uid` pays, None as long as nobody is known; the tokens are theirs, or the team's with `team_id`, whoever has left
    it since. `holder` is whom the provider shows it to: another
    one after a transfer, which moves no tokens. `tokens` are those of the product when it was bought. `sandbox`: made
    in a store's test system, with no money. `given` and `moves`: the tokens posted so far, and by how many entries.
    `absent_since`: when a read first did not show it any more. `paid_at` is the provider's time, as far as it is told;
    `met_at` and `reversals_at` are ours: when we learnt that it is paid, and of each taking back, `reversed_at` of the
    last one. `unclaimed_since` is there as long as it has no payer.
    """

    payment_id: str
    reason: Open[Reason]
    uid: str | None
    team_id: str | None = None
    holder: str | None = None
    product: str
    tokens: Count
    currency: Annotated[str, Field(pattern="^[a-z]{3}$")]
    sandbox: bool = False
    facts: Facts = Facts()
    given: Count = 0
    moves: Count = 0
    absent_since: datetime | None = None
    paid_at: AwareDatetime | None = None
    met_at: AwareDatetime | None = None
    reversed_at: AwareDatetime | None = None
    reversals_at: Mapping[str, AwareDatetime] = Field(default_factory=dict)
    unclaimed_since: AwareDatetime | None = None

    @property
    def payee(self) -> str | None:
        """Whose wallet gets the tokens, see `wallet_name`; None as long as nobody is known."""
        return wallet_name(self.uid, self.team_id) if self.uid else None

    @property
    def taken_minor(self) -> int:
        """How much of what was paid is taken back at present."""
        paid, taken = (
            self.facts.paid_minor or 0,
            [each for each in self.facts.reversals.values() if each.stage in _COUNTS],
        )
        return min(sum(paid if each.minor is None else each.minor for each in taken), paid)

    def told(self, facts: Facts) -> "Payment":
        """Return the payment after a read that shows it."""
        back = {name: Reversal(minor=None, stage=Stage.RETURNED) for name in self._absences()}
        known = self.facts.joined(facts).joined(Facts(reversals=back))
        return self.model_copy(update={"facts": known, "absent_since": None})

    def absent(self, now: datetime, *, named: bool) -> "Payment":
        """Return the payment after a read, begun `now`, that does not show it: how RevenueCat tells a pack's refund.

        It is taken back if an event has `named` it as refunded, or if a read some time ago did not show it either: so
        that one empty answer takes nothing from anybody. A period is never shown again once the next one has begun.
        """
        if self.reason != Reason.BUY:
            return self
        since, absences = self.absent_since or now, self._absences()
        known, facts = any(self.facts.reversals[name].stage == Stage.TAKEN for name in absences), self.facts
        if not known and (named or now - since >= ABSENT_FOR):
            gone = Reversal(minor=None, stage=Stage.TAKEN)
            facts = facts.joined(Facts(reversals={f"absent:{len(absences)}": gone}))
        return self.model_copy(update={"facts": facts, "absent_since": since})

    def noted(self, now: datetime) -> "Payment":
        """Return the payment with the times of what is known of it since now."""
        times = {name: self.reversals_at.get(name, now) for name in self.facts.reversals}
        claimed = {"unclaimed_since": None if self.uid else self.unclaimed_since or now}
        reversed_at = {"reversed_at": now, "reversals_at": times} if times.keys() != self.reversals_at.keys() else {}
        met = {"met_at": self.met_at or (None if self.facts.paid_minor is None else now)}
        return self.model_copy(update={**met, **claimed, **reversed_at})

    def _absences(self) -> list[str]:
        return [name for name in self.facts.reversals if name.startswith("absent:")]


def payment_id(provider: Provider, *names: str) -> str:
    """Return the name of a payment, from the provider's own. Raises ValueError for one that fits into no path."""
    for name in names:
        if _ID.fullmatch(name) is None:
            raise ValueError(f"{provider} names a payment by {len(name)} characters that no document can be named by")
    return ":".join((provider, *names))


def target(payment: Payment) -> int:
    """Return the tokens that the payment is worth. Money of a test system is none."""
    paid = payment.facts.paid_minor
    if paid is None or payment.sandbox:
        return 0
    if any(each.minor is None and each.stage in _COUNTS for each in payment.facts.reversals.values()):
        return 0
    left = paid - payment.taken_minor
    return payment.tokens * left // paid if paid else payment.tokens


def credited(payment: Payment, account: Account, now: datetime) -> tuple[Payment, Account]:
    """Return payment and payee's account after the entry that is missing, both as they are if none is. An unclaimed
    payment waits for its payer, and one in a stage that this release does not know for the release that does."""
    missing = target(payment) - payment.given
    known = all(isinstance(each.stage, Stage) for each in payment.facts.reversals.values())
    if missing == 0 or payment.uid is None or not known:
        return payment, account
    ref = payment.payment_id if payment.moves == 0 else f"{payment.payment_id}:{payment.moves}"
    detail = {"product": payment.product, "tokens": str(missing)}
    posted = account.post(0, Reason(payment.reason), ref, now, bought=missing, detail=detail)
    moved = {"given": payment.given + missing, "moves": payment.moves + 1}
    return payment.model_copy(update=moved), posted
