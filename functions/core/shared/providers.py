"""Who answers photos, and by which name a model goes in holds, counters, prices and breakers.

A model of OpenAI's goes by its own name; any other's by `provider/model`, as anthropic/claude-haiku-5-5. So what was
written before there was a second provider stays true, and one model at two providers is two names.
"""

from collections.abc import Mapping
from enum import StrEnum


class Provider(StrEnum):
    """A company that answers photos and sends the bill, by its name in the price library: a dialect in
    `core.model.dialects`, a transport in `adapters.providers`. Azure has OpenAI's models and dialect, and a price list
    of its own."""

    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"


LABELS: Mapping[Provider, str] = {
    Provider.OPENAI: "OpenAI",
    Provider.AZURE: "Azure",
    Provider.ANTHROPIC: "Anthropic",
}
"""What each is called in texts."""


def named(provider: Provider, model: str) -> str:
    """Return the name by which a provider's model goes."""
    return model if provider is Provider.OPENAI else f"{provider}/{model}"


def split(name: str) -> tuple[Provider, str]:
    """Return whose model this is, and what that provider calls it."""
    prefix, slash, model = name.partition("/")
    return (Provider(prefix), model) if slash and prefix in set(Provider) else (Provider.OPENAI, name)
