"""What an operator does by hand, and the record of it: grants, refunds, wallets rebuilt.

None counts as the user's activity: a dormant user stays dormant.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from functions.core.jobs.jobs import Failure, Job, JobError, Status, counted_on
from functions.core.jobs.transitions import cancelled, failed
from functions.core.refresh.refresh import shard_of
from functions.core.shared.errors import JobNotCancellable
from functions.core.shared.records import Fields, Record
from functions.core.wallet.accounts import Account, refund, reopened_account
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, empty_wallet
from functions.core.wallet.quotas import return_quota

GRANT_TOKENS_MAX = 10_000  # the largest grant: a mistyped digit is an error and not a gift


class AuditEntry(Record):
    """What an operator has changed by hand. Stored in `audit/{auditId}`, for good, in the commit that changes it. `by`
    is the name that the operator gave. `changed` lists `{field, before, after}`."""

    audit_id: str
    action: str
    target: str
    by: str
    why: str
    at: datetime
    changed: tuple[dict[str, Any], ...] = ()


def moved(before: Wallet | None, after: Wallet, job: Job | None, fields: Fields) -> tuple[dict[str, Any], ...]:
    """Return what an operation changes: shown before it happens, and recorded as it happened."""
    found = [
        ("balance", before.balance if before else 0, after.balance),
        ("points", before.points if before else 0, after.points),
        ("status", job.status if job else None, fields.get("status", job.status if job else None)),
    ]
    return tuple({"field": name, "before": old, "after": new} for name, old, new in found if old != new)


def granted(wallet: Wallet, key: str, tokens: int, why: str, now: datetime) -> Account:
    """Give tokens, as the entry `grant:{key}`; not clipped at the cap: the user gets what was promised, and sees the
    reason in the ledger. The key is bound to reason and number."""
    detail = {"why": why, "tokens": str(tokens)}
    return Account(wallet).post(tokens, Reason.GRANT, key, now, detail=detail)


def taken_back(wallet: Wallet, key: str, tokens: int, why: str, now: datetime) -> Account:
    """Take a grant back: the part that is left, without the tokens that the user has bought."""
    detail = {"why": why, "tokens": str(tokens)}
    return Account(wallet).post(-min(tokens, wallet.free), Reason.GRANT, undo_key(key), now, detail=detail)


def _given_back(entry: LedgerEntry) -> int:
    """Return how many photos an entry has refunded: of a bulk job it says so."""
    return int((entry.detail or {}).get("photos", 1)) if entry.reason is Reason.REFUND else 0


def undo_key(key: str) -> str:
    """Return the key under which a grant is taken back, once."""
    return f"{key}:undone"


def remade(stored: Mapping[str, Any], entries: Sequence[LedgerEntry], uid: str, now: datetime) -> Wallet:
    """Rebuild a wallet from its ledger, and keep every other stored field that can be read: plan, streak, today's
    counters, devices, the place on the refresh's schedule, what a newer release has put there."""
    wallet = reopened_account(entries, now).wallet
    counted = {
        "scans": max(sum(entry.photos - _given_back(entry) for entry in entries), 0),
        "corrections": sum(entry.reason is Reason.MANUAL for entry in entries),
    }
    began = {"createdAt": min((entry.ts for entry in entries), default=now)}
    due = {"nextRefreshAt": now, "refreshShard": shard_of(uid)}
    fields = {**wallet.model_dump(by_alias=True), **counted, **began, **due}
    own = {field.alias: name for name, field in Wallet.model_fields.items()}
    for name, value in stored.items():
        if own.get(name) not in _FROM_LEDGER:
            fields = _with_readable(fields, name, value)
    # A wallet begins with a period that has no entry: without it the refresh would bring that one, too.
    period = stored.get("refreshedPeriod")
    if isinstance(period, str) and _PERIOD.fullmatch(period):
        fields["refreshedPeriod"] = max(period, fields["refreshedPeriod"])
    return Wallet.model_validate({**fields, "refreshFailures": 0})


_PERIOD = re.compile(r"\d{4}-\d{2}(-\d{2})?")


_FROM_LEDGER = frozenset(
    {
        "balance",
        "total_earned",
        "total_spent",
        "entry_count",
        "purchased",
        "owed",
        "points",
        "converted_points",
        "achieved",
        "refreshed_period",
        "refresh_failures",
        "recent",
        "updated_at",
    }
)


def _with_readable(fields: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    changed = {**fields, name: value}
    try:
        Wallet.model_validate(changed)
    except ValueError:
        return fields
    return fields if value is None else changed


def first_gap(entries: Sequence[LedgerEntry]) -> int | None:
    """Return the number of the first entry that is missing, or whose balance is not what the entries add up to; None if
    there is none. A ledger with a gap is no truth to make a wallet from."""
    balance = 0
    for number, entry in enumerate(sorted(entries, key=lambda each: each.seq), start=1):
        balance += entry.delta
        if entry.seq != number or entry.balance_after != balance:
            return number
    return None


def reimbursed(wallet: Wallet | None, job: Job, now: datetime, *, orphaned: bool = False) -> tuple[Account, Fields]:
    """Give the price of a job back that has ended, or is still queued, which cancels it. The entry, `refund:{job}`, is
    the one that the functions would write, so that the second refund finds the first. `orphaned`: the job's batch
    has ended without it, as after a restored backup. The job then fails.

    Raises JobNotCancellable, with `status`, if it is being processed; and if it is of a bulk job and has failed, or was
    cancelled: its price came back with that, under the bulk job's name or its own.
    """
    if job.status is Status.PROCESSING and not orphaned:
        raise JobNotCancellable(
            "The job is being processed. It ends by itself, done, or failed and refunded; ask again then.",
            status=job.status,
        )
    if job.bulk_id is not None and job.status in {Status.FAILED, Status.CANCELLED} and not job.charge_stands:
        raise JobNotCancellable("The price of this photo has come back with its bulk job.", status=job.status)
    account = Account(wallet or empty_wallet(now))
    account = refund(account, job.job_id, job.tokens_cost, now, points=job.points, bought=job.tokens_bought)
    if job.status is Status.QUEUED:
        return return_quota(account, job.mode, counted_on(job), now), cancelled(now)
    if job.status is Status.PROCESSING:
        error = JobError(code=Failure.LINE_MISSING, message="The batch of this photo has ended without it.")
        return return_quota(account, job.mode, counted_on(job), now), failed(error, job.cost_micros, now)
    # What the photo used of the day's limit stays used: there was an answer to it.
    return account, {}
