"""RevenueCat, which tells what was bought in the stores, over plain HTTP: it has no client of its own for Python."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx2

from functions.adapters.bounded_http import Allowance
from functions.adapters.payments.answers import ANSWER_BYTES_MAX, CALL_SECONDS, unavailable
from functions.core.payments.payments import Provider


class RevenueCat:
    """Reads purchases."""

    def __init__(self, http: httpx2.Client, base_url: str, api_key: str) -> None:
        """Ask through `http`, which keeps to allowances."""
        self._http, self._subscribers = http, f"{base_url.rstrip('/')}/v1/subscribers"
        self._headers = {"authorization": f"Bearer {api_key}", "accept": "application/json"}

    def purchases(self, uid: str) -> dict[str, Any]:
        """Return what RevenueCat knows of a user; somebody without purchases if it knows nobody of this name. Raises
        BillingUnavailable."""
        try:
            with Allowance(CALL_SECONDS, ANSWER_BYTES_MAX).applied():
                url = f"{self._subscribers}/{quote(uid, safe='')}"
                response = self._http.get(url, headers=self._headers, timeout=CALL_SECONDS)
            if response.status_code not in {HTTPStatus.OK, HTTPStatus.CREATED}:
                raise unavailable(Provider.REVENUECAT, f"status {response.status_code}")
            answer = json.loads(response.content)
        except httpx2.HTTPError as error:
            raise unavailable(Provider.REVENUECAT, f"no answer ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise unavailable(Provider.REVENUECAT, "unreadable answer") from error
        return answer if isinstance(answer, dict) else {}
