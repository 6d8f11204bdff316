"""Firebase Remote Config, as far as prices come from it: the server template of the Admin SDK."""

import asyncio
from collections.abc import Iterable

from firebase_admin import remote_config
from firebase_admin.remote_config import ServerTemplate

from functions.adapters.time_budget import one_call

REQUEST_SECONDS = 15.0
"""What a request to Firebase takes at the most: two tries of `config.FIREBASE_TIMEOUT_SECONDS` and a pause."""

FROM_CONSOLE = "remote"
"""The source of a value that somebody has set; others are the SDK's own defaults."""


def fetched_template() -> ServerTemplate:
    """Return the project's server template, in one request. Raises firebase_admin.exceptions.FirebaseError if Remote
    Config cannot be reached or has none."""
    return asyncio.run(remote_config.get_server_template())


def remote_values(keys: Iterable[str]) -> dict[str, str]:
    """Return those of these keys that are set, as the text that the console stores."""
    with one_call(REQUEST_SECONDS):  # which a call takes off what it waits for Firestore
        config = fetched_template().evaluate()
    return {key: config.get_string(key) for key in keys if config.get_value_source(key) == FROM_CONSOLE}
