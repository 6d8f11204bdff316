"""`operator`: who may call the functions for operators."""

from typing import Annotated

import firebase_admin
import typer
from firebase_admin import auth
from firebase_admin.exceptions import FirebaseError

from scripts.operators.session import AsJson, Project, RefusedError, Yes, ask, change, connected, show


def operator(
    uid: Annotated[str, typer.Argument(help="The user's uid in Firebase Auth.")],
    project: Project,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away, and end the user's sessions.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let a user call admin_stats and admin_set_config: the custom claim `admin`, in tokens issued from then on."""
    with connected(project):
        app = firebase_admin.initialize_app(options={"projectId": project}, name="operators")
        try:
            claims = auth.get_user(uid, app).custom_claims or {}
            wanted = {name: value for name, value in claims.items() if name != "admin"}
            wanted |= {} if remove else {"admin": True}
            if wanted != claims:
                changed = [change("admin", claims.get("admin", False), not remove)]
                ask(changed, f"Custom claims of {uid}", yes=yes, as_json=as_json)
                auth.set_custom_user_claims(uid, wanted or None, app)
            if remove:
                auth.revoke_refresh_tokens(uid, app)
        except (FirebaseError, ValueError) as error:
            raise RefusedError(f"Firebase Auth of {project}: {error}") from error
        finally:
            firebase_admin.delete_app(app)
        told = f"{uid} is {'no operator' if remove else 'an operator'}; the next token that the app fetches says so."
        show({"uid": uid, "admin": not remove}, lambda console: console.print(told), as_json=as_json)
