"""What is held back for a call: never less than it costs, and not much more."""

from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from functions.core.budget.estimates import input_tokens, input_tokens_max, jpeg_size, most_micros, raised
from functions.core.model.dialects import anthropic
from functions.core.model.dialects.openai import completion_request
from functions.core.model.image_tokens import FORMULAS
from functions.core.model.prompts import OUTPUT_TOKENS_MAX, image_data_url
from functions.core.model.usage import ModelPrice, Usage, cost_micros
from localcloud.anthropic import AnthropicStandIn
from localcloud.openai import chat_request
from localcloud.openai.chat import prompt_tokens
from localcloud.openai.images import Gallery
from tests.builders import BATCH_PRICE, PRICE

SIZES = [(64, 64), (384, 512), (512, 512), (512, 288), (768, 1024), (1024, 1024), (2048, 1536), (2048, 2048)]


def billed(model: str, region: str, language: str, size: tuple[int, int]) -> int:
    """Return the input tokens that the stand-in bills for our request about a photo of this size."""
    out = BytesIO()
    Image.new("RGB", size).save(out, "JPEG")
    url = image_data_url(out.getvalue())
    request = chat_request.read(completion_request(model, url, region, language))
    return prompt_tokens(request, [Gallery().open(url)])


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("model", FORMULAS)
def test_the_input_is_never_below_what_is_billed_and_within_15_percent(model: str, size: tuple[int, int]) -> None:
    """For every model and size of the table: what the estimate says, against what the provider counts."""
    actual = billed(model, "Bengaluru", "en-IN", size)
    assert actual <= input_tokens(model, "Bengaluru", "en-IN", size) <= actual * 1.15


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_what_anthropic_bills_is_held_too(size: tuple[int, int]) -> None:
    """Never below what its stand-in counts. How much above is a guess, since its tokenizer is not public."""
    out = BytesIO()
    Image.new("RGB", size).save(out, "JPEG")
    body = anthropic.completion_request("claude-haiku-5-5", image_data_url(out.getvalue()), "Bengaluru", "en-IN")
    usage = AnthropicStandIn().engine.message(body)["usage"]
    assert usage["input_tokens"] <= input_tokens("anthropic/claude-haiku-5-5", "Bengaluru", "en-IN", size)


@pytest.mark.parametrize("model", [*FORMULAS, "anthropic/claude-haiku-5-5"])
def test_a_batch_holds_enough_for_any_photo_and_any_words(model: str) -> None:
    """Before its photos are seen: the largest side, the longest region, in any script."""
    for region, language in (("US", "en"), ("बेंगलुरु " * 7, "hi-IN")):
        for size in [(512, 512), (512, 17), (300, 512)]:
            assert input_tokens(model, region, language, size) <= input_tokens_max(model, 512)


counts = st.integers(0, 5_000)


@given(cached=counts, written=counts, plain=counts, output=st.integers(0, OUTPUT_TOKENS_MAX))
def test_no_answer_within_the_bounds_costs_more_than_is_held(
    cached: int, written: int, plain: int, output: int
) -> None:
    """However its tokens are split: cached, written to the cache, plain, and any output up to the cut."""
    total = cached + written + plain
    usage = Usage(input_tokens=total, cached_tokens=cached, cache_write_tokens=written, output_tokens=output)
    cached_dearest = replace(BATCH_PRICE, cached=Decimal("0.3"))
    for price in (PRICE, BATCH_PRICE, cached_dearest):
        assert cost_micros(usage, price) <= most_micros(total, price)


def test_the_arithmetic_of_the_default_model() -> None:
    """By hand: 1,457 tokens in at 0.125, 900 out at 0.5, and one micro-dollar for rounding; half of it in a batch."""
    price = ModelPrice(Decimal("0.1"), Decimal("0.01"), Decimal("0.125"), Decimal("0.5"))
    assert most_micros(1_457, price) == 632 + 1
    half = ModelPrice(Decimal("0.05"), Decimal("0.005"), Decimal("0.0625"), Decimal("0.25"))
    assert most_micros(1_457, half) == 316 + 1


def test_what_is_held_above_an_estimate_is_rounded_up() -> None:
    """A part of a micro-dollar is held as a whole one."""
    assert [raised(633, percent) for percent in (100, 101, 250)] == [633, 640, 1_583]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": b"x" * 500}, {"dpi": (300, 300)}], ids=str)
def test_the_size_of_a_jpeg_is_read_from_its_header(options: dict[str, Any]) -> None:
    """Baseline and progressive, with other segments before the frame."""
    out = BytesIO()
    Image.new("RGB", (123, 45)).save(out, "JPEG", **options)
    assert jpeg_size(out.getvalue()) == (123, 45)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n" + b"\0" * 20, b"\xff\xd8\xff\xe0\x00\x04ab", b"\xff\xd8" + b"\0" * 20],
)
def test_what_has_no_frame_has_no_size(data: bytes) -> None:
    """Then the largest photo is assumed."""
    assert jpeg_size(data) is None
