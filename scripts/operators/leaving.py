"""`erase`: a user who wants to be forgotten, and cannot open the app."""

from functions.core.privacy.deletion import closing, ends, requested
from functions.core.shared.utc_days import clock_text
from scripts.operators.printing import change
from scripts.operators.session import Operation, Uid, changing_for, command


@command(changing_for)
def erase(operation: Operation, uid: Uid) -> None:
    """Delete a user's account, as the app's own `delete_account` does. Cannot be undone."""
    wallet = operation.store.get_wallet(uid)
    changes = [change("balance", wallet.balance if wallet else None, 0), change("closed", before=False, after=True)]
    follows = ["Photos, results, devices and the sign-in are erased within hours. This cannot be undone."]
    operation.ask(changes, f"The account of {uid}: {operation.why}", follows=follows)
    operation.store.record(operation.audit("erase", uid, changes))  # first: who asked is known, whatever comes
    operation.store.close_account(uid, operation.now, lambda stored: closing(stored, operation.now))
    erased_by = ends(requested(operation.now))
    operation.show(
        {"uid": uid, "closed": True, "erasedBy": erased_by.isoformat()},
        f"{uid} is closed; by {clock_text(erased_by)} UTC everything is erased, a photo at a provider within a day.",
    )
