"""Asking a provider from an operator's shell, with the key that is there: not through what the functions ask by, whose
failures are noted as an outage of the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from functions.adapters.bounded_http import provider_http
from functions.adapters.providers.anthropic import AnthropicProvider
from functions.adapters.providers.azure import AzureProvider
from functions.adapters.providers.openai import OpenAIProvider, bounded_client
from functions.core.model.parsing import Completion
from functions.core.shared.providers import Provider
from functions.deploy.params import Settings


class Transport(Protocol):
    """What asks one provider about a photo at once."""

    def complete(self, body: dict[str, Any], timeout_seconds: float) -> Completion: ...


def key_of(provider: Provider, settings: Settings) -> str:
    """Return the key that this shell has for a provider; empty for none."""
    keys = {Provider.ANTHROPIC: settings.anthropic_api_key, Provider.AZURE: settings.azure_api_key}
    return keys.get(provider, settings.openai_api_key)


def key_name(provider: Provider) -> str:
    """Return the name of a provider's key in the environment."""
    return f"{provider.upper()}_API_KEY"


def deployment_of(settings: Settings) -> str:
    """Return by which name Azure is asked."""
    return settings.azure_deployment or settings.azure_model


@contextmanager
def asking(provider: Provider, settings: Settings) -> Iterator[Transport]:
    """Open what asks a provider."""
    key = key_of(provider, settings)
    match provider:
        case Provider.OPENAI:
            with bounded_client(key, settings.openai_base_url) as client:
                yield OpenAIProvider(client)
        case Provider.AZURE:
            with bounded_client(key, settings.azure_base_url) as client:
                yield AzureProvider(client, deployment_of(settings))
        case Provider.ANTHROPIC:
            with provider_http() as http:
                yield AnthropicProvider(http, settings.anthropic_base_url, key)
