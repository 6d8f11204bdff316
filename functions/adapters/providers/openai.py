"""The AI provider: OpenAI, or a server that speaks its API.

The client library retries nothing (`max_retries=0`): a repeated POST can be paid for twice. What is safe to retry, the
next run retries, after it has looked for what the last one left.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import IO, Any

import httpx2
import openai
from openai import OpenAI
from pydantic_core import to_json

from functions.adapters.bounded_http import Allowance, provider_http
from functions.adapters.providers.json_lines import json_lines
from functions.core.batches.provider_objects import carries, id_in, is_before, read_batch, read_page
from functions.core.batches.reports import ProviderBatch
from functions.core.model.dialects.openai import error_of, read_completion
from functions.core.model.parsing import Completion
from functions.core.model.provider_errors import Trouble, code_of
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError, error_in_success, refusal

CONTROL_TIMEOUT_SECONDS = 30.0
"""For all of a small request, from connecting to the last byte of the answer; also for all pages of a list together."""

TRANSFER_TIMEOUT_SECONDS = 90.0
"""For all of an upload: 190 MB at 2 MB a second. A download is worked on while it comes in: for the time between two
parts of it, and for how long it may outlast the run's own time. It is less than a run keeps for the batch that it is
at: see `time_limits.RUN_TIME`."""

ANSWER_BYTES_MAX = 8_000_000
"""An answer has some thousand, a page of a hundred batches some hundred thousand; it is all in memory at once."""

FILE_BYTES_MAX = 1_000_000_000
"""Of an output file, which is streamed: 50,000 answers come to 150 MB."""

FILE_LIFETIME = timedelta(days=3)
"""How long OpenAI keeps our files: past the batch window and a long weekend of trouble, well under its 30 days."""

LISTED_BATCHES_MAX = 2_000
"""How far back a lost batch is looked for: OpenAI takes at most 2,000 batches an hour."""

LISTED_A_PAGE = 100
"""As many as OpenAI gives at a time."""

WEBHOOK_SECRET_CHARACTERS_MIN = 16
"""OpenAI's have more. What is shorter is a slip, and `whsec_` alone a key that everybody has: the empty one."""

NOT_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""No connection, so no request arrived and nothing is billed."""


def bounded_client(api_key: str, base_url: str) -> OpenAI:
    """Return OpenAI's client, which keeps to allowances, follows no redirect and takes nothing compressed."""
    return OpenAI(api_key=api_key, base_url=base_url, http_client=provider_http())


