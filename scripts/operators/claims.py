"""`operator`: who may call the functions for operators."""

import uuid
from typing import Annotated

import typer
from firebase_admin import auth
from rich.markup import escape

from functions.core.operations.change_alerts import change_alert
from functions.core.shared.alerts import AlertKind
from functions.core.shared.plain_text import cleaned
from scripts.operators.repairs_by_hand import AuditEntry
from scripts.operators.session import (
    AsJson,
    By,
    Project,
    Yes,
    ask,
    authenticated,
    change,
    connected,
    login,
    show,
)


def operator(
    uid: Annotated[str, typer.Argument(help="The user's uid in Firebase Auth.")],
    project: Project,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away, and end the user's sessions.")] = False,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a user call admin_stats and admin_set_config: the custom claim `admin`, in tokens issued from then on."""
    with connected(project) as deps, authenticated(project) as app:
        claims = auth.get_user(uid, app).custom_claims or {}
        wanted = {name: value for name, value in claims.items() if name != "admin"}
        wanted |= {} if remove else {"admin": True}
        if wanted != claims:
            changed = [change("admin", claims.get("admin", False), not remove)]
            ask(changed, f"Custom claims of {uid}", yes=yes, as_json=as_json)
            number = uuid.uuid4().hex
            audit = AuditEntry(
                audit_id=f"{uid}:operator:{number}",
                action="operator",
                target=uid,
                by=by or login(),
                why="taken away" if remove else "made an operator",
                at=deps.clock(),
                changed=tuple(changed),
            )
            told = change_alert(
                AlertKind.OPERATOR_CHANGED,
                f"who is an operator, {uid}",
                audit.model_dump(),
                deps.runtime().budget.alert_uids,
                audit.at,
                number,
            )
            deps.store.record(audit, told)  # first: nobody becomes an operator without a trace, whatever fails then
            auth.set_custom_user_claims(uid, wanted or None, app)
        if remove:
            auth.revoke_refresh_tokens(uid, app)
        done = f"{uid} is {'no operator' if remove else 'an operator'}; the next token that the app fetches says so."
        show(
            {"uid": uid, "admin": not remove},
            lambda console: console.print(escape(cleaned(done)), soft_wrap=True),
            as_json=as_json,
        )
