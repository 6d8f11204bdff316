"""`block`, `unblock`: whether a user may have photos classified."""

from functions.core.jobs.jobs import Status
from functions.core.teams.teams import with_block
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.use_cases.jobs.pages import cancelled, job_pages
from scripts.operators.grants import known_wallet, still_there
from scripts.operators.printing import change
from scripts.operators.session import Operation, Uid, changing_for, command


@command(changing_for)
def block(operation: Operation, uid: Uid) -> None:
    """Refuse a user's photos in both lanes from now on, whoever pays. Queued photos are cancelled and refunded."""
    _set(operation, uid, blocked=True)
    _set_in_teams(operation, uid, blocked=True)
    cancelled = _cancel_queued(operation, uid)
    operation.show(
        {"uid": uid, "blocked": True, "cancelled": cancelled},
        f"{uid} is blocked; {cancelled} queued photos were cancelled and refunded.",
    )


@command(changing_for)
def unblock(operation: Operation, uid: Uid) -> None:
    """Accept a user's photos again."""
    _set(operation, uid, blocked=False)
    _set_in_teams(operation, uid, blocked=False)
    operation.show({"uid": uid, "blocked": False}, f"{uid} is not blocked.")


def _set(operation: Operation, uid: str, *, blocked: bool) -> None:
    before = known_wallet(uid, operation.deps).blocked_at is not None
    if before == blocked:
        return
    changes = [change("blocked", before, blocked)]
    operation.ask(changes, f"Whether {uid} is blocked: {operation.why}")

    def decide(wallet: Wallet | None) -> Account:
        account = Account(still_there(uid, wallet)).with_fields(blocked_at=operation.now if blocked else None)
        return account.with_fields(standing=None) if blocked else account  # a name that others see is gone in an hour

    action = "block" if blocked else "unblock"
    operation.store.change_wallet(uid, decide, operation.audit(action, uid, changes))


def _set_in_teams(operation: Operation, uid: str, *, blocked: bool) -> None:
    """Say it in the wallets of the user's teams, which are all that a charge of theirs reads. Safe to repeat."""
    for team_id in operation.store.get_profile(uid).teams:
        at = operation.now if blocked else None
        operation.store.change_team(team_id, uid, lambda team, at=at: (with_block(team, uid, at), None))  # type: ignore[misc]


def _cancel_queued(operation: Operation, uid: str) -> int:
    """Cancel a user's queued photos. Returns how many there were. A photo that is being processed stays."""
    queued = [each for page in job_pages(uid, operation.deps) for each in page if each.job.status is Status.QUEUED]
    return sum(cancelled(each, operation.deps).job.status is Status.CANCELLED for each in queued)
