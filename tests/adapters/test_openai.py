"""The provider over the wire: what it answers, and the two kinds of trouble that a caller can act on."""

import base64
import io
import json
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from functions.adapters.providers import openai as adapter
from functions.adapters.providers.json_lines import LINE_BYTES_MAX
from functions.adapters.providers.openai import OpenAIProvider
from functions.core.batches.reports import ProviderState
from functions.core.model.classification import Category
from functions.core.model.dialects.openai import batch_line, completion_request
from functions.core.model.parsing import parse_answer
from functions.core.model.prompts import SYSTEM_PROMPT, image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError
from localcloud.openai import OpenAIStandIn
from localcloud.openai.webhooks import sign
from scripts import sample_answers
from scripts.drawings import drawn_photos
from scripts.inprocess import StillClock
from tests.builders import answer_text, completion_body

MODEL = "gpt-6-luna"
KEY = "sk-very-secret"
CHAT, UPLOAD, CREATE = "POST /v1/chat/completions", "POST /v1/files", "POST /v1/batches"


@pytest.fixture
def clock() -> StillClock:
    """A clock at noon."""
    return StillClock()


@pytest.fixture
def standin(clock: StillClock) -> Iterator[OpenAIStandIn]:
    """OpenAI's stand-in behind a socket; a batch takes twenty minutes."""
    with OpenAIStandIn(clock=clock, answers=sample_answers.answers) as standin:
        yield standin


@pytest.fixture
def provider(standin: OpenAIStandIn) -> Iterator[OpenAIProvider]:
    """The adapter, over a client as the product makes it: with its own repeats, which the adapter must turn off."""
    with closing(OpenAI(api_key=KEY, base_url=standin.base_url)) as client:
        yield OpenAIProvider(client)


PHOTO = image_data_url(drawn_photos()["can.jpg"])


def request() -> dict[str, Any]:
    """Return the body that classifies a photo."""
    return completion_request(MODEL, PHOTO, "US", "en")


def input_file(*custom_ids: str) -> io.BytesIO:
    """Return a batch's input with a text question for each job."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is it?"}]}
    return io.BytesIO(b"".join(batch_line(custom_id, body) for custom_id in custom_ids))


def provider_answering(handler: Callable[[httpx2.Request], httpx2.Response]) -> OpenAIProvider:
    """Return the adapter before a server that answers whatever a test wants."""
    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    return OpenAIProvider(OpenAI(api_key=KEY, base_url="http://openai.example/v1", http_client=http))


CALLS: dict[str, Callable[[OpenAIProvider], object]] = {
    "complete": lambda provider: provider.complete(request(), 5),
    "upload_input": lambda provider: provider.upload_input("b.jsonl", input_file("job-1")),
    "create_batch": lambda provider: provider.create_batch("batch-1", "file-1"),
    "find_batch": lambda provider: provider.find_batch("batch-1", datetime(2026, 11, 21, tzinfo=UTC)),
    "retrieve_batch": lambda provider: provider.retrieve_batch("batch_abc"),
    "read_lines": lambda provider: list(provider.read_lines("file-1", 60)),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


# Completions


def test_a_photo_is_classified(provider: OpenAIProvider) -> None:
    """The request goes through OpenAI's own checks, and the answer comes with its cost."""
    completion = provider.complete(request(), 10)
    assert parse_answer(completion).category in Category
    assert completion.usage is not None
    assert completion.usage.input_tokens > 200
    assert completion.usage.output_tokens > 20


