"""Calling a callable function as the app's SDK does.

https://firebase.google.com/docs/functions/callable-reference
"""

from typing import Any

import httpx


class CallableError(Exception):
    """A callable's refusal.

    `status` is the HTTP status, `code` the code as the SDKs and `FunctionsErrorCode` write it
    (`resource-exhausted`), `details` what the function added, often `{"reason": ...}`, or None.
    """

    def __init__(self, status: int, code: str, message: str, details: Any = None) -> None:
        """Keep the parts of the refusal."""
        super().__init__(f"{status} {code}: {message}" + (f" {details}" if details else ""))
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def call(client: httpx.Client, url: str, data: Any, id_token: str | None = None) -> Any:
    """Call the function at `url` with `data` (any JSON value) and return its result.

    Raises:
        CallableError: the function refused, or what answered is no callable (code `internal`).
        httpx.TransportError: nothing answered.
    """
    headers = {} if id_token is None else {"Authorization": f"Bearer {id_token}"}
    answer = client.post(url, json={"data": data}, headers=headers)
    try:
        content = answer.json()
        if answer.is_success:
            return content["result"]
        error = content["error"]
        code = error["status"].lower().replace("_", "-")
        refusal = CallableError(answer.status_code, code, error["message"], error.get("details"))
    except (ValueError, KeyError, TypeError) as unreadable:
        raise CallableError(answer.status_code, "internal", answer.text) from unreadable
    raise refusal
