"""Whether each provider that the config names can be asked: its key, its model, the prices, the region. Nothing that is
asked here is billed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from openai import OpenAI

from functions.adapters.bounded_http import provider_http
from functions.adapters.providers.anthropic import API_VERSION, AnthropicProvider
from functions.adapters.providers.openai import bounded_client, bounded_request
from functions.core.model.dialects.anthropic import refusal
from functions.core.model.image_tokens import UnknownImageTokensError, formula_of
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderError
from functions.core.model.usage import UnknownPriceError
from functions.core.shared.providers import Provider, split
from functions.deploy.params import Settings
from scripts.operators.session import OperatorDeps
from scripts.operators.transports import deployment_of, key_name, key_of

ASKED_SECONDS = 10.0
"""For one question."""

LISTED_FOR = timedelta(days=2)
"""How far back a workspace is searched for batches that are not ours: they end within a day."""

_SAID: Mapping[Trouble, str] = {
    Trouble.KEY_REFUSED: "the key is refused",
    Trouble.QUOTA: "the account has no money, or is at its limit",
    Trouble.CONFIGURATION: "the model, the address or the request is refused",
    Trouble.OVERLOADED: "it is overloaded, or failing",
    Trouble.UNREACHABLE: "it is not reached",
}


@dataclass(frozen=True)
class Checked:
    """What is known of one provider: its `lanes` with its place in each, `prices` by lane, and its `problems`."""

    provider: Provider
    lanes: tuple[str, ...]
    model: str
    region: str
    prices: Mapping[str, str]
    problems: tuple[str, ...]


def checked(provider: Provider, orders: Mapping[str, Sequence[Provider]], deps: OperatorDeps) -> Checked:
    """Look at a provider, as the deploy has it and with the key of this shell: one question, two if it has batches at
    Anthropic."""
    name = deps.settings.model_of(provider)
    lanes = {lane: order.index(provider) + 1 for lane, order in orders.items() if provider in order}
    prices = {lane: _price(name, lane, deps) for lane in ("instant", "batch")}
    problems = [f"no price in the {lane} lane" for lane in lanes if not prices[lane]]
    try:
        formula_of(name)
    except UnknownImageTokensError:
        problems.append("what a photo costs in tokens is not known")
    return Checked(
        provider=provider,
        lanes=tuple(f"{lane} {place}" for lane, place in lanes.items()),
        model=split(name)[1],
        region=deps.settings.zone_of(provider) or "any",
        prices=prices,
        problems=(*problems, *_asked(provider, deps, batches="batch" in lanes)),
    )


def _price(name: str, lane: str, deps: OperatorDeps) -> str:
    try:
        price = deps.model_price(name, batch=lane == "batch")
    except UnknownPriceError:
        return ""
    return f"{price.input.normalize():f} / {price.output.normalize():f}"


def _asked(provider: Provider, deps: OperatorDeps, *, batches: bool) -> list[str]:
    """Return what is wrong by the provider's own word."""
    settings = deps.settings
    if not key_of(provider, settings):
        return [f"not asked: this shell has no {key_name(provider)}"]
    if not settings.reaches(provider):
        return [f"not asked: the deploy has no {provider.upper()}_BASE_URL"]
    try:
        _QUESTIONS[provider](settings)
        foreign = _foreign_batches(deps) if provider is Provider.ANTHROPIC and batches else 0
    except ProviderError as problem:
        return [f"{_SAID.get(problem.trouble, 'it refuses')} ({problem})"]
    other = "1 batch is" if foreign == 1 else f"{foreign} batches are"
    return [f"{other} in its workspace and not ours: give Ecolane one of its own"] if foreign else []


def _ask_openai(settings: Settings) -> None:
    """Look a model up. Raises ProviderError."""
    with _client(settings.openai_api_key, settings.openai_base_url) as client:
        client.models.retrieve(settings.openai_model)


def _ask_azure(settings: Settings) -> None:
    """Send a request that a deployment refuses and nobody bills: Azure lists models, and not deployments. Raises
    ProviderError."""
    body: dict[str, Any] = {"model": deployment_of(settings), "messages": []}
    try:
        with _client(settings.azure_api_key, settings.azure_base_url) as client:
            client.post("/chat/completions", body=body, cast_to=object)
    except ProviderError as problem:
        if problem.status != 400:
            raise


@contextmanager
def _client(key: str, url: str) -> Iterator[OpenAI]:
    """Open a client for one question. Raises ProviderError in place of its own errors."""
    with bounded_request(ASKED_SECONDS, about_a_thing=False), bounded_client(key, url) as client:
        yield client.with_options(max_retries=0)


def _ask_anthropic(settings: Settings) -> None:
    """Look a model up. Raises ProviderError."""
    url = f"{settings.anthropic_base_url.rstrip('/')}/v1/models/{settings.anthropic_model}"
    headers = {"x-api-key": settings.anthropic_api_key, "anthropic-version": API_VERSION}
    with bounded_request(ASKED_SECONDS, about_a_thing=False), provider_http() as http:
        response = http.get(url, headers=headers, timeout=ASKED_SECONDS)
        if not response.is_success:
            raise refusal(response.status_code, response.json())


_QUESTIONS: Mapping[Provider, Callable[[Settings], None]] = {
    Provider.OPENAI: _ask_openai,
    Provider.AZURE: _ask_azure,
    Provider.ANTHROPIC: _ask_anthropic,
}


def _foreign_batches(deps: OperatorDeps) -> int:
    """Count batches of the workspace that are not ours: one of the same size could be taken for ours after a lost
    reply. Raises ProviderError."""
    settings = deps.settings
    with provider_http() as http:
        provider = AnthropicProvider(http, settings.anthropic_base_url, settings.anthropic_api_key)
        there = {each.reported.provider_batch_id for each in provider.list_batches(deps.clock() - LISTED_FOR)}
    ours = {each.provider_batch_id for each in deps.store.batches_at_provider(sorted(there))}
    return len(there - ours)
