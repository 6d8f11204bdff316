"""`grant`, `undo-grant` and `refund`: tokens by hand. Each happens once, after a question, on record."""

import uuid
from collections.abc import Callable
from typing import Annotated

import typer

from functions.core.batches.batches import BatchState
from functions.core.jobs.jobs import Job, Status
from functions.core.shared.errors import JobNotFound
from functions.core.shared.idempotency import require_same_payload
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, entry_id
from functions.core.wallet.refusals import TeamNotFound
from functions.core.wallet.team_wallet import TeamWallet
from scripts.operators.repairs_by_hand import GRANT_TOKENS_MAX, granted, moved, reimbursed, taken_back, undo_key
from scripts.operators.session import Operation, OperatorDeps, RefusedError, Uid, changing_for, command, document_id

GRANT_ASKED_TWICE = 200
"""More than a wallet holds by default. The operator types such a number again; `--yes` skips that."""

Decide = Callable[[Wallet | None, Job | None], tuple[Account, Fields]]


@command(changing_for)
def grant(
    operation: Operation,
    uid: Uid,
    tokens: Annotated[int, typer.Argument(min=1, max=GRANT_TOKENS_MAX, help="How many tokens.")],
    key: Annotated[
        str | None, typer.Option(help="Names the grant: the same key grants once.", show_default="a new key")
    ] = None,
) -> None:
    """Give a user tokens, above the balance cap if necessary. The same --key grants nothing more."""
    key = _checked_key(key or uuid.uuid4().hex)
    why = operation.why
    known_wallet(uid, operation.deps)

    def decide(wallet: Wallet | None, _job: Job | None) -> tuple[Account, Fields]:
        return granted(still_there(uid, wallet), key, tokens, why, operation.now), {}

    # The key is told before anything is written: whoever does not see it end can repeat it.
    name, title = entry_id(Reason.GRANT, key), f"{tokens} tokens for {uid}: {why} (--key {key})"
    entry, posted = _posted(operation, uid, name, "grant", title, decide, large=tokens)
    require_same_payload(entry.detail or {}, {"why": why, "tokens": str(tokens)})
    _show(operation, entry, f"--key {key}", posted=posted)


@command(changing_for)
def undo_grant(
    operation: Operation,
    uid: Uid,
    key: Annotated[str, typer.Argument(help="The grant's key, as `grant` and `user` show it.")],
) -> None:
    """Take a grant back, once: the tokens that have not been spent. The user sees the reason."""
    wallet, key, why = known_wallet(uid, operation.deps), key.removeprefix(f"{Reason.GRANT}:"), operation.why
    given = operation.store.get_entry(uid, document_id(entry_id(Reason.GRANT, key)))
    if given is None or given.delta <= 0:
        raise RefusedError(f"{uid} was given nothing under the key {key}")
    tokens = given.delta

    def decide(wallet: Wallet | None, _job: Job | None) -> tuple[Account, Fields]:
        return taken_back(still_there(uid, wallet), key, tokens, why, operation.now), {}

    left = f", of which {wallet.free} are left" if wallet.free < tokens else ""
    name, title = entry_id(Reason.GRANT, undo_key(key)), f"{tokens} tokens of {uid} taken back{left}: {why}"
    entry, posted = _posted(operation, uid, name, "undo-grant", title, decide)
    _show(operation, entry, f"the grant {key} is undone", posted=posted)


