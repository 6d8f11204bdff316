"""`block`, `unblock`: whether a user may have photos classified."""

import uuid
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from functions.core.jobs.endings import cancelling
from functions.core.jobs.jobs import Status
from functions.core.shared.errors import JobNotCancellable
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from scripts.operators.grants import known_wallet
from scripts.operators.repairs_by_hand import AuditEntry
from scripts.operators.session import (
    AsJson,
    By,
    OperatorDeps,
    Project,
    RefusedError,
    Why,
    Yes,
    ask,
    change,
    connected,
    login,
    show,
)

JOBS_PAGE = 100

User = Annotated[str, typer.Argument(help="The user's uid in Firebase Auth.")]


def block(uid: User, project: Project, why: Why, by: By = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """Take no more photos of a user, in either lane, from now on; those that are queued are cancelled and refunded."""
    with connected(project) as deps:
        _set(uid, deps, why=why, by=by, blocked=True, yes=yes, as_json=as_json)
        cancelled = _cancel_queued(uid, deps)

        def render(console: Console) -> None:
            console.print(f"{uid} is blocked; {cancelled} queued photos were cancelled and refunded.", soft_wrap=True)

        show({"uid": uid, "blocked": True, "cancelled": cancelled}, render, as_json=as_json)


def unblock(uid: User, project: Project, why: Why, by: By = "", yes: Yes = False, as_json: AsJson = False) -> None:
    """Take photos of a user again."""
    with connected(project) as deps:
        _set(uid, deps, why=why, by=by, blocked=False, yes=yes, as_json=as_json)
        told = f"{uid} is not blocked."
        show({"uid": uid, "blocked": False}, lambda console: console.print(told), as_json=as_json)


def _set(uid: str, deps: OperatorDeps, *, why: str, by: str, blocked: bool, yes: bool, as_json: bool) -> None:
    wallet, now = known_wallet(uid, deps), deps.clock()
    before = wallet.blocked_at is not None
    if before == blocked:
        return
    changes = [change("blocked", before, blocked)]
    ask(changes, f"Whether {uid} is blocked: {why}", yes=yes, as_json=as_json)

    def decide(wallet: Wallet | None) -> Account:
        if wallet is None:
            raise RefusedError(f"{uid} has no wallet any more")
        return Account(wallet).with_fields(blocked_at=now if blocked else None)

    action = "block" if blocked else "unblock"
    audit = AuditEntry(
        audit_id=f"{uid}:{action}:{uuid.uuid4().hex}",
        action=action,
        target=uid,
        by=by or login(),
        why=why,
        at=now,
        changed=tuple(changes),
    )
    deps.store.change_wallet(uid, decide, audit)


def _cancel_queued(uid: str, deps: OperatorDeps) -> int:
    """Cancel what a user has in the queue. Returns how many photos that were; one that is on its way stays so."""
    runtime, before, cancelled = deps.runtime(), None, 0
    while page := deps.store.list_jobs(uid, before, JOBS_PAGE):
        for stored in page:
            if stored.job.status is Status.QUEUED:
                with suppress(JobNotCancellable):  # a submitter was faster
                    deps.store.settle_job(stored.job.job_id, uid, cancelling(uid, runtime, deps.clock()))
                    cancelled += 1
        before = page[-1].job.created_at, page[-1].job.job_id
    return cancelled
