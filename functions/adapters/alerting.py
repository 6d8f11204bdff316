"""Alerts to the operator's own address: a signed POST, repeated while the other side is not well."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from time import sleep

import httpx2

from functions.adapters.bounded_http import Allowance, bounded_http
from functions.core.shared.alerts import Alert
from functions.core.shared.utc_days import iso_text

TIMEOUT_SECONDS = 10.0
"""For one try, from the first address to the last header of the answer."""

ANSWER_BYTES_MAX = 128 * 1024
"""Only the status counts; headers come in reads of 64 kB at most, with the beginning of a body behind them."""

BACKOFF_SECONDS = (1.0, 3.0)
"""Waits before the second and the third try. What fails then is tried again by the next guard."""


class AlertNotDeliveredError(Exception):
    """The webhook did not take the alert."""


class AlertWebhook:
    """Posts alerts as JSON. Without a URL it does nothing: the log entry is the alert then.

    The header `Ecolane-Signature` is `t={seconds},v1={hex}`: an HMAC-SHA256 over `{seconds}.{body}` with the shared
    secret. The receiver compares in constant time and refuses old timestamps. Without a secret the header is left out.
    """

    def __init__(self, url: str, secret: str, clock: Callable[[], datetime]) -> None:
        self._url, self._secret, self._clock = url, secret, clock

    def send(self, alert: Alert) -> None:
        """Deliver an alert. It may arrive more than once; its `id` tells. Raises AlertNotDeliveredError if it was
        refused or unanswered."""
        if not self._url:
            return
        body = json.dumps(
            {
                "id": alert.alert_id,
                "kind": alert.kind,
                "day": alert.day,
                "text": alert.told,
                "since": iso_text(alert.since or alert.created_at),
                "overAt": iso_text(alert.over_at) if alert.over_at else None,
                **({"data": alert.data} if alert.data else {}),
            },
            separators=(",", ":"),
            default=str,
        ).encode()
        problem = ""
        for pause in (*BACKOFF_SECONDS, None):
            problem = self._post(body)
            if not problem:
                return
            if pause is not None:
                sleep(pause)
        raise AlertNotDeliveredError(problem)

    def _post(self, body: bytes) -> str:
        """Send once. Returns what went wrong, "" if nothing did."""
        headers = {"content-type": "application/json"}
        if self._secret:
            headers["Ecolane-Signature"] = signature(self._secret, self._clock(), body)
        try:
            # Streamed, which leaves the body unread: it says nothing that we act on, and may never end.
            with (
                bounded_http() as http,
                Allowance(TIMEOUT_SECONDS, ANSWER_BYTES_MAX).applied(),
                http.stream("POST", self._url, content=body, headers=headers, timeout=TIMEOUT_SECONDS) as response,
            ):
                return "" if response.status_code // 100 == 2 else f"status {response.status_code}"
        except httpx2.HTTPError as error:
            return f"no answer ({type(error).__name__})"


def signature(secret: str, now: datetime, body: bytes) -> str:
    """Return the value of the signature header for this body, sent at this time."""
    seconds = int(now.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"
