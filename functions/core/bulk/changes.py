"""What changes a bulk job once it is paid for: each in one transaction over it, the wallet, and the jobs that it makes
or ends.

    page         the next photos become jobs; what cannot be used is failed, and refunded
    given_back   what was not taken on is refunded        refund:{bulk}:{n}
    emptied      queued jobs are cancelled, and refunded  refund:{bulk}:{n}
    counted      what has come of the jobs; with the last of them the bulk job ends
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from functions.core.budget.holds import CostCeiling
from functions.core.bulk.bulks import Bulk, BulkState, Waiting, next_look, request_of
from functions.core.bulk.quota import returned
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.cancelling import cancelled_together
from functions.core.jobs.jobs import FINAL, Job, JobError, Status
from functions.core.jobs.opening import Asked, batch_job
from functions.core.jobs.transitions import cancelled, failed, with_fields
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields
from functions.core.shared.utc_days import next_day
from functions.core.wallet.accounts import Account, photos_detail, refund
from functions.core.wallet.achievements import unlocked
from functions.core.wallet.ledger import Wallet, today_of
from functions.core.wallet.quotas import RecountNeeded, add_cost, recounted, visited
from functions.core.wallet.team_wallet import pays_for

REFUSED_WAIT = timedelta(hours=1)
"""When a wallet that takes nothing more today is asked again: what photos have come to by then can be less than was
held for them."""

LOST = timedelta(days=7)
"""After the last photo can have been taken on: longer than any job is open. One that is still counted as open then is a
damaged document, and the report goes without it."""

LOOK_SOON = timedelta(minutes=5)
"""When a run looks again at what others have to do first."""


@dataclass(frozen=True)
class Seen:
    """A photo of the list, as it was read: its digest, None if it could not be read just now, or why it cannot be
    used."""

    path: str
    digest: str | None = None
    error: JobError | None = None


@dataclass(frozen=True)
class Change:
    """A bulk job after a change; the account, None if it stays or there is none any more; the jobs that are made, and
    fields of those that are ended, by id."""

    bulk: Bulk
    account: Account | None = None
    opened: tuple[Job, ...] = ()
    ended: Mapping[str, Fields] | None = None


@dataclass(frozen=True)
class Terms:
    """What a page is taken on at: the most that a photo costs, the usual wait, and in which invocation."""

    ceiling: CostCeiling
    wait: timedelta
    opened_by: str
    lease_until: datetime


def page(
    wallet: Wallet | None, bulk: Bulk, photos: Sequence[Seen], terms: Terms, runtime: RuntimeConfig, now: datetime
) -> Change | RecountNeeded:
    """Take these photos on, which come next in the list, or as many of them as the user's day may cost; with the last
    one the bulk job is `working`. One whose user has left ends; one that a team pays is cancelled if it pays for that
    user no more. A bulk job that takes nothing on stays as it is."""
    if bulk.state != BulkState.TAKING:
        return Change(bulk)
    if wallet is None or (bulk.payer and not pays_for(wallet, bulk.uid, bulk.created_at)):
        return _unpaid(wallet, bulk, now)
    if wallet.blocked_at is not None:
        return Change(moved(bulk, waiting=Waiting.BLOCKED, due_at=now + REFUSED_WAIT))
    usable, micros = sum(photo.error is None for photo in photos), terms.ceiling.micros
    cap = runtime.plans.micros_per_day(wallet.plan, runtime.budget.per_user_daily_micros)
    account = recounted(Account(wallet), usable * micros, cap, now, terms.ceiling.recount)
    if isinstance(account, RecountNeeded):
        return account
    fits = max(cap - today_of(account.wallet, now).held_micros, 0) // max(micros, 1)
    taken = _as_far_as(photos, fits)
    if not taken:
        return Change(
            moved(bulk, waiting=Waiting.LIMIT, due_at=min(next_day(now), now + REFUSED_WAIT)),
            account if account.wallet != wallet else None,
        )
    account, visit = visited(account, now)
    for _ in filter(lambda photo: photo.error is None, taken):
        account = add_cost(account, micros, cap, now)
    jobs = [_job(bulk, bulk.taken + n, photo, terms, runtime, now) for n, photo in enumerate(taken)]
    jobs = [each.model_copy(update={"plan": visit["plan"]} if n else visit) for n, each in enumerate(jobs)]
    done = bulk.taken + len(taken)
    state = BulkState.WORKING if done == bulk.count else BulkState.TAKING
    bulk = moved(bulk, taken=done, state=state, waiting=None, due_at=terms.lease_until)
    useless = [job for job in jobs if job.status is Status.FAILED]
    bulk, account = _refunded(bulk, account, useless, now, counted=0)
    account = account.with_fields(scans=account.wallet.scans + len(jobs) - len(useless))
    return Change(bulk, unlocked(account, runtime, now), tuple(jobs))


def _unpaid(wallet: Wallet | None, bulk: Bulk, now: datetime) -> Change:
    """End a bulk job whose user has left: all that is theirs is being erased. A team's goes the way of one that is
    cancelled."""
    if bulk.payer:
        return given_back(wallet, bulk, BulkState.CANCELLING, now)
    return Change(moved(bulk, state=BulkState.CANCELLED, due_at=None, completed_at=now))


def _as_far_as(photos: Sequence[Seen], usable_max: int) -> list[Seen]:
    """Return the first photos, so many usable ones among them at the most."""
    taken: list[Seen] = []
    for photo in photos:
        usable_max -= photo.error is None
        if usable_max < 0:
            break
        taken.append(photo)
    return taken


def _job(bulk: Bulk, number: int, photo: Seen, terms: Terms, runtime: RuntimeConfig, now: datetime) -> Job:
    options = (bulk.requested_region, bulk.requested_language, terms.opened_by, now)
    asked = Asked(bulk.uid, request_of(bulk.bulk_id, photo.path), photo.path, Lane.BATCH, *options, bulk.payer)
    tokens, bought = bulk.price_of(number, number + 1)
    own: dict[str, Any] = {"bulk_id": bulk.bulk_id, "image_digest": photo.digest, "tokens_bought": bought}
    own |= {"paid_at": bulk.created_at}
    own |= {"points": bulk.points, "region": bulk.region, "language": bulk.language}
    job = batch_job(asked, tokens, terms.wait, runtime).model_copy(update=own)
    return job if photo.error is None else with_fields(job, failed(photo.error, 0, now))


def given_back(wallet: Wallet | None, bulk: Bulk, state: BulkState, now: datetime) -> Change:
    """Take nothing more on, and refund what was not. The jobs that there are go on in this `state`."""
    if bulk.state != BulkState.TAKING:
        changes = {"state": state, "due_at": now} if bulk.state == BulkState.WORKING else {}
        return Change(moved(bulk, **changes) if changes else bulk)
    left = bulk.count - bulk.taken
    bulk, (tokens, bought) = moved(bulk, state=state, waiting=None, due_at=now), bulk.price_of(bulk.taken, bulk.count)
    if wallet is None:
        return Change(bulk)
    return Change(*_with_refund(bulk, Account(wallet), tokens, bought, left, now, counted=0))


def emptied(wallet: Wallet | None, bulk: Bulk, queued: Sequence[Job], now: datetime) -> Change:
    """Cancel these queued jobs of a bulk job that is being cancelled, and refund them: see `core.jobs.cancelling`."""
    if bulk.state != BulkState.CANCELLING or not queued:
        return Change(bulk)
    bulk = moved(bulk)
    if wallet is None:
        return Change(bulk, ended={job.job_id: cancelled(now) for job in queued})
    account, back, ended = cancelled_together(Account(wallet), queued, now)
    bulk, account = _refunded(bulk, account, back, now, counted=len(back))
    return Change(bulk, account, ended=ended)


def counted(bulk: Bulk, counts: Mapping[str, int], now: datetime) -> Bulk:
    """Return a bulk job with what has come of its jobs, by status, and when it is looked at next."""
    return moved(bulk, **{status.value: counts[status.value] for status in FINAL}, due_at=next_look(bulk, now))


def all_ended(bulk: Bulk, now: datetime) -> bool:
    """Tell whether every job that was taken on has ended, by the last count, or will not any more."""
    return bulk.done + bulk.failed + bulk.cancelled == bulk.taken or now > bulk.deadline + LOST


def ended(bulk: Bulk, now: datetime) -> Bulk:
    """Return a bulk job whose report is written."""
    state = BulkState.CANCELLED if bulk.state == BulkState.CANCELLING else BulkState.DONE
    return moved(bulk, state=state, completed_at=now, due_at=None)


def put_off(bulk: Bulk, why: str | None, until: datetime) -> Change:
    """Look at a bulk job again then; unless its user has cancelled it meanwhile."""
    return Change(moved(bulk, waiting=why, due_at=until) if bulk.state == BulkState.TAKING else bulk)


def moved(bulk: Bulk, **changes: Any) -> Bulk:
    """Return a bulk job after a change."""
    return bulk.model_copy(update={**changes, "moves": bulk.moves + 1})


def _refunded(
    bulk: Bulk, account: Account, jobs: Sequence[Job], now: datetime, *, counted: int
) -> tuple[Bulk, Account]:
    if not jobs:
        return bulk, account
    tokens, bought = sum(job.tokens_cost for job in jobs), sum(job.tokens_bought for job in jobs)
    return _with_refund(bulk, account, tokens, bought, len(jobs), now, counted=counted)


def _with_refund(
    bulk: Bulk, account: Account, tokens: int, bought: int, photos: int, now: datetime, *, counted: int
) -> tuple[Bulk, Account]:
    """Refund so many photos, of which so many were `counted` as scans."""
    number, account = bulk.refunds + 1, returned(account, photos, bulk.created_at, now)
    ref, points, detail = f"{bulk.bulk_id}:{number}", bulk.points * photos, photos_detail(photos)
    account = refund(account, ref, tokens, now, points=points, bought=bought, detail=detail, photos=counted)
    return bulk.model_copy(update={"refunds": number, "refunded": bulk.refunded + tokens}), account
