"""How many tokens a text or an image counts, and what a model can: data with its sources.

The product has a table of its own on purpose: an estimate that is checked against itself would prove nothing.

Sources
    Images: https://platform.claude.com/docs/en/build-with-claude/vision: one token for each 28 x 28 pixels begun, after
    the image was shrunk to the longest side and the most tokens of the model.
    Text: Anthropic publishes no tokenizer; 3.5 characters a token is its own rule of thumb for English.
    Structured outputs add a system prompt that the documents mention and do not measure: held at 100 tokens.
"""

import math
import re
from dataclasses import dataclass

CHARACTERS_PER_TOKEN = 3.5
TOKENS_PER_MESSAGE = 4
SCHEMA_PROMPT_TOKENS = 100
TOOL_PROMPT_TOKENS = 300
PATCH_PX = 28


@dataclass(frozen=True)
class Model:
    """What a model can write, and how large it sees an image: the longest side in pixels, and the most tokens."""

    output_max: int
    image_side_max: int
    image_tokens_max: int


MODELS = {"claude-haiku-5-5": Model(output_max=64_000, image_side_max=2_576, image_tokens_max=4_784)}

_SNAPSHOT = re.compile(r"-\d{8}$")


def find_model(name: str) -> Model | None:
    """Return a model by its name or that of a dated snapshot; None for an unknown one."""
    return MODELS.get(_SNAPSHOT.sub("", name))


def text_tokens(characters: int) -> int:
    """Return the tokens of a text of so many characters, by the rule of thumb."""
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def image_tokens(model: Model, width: int, height: int) -> int:
    """Return the tokens of an image of `width` x `height` pixels."""
    scale = min(1.0, model.image_side_max / max(width, height))
    across, down = math.ceil(width * scale / PATCH_PX), math.ceil(height * scale / PATCH_PX)
    return min(across * down, model.image_tokens_max)
