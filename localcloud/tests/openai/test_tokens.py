"""Token formulas against the documentation's worked examples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.openai.tokens import (
    MODELS,
    PATCHES_MAX,
    PatchModel,
    TileModel,
    find_model,
    image_tokens,
    patches,
    text_tokens,
    tiles,
)

SIDE = st.integers(min_value=1, max_value=20_000)


@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "tokens"),
    [
        ("gpt-4o", 1024, 1024, "high", 765),  # documented: 85 + 4 * 170
        ("gpt-4o", 2048, 4096, "high", 1105),  # documented: 85 + 6 * 170
        ("gpt-4o", 4096, 8192, "low", 85),  # documented: the base alone
        ("gpt-4o", 512, 512, "auto", 255),
        ("gpt-4o-mini", 512, 512, "high", 2833 + 5667),
        ("gpt-4.1-2025-04-14", 1024, 1024, "high", 765),
        ("gpt-5", 1024, 1024, "high", 630),
        ("o3", 1024, 1024, "high", 675),
        ("gpt-4.1-mini", 1024, 1024, "high", 1659),  # documented: 1,024 patches, times 1.62
        ("gpt-4.1-mini", 1800, 2400, "high", math.ceil(1452 * 1.62)),  # documented: 1,452 patches
        ("o4-mini", 1024, 1024, "high", math.ceil(1024 * 1.72)),
        ("gpt-4.1-nano", 32, 32, "high", 3),
        ("gpt-6-luna", 512, 512, "low", math.ceil(256 * 2.46)),
    ],
)
def test_documented_examples(model: str, width: int, height: int, detail: str, tokens: int) -> None:
    """An image counts what the documentation says for the model asked for."""
    counting = find_model(model)
    assert counting is not None
    assert image_tokens(counting, width, height, detail) == tokens


def test_worked_example_of_patches() -> None:
    """1800 x 2400 pixels shrink to 33 x 44 patches, as the documentation works it out."""
    assert patches(1800, 2400) == 33 * 44


@given(SIDE, SIDE)
def test_patches_keep_the_cap(width: int, height: int) -> None:
    """No image counts more than 1,536 patches, none counts less than one, and none more than it would unshrunk."""
    unshrunk = math.ceil(width / 32) * math.ceil(height / 32)
    assert 1 <= patches(width, height) <= min(PATCHES_MAX, unshrunk)


@given(SIDE, SIDE)
def test_turning_an_image_costs_nothing(width: int, height: int) -> None:
    """An image counts the same upright and on its side."""
    assert patches(width, height) == patches(height, width)
    assert tiles(width, height) == tiles(height, width)


@given(SIDE, SIDE)
def test_tiles_keep_their_bound(width: int, height: int) -> None:
    """After fitting, at most four tiles along the longer side and two along the shorter are left."""
    assert 1 <= tiles(width, height) <= 8


def test_small_images_are_not_enlarged() -> None:
    """An image of one tile stays one tile, although its shorter side is under 768 pixels."""
    assert tiles(300, 500) == 1


def test_text_counts_four_characters_a_token() -> None:
    """Text counts a token for every four characters begun."""
    assert [text_tokens(length) for length in (0, 1, 4, 5, 400)] == [0, 1, 1, 2, 100]


def test_unknown_models_have_no_formula() -> None:
    """A model that nobody documented is unknown, not free."""
    assert find_model("gpt-99") is None
    assert find_model("gpt-6-luna-latest") is None


def test_every_model_counts_something() -> None:
    """Each entry of the table gives a positive count for a small photo."""
    assert all(image_tokens(model, 512, 384) > 0 for model in MODELS.values())
    assert {type(model) for model in MODELS.values()} == {TileModel, PatchModel}
