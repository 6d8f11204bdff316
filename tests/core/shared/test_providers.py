"""The names by which models go."""

import pytest

from functions.core.shared.providers import Provider, named, split


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        (Provider.OPENAI, "gpt-6-luna", "gpt-6-luna"),
        (Provider.ANTHROPIC, "claude-haiku-5-5", "anthropic/claude-haiku-5-5"),
        (Provider.AZURE, "gpt-6-luna", "azure/gpt-6-luna"),
    ],
)
def test_a_name_tells_the_provider(provider: Provider, model: str, name: str) -> None:
    """OpenAI's models keep the names that documents have from before there was a second provider."""
    assert named(provider, model) == name
    assert split(name) == (provider, model)


def test_a_slash_alone_names_no_provider() -> None:
    """A server that speaks OpenAI's API may have slashes in its models' names."""
    assert split("mistralai/ministral-3b") == (Provider.OPENAI, "mistralai/ministral-3b")
