"""Anthropic, over plain HTTP: its client would double what loading a process takes, repeat what may be billed, and hold
all of a batch in memory."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import IO, Any

import httpx2
from pydantic_core import to_json

from functions.adapters.bounded_http import Allowance
from functions.adapters.providers.json_lines import json_lines
from functions.adapters.providers.openai import (
    ANSWER_BYTES_MAX,
    CONTROL_TIMEOUT_SECONDS,
    FILE_BYTES_MAX,
    TRANSFER_TIMEOUT_SECONDS,
    bounded_request,
    errors_translated,
)
from functions.core.batches.provider_objects import Listed, read_listed, read_message_batch, read_page
from functions.core.batches.reports import ProviderBatch
from functions.core.model.dialects.anthropic import read_completion, refusal
from functions.core.model.parsing import Completion
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderError

API_VERSION = "2026-10-21"
"""Of the API, and so of what a request may hold: https://platform.claude.com/docs/en/api/versioning"""

LISTED_A_PAGE = 1_000
"""As many batches as Anthropic gives at a time."""

LISTED_PAGES_MAX = 10
"""How far back a batch is looked for; beyond, nobody can tell whether it is there."""


class AnthropicProvider:
    """Messages, and batches of them. The messages of its errors name no prompt, image or key."""

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
            answer = self._ask("POST", "", timeout_seconds, to_json(body), about_a_thing=False)
            return read_completion(answer)

    def create_batch(self, file: IO[bytes]) -> ProviderBatch:
        """Create a batch of all that an input file has, which is streamed. Not idempotent, and what is created carries
        no word of ours: see `core.batches.recovery`."""
        with bounded_request(TRANSFER_TIMEOUT_SECONDS):
            return read_message_batch(self._ask("POST", "/batches", TRANSFER_TIMEOUT_SECONDS, file))

    def list_batches(self, created_after: datetime) -> list[Listed]:
        """Return all batches of the workspace that were created since, newest first. Raises ProviderDownError if there
        are too many to list: what is not on a part of the list may be there all the same."""
        found, after = list[Listed](), ""
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            for _ in range(LISTED_PAGES_MAX):
                path = f"/batches?limit={LISTED_A_PAGE}{after}"
                page, more = read_page(self._ask("GET", path, CONTROL_TIMEOUT_SECONDS, about_a_thing=False))
                for listed in map(read_listed, page):
                    if listed.created_at < created_after:
                        return found
                    found.append(listed)
                if not more:
                    return found
                after = f"&after_id={found[-1].reported.provider_batch_id}"
        raise ProviderDownError(f"more than {LISTED_PAGES_MAX * LISTED_A_PAGE} batches", Trouble.UNREACHABLE)

    def retrieve_batch(self, provider_batch_id: str) -> ProviderBatch:
        """Ask how far a batch has come."""
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            answer = self._ask("GET", f"/batches/{provider_batch_id}", CONTROL_TIMEOUT_SECONDS)
            return read_message_batch(answer, provider_batch_id)

    def cancel_batch(self, provider_batch_id: str) -> None:
        """Ask Anthropic to stop a batch; what it has begun by then is finished and billed. Raises ProviderRejectedError
        if it has ended already."""
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            self._ask("POST", f"/batches/{provider_batch_id}/cancel", CONTROL_TIMEOUT_SECONDS)

    def delete_batch(self, provider_batch_id: str) -> None:
        """Have Anthropic delete a batch that has ended, with photos and results. Raises ProviderRejectedError if it has
        none, or will not."""
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            self._ask("DELETE", f"/batches/{provider_batch_id}", CONTROL_TIMEOUT_SECONDS)

    def read_lines(self, provider_batch_id: str, run_seconds: float) -> Iterator[dict[str, Any]]:
        """Stream the lines of a batch's results; see `OpenAIProvider.read_lines`. Raises ProviderRejectedError while
        there are none."""
        allowance = Allowance(run_seconds + TRANSFER_TIMEOUT_SECONDS, FILE_BYTES_MAX)
        url = f"{self._messages}/batches/{provider_batch_id}/results"
        with errors_translated(), ExitStack() as stack:
            with allowance.applied():
                request = self._http.stream("GET", url, headers=self._headers, timeout=TRANSFER_TIMEOUT_SECONDS)
                response = stack.enter_context(request)
                if not response.is_success:
                    with Allowance(CONTROL_TIMEOUT_SECONDS, ANSWER_BYTES_MAX).applied():
                        response.read()
                    raise _refusal(response, about_a_thing=True)
            yield from json_lines(allowance.spent_on(response.iter_bytes()))

    def _ask(
        self, method: str, path: str, seconds: float, content: bytes | IO[bytes] = b"", *, about_a_thing: bool = True
    ) -> object:
        """Return the JSON of an answer. With `about_a_thing`, a batch, "not found" is a refusal of that alone."""
        url = f"{self._messages}{path}"
        response = self._http.request(method, url, content=content, headers=self._headers, timeout=seconds)
        if not response.is_success:
            raise _refusal(response, about_a_thing=about_a_thing)
        return json.loads(response.content)


def _refusal(response: httpx2.Response, *, about_a_thing: bool) -> ProviderError:
    try:
        error = json.loads(response.content)
    except (ValueError, RecursionError):
        error = None
    retry_after = response.headers.get("retry-after", "")
    return refusal(response.status_code, error, retry_after, about_a_thing=about_a_thing)
