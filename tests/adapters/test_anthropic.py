"""Anthropic over the wire, before its stand-in: what it answers, and the two kinds of trouble that a caller can act
on."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import anthropic
import httpx2
import pytest

from functions.adapters.bounded_http import provider_http
from functions.adapters.providers.anthropic import API_VERSION, LISTED_PAGES_MAX, AnthropicProvider
from functions.core.batches.reports import ProviderState, read_line
from functions.core.model.classification import Category
from functions.core.model.dialects.anthropic import BATCH_FRAME, batch_line, completion_request
from functions.core.model.parsing import parse_answer
from functions.core.model.prompts import image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderError, ProviderRejectedError
from functions.core.shared.providers import Provider
from localcloud.anthropic import AnthropicStandIn
from localcloud.serving import unhurried
from scripts import sample_answers
from scripts.drawings import drawn_photos
from scripts.inprocess import StillClock

MODEL = "claude-haiku-5-5"
KEY = "sk-ant-very-secret"  # pragma: allowlist secret
PHOTO = image_data_url(drawn_photos()["can.jpg"])


@pytest.fixture
def clock() -> StillClock:
    """The stand-in's clock."""
    return StillClock()


@pytest.fixture
def standin(clock: StillClock) -> Iterator[AnthropicStandIn]:
    """Anthropic's stand-in behind a socket."""
    with AnthropicStandIn(clock=clock, answers=sample_answers.answers) as standin:
        yield standin


@pytest.fixture
def provider(standin: AnthropicStandIn) -> Iterator[AnthropicProvider]:
    """The adapter, over a client as the product makes it."""
    with closing(provider_http()) as http:
        yield AnthropicProvider(http, standin.base_url, KEY)


def request(**changes: Any) -> dict[str, Any]:
    """Return the body that classifies a photo."""
    return {**completion_request(MODEL, PHOTO, "US", "en", identifier="user-1"), **changes}


def provider_answering(handler: Callable[[httpx2.Request], httpx2.Response]) -> AnthropicProvider:
    """Return the adapter before a server that answers whatever a test wants."""
    return AnthropicProvider(httpx2.Client(transport=httpx2.MockTransport(handler)), "http://anthropic.example/", KEY)


def input_file(*names: str) -> BytesIO:
    """Return the input file of a batch with these jobs."""
    head, between, tail = BATCH_FRAME
    return BytesIO(head + between.join(batch_line(name, request()) for name in names) + tail)


def refused(provider: AnthropicProvider, seconds: float = 5, **changes: Any) -> ProviderError:
    """Return the error that a request ends with."""
    with pytest.raises(ProviderError) as error:
        provider.complete(request(**changes), seconds)
    return error.value


def test_a_photo_is_classified(provider: AnthropicProvider, standin: AnthropicStandIn) -> None:
    """The request goes through the service's own checks, schema included, and the answer comes with its cost."""
    standin.settings.cache_read_tokens = 100
    completion = provider.complete(request(), 10)
    assert parse_answer(completion).category in Category
    assert completion.usage is not None
    assert (completion.usage.input_tokens > 500, completion.usage.cached_tokens) == (True, 100)
    assert completion.usage.output_tokens > 20


def test_the_request_is_the_one_that_anthropics_client_sends() -> None:
    """The same address, version and JSON as the real client's, and the key where the service looks for it."""
    sent: list[httpx2.Request] = []

    def noted(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(500, json={})

    refused(provider_answering(noted))
    http = httpx2.Client(transport=httpx2.MockTransport(noted))
    client = anthropic.Anthropic(api_key=KEY, base_url="http://anthropic.example", http_client=http, max_retries=0)
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**request())
    ours, theirs = sent
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert ours.headers["anthropic-version"] == theirs.headers["anthropic-version"] == API_VERSION
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    assert ours.headers["x-api-key"] == KEY
    assert httpx2.Response(200, content=ours.content).json() == httpx2.Response(200, content=theirs.content).json()


