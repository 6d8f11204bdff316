"""App Check: for which products the project enforces it."""

import os
from collections.abc import Mapping
from threading import Thread
from typing import Any

import google.auth
from google.auth.transport.requests import AuthorizedSession
from rich.markup import escape

URL = "https://firebaseappcheck.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
SECONDS = 10.0  # for all of it: finding credentials, a token for them, the answer

PRODUCTS: Mapping[str, str] = {
    "firestore.googleapis.com": "Firestore",
    "firebasestorage.googleapis.com": "Storage",
    "identitytoolkit.googleapis.com": "Authentication",
}


def app_check(project: str, *, functions: bool) -> dict[str, str] | None:
    """Return by product whether App Check is `enforced` or `open`, or `unknown` with the reason. `functions` says
    whether the functions enforce it. None in an emulator and for a `demo-` project: Google knows neither.

    Google lists the products that were ever set; the others are open. v1beta, since v1 lacks Authentication:
    https://firebase.google.com/docs/reference/appcheck/rest/v1beta/projects.services
    """
    if os.environ.get("FIRESTORE_EMULATOR_HOST") or project.startswith("demo-"):
        return None
    answers: list[Mapping[str, Any] | str] = []
    # In a thread that is left behind: a search for credentials, or an answer that trickles in, may never end.
    asking = Thread(target=lambda: answers.append(_asked(project)), daemon=True)
    asking.start()
    asking.join(SECONDS)
    modes = answers[0] if answers else f"no answer in {SECONDS:.0f} s"
    states = {"Functions": "enforced" if functions else "open"}
    for service, product in PRODUCTS.items():
        if isinstance(modes, str):
            states[product] = f"unknown: {modes}"
        else:
            states[product] = "enforced" if modes.get(service) == "ENFORCED" else "open"
    return states


def _asked(project: str) -> Mapping[str, Any] | str:
    """Return the mode by service, or why it is unknown."""
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], quota_project_id=project)
        with AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]
            path = f"{URL}/v1beta/projects/{project}/services"
            answer = session.get(path, params={"pageSize": 100}, timeout=SECONDS, allow_redirects=False)
        if answer.status_code != 200:
            return f"status {answer.status_code}"
        services = answer.json().get("services", [])
        return {each["name"].rpartition("/")[2]: each.get("enforcementMode") for each in services}
    except Exception as error:  # noqa: BLE001  (a failed look must not keep the operator from the rest of the screen)
        return type(error).__name__


def summary(found: Mapping[str, str]) -> str:
    """Return the line of `status`: what is open, and what is unknown."""
    by_state: dict[str, list[str]] = {}
    for product, state in found.items():
        by_state.setdefault(state, []).append(product)
    colours = {"enforced": "green", "open": "yellow"}
    parts = [
        f"[{colours.get(state, 'yellow')}]{escape(state)}[/] {', '.join(names)}" for state, names in by_state.items()
    ]
    return f"Check    App Check is {'; '.join(parts)}"