def test_the_request_is_the_one_that_openais_client_sends() -> None:
    """The same URL, headers and JSON, with all that a client was made with: only who puts it together is another."""
    sent: list[tuple[object, ...]] = []

    def noted(request: httpx2.Request) -> httpx2.Response:
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        sent.append((request.method, request.url, headers, json.loads(request.content), request.extensions["timeout"]))
        return httpx2.Response(200, json=completion_body(answer_text()))

    http = httpx2.Client(transport=httpx2.MockTransport(noted))
    with OpenAI(
        api_key=KEY,
        base_url="http://openai.example/v1",
        http_client=http,
        organization="our-organisation",
        default_headers={"X-Ours": "1"},
    ) as client:
        body = completion_request(MODEL, PHOTO, "São Tomé", "pt\u2028", identifier="user-1")
        OpenAIProvider(client).complete(body, 5)
        client.with_options(max_retries=0, timeout=5).chat.completions.create(**body)
    ours, theirs = sent
    assert ours == theirs


@pytest.mark.parametrize("kind", ["text/html", "application/json; charset=utf-8", "application/problem+json"])
def test_what_is_not_said_to_be_json_is_no_answer_of_a_model(kind: str) -> None:
    """A page with the status of a success is somebody else's, and nothing is booked for it."""
    body = json.dumps(completion_body(answer_text())).encode()
    page = provider_answering(lambda _: httpx2.Response(200, content=body, headers={"content-type": kind}))
    if "json" in kind:
        assert page.complete(request(), 5).text == answer_text()
    else:
        with pytest.raises(ProviderDownError) as down:
            page.complete(request(), 5)
        assert not down.value.may_be_billed


@pytest.mark.parametrize(
    ("raised", "billed"),
    [
        (httpx2.ConnectError, False),
        (httpx2.ConnectTimeout, False),
        (httpx2.PoolTimeout, False),
        (httpx2.ReadTimeout, True),
        (httpx2.WriteError, True),
        (httpx2.RemoteProtocolError, True),
    ],
)
def test_only_what_never_arrived_is_surely_not_billed(raised: type[httpx2.HTTPError], billed: bool) -> None:
    """Without a connection nobody has asked a model; once one is there, one may have been asked."""

    def fail(_: httpx2.Request) -> httpx2.Response:
        raise raised("no") from OSError("its own cause")

    for call in (CALLS["complete"], CALLS["create_batch"]):
        with pytest.raises(ProviderDownError) as down:
            call(provider_answering(fail))
        assert down.value.may_be_billed == billed


@pytest.mark.parametrize("body", [[], "text", 7, None, {}, {"choices": None, "usage": None}], ids=repr)
def test_what_is_no_completion_is_no_answer_of_a_model(body: object) -> None:
    """Neither choices nor usage: whoever answered has asked no model, so nothing is booked for it."""
    with pytest.raises(ProviderDownError) as down:
        provider_answering(lambda _: httpx2.Response(200, json=body)).complete(request(), 5)
    assert (down.value.trouble, down.value.may_be_billed) == (Trouble.UNREACHABLE, False)


@pytest.mark.parametrize(
    ("body", "trouble", "billed"),
    [
        ({"error": {"code": 429, "message": "busy"}}, Trouble.OVERLOADED, False),
        ({"error": {"code": 401, "message": "key"}, "choices": None}, Trouble.KEY_REFUSED, False),
        ({"error": {"code": "insufficient_quota"}}, Trouble.QUOTA, False),
        ({"error": "broken", "usage": {"prompt_tokens": 9, "completion_tokens": 1}}, Trouble.UNREACHABLE, True),
    ],
)
def test_an_error_with_the_status_of_a_success_is_an_error(body: object, trouble: Trouble, billed: bool) -> None:
    """Gateways answer 200 with an error object; it is billed only if it says what it took."""
    with pytest.raises(ProviderDownError) as down:
        provider_answering(lambda _: httpx2.Response(200, json=body)).complete(request(), 5)
    assert (down.value.trouble, down.value.may_be_billed) == (trouble, billed)


def test_a_photo_that_is_refused_with_the_status_of_a_success_is_rejected() -> None:
    """The words count, as in any other answer."""
    body = {"error": {"code": 403, "metadata": {"error_type": "content_policy_violation"}}}
    with pytest.raises(ProviderRejectedError) as rejected:
        provider_answering(lambda _: httpx2.Response(200, json=body)).complete(request(), 5)
    assert rejected.value.trouble is Trouble.POLICY


