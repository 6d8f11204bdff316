"""`find` and `job`: from a name that a user or OpenAI gives to the story of a photo."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer
from firebase_admin import auth
from rich.console import Console

from functions.core.batches.batches import LOST, Batch
from functions.core.jobs.idempotency import job_id_for
from functions.core.jobs.jobs import FINAL, Job, Status
from functions.core.jobs.transitions import WAIT_MAX
from functions.core.model.prompts import safety_identifier
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import LABELS
from functions.core.shared.utc_days import clock_text, day_of
from functions.core.wallet.ledger import LedgerEntry, Reason, entry_id
from scripts.operators.printing import age, dollars, table
from scripts.operators.session import (
    Operation,
    OperatorDeps,
    RefusedError,
    authenticated,
    command,
    document_id,
    looking,
)

MOVES = (Reason.CHARGE, Reason.UPGRADE, Reason.REFUND)
KEPT = "Jobs are kept for 90 days; their price stays in the ledger: user UID"
IDENTIFIED_DAYS = 14
IDENTIFIED_JOBS_MAX = 50_000
"""How far back a user is looked for by safety identifier: OpenAI reports within days. A read a job, at most 3 cents."""
RECOVERY = timedelta(minutes=10)  # how long after its lease recover_jobs ends an instant call that died


@command(looking)
def find(
    operation: Operation,
    text: Annotated[
        str, typer.Argument(help="A uid, e-mail, job, batch (OpenAI's id, too), requestId or safety identifier.")
    ],
    uid: Annotated[str | None, typer.Option(help="Whose requestId it is.", show_default=False)] = None,
) -> None:
    """Find a name that a user or OpenAI gives, and the command that shows more. A handful of reads. An e-mail is looked
    up in Firebase Auth, a safety identifier of OpenAI among the users of the last two weeks' jobs, a read each."""
    deps = operation.deps
    found = list(_found(document_id(text), uid, operation.project, deps))
    if not found:
        hint = "" if uid else "; a requestId needs --uid"
        raise RefusedError(f"{text} is not found{hint}. {KEPT}")
    rows = [(each["kind"], each["id"], each["command"]) for each in found]
    operation.show({"found": found}, lambda console: console.print(table("what", "id", "more", rows=rows)))


def _found(text: str, uid: str | None, project: str, deps: OperatorDeps) -> Iterator[dict[str, str]]:
    if re.fullmatch("[0-9a-f]{64}", text):
        user = _by_identifier(text, deps)
        yield _hit("user", user, f"admin user {user}")
        return
    if "@" in text:
        for user in _by_email(text, project):
            yield _hit("user", user, f"admin user {user}")
    elif deps.store.wallet_of(text) != (None, ""):
        yield _hit("user", text, f"admin user {text}")
    job_id = job_id_for(uid, text) if uid else text
    stored = deps.store.get_job(job_id)
    if stored is not None:
        yield _hit("job", job_id, f"admin job {job_id}")
    batch = deps.store.get_batch(text) or deps.store.find_batch(text)
    if batch is not None:
        yield _hit("batch", batch.batch.batch_id, f"admin batches {batch.batch.batch_id}")
    for reason in (Reason.CONVERT, Reason.MANUAL, Reason.GRANT) if uid else ():
        entry = deps.store.get_entry(uid or "", entry_id(reason, text))
        if entry is not None:
            yield _hit(f"entry {entry.seq}, {entry.delta:+} tokens", entry.entry_id, f"admin user {uid}")


def _by_identifier(identifier: str, deps: OperatorDeps) -> str:
    """Find the user whom OpenAI names, among those with jobs of the last days. Raises RefusedError if it is none."""
    left, day, known = IDENTIFIED_JOBS_MAX, deps.clock(), set[str]()
    for back in range(IDENTIFIED_DAYS):
        uids = deps.store.sampled_users(day_of(day - timedelta(days=back)), left)
        left -= len(uids)
        for uid in set(uids) - known:
            if safety_identifier(deps.settings.project, uid) == identifier:
                return uid
        known.update(uids)
        if left <= 0:
            break
    raise RefusedError(
        f"no user of the jobs since {day_of(day - timedelta(days=back))} has this safety identifier "
        f"({len(known)} users, {IDENTIFIED_JOBS_MAX - left} jobs; at most {IDENTIFIED_DAYS} days and "
        f"{IDENTIFIED_JOBS_MAX:,} jobs are looked at)"
    )


