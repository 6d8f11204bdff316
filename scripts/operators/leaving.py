"""`erase` and `export-account`: a user who wants to be forgotten, or to have their data, and cannot open the app."""

from typing import Any

from functions.core.privacy.deletion import closing, ends, requested
from functions.core.shared.utc_days import clock_text
from functions.core.teams.teams import without_user
from functions.core.wallet.refusals import AccountDeleted
from functions.use_cases.privacy.export_account import ExportAccount, export_account
from scripts.operators.printing import change, print_json
from scripts.operators.session import Operation, RefusedError, Uid, changing_for, command, document_id


@command(changing_for)
def erase(operation: Operation, uid: Uid) -> None:
    """Delete a user's account, as the app's own `delete_account` does. Cannot be undone."""
    wallet = operation.store.get_wallet(uid)
    changes = [change("balance", wallet.balance if wallet else None, 0), change("closed", before=False, after=True)]
    follows = ["Photos, results, devices and the sign-in are erased within hours. This cannot be undone."]
    operation.ask(changes, f"The account of {uid}: {operation.why}", follows=follows)
    operation.store.record(operation.audit("erase", uid, changes))  # first: who asked is known, whatever comes
    now = operation.now
    operation.store.close_account(
        uid, now, lambda stored: closing(stored, now), lambda team: without_user(team, uid, now)
    )
    erased_by = ends(requested(operation.now))
    operation.show(
        {"uid": uid, "closed": True, "erasedBy": erased_by.isoformat()},
        f"{uid} is closed; by {clock_text(erased_by)} UTC everything is erased, a photo at a provider within a day.",
    )


@command(changing_for)
def export(operation: Operation, uid: Uid) -> None:
    """Print all that is held of a user as JSON, with a link to each photo, which is good as long as the photo is there.
    On record."""
    found: dict[str, list[dict[str, Any]]] = {}
    cursor: str | None = None
    try:
        while True:
            page = export_account(ExportAccount(cursor=cursor), document_id(uid), operation.deps)
            found.setdefault(page["kind"], []).extend(page["items"])
            if (cursor := page["nextCursor"]) is None:
                break
    except AccountDeleted as error:
        raise RefusedError(f"{uid} has deleted the account: nothing is held of the person") from error
    for photo in found.get("photos", []):
        photo["link"] = operation.deps.files.link(photo["imagePath"])
    operation.store.record(operation.audit("export-account", uid))
    print_json({"uid": uid, "at": operation.now, **found})