# Trouble


@pytest.mark.parametrize(
    ("fault", "words", "retry_after"),
    [
        ({"kind": "rate_limited", "retry_after": 7}, "status 429", 7),
        ({"kind": "insufficient_quota"}, "status 429", None),
        ({"kind": "server_error"}, "status 500", None),
        ({"kind": "bad_gateway"}, "status 502", None),
        ({"kind": "unavailable"}, "status 503", None),
        ({"kind": "connection_reset"}, "no answer", None),
        ({"kind": "malformed_json", "endpoint": CHAT}, "unreadable answer", None),
        ({"kind": "reply_lost"}, "no answer", None),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_provider_in_trouble_is_down(
    provider: OpenAIProvider, standin: OpenAIStandIn, fault: dict[str, Any], words: str, retry_after: int | None
) -> None:
    """Overload, outage, lost and unreadable answers are one decision for the caller: later. Nothing is repeated."""
    standin.faults.add(**fault)
    with pytest.raises(ProviderDownError, match=words) as down:
        provider.complete(request(), 5)
    assert down.value.retry_after_seconds == retry_after
    assert standin.requests[CHAT] == 1


@every_call
@pytest.mark.parametrize("fault", ["server_error", "rate_limited", "connection_reset"])
def test_no_call_is_ever_repeated_by_the_client(
    provider: OpenAIProvider, standin: OpenAIStandIn, call: Callable[[OpenAIProvider], object], fault: str
) -> None:
    """A repeated POST can be paid for twice: whatever fails, one request was sent."""
    standin.faults.add(kind=fault, count=None)
    with pytest.raises(ProviderDownError):
        call(provider)
    assert sum(standin.requests.values()) == 1


@every_call
@pytest.mark.parametrize("status", [307, 401, 402, 403, 405, 408, 409, 415, 429, 500, 503])
def test_what_is_not_the_photos_fault_is_down(call: Callable[[OpenAIProvider], object], status: int) -> None:
    """The operator's key, the moment or the provider: the same request may pass later."""
    with pytest.raises(ProviderDownError, match=str(status)) as down:
        call(provider_answering(lambda _: httpx2.Response(status, json={"error": {"message": "x", "code": "y"}})))
    assert (down.value.status, down.value.code, down.value.may_be_billed) == (status, "y", False)


@every_call
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_photo_is_rejected_in_words_about_photos(call: Callable[[OpenAIProvider], object], status: int) -> None:
    """The provider understood and said no."""
    with pytest.raises(ProviderRejectedError, match=f"status {status}, code image_too_small") as rejected:
        call(provider_answering(lambda _: httpx2.Response(status, json={"error": {"code": "image_too_small"}})))
    assert rejected.value.trouble is Trouble.PHOTO


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        ({"error": {"code": "unsupported_value"}}, Trouble.CONFIGURATION),
        ([{"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}], Trouble.KEY_REFUSED),
        ({"error": "no"}, Trouble.CONFIGURATION),
    ],
)
def test_a_photo_is_not_blamed_for_what_is_ours_or_theirs(body: object, trouble: Trouble) -> None:
    """Wherever a provider puts its error, Gemini into a list: nothing is billed for it."""
    with pytest.raises(ProviderDownError) as down:
        provider_answering(lambda _: httpx2.Response(400, json=body)).complete(request(), 5)
    assert (down.value.trouble, down.value.may_be_billed) == (trouble, False)


@every_call
def test_a_page_is_a_wrong_base_url(call: Callable[[OpenAIProvider], object]) -> None:
    """404 in HTML: nobody who speaks the API has answered, so nothing is said of photo, file or batch."""
    with pytest.raises(ProviderDownError) as down:
        call(provider_answering(lambda _: httpx2.Response(404, html="<h1>Not Found</h1>")))
    assert (down.value.trouble, down.value.status, down.value.code) == (Trouble.CONFIGURATION, 404, None)


@pytest.mark.parametrize("call", [CALLS["create_batch"], CALLS["retrieve_batch"], CALLS["read_lines"]])
@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_file_or_batch_that_is_refused_is_rejected(call: Callable[[OpenAIProvider], object], status: int) -> None:
    """There is none, or it is not as it should be: that is said of this one, and not of the provider."""
    error = {"error": {"message": "No such File object: file-1", "type": "invalid_request_error", "code": None}}
    with pytest.raises(ProviderRejectedError, match=f"status {status}, code invalid_request_error"):
        call(provider_answering(lambda _: httpx2.Response(status, json=error)))


@pytest.mark.parametrize(
    "code",
    ["bad Bearer sk-1234", "sk-proj-a1b2", "9f8e7d6c" * 4, "a\x1b[31m", "x" * 2_000_000, 10**9],
)
def test_a_code_that_is_none_is_not_repeated(code: object) -> None:
    """What a provider puts where its code should be gets into no log and no document."""
    with pytest.raises(ProviderDownError) as down:
        provider_answering(lambda _: httpx2.Response(400, json={"error": {"code": code}})).complete(request(), 5)
    assert (down.value.code, str(down.value)) == (None, "status 400, code None")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("999999", 3_600),
        ("1.5", None),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("\u00b2", None),
        ("9" * 5_000, None),
    ],
)
def test_the_wait_that_the_provider_asks_for_is_bounded(header: str, seconds: int | None) -> None:
    """Between one second and an hour; what is no whole number of seconds is left to our own setting."""
    limited = provider_answering(lambda _: httpx2.Response(429, headers={"retry-after": header}, json={}))
    with pytest.raises(ProviderDownError) as down:
        limited.complete(request(), 5)
    assert down.value.retry_after_seconds == seconds


def test_an_error_tells_no_secrets() -> None:
    """Key, prompt and photo are in no message, also where the provider quotes them: messages end up in logs and
    documents."""
    quoting = f"Incorrect API key {KEY}: {SYSTEM_PROMPT} {PHOTO}"
    for status in (400, 401, 429, 500):
        broken = provider_answering(lambda _, s=status: httpx2.Response(s, json={"error": {"message": quoting}}))  # type: ignore[misc]
        with pytest.raises((ProviderDownError, ProviderRejectedError)) as trouble:
            broken.complete(request(), 5)
        assert not any(secret in str(trouble.value) for secret in (KEY, SYSTEM_PROMPT[:40], PHOTO))
        assert len(str(trouble.value)) < 100


def test_a_defect_of_ours_is_not_taken_for_an_outage() -> None:
    """Only the provider's errors are translated: a bug must not look like a provider that is down."""

    def broken(_: httpx2.Request) -> httpx2.Response:
        raise ZeroDivisionError

    with pytest.raises(Exception) as raised:  # noqa: PT011 (the client may wrap it in its own error)
        provider_answering(broken).retrieve_batch("batch_abc")
    assert "ZeroDivisionError" in "".join(traceback.format_exception(raised.value))


# Batches


def test_a_batch_goes_through_from_input_to_lines(
    provider: OpenAIProvider, standin: OpenAIStandIn, clock: StillClock
) -> None:
    """Upload, create, retrieve, read: each line answers the job that it was sent for."""
    file_id = provider.upload_input("b.jsonl", input_file("job-1", "job-2"))
    created = provider.create_batch("batch-1", file_id)
    assert created.state is ProviderState.VALIDATING
    clock.now += timedelta(hours=1)
    done = provider.retrieve_batch(created.provider_batch_id)
    assert (done.state, done.error_file_id, done.problem) == (
        ProviderState.COMPLETED,
        None,
        None,
    )
    assert done.output_file_id is not None
    lines = list(provider.read_lines(done.output_file_id, 60))
    assert sorted(line["custom_id"] for line in lines) == ["job-1", "job-2"]
    assert all(line["response"]["status_code"] == 200 for line in lines)


def test_a_failed_batch_says_why(provider: OpenAIProvider, standin: OpenAIStandIn, clock: StillClock) -> None:
    """OpenAI's own reason comes with the state: creating succeeded and proved nothing."""
    standin.faults.add(kind="batch_token_limit")
    created = provider.create_batch("batch-1", provider.upload_input("b.jsonl", input_file("job-1")))
    clock.now += timedelta(hours=1)
    failed = provider.retrieve_batch(created.provider_batch_id)
    assert (failed.state, failed.output_file_id, failed.error_file_id) == (ProviderState.FAILED, None, None)
    assert (failed.problem, failed.over_limit) == ("token_limit_exceeded", True)


def test_a_lost_batch_is_looked_for_on_every_page(
    provider: OpenAIProvider, standin: OpenAIStandIn, clock: StillClock
) -> None:
    """The list comes in pages of a hundred, newest first; ours may be on the second."""
    file_id = provider.upload_input("b.jsonl", input_file("job-1"))
    ours = provider.create_batch("batch-1", file_id)
    for other in range(105):
        provider.create_batch(f"other-{other}", file_id)
    found = provider.find_batch("batch-1", clock.now)
    assert found is not None
    assert found.provider_batch_id == ours.provider_batch_id
    assert standin.requests["GET /v1/batches"] == 2


def test_the_search_ends_where_ours_cannot_be(provider: OpenAIProvider, clock: StillClock) -> None:
    """A batch from long before ours was built is not ours, whatever it carries; nor is every old page read."""
    provider.create_batch("batch-1", provider.upload_input("b.jsonl", input_file("job-1")))
    assert provider.find_batch("batch-1", clock.now + timedelta(hours=2)) is None
    assert provider.find_batch("batch-1", clock.now + timedelta(minutes=59)) is not None


def batch_object(**changes: Any) -> dict[str, Any]:
    """Return a batch as OpenAI shows it."""
    return {
        "id": "batch_abc",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1",
        "completion_window": "24h",
        "created_at": 1_795_262_400,
        "status": "completed",
        **changes,
    }


@pytest.mark.parametrize(
    ("status", "told"), [("paused", "paused"), ("\x1b[2J Bearer sk-1", "unreadable"), (7, "unreadable")]
)
def test_a_state_that_we_do_not_know_is_told_as_a_word(status: object, told: str) -> None:
    """OpenAI adds a state: nobody guesses what it means, and what is no word of a state is kept nowhere."""
    paused = provider_answering(lambda _: httpx2.Response(200, json=batch_object(status=status)))
    shown = paused.retrieve_batch("batch_abc")
    assert (shown.state, shown.status) == (ProviderState.UNKNOWN, told)


def test_files_and_batches_do_not_stay_at_the_provider_for_ever() -> None:
    """Input and output files are given a lifetime: photos of our users are in them."""
    sent: list[httpx2.Request] = []

    def keep(request: httpx2.Request) -> httpx2.Response:
        request.read()
        sent.append(request)
        return httpx2.Response(200, json={**batch_object(), "bytes": 1, "filename": "b", "purpose": "batch"})

    provider = provider_answering(keep)
    provider.upload_input("b.jsonl", input_file("job-1"))
    provider.create_batch("batch-1", "file-1")
    lifetime = int(adapter.FILE_LIFETIME.total_seconds())
    assert b'name="expires_after[seconds]"\r\n\r\n%d' % lifetime in sent[0].content
    created = json.loads(sent[1].content)
    assert created["output_expires_after"] == {"anchor": "created_at", "seconds": lifetime}
    assert (created["metadata"], created["completion_window"]) == ({"batchId": "batch-1"}, "24h")


def test_lines_that_name_nobody_are_left_out() -> None:
    """Blank lines, fragments, other JSON and absurdly long lines end no job and no run."""
    long = json.dumps({"custom_id": "long", "text": "x" * LINE_BYTES_MAX})
    noise = ["", "{", "[]", "7", "null", long, "[" * 100_000]
    content = "\n".join(['{"custom_id": "a"}', *noise, '{"custom_id": "b"}'])
    provider = provider_answering(lambda _: httpx2.Response(200, text=content))
    assert [line["custom_id"] for line in provider.read_lines("file-1", 60)] == ["a", "b"]


@pytest.mark.parametrize("text", ["a\u2028b", "a\u0085b", "a\x0bb", "a\x1cb"], ids=ascii)
def test_a_line_ends_only_at_a_newline(text: str) -> None:
    """A text with a rare line separator in it does not tear its line apart: the answer would be lost and paid again."""
    line = {"custom_id": "a", "text": text}
    content = json.dumps(line, ensure_ascii=False) + "\n" + json.dumps({"custom_id": "b"})
    provider = provider_answering(lambda _: httpx2.Response(200, text=content))
    assert list(provider.read_lines("file-1", 60)) == [line, {"custom_id": "b"}]


def test_a_download_that_breaks_off_is_an_outage(torn_download: str) -> None:
    """The connection dies within the file: the lines so far are right, and the rest is worth another attempt."""
    with closing(OpenAI(api_key=KEY, base_url=torn_download)) as client:
        lines = OpenAIProvider(client).read_lines("file-1", 60)
        assert next(lines) == {"custom_id": "a"}
        with pytest.raises(ProviderDownError):
            list(lines)


@pytest.fixture
def torn_download() -> Iterator[str]:
    """A server that promises a long file, sends its first line, and hangs up."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                line = b'{"custom_id": "a"}\n'
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + line + b'{"custom')

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        thread.join(timeout=5)


# Webhooks

SECRET = "whsec_" + base64.b64encode(b"what only OpenAI knows").decode()
EVENT = json.dumps({"type": "batch.completed", "data": {"id": "batch_1"}}).encode()
TAKEN = ("batch.completed", "batch_1")


def signed(body: bytes, seconds_ago: float = 0, secret: str = SECRET) -> dict[str, str]:
    """Return the headers of an event that was signed so long ago."""
    at = str(int(time.time() - seconds_ago))
    return {"webhook-id": "evt_1", "webhook-timestamp": at, "webhook-signature": sign(secret, "evt_1", at, body)}


@pytest.mark.parametrize(
    ("seconds_ago", "taken"), [(0, True), (290, True), (310, False), (86_400, False), (-290, True), (-310, False)]
)
def test_an_event_is_good_for_five_minutes(provider: OpenAIProvider, seconds_ago: float, taken: bool) -> None:
    """One that was caught and is sent again later is refused, and so is one of the future."""
    assert provider.read_webhook(EVENT, signed(EVENT, seconds_ago), SECRET) == (TAKEN if taken else None)


def test_signatures_are_compared_in_constant_time(provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a refusal takes does not tell how much of a guess was right."""
    compared: list[tuple[str, str]] = []

    def refuse(ours: str, theirs: str) -> bool:
        compared.append((ours, theirs))
        return False

    monkeypatch.setattr("hmac.compare_digest", refuse)
    assert provider.read_webhook(EVENT, signed(EVENT), SECRET) is None, "nothing but this comparison lets one in"
    ((ours, theirs),) = compared
    assert ours == theirs


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_=", "whsec_    ", "changeme", "whsec_" + "A" * 12])
def test_a_secret_that_is_none_lets_nothing_in(provider: OpenAIProvider, secret: str) -> None:
    """Where the deploy has no secret, or a slip for one, whoever guesses it is refused too."""
    assert provider.read_webhook(EVENT, signed(EVENT, secret=secret), secret) is None