def _hit(kind: str, found: str, command: str) -> dict[str, str]:
    return {"kind": kind, "id": found, "command": command}


def _by_email(email: str, project: str) -> list[str]:
    with authenticated(project) as app:
        try:
            return [auth.get_user_by_email(email, app).uid]
        except auth.UserNotFoundError:
            return []


@command(looking)
def job(
    operation: Operation, job_id: Annotated[str, typer.Argument(help="The job, as the app, `find` or `user` shows it.")]
) -> None:
    """The story of a photo: charged, sent, answered or refunded, and when it ends at the latest. Six reads."""
    deps, now = operation.deps, operation.now
    stored = deps.store.get_job(document_id(job_id))
    if stored is None:
        raise RefusedError(f"there is no job {job_id}. {KEPT}")
    found = stored.job
    entries = [deps.store.get_entry(found.uid, entry_id(reason, job_id), found.payer) for reason in MOVES]
    batch = deps.store.get_batch(found.batch_id) if found.batch_id else None
    steps = sorted(_steps(found, [each for each in entries if each], batch.batch if batch else None))
    ends = outcome(found, refunded=entries[-1] is not None)
    latest = _latest_end(found, batch.batch if batch else None)
    data = {
        "jobId": job_id,
        "uid": found.uid,
        "status": found.status,
        "outcome": ends,
        "endsBy": latest,
        "costMicros": found.cost_micros,
        "timeline": [{"at": at, "what": what} for at, what in steps],
    }

    def render(console: Console) -> None:
        console.print(f"{job_id} of {found.uid}, {found.mode} lane: {ends}", markup=False)
        console.print(table("when (UTC)", "~what", rows=[(f"{at:%Y-%m-%d %H:%M:%S}", what) for at, what in steps]))
        if latest is not None:
            console.print(f"It ends by {clock_text(latest)} ({age(latest, now)}), answered or refunded.")
        console.print(f"It has cost {dollars(found.cost_micros)} so far.")

    operation.show(data, render)


def outcome(job: Job, *, refunded: bool | None = None) -> str:
    """Return how a job has ended, or where it is. `refunded` is what the ledger says, if that was looked at."""
    back = {True: ", refunded", False: ", NOT refunded", None: ""}[refunded]
    match job.status:
        case Status.DONE:
            item = (job.result or {}).get("itemName", "answered")
            return f"{item}{', refunded' if refunded else ''}"
        case Status.FAILED:
            return f"{job.error.code if job.error else 'failed'}{back}"
        case Status.CANCELLED:
            return f"cancelled{back}"
        case Status.QUEUED:
            return f"waits{f', tried {job.attempts} times: {job.error.code}' if job.attempts and job.error else ''}"
    return f"is in batch {job.batch_id}" if job.batch_id else "is being answered"


def _steps(job: Job, entries: list[LedgerEntry], batch: Batch | None) -> Iterator[tuple[datetime, str]]:
    wanted = "" if job.requested_mode == job.mode else f", wanted in the {job.requested_mode} lane"
    yield job.created_at, f"asked for by {job.uid}{wanted}"
    for each in entries:
        yield each.ts, f"{each.reason}: {each.delta:+} tokens, the balance is {each.balance_after}"
    if batch is not None:
        at_openai = f", at {LABELS[batch.provider]} {batch.provider_batch_id}" if batch.provider_batch_id else ""
        yield (batch.created_at, f"into batch {batch.batch_id} of {batch.job_count} photos{at_openai}: {batch.state}")
    if job.status is Status.QUEUED and job.queued_at is not None:
        why = f"after {job.attempts} tries ({job.error.message})" if job.error else "for the first time"
        yield job.queued_at, f"in turn {why}"
    if job.completed_at is not None:
        why = f": {job.error.code}, {job.error.message}" if job.error else ""
        yield job.completed_at, f"{job.status}{why}"


def _latest_end(job: Job, batch: Batch | None) -> datetime | None:
    """Return when a job that is open has ended, whatever happens; None if it has."""
    if job.status in FINAL:
        return None
    if job.mode is Lane.INSTANT:
        return (job.lease_until or job.created_at) + RECOVERY
    return (batch.created_at + LOST) if batch is not None else job.created_at + WAIT_MAX
