"""The most that one call can cost, known before it is made: what the budget holds back for it.

input    the image by the model's formula, and every text of the request, counted high
output   `max_completion_tokens`, the only bound that the provider itself enforces

The input is within 15 % of the bill. The output is a bound and no forecast: a normal answer takes a quarter of it, and
settling the call frees the rest.
"""

import json
import math
import struct
from functools import lru_cache
from typing import Any

from functions.core.model.dialects.openai import completion_request
from functions.core.model.image_tokens import formula_of, image_tokens, image_tokens_max
from functions.core.model.prompts import OUTPUT_TOKENS_MAX, PROMPTS
from functions.core.model.usage import ModelPrice, Usage, cost_micros
from functions.core.shared.locales import LANGUAGE_CHARACTERS_MAX, REGION_CHARACTERS_MAX
from functions.core.shared.providers import Provider, split

CHARACTERS_PER_TOKEN = 3.5
"""OpenAI counts "about four characters of English" (https://help.openai.com/en/articles/4936856): 14 % above that."""

ANTHROPIC_TEXT_TIMES = 1.5
ANTHROPIC_SCHEMA_PROMPT_TOKENS = 200
"""Anthropic publishes no tokenizer: claude-haiku-5-5 makes about 30 % more of a text than its predecessor, and is told
of a schema by a hidden prompt of 50 to 200 tokens. Both held high; `hold_percent` learns what is still too low."""

TOKENS_PER_MESSAGE = 3
TOKENS_OF_REPLY_PRIMING = 3
"""OpenAI cookbook, "How to count tokens with tiktoken"."""


def input_tokens(model: str, region: str, language: str, size: tuple[int, int]) -> int:
    """Return the most tokens of a request with a photo of this size in pixels. Raises UnknownImageTokensError for a
    model without a formula."""
    return image_tokens(formula_of(model), *size) + _text_tokens(model, region, language)


def input_tokens_max(model: str, side: int) -> int:
    """Return the most that the request for any photo counts whose sides are at most `side` pixels."""
    region = "\U0001f5fa" * REGION_CHARACTERS_MAX  # at four bytes each, in the widest script
    return image_tokens_max(formula_of(model), side) + _text_tokens(model, region, "x" * LANGUAGE_CHARACTERS_MAX)


def most_micros(input_tokens: int, price: ModelPrice) -> int:
    """Return the most that a call with this input can cost, in micro-dollars."""
    # Written to the provider's cache, input can cost more than plain; in a batch, read from it as well.
    rate = price.of_input(input_tokens)
    dearest = max(rate.input, rate.cached, rate.cache_write)
    bound = Usage(input_tokens=input_tokens, output_tokens=OUTPUT_TOKENS_MAX)
    safe = ModelPrice(input=dearest, cached=dearest, cache_write=dearest, output=rate.output)
    return cost_micros(bound, safe) + 1  # that was rounded half up, and may have been rounded down


def raised(micros: int, percent: int) -> int:
    """Return so many percent of an amount, rounded up."""
    return -(-micros * percent // 100)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG, from its frame header; None if it has none."""
    position = 2
    while data.startswith(b"\xff\xd8") and position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int(struct.unpack(">H", data[position + 2 : position + 4])[0])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return int(width), int(height)
        position += 2 + length
    return None


@lru_cache(maxsize=256)
def _text_tokens(model: str, region: str, language: str) -> int:
    """Return the most that the texts count, whichever wording of the prompt is sent."""
    most = max(_text_tokens_of(completion_request(model, "", region, language, prompt=each)) for each in PROMPTS)
    if split(model)[0] is Provider.ANTHROPIC:
        return math.ceil(ANTHROPIC_TEXT_TIMES * most) + ANTHROPIC_SCHEMA_PROMPT_TOKENS
    return most


def _text_tokens_of(body: dict[str, Any]) -> int:
    system, user = body["messages"]
    schema = body["response_format"]["json_schema"]["schema"]
    texts = (system["content"], user["content"][0]["text"], json.dumps(schema, separators=(",", ":")))
    overhead = TOKENS_PER_MESSAGE * len(body["messages"]) + TOKENS_OF_REPLY_PRIMING
    return overhead + sum(math.ceil(_weight(text)) for text in texts)


def _weight(text: str) -> float:
    # A tokenizer on bytes never makes more tokens than there are bytes, whatever the script.
    plain = sum(character.isascii() for character in text)
    return plain / CHARACTERS_PER_TOKEN + len(text.encode()) - plain