@command(changing_for)
def refund(
    operation: Operation, job_id: Annotated[str, typer.Argument(help="The job, as the app or `user` shows it.")]
) -> None:
    """Refund the price of a job to whoever paid, and take its points back, once, whoever does it. A queued job is
    cancelled."""
    stored = operation.store.get_job(document_id(job_id))
    if stored is None:
        raise RefusedError(f"there is no job {job_id}. Jobs are kept for 90 days; for an older one use `grant`.")
    job = stored.job
    orphaned = _is_orphaned(job, operation.deps)

    def decide(wallet: Wallet | None, found: Job | None) -> tuple[Account, Fields]:
        if found is None:
            raise JobNotFound("The job is gone.")
        if isinstance(wallet, TeamWallet) and not wallet.members:
            raise TeamNotFound("The team that has paid is closed: nobody is there to give anything to.")
        same_batch = found.batch_id == job.batch_id
        return reimbursed(wallet, found, operation.now, orphaned=orphaned and same_batch)

    title = f"Refund for {job.uid}, {job.mode} lane, {job.status}: {operation.why}"
    entry, posted = _posted(operation, job.uid, entry_id(Reason.REFUND, job_id), "refund", title, decide, job)
    _show(operation, entry, f"job {job_id}", posted=posted)


def _is_orphaned(job: Job, deps: OperatorDeps) -> bool:
    """Tell whether a job's batch has ended without it, so that no function ends the job."""
    if job.status is not Status.PROCESSING or job.batch_id is None:
        return False
    stored = deps.store.get_batch(job.batch_id)
    return stored is None or stored.batch.state in {BatchState.DONE, BatchState.FAILED}


def _posted(
    operation: Operation,
    uid: str,
    name: str,
    action: str,
    title: str,
    decide: Decide,
    job: Job | None = None,
    *,
    large: int = 0,
) -> tuple[LedgerEntry, bool]:
    """Post an entry of a ledger, unless it is there: show what it changes, ask, and post it with its audit entry.
    Return the entry, and whether this call posted it."""
    payer = job.payer if job else None
    stored = operation.store.get_entry(uid, name, payer)
    if stored is not None:
        return stored, False
    wallet = operation.store.get_wallet(uid, payer)
    account, fields = decide(wallet, job)
    operation.ask(moved(wallet, account.wallet, job, fields), title)
    ask_again(operation, large)
    job_id = job.job_id if job else None
    audit = operation.audit(action, job_id or uid, audit_id=f"{uid}:{name}")
    return operation.store.post_by_hand(uid, name, decide, audit, job_id, payer)


def ask_again(operation: Operation, tokens: int) -> None:
    """Have a large number of tokens typed once more. Ends the command if the numbers differ."""
    if tokens <= GRANT_ASKED_TWICE or operation.yes:
        return
    text = f"That is a large grant. Type the number of tokens again to give {tokens}"
    typed = typer.prompt(text, err=operation.as_json)
    if typed.strip() != str(tokens):
        raise RefusedError(f"{typed.strip()} is not {tokens}: nothing was changed")


def _show(operation: Operation, entry: LedgerEntry, what: str, *, posted: bool) -> None:
    operation.show(
        {"posted": posted, "entry": entry.as_json()},
        f"Done: {entry.delta:+} tokens, the balance is {entry.balance_after} ({what})."
        if posted
        else f"Nothing was changed: {entry.delta:+} tokens were booked on {entry.ts:%Y-%m-%d %H:%M} UTC.",
    )


def known_wallet(uid: str, deps: OperatorDeps) -> Wallet:
    """Return a user's wallet. Raises RefusedError if this uid has none, or it is damaged."""
    wallet, problem = deps.store.wallet_of(document_id(uid))
    if problem:
        raise RefusedError(f"the wallet of {uid} is damaged: {problem}. Rebuild it: admin repair {uid}")
    if wallet is None and deps.store.get_entry(uid, entry_id(Reason.WELCOME, None)) is not None:
        raise RefusedError(f"the wallet of {uid} is gone; the user's next call rebuilds it from the ledger")
    if wallet is None:
        raise RefusedError(f"the uid {uid} has no wallet; the app's first call opens one")
    return wallet


def still_there(uid: str, wallet: Wallet | None) -> Wallet:
    """Return a wallet that was there when the command began. Raises RefusedError if it is gone."""
    if wallet is None:
        raise RefusedError(f"{uid} has no wallet any more")
    return wallet


def _checked_key(key: str) -> str:
    if not 8 <= len(key) <= 64 or not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
        raise RefusedError("--key takes 8 to 64 letters, digits, - and _")
    return key
