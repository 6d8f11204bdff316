"""Which dialect a model is spoken to in."""

from functions.core.model.dialects import anthropic, openai
from functions.core.model.dialects.dialect import dialect_of


def test_a_model_is_spoken_to_in_its_providers_dialect() -> None:
    """By the name that says whose it is."""
    assert dialect_of("gpt-6-luna") is openai
    assert dialect_of("azure/gpt-6-luna") is openai
    assert dialect_of("anthropic/claude-haiku-5-5") is anthropic
