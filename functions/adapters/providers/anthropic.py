"""Anthropic, over plain HTTP: its client would double what loading a process takes, and repeat what may be billed."""

import json
from typing import Any

import httpx2
from pydantic_core import to_json

from functions.adapters.providers.openai import bounded_request
from functions.core.model.dialects.anthropic import read_completion, refusal
from functions.core.model.parsing import Completion

API_VERSION = "2026-10-21"
"""Of the API, and so of what a request may hold: https://platform.claude.com/docs/en/api/versioning"""


class AnthropicProvider:
    """Messages. The messages of its errors name no prompt, image or key."""

    def __init__(self, http: httpx2.Client, base_url: str, api_key: str) -> None:
        """Ask through `http`, which keeps to allowances."""
        self._http, self._messages = http, f"{base_url.rstrip('/')}/v1/messages"
        self._headers = {
            "x-api-key": api_key,
            "anthropic-version": API_VERSION,
            "content-type": "application/json",
            "accept": "application/json",
        }

    def complete(self, body: dict[str, Any], timeout_seconds: float) -> Completion:
        """Ask for one message, in `timeout_seconds` overall. Raises ProviderDownError or ProviderRejectedError."""
        with bounded_request(timeout_seconds):
            response = self._http.post(
                self._messages, content=to_json(body), headers=self._headers, timeout=timeout_seconds
            )
            if response.is_success:
                return read_completion(json.loads(response.content))
        try:
            error = json.loads(response.content)
        except (ValueError, RecursionError):
            error = None
        raise refusal(response.status_code, error, response.headers.get("retry-after", ""))