@pytest.mark.parametrize(
    ("kind", "trouble", "billed"),
    [
        ("rate_limited", Trouble.OVERLOADED, False),
        ("ramp_limit", Trouble.OVERLOADED, False),
        ("spend_limit", Trouble.QUOTA, False),
        ("usage_limit", Trouble.QUOTA, False),
        ("bad_key", Trouble.KEY_REFUSED, False),
        ("billing", Trouble.QUOTA, False),
        ("forbidden", Trouble.KEY_REFUSED, False),
        ("model_not_found", Trouble.CONFIGURATION, False),
        ("too_large", Trouble.CONFIGURATION, False),
        ("server_error", Trouble.OVERLOADED, False),
        ("overloaded", Trouble.OVERLOADED, False),
        ("gateway_timeout", Trouble.OVERLOADED, True),
        ("bad_gateway", Trouble.OVERLOADED, True),
        ("connection_reset", Trouble.UNREACHABLE, True),
        ("reply_lost", Trouble.UNREACHABLE, True),
        ("malformed_json", Trouble.UNREACHABLE, True),
    ],
)
def test_a_service_in_trouble_is_down(
    provider: AnthropicProvider, standin: AnthropicStandIn, kind: str, trouble: Trouble, *, billed: bool
) -> None:
    """Every refusal that the service has, by whose it is and whether it may be billed; asked once, never repeated."""
    standin.faults.add(kind=kind, count=None)
    down = refused(provider)
    assert isinstance(down, ProviderDownError)
    assert (down.trouble, down.may_be_billed) == (trouble, billed)
    assert standin.requests["POST /v1/messages"] == 1


@pytest.mark.parametrize(
    ("raised", "billed"),
    [
        (httpx2.ConnectError, False),
        (httpx2.ConnectTimeout, False),
        (httpx2.ReadTimeout, True),
        (httpx2.ReadError, True),
    ],
)
def test_only_what_never_arrived_is_surely_not_billed(raised: type[httpx2.HTTPError], billed: int) -> None:
    """No connection, no request; after that nobody knows."""

    def fail(_: httpx2.Request) -> httpx2.Response:
        raise raised("no")

    down = refused(provider_answering(fail))
    assert isinstance(down, ProviderDownError)
    assert down.may_be_billed == bool(billed)


def test_a_call_ends_in_its_time(provider: AnthropicProvider, standin: AnthropicStandIn) -> None:
    """And it may have been billed."""
    standin.faults.add(kind="timeout", seconds=20)
    started = time.monotonic()
    down = refused(provider, seconds=0.5)
    assert time.monotonic() - started < unhurried(2)
    assert isinstance(down, ProviderDownError)
    assert down.may_be_billed


def test_a_photo_is_rejected_in_words_about_photos(provider: AnthropicProvider) -> None:
    """What the service cannot open is the photo's fault, not an outage."""
    broken = completion_request(MODEL, image_data_url(b"\xff\xd8\xff" + b"0" * 99), "US", "en")
    photo = refused(provider, messages=broken["messages"])
    assert isinstance(photo, ProviderRejectedError)
    assert photo.trouble is Trouble.PHOTO


def test_a_refusal_is_an_answer_that_is_none(provider: AnthropicProvider, standin: AnthropicStandIn) -> None:
    """The model is against it, and that is final."""
    standin.faults.add(kind="refusal")
    completion = provider.complete(request(), 5)
    assert (completion.text, completion.refused) == (None, True)


def test_capitals_of_closed_sets_are_read(provider: AnthropicProvider, standin: AnthropicStandIn) -> None:
    """The service does not promise them."""
    standin.faults.add(kind="enum_capitals")
    assert parse_answer(provider.complete(request(), 5)).category in Category


@pytest.mark.parametrize("headers", [{"location": "http://elsewhere.example"}, {}])
def test_a_redirect_is_not_followed(headers: dict[str, str]) -> None:
    """It would carry the photo and the key elsewhere."""
    down = refused(provider_answering(lambda _: httpx2.Response(307, headers=headers)))
    assert (down.trouble, down.status) == (Trouble.CONFIGURATION, 307)


def test_an_error_tells_no_secrets() -> None:
    """Neither the key, nor what the service wrote, is in the message or the trace's last line."""
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": f"bad {KEY}"}}
    error = refused(provider_answering(lambda _: httpx2.Response(400, json=said)))
    assert KEY not in "".join(traceback.format_exception(error))


# Batches


def test_a_batch_is_created_followed_read_and_deleted(
    provider: AnthropicProvider, standin: AnthropicStandIn, clock: StillClock
) -> None:
    """Its whole life over the wire; each answer comes with its bill."""
    sent = provider.create_batch(input_file("job-1", "job-2"))
    assert (sent.state, sent.output_file_id) == (ProviderState.IN_PROGRESS, None)
    clock.advance(timedelta(minutes=30))
    ended = provider.retrieve_batch(sent.provider_batch_id)
    assert (ended.state, ended.answered, ended.output_file_id) == (ProviderState.COMPLETED, 2, sent.provider_batch_id)
    lines = [*provider.read_lines(sent.provider_batch_id, 60)]
    assert sorted(line["custom_id"] for line in lines) == ["job-1", "job-2"]
    attempts = [read_line(line, Provider.ANTHROPIC) for line in lines]
    assert all(attempt.answer and attempt.usage for attempt in attempts)
    provider.delete_batch(sent.provider_batch_id)
    assert provider.list_batches(clock() - timedelta(days=1)) == []
    assert standin.requests["GET /v1/messages/batches/{batch_id}/results"] == 1


