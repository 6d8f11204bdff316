"""Tokens: the ledger is the truth, the balance is its cached sum.

Every change is an entry with a deterministic id, created once: a replay meets its own entry and changes nothing.

    open_account   welcome        once in a lifetime
    charge         charge:{job}   with the job's document, in one transaction
    refund         refund:{job}   with the job's final failure, in one transaction
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from functions.core.errors import InsufficientTokens
from functions.core.records import Record

RECENT_ENTRIES_MAX = 20
"""Shown with the balance at no further read; the whole history is the ledger."""


class Reason(StrEnum):
    """Why tokens came or went."""

    WELCOME = "welcome"
    CHARGE = "charge"
    REFUND = "refund"


class LedgerEntry(Record):
    """One change of a balance, in tokens. Never edited: what was wrong is answered by a further entry.

    `seq` numbers a wallet's entries from 1 without a gap: it is their order where times are equal, and the cursor of
    pages.
    """

    entry_id: str
    seq: int = Field(ge=1)
    delta: int
    reason: Reason
    ref: str | None
    balance_after: int = Field(ge=0)
    ts: datetime


class Wallet(Record):
    """A user's tokens. `balance` equals the sum of all entries, and `total_earned - total_spent`."""

    balance: int = Field(ge=0)
    total_earned: int = Field(ge=0)
    total_spent: int = Field(ge=0)
    entry_count: int = Field(ge=0)
    recent: tuple[LedgerEntry, ...] = ()
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Account:
    """A wallet and the entries that brought it here since it was read: what one transaction writes."""

    wallet: Wallet
    new_entries: tuple[LedgerEntry, ...] = ()

    def post(self, delta: int, reason: Reason, ref: str | None, now: datetime) -> "Account":
        """Return the account with one more entry of `delta` tokens; `ref` names what it was for."""
        wallet = self.wallet
        entry = LedgerEntry(
            entry_id=reason if ref is None else f"{reason}:{ref}",
            seq=wallet.entry_count + 1,
            delta=delta,
            reason=reason,
            ref=ref,
            balance_after=wallet.balance + delta,
            ts=now,
        )
        # A refund takes the spending back; it is not income.
        spent = -delta if reason in {Reason.CHARGE, Reason.REFUND} else 0
        changed = wallet.model_copy(
            update={
                "balance": entry.balance_after,
                "total_earned": wallet.total_earned + delta + spent,
                "total_spent": wallet.total_spent + spent,
                "entry_count": entry.seq,
                "recent": (entry, *wallet.recent)[:RECENT_ENTRIES_MAX],
                "updated_at": now,
            }
        )
        return replace(self, wallet=changed, new_entries=(*self.new_entries, entry))


def open_account(wallet: Wallet | None, welcome_tokens: int, now: datetime) -> Account:
    """Return the account of a stored wallet, or on first contact a new one with its welcome tokens."""
    if wallet is not None:
        return Account(wallet)
    return Account(empty_wallet(now)).post(welcome_tokens, Reason.WELCOME, None, now)


def empty_wallet(now: datetime) -> Wallet:
    """Return a wallet that nothing has been posted to."""
    return Wallet(balance=0, total_earned=0, total_spent=0, entry_count=0, created_at=now, updated_at=now)


def charge(account: Account, job_id: str, price: int, now: datetime) -> Account:
    """Take the price of a job.

    Raises:
        InsufficientTokens: the balance does not cover it; details `balance` and `price`, in tokens.
    """
    balance = account.wallet.balance
    if balance < price:
        raise InsufficientTokens(f"This costs {price} tokens and you have {balance}.", balance=balance, price=price)
    return account.post(-price, Reason.CHARGE, job_id, now)


def refund(account: Account, job_id: str, price: int, now: datetime) -> Account:
    """Give the price of a failed job back. Never clipped: it was the user's already."""
    return account.post(price, Reason.REFUND, job_id, now)