class OpenAIProvider:
    """Chat completions, files and batches. The messages of its errors name no prompt, image or key."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client.with_options(max_retries=0, timeout=CONTROL_TIMEOUT_SECONDS)
        self._completions = f"{str(client.base_url).rstrip('/')}/chat/completions"
        fixed = {**client.default_headers, **client.auth_headers, "X-Stainless-Retry-Count": "0"}
        self._headers = {name: value for name, value in fixed.items() if isinstance(value, str)}  # others are "omit"

    def complete(self, body: dict[str, Any], timeout_seconds: float) -> Completion:
        """Ask for one chat completion, in `timeout_seconds` overall. Raises ProviderDownError or
        ProviderRejectedError."""
        with bounded_request(timeout_seconds, about_a_thing=False):
            response = self._post_completion(body, timeout_seconds)
        error = error_of(response)
        if error is not None:
            raise error_in_success(error, billed=isinstance(response, dict) and bool(response.get("usage")))
        return read_completion(response if isinstance(response, dict) else {})

    def _post_completion(self, body: dict[str, Any], seconds: float) -> object:
        """Send what the client library would send, by its HTTP client and with its errors, at half of its CPU: it
        copies itself and its options for every call."""
        http: httpx2.Client = self._client._client  # noqa: SLF001  (there is no public way)
        headers = {**self._headers, "X-Stainless-Read-Timeout": str(seconds)}
        request = http.build_request("POST", self._completions, content=to_json(body), headers=headers, timeout=seconds)
        response = http.send(request)
        if not response.is_success:
            raise self._client._make_status_error_from_response(response)  # noqa: SLF001
        is_json = response.headers.get("content-type", "").partition(";")[0].endswith("json")
        return json.loads(response.content) if is_json else None

    def upload_input(self, name: str, file: IO[bytes]) -> str:
        """Upload a batch's input file. Returns OpenAI's file id."""
        with bounded_request(TRANSFER_TIMEOUT_SECONDS):
            uploaded = self._client.with_options(timeout=TRANSFER_TIMEOUT_SECONDS).files.with_raw_response.create(
                file=(name, file, "application/jsonl"),
                purpose="batch",
                expires_after={"anchor": "created_at", "seconds": int(FILE_LIFETIME.total_seconds())},
            )
            return id_in(json.loads(uploaded.content))

    def create_batch(self, batch_id: str, input_file_id: str) -> ProviderBatch:
        """Create a batch that carries our id. Not idempotent: look with `find_batch` before doing it again."""
        body = {
            "input_file_id": input_file_id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"batchId": batch_id},
            "output_expires_after": {"anchor": "created_at", "seconds": int(FILE_LIFETIME.total_seconds())},
        }
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            return read_batch(self._client.post("/batches", body=body, cast_to=object))

    def find_batch(self, batch_id: str, created_after: datetime) -> ProviderBatch | None:
        """Look for a batch that carries our id among those created since, newest first, in pages of 100. Raises
        ProviderDownError if there are too many to tell."""
        oldest, after = created_after - timedelta(hours=1), dict[str, str]()
        with bounded_request(CONTROL_TIMEOUT_SECONDS, about_a_thing=False):
            for _ in range(LISTED_BATCHES_MAX // LISTED_A_PAGE):
                query = {"limit": LISTED_A_PAGE, **after}
                page, more = read_page(self._client.get("/batches", cast_to=object, options={"params": query}))
                for batch in page:
                    if is_before(batch, oldest):
                        return None
                    if carries(batch, batch_id):
                        return read_batch(batch)
                if not more:
                    return None
                after = {"after": id_in(page[-1])}
        message = f"not among the newest {LISTED_BATCHES_MAX} batches"
        raise ProviderDownError(message, Trouble.UNREACHABLE)

    def retrieve_batch(self, provider_batch_id: str) -> ProviderBatch:
        """Ask how far a batch has come."""
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            return read_batch(self._client.get(f"/batches/{provider_batch_id}", cast_to=object), provider_batch_id)

    def cancel_batch(self, provider_batch_id: str) -> None:
        """Ask OpenAI to stop a batch; what it has finished by then comes out, and is billed. Raises
        ProviderRejectedError if it has ended already."""
        with bounded_request(CONTROL_TIMEOUT_SECONDS):
            try:
                self._client.post(f"/batches/{provider_batch_id}/cancel", cast_to=object)
            except openai.ConflictError as error:
                code = code_of(error.body)
                raise ProviderRejectedError("it has ended already", Trouble.CONFIGURATION, 409, code) from error

    def read_webhook(self, body: bytes, headers: Mapping[str, str], secret: str) -> tuple[str, str | None] | None:
        """Return an event's type and its batch's id at OpenAI; None unless OpenAI signed it within the last five
        minutes. The client compares signatures in constant time."""
        if len(secret.removeprefix("whsec_")) < WEBHOOK_SECRET_CHARACTERS_MIN:
            return None
        try:
            self._client.webhooks.verify_signature(body, headers, secret=secret)
            event = json.loads(body)
        except (openai.InvalidWebhookSignatureError, ValueError, TypeError, RecursionError):
            return None  # TypeError: the client compares a signature only if it is ASCII
        match event:
            case {"type": str(kind), "data": {"id": str(batch_id)}} if kind.startswith("batch."):
                return kind, batch_id
            case {"type": str(kind)}:
                return kind, None
        return None

    def read_lines(self, file_id: str, run_seconds: float) -> Iterator[dict[str, Any]]:
        """Stream the lines of an output or error file. A line that is no JSON object names no job and is left out.

        `run_seconds`, negative once the run is over, is what is left of it: its files together may outlast it by
        `TRANSFER_TIMEOUT_SECONDS`.
        """
        allowance = Allowance(run_seconds + TRANSFER_TIMEOUT_SECONDS, FILE_BYTES_MAX)
        files = self._client.with_options(timeout=TRANSFER_TIMEOUT_SECONDS).files.with_streaming_response
        with errors_translated(), ExitStack() as stack:
            with allowance.applied():
                response = stack.enter_context(files.content(file_id))
            yield from json_lines(allowance.spent_on(response.iter_bytes()))


@contextmanager
def bounded_request(seconds: float, *, about_a_thing: bool = True) -> Iterator[None]:
    """Let what is asked inside take so many seconds in all, and translate its errors."""
    with errors_translated(about_a_thing=about_a_thing), Allowance(seconds, ANSWER_BYTES_MAX).applied():
        yield


class errors_translated:  # noqa: N801  (reads as a statement: `with errors_translated():`)
    """Turn the client library's errors into the two that a caller can act on. With `about_a_thing`, a batch or a file,
    "not found" is a refusal; anything else, a photo or a list, is refused for its own sake only in words about
    photos."""

    def __init__(self, *, about_a_thing: bool = True) -> None:
        self._about_a_thing = about_a_thing

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case openai.APIStatusError():
                retry_after = error.response.headers.get("retry-after", "")
                about_a_thing = self._about_a_thing
                raise refusal(error.status_code, error.body, retry_after, about_a_thing=about_a_thing) from error
            case openai.APIConnectionError() | httpx2.HTTPError():
                cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
                billed = not isinstance(cause, NOT_REACHED)
                message = f"no answer ({type(error).__name__})"
                raise ProviderDownError(message, Trouble.UNREACHABLE, may_be_billed=billed) from error
            case openai.OpenAIError():
                raise ProviderDownError(f"unreadable answer ({type(error).__name__})", Trouble.UNREACHABLE) from error
            case ValueError() | RecursionError():  # what reading its answer comes to: not JSON, no batch
                raise ProviderDownError(f"unreadable answer ({type(error).__name__})", Trouble.UNREACHABLE) from error