def test_requests_about_batches_are_those_that_anthropics_client_sends() -> None:
    """The same method, address and JSON, call by call."""
    sent: list[httpx2.Request] = []

    def noted(request: httpx2.Request) -> httpx2.Response:
        request.read()
        sent.append(request)
        return httpx2.Response(500, json={})

    ours = provider_answering(noted)
    http = httpx2.Client(transport=httpx2.MockTransport(noted))
    theirs = anthropic.Anthropic(
        api_key=KEY, base_url="http://anthropic.example", http_client=http, max_retries=0
    ).messages.batches
    requests: Any = [{"custom_id": "job-1", "params": request()}]
    pairs: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: ours.create_batch(input_file("job-1")), lambda: theirs.create(requests=requests)),
        (lambda: ours.retrieve_batch("msgbatch_1"), lambda: theirs.retrieve("msgbatch_1")),
        (lambda: ours.list_batches(datetime.min.replace(tzinfo=UTC)), lambda: theirs.list(limit=1_000)),
        (lambda: ours.cancel_batch("msgbatch_1"), lambda: theirs.cancel("msgbatch_1")),
        (lambda: ours.delete_batch("msgbatch_1"), lambda: theirs.delete("msgbatch_1")),
    ]
    for call, model in pairs:
        sent.clear()
        with pytest.raises(ProviderDownError):
            call()
        with pytest.raises(anthropic.InternalServerError):
            model()
        mine, wanted = sent
        assert (mine.method, mine.url) == (wanted.method, wanted.url)
        bodies = [each.content and httpx2.Response(200, content=each.content).json() for each in (mine, wanted)]
        assert (bodies[0] or {}) == (bodies[1] or {})
        assert mine.headers["anthropic-version"] == wanted.headers["anthropic-version"]


def test_an_input_file_is_sent_a_piece_at_a_time() -> None:
    """A batch has up to 190 MB, which a process has no room for twice; its length is said before."""

    class Pieces(BytesIO):
        largest = 0

        def read(self, size: int | None = -1) -> bytes:
            Pieces.largest = max(Pieces.largest, len(self.getvalue()) if size is None or size < 0 else size)
            return super().read(size)

    heard: list[str] = []

    def noted(request: httpx2.Request) -> httpx2.Response:
        request.read()
        heard.append(request.headers["content-length"])
        return httpx2.Response(500, json={})

    file = Pieces(b"x" * 1_000_000)
    with pytest.raises(ProviderDownError):
        provider_answering(noted).create_batch(file)
    assert (heard, Pieces.largest) == (["1000000"], 65_536)


@pytest.mark.parametrize(
    "call",
    [AnthropicProvider.retrieve_batch, AnthropicProvider.cancel_batch, AnthropicProvider.delete_batch],
    ids=lambda call: call.__name__,
)
def test_a_batch_that_is_not_there_is_no_outage(
    provider: AnthropicProvider, call: Callable[[AnthropicProvider, str], object]
) -> None:
    """It is that batch's own trouble, and others are asked about."""
    with pytest.raises(ProviderRejectedError):
        call(provider, "msgbatch_0")


def test_results_that_are_not_there_yet_are_no_outage(provider: AnthropicProvider) -> None:
    """They are asked for again."""
    sent = provider.create_batch(input_file("job-1"))
    with pytest.raises(ProviderRejectedError):
        list(provider.read_lines(sent.provider_batch_id, 60))
    with pytest.raises(ProviderRejectedError):
        provider.delete_batch(sent.provider_batch_id)
    provider.cancel_batch(sent.provider_batch_id)
    assert provider.retrieve_batch(sent.provider_batch_id).state is ProviderState.CANCELLING


def test_the_list_is_read_back_to_a_time_and_whole(
    provider: AnthropicProvider, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page after page, newest first. If it is too long, nobody can say what is not on it."""
    monkeypatch.setattr("functions.adapters.providers.anthropic.LISTED_A_PAGE", 1)
    sent = []
    for _ in range(LISTED_PAGES_MAX):
        sent.append(provider.create_batch(input_file("job-1")).provider_batch_id)
        clock.advance(timedelta(minutes=1))
    found = provider.list_batches(clock() - timedelta(minutes=3))
    assert [each.reported.provider_batch_id for each in found] == sent[:-4:-1]
    assert {each.lines for each in found} == {1}
    assert len(provider.list_batches(clock() - timedelta(days=1))) == LISTED_PAGES_MAX
    provider.create_batch(input_file("job-1"))
    with pytest.raises(ProviderDownError):
        provider.list_batches(clock() - timedelta(days=1))
