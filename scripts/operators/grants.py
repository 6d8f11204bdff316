"""`grant` and `refund`: tokens by hand, each once, asked for and on record."""

import uuid
from typing import Annotated

import typer
from rich.console import Console

from functions.core.batches.batches import BatchState
from functions.core.jobs.jobs import Job, Status
from functions.core.shared.errors import JobNotFound
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, entry_id
from scripts.operators.repairs_by_hand import (
    GRANT_TOKENS_MAX,
    AuditEntry,
    granted,
    moved,
    reimbursed,
    taken_back,
    undo_key,
)
from scripts.operators.session import (
    AsJson,
    By,
    OperatorDeps,
    Project,
    RefusedError,
    Why,
    Yes,
    ask,
    connected,
    login,
    show,
)

GRANT_ASKED_TWICE = 200
"""More than a wallet holds by default: such a number is typed twice. `--yes` types it for a script."""

Key = Annotated[
    str | None,
    typer.Option("--key", help="Names this grant: the same key gives once. A new one without it.", show_default=False),
]


def grant(
    uid: Annotated[str, typer.Argument(help="Whose wallet.")],
    tokens: Annotated[int, typer.Argument(min=1, max=GRANT_TOKENS_MAX, help="How many tokens.")],
    project: Project,
    why: Why,
    key: Key = None,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give a user tokens, beyond the balance cap if need be. Run again with the same --key it gives nothing more."""
    with connected(project) as deps:
        wallet = known_wallet(uid, deps)
        key = key or uuid.uuid4().hex
        name = entry_id(Reason.GRANT, _checked_key(key))
        wanted = {"why": why, "tokens": str(tokens)}
        stored = deps.store.get_entry(uid, name)
        if stored is None:
            now = deps.clock()
            changes = moved(wallet, granted(wallet, key, tokens, why, now).wallet, None, {})
            ask(changes, f"{tokens} tokens for {uid}: {why}", yes=yes, as_json=as_json)
            _ask_again(tokens, yes=yes, as_json=as_json)

            def decide(wallet: Wallet | None, _job: Job | None) -> tuple[Account, Fields]:
                if wallet is None:
                    raise RefusedError(f"{uid} has no wallet any more")
                return granted(wallet, key, tokens, why, now), {}

            audit = AuditEntry(audit_id=f"{uid}:{name}", action="grant", target=uid, by=by or login(), why=why, at=now)
            entry, posted = deps.store.post_by_hand(uid, name, decide, audit)
        else:
            entry, posted = stored, False
        require_same_payload(entry.detail or {}, wanted)
        _tell(entry, posted, f"--key {key}", as_json=as_json)


def refund(
    job_id: Annotated[str, typer.Argument(help="The job, as the app or `user` shows it.")],
    project: Project,
    why: Why,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Give the price of a job back, and take its points: once, whoever does it. A queued job is cancelled with it."""
    with connected(project) as deps:
        stored_job = deps.store.get_job(document_id(job_id))
        if stored_job is None:
            raise RefusedError(f"there is no job {job_id}. Jobs are kept for 90 days; for an older one use `grant`.")
        job = stored_job.job
        name = entry_id(Reason.REFUND, job_id)
        stored = deps.store.get_entry(job.uid, name)
        if stored is None:
            wallet = deps.store.get_wallet(job.uid)
            stranded = _is_stranded(job, deps)
            account, fields = reimbursed(wallet, job, deps.clock(), stranded=stranded)
            title = f"Refund for {job.uid}, {job.mode} lane, {job.status}: {why}"
            ask(moved(wallet, account.wallet, job, fields), title, yes=yes, as_json=as_json)
            entry, posted = _refunded(deps, job, by or login(), why, stranded=stranded)
        else:
            entry, posted = stored, False
        _tell(entry, posted, f"job {job_id}", as_json=as_json)


def _is_stranded(job: Job, deps: OperatorDeps) -> bool:
    """Whether a job's batch has ended without it, so that nobody will end the job."""
    if job.status is not Status.PROCESSING or job.batch_id is None:
        return False
    stored = deps.store.get_batch(job.batch_id)
    return stored is None or stored.batch.state in {BatchState.DONE, BatchState.FAILED}


def _refunded(deps: OperatorDeps, job: Job, by: str, why: str, *, stranded: bool) -> tuple[LedgerEntry, bool]:
    name, now = entry_id(Reason.REFUND, job.job_id), deps.clock()

    def decide(wallet: Wallet | None, found: Job | None) -> tuple[Account, Fields]:
        if found is None:
            raise JobNotFound("The job is gone.")
        return reimbursed(wallet, found, now, stranded=stranded and found.batch_id == job.batch_id)

    audit = AuditEntry(audit_id=f"{job.uid}:{name}", action="refund", target=job.job_id, by=by, why=why, at=now)
    return deps.store.post_by_hand(job.uid, name, decide, audit, job.job_id)


def _tell(entry: LedgerEntry, posted: bool, what: str, *, as_json: bool) -> None:
    def render(console: Console) -> None:
        if posted:
            console.print(f"Done: {entry.delta:+} tokens, the balance is {entry.balance_after} ({what}).")
        else:
            console.print(f"Nothing was changed: {entry.delta:+} tokens were booked on {entry.ts:%Y-%m-%d %H:%M} UTC.")

    show({"posted": posted, "entry": entry.model_dump(by_alias=True, mode="json")}, render, as_json=as_json)


def known_wallet(uid: str, deps: OperatorDeps) -> Wallet:
    """Return a user's wallet.

    Raises:
        RefusedError: nobody with this uid has one.
    """
    wallet, problem = deps.store.wallet_of(document_id(uid))
    if problem:
        raise RefusedError(f"the wallet of {uid} is damaged: {problem}. Make it anew: admin repair {uid}")
    if wallet is None and deps.store.get_entry(uid, entry_id(Reason.WELCOME, None)) is not None:
        raise RefusedError(f"the wallet of {uid} is gone; the user's next call makes it anew from the ledger")
    if wallet is None:
        raise RefusedError(f"nobody with the uid {uid} has a wallet; the app's first call opens it")
    return wallet


def undo_grant(
    uid: Annotated[str, typer.Argument(help="Whose wallet.")],
    key: Annotated[str, typer.Argument(help="The grant's key, as `grant` told it and `user` shows it.")],
    project: Project,
    why: Why,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take a grant back, once: as much of it as has not been spent. The user sees the reason."""
    with connected(project) as deps:
        wallet, now = known_wallet(uid, deps), deps.clock()
        key = key.removeprefix(f"{Reason.GRANT}:")
        given = deps.store.get_entry(uid, document_id(entry_id(Reason.GRANT, key)))
        if given is None or given.delta <= 0:
            raise RefusedError(f"{uid} was given nothing under the key {key}")
        name = entry_id(Reason.GRANT, undo_key(key))
        stored = deps.store.get_entry(uid, name)
        if stored is None:
            tokens = given.delta
            left = f", of which {wallet.balance} are left" if wallet.balance < tokens else ""
            changes = moved(wallet, taken_back(wallet, key, tokens, why, now).wallet, None, {})
            ask(changes, f"{tokens} tokens of {uid} taken back{left}: {why}", yes=yes, as_json=as_json)

            def decide(wallet: Wallet | None, _job: Job | None) -> tuple[Account, Fields]:
                if wallet is None:
                    raise RefusedError(f"{uid} has no wallet any more")
                return taken_back(wallet, key, tokens, why, now), {}

            audit = AuditEntry(
                audit_id=f"{uid}:{name}", action="undo-grant", target=uid, by=by or login(), why=why, at=now
            )
            entry, posted = deps.store.post_by_hand(uid, name, decide, audit)
        else:
            entry, posted = stored, False
        _tell(entry, posted, f"the grant {key} is undone", as_json=as_json)


def _ask_again(tokens: int, *, yes: bool, as_json: bool) -> None:
    """Have a large number typed once more. Ends the command if it is another one."""
    if yes or tokens <= GRANT_ASKED_TWICE:
        return
    typed = typer.prompt(f"That is a large grant. Type the number of tokens again to give {tokens}", err=as_json)
    if typed.strip() != str(tokens):
        raise RefusedError(f"{typed.strip()} is not {tokens}: nothing was changed")


def document_id(text: str) -> str:
    """Return an id that is safe in a path.

    Raises:
        RefusedError: it is none.
    """
    if not text or "/" in text or text in {".", ".."} or len(text) > 1_500:
        raise RefusedError(f"{text!r} is no id")
    return text


def _checked_key(key: str) -> str:
    if not 8 <= len(key) <= 64 or not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
        raise RefusedError("--key takes 8 to 64 letters, digits, - and _")
    return key
