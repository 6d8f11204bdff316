"""Which of the project's doors scripts find open: App Check, as the project enforces it for each product."""

import os
from collections.abc import Mapping
from threading import Thread
from typing import Any

import google.auth
from google.auth.transport.requests import AuthorizedSession
from rich.markup import escape

URL = "https://firebaseappcheck.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SECONDS = 10.0
"""For all of it: finding credentials, a token for them, the answer."""

PRODUCTS: Mapping[str, str] = {
    "firestore.googleapis.com": "Firestore",
    "firebasestorage.googleapis.com": "Storage",
    "identitytoolkit.googleapis.com": "Authentication",
}


def app_check(project: str, *, functions: bool) -> dict[str, str] | None:
    """Return by product whether App Check is `enforced` or `open`, or `unknown` with the reason. `functions` tells
    whether they enforce it. None in an emulator, and for a project that is none (`demo-`): there is nobody to ask.

    Google lists what was ever set; the rest is open. Of v1beta, since v1 does not tell of Authentication:
    https://firebase.google.com/docs/reference/appcheck/rest/v1beta/projects.services
    """
    if os.environ.get("FIRESTORE_EMULATOR_HOST") or project.startswith("demo-"):
        return None
    answers: list[Mapping[str, Any] | str] = []
    # In a thread that is left behind: neither a search for credentials nor an answer in drops has an end of its own.
    asking = Thread(target=lambda: answers.append(_asked(project)), daemon=True)
    asking.start()
    asking.join(SECONDS)
    modes = answers[0] if answers else f"no answer in {SECONDS:.0f} s"
    told = {"Functions": "enforced" if functions else "open"}
    for service, product in PRODUCTS.items():
        if isinstance(modes, str):
            told[product] = f"unknown: {modes}"
        else:
            told[product] = "enforced" if modes.get(service) == "ENFORCED" else "open"
    return told


def _asked(project: str) -> Mapping[str, Any] | str:
    """Return the mode by service, or why it could not be found out."""
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], quota_project_id=project)
        with AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]
            path = f"{URL}/v1beta/projects/{project}/services"
            answer = session.get(path, params={"pageSize": 100}, timeout=SECONDS, allow_redirects=False)
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        services = answer.json().get("services", [])
        return {each["name"].rpartition("/")[2]: each.get("enforcementMode") for each in services}
    except Exception as error:  # noqa: BLE001  (a look at something else must not keep an operator from the screen)
        return type(error).__name__


def told(found: Mapping[str, str]) -> str:
    """Return the line of `status`: what is open, and what is not known."""
    by_state: dict[str, list[str]] = {}
    for product, state in found.items():
        by_state.setdefault(state, []).append(product)
    colours = {"enforced": "green", "open": "yellow"}
    parts = [
        f"[{colours.get(state, 'yellow')}]{escape(state)}[/] {', '.join(names)}" for state, names in by_state.items()
    ]
    return f"Check    App Check is {'; '.join(parts)}"
