"""Anthropic over the wire, before its stand-in: what it answers, and the two kinds of trouble that a caller can act
on."""

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import anthropic
import httpx2
import pytest

from functions.adapters.bounded_http import provider_http
from functions.adapters.providers.anthropic import API_VERSION, AnthropicProvider
from functions.core.model.classification import Category
from functions.core.model.dialects.anthropic import completion_request
from functions.core.model.parsing import parse_answer
from functions.core.model.prompts import image_data_url
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderError, ProviderRejectedError
from localcloud.anthropic import AnthropicStandIn
from localcloud.serving import unhurried
from scripts import sample_answers
from scripts.drawings import drawn_photos
from scripts.inprocess import StillClock

MODEL = "claude-haiku-5-5"
KEY = "sk-ant-very-secret"  # pragma: allowlist secret
PHOTO = image_data_url(drawn_photos()["can.jpg"])


@pytest.fixture
def standin() -> Iterator[AnthropicStandIn]:
    """Anthropic's stand-in behind a socket."""
    with AnthropicStandIn(clock=StillClock(), answers=sample_answers.answers) as standin:
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
