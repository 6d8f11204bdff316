"""Accounts that their users delete: what goes, what stays, and for how long it is looked for.

    delete_account   the wallet is closed and empty, devices and cache are gone; nothing is made anew for the user
    erase_accounts   sign-in, photos, contents of jobs and words of entries go; again until nothing more can come

The closed wallet stays: by it every later refund, purchase and allowance knows that there is nobody to give it to. The
ledger stays without words, and jobs stay as figures, so that the books still add up.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from functions.core.jobs.jobs import Job
from functions.core.shared.records import Fields, Record
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, empty_wallet

UPLOADS_END = timedelta(hours=2)
"""After the request nobody can upload any more: an ID token lasts an hour, an upload that began with it a while."""

LOOK_AGAIN = timedelta(minutes=15)

LATE = timedelta(days=3)
"""Longer than any photo is at a provider: by then something is in the way."""

FAILED_WAIT_MAX = timedelta(hours=6)


class Deletion(Record):
    """An account whose traces are being erased, in `deletions/{uid}` until none are left. `failures` in a row; `days`
    whose books may name the user, as one of the most expensive."""

    requested_at: datetime
    next_at: datetime
    failures: int = 0
    days: tuple[str, ...] = ()


def requested(now: datetime) -> Deletion:
    """Return what is to be done from now on."""
    return Deletion(requested_at=now, next_at=now)


def ends(deletion: Deletion) -> datetime:
    """Return when the last traces can have come."""
    return deletion.requested_at + UPLOADS_END


def tried(deletion: Deletion, now: datetime, *, failed: bool) -> Deletion:
    """Return a deletion that found something left, or failed: the wait doubles with each failure in a row."""
    failures = deletion.failures + 1 if failed else 0
    wait = min(LOOK_AGAIN * 2**failures, FAILED_WAIT_MAX)
    return deletion.model_copy(update={"next_at": now + wait, "failures": failures})


def with_days(deletion: Deletion, jobs: Collection[Job]) -> Deletion:
    """Return a deletion that knows the days of these jobs as well."""
    booked = {job.hold.day for job in jobs if job.hold} | {job.day for job in jobs}
    return deletion.model_copy(update={"days": tuple(sorted({*deletion.days, *booked} - {""}))})


def closing(wallet: Wallet | None, now: datetime) -> Account:
    """Return the account without tokens, points, plan and history, closed for good. An entry says how many tokens were
    given up; what is owed stays owed. Without a wallet there is an empty one, which brings no welcome."""
    account = Account(wallet or empty_wallet(now))
    if wallet is not None:
        account = account.post(-wallet.free, Reason.CLOSE, None, now, points=-wallet.points, bought=-wallet.purchased)
    left = account.wallet
    bare = empty_wallet(left.created_at).with_fields(
        total_earned=left.total_earned,
        total_spent=left.total_spent,
        entry_count=left.entry_count,
        owed=left.owed,
        updated_at=now,
        closed_at=now,
    )
    return Account(bare, account.new_entries)


def erased(job: Job) -> Fields:
    """Return the fields that take the person out of a job that has ended. What it cost, when, in which lane and by
    which model stays: days and providers are sums of jobs."""
    anonymous = job.model_copy(
        update={
            "uid": "",
            "image_path": "",
            "image_digest": None,
            "requested_region": None,
            "requested_language": None,
            "preset": None,
            "region": "",
            "language": "",
            "notify": (),
            "result": None,
        }
    )
    before, after = job.model_dump(by_alias=True), anonymous.model_dump(by_alias=True)
    return {name: after.get(name) for name, value in before.items() if after.get(name) != value}
