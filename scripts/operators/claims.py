"""`operator`: who may call the functions for operators."""

import uuid
from dataclasses import replace
from typing import Annotated

import typer
from firebase_admin import auth

from functions.core.operations.change_alerts import change_alert
from functions.core.shared.alerts import AlertKind
from scripts.operators.printing import change
from scripts.operators.session import Operation, Uid, authenticated, changing, command


@command(changing)
def operator(
    operation: Operation,
    uid: Uid,
    remove: Annotated[bool, typer.Option("--remove", help="Take the claim away, and end the user's sessions.")] = False,
) -> None:
    """Let a user call what is for operators: the custom claim `admin`, in tokens issued from then on."""
    with authenticated(operation.project) as app:
        claims = auth.get_user(uid, app).custom_claims or {}
        wanted = {name: value for name, value in claims.items() if name != "admin"}
        wanted |= {} if remove else {"admin": True}
        if wanted != claims:
            changed = [change("admin", claims.get("admin", False), not remove)]
            operation.ask(changed, f"Custom claims of {uid}")
            _record(replace(operation, why="taken away" if remove else "made an operator"), uid, changed)
            auth.set_custom_user_claims(uid, wanted or None, app)
        if remove:
            auth.revoke_refresh_tokens(uid, app)
        done = f"{uid} is {'no operator' if remove else 'an operator'}; the next token that the app fetches says so."
        operation.show({"uid": uid, "admin": not remove}, done)


def _record(operation: Operation, uid: str, changed: list[dict[str, object]]) -> None:
    """Store the audit entry, with an alert. This comes first: no user becomes an operator without a trace."""
    key, deps = uuid.uuid4().hex, operation.deps
    audit = operation.audit("operator", uid, changed, audit_id=f"{uid}:operator:{key}")
    uids, what = deps.runtime().budget.alert_uids, f"who is an operator, {uid}"
    alert = change_alert(AlertKind.OPERATOR_CHANGED, what, audit.model_dump(), uids, audit.at, key)
    deps.store.record(audit, alert)
