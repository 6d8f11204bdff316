"""The documented image formulas, by hand and against the stand-in's own table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.model.image_tokens import (
    ANTHROPIC_FORMULAS,
    FORMULAS,
    UnknownImageTokensError,
    formula_of,
    image_tokens,
    image_tokens_max,
)
from localcloud.anthropic import tokens as anthropic
from localcloud.openai import tokens as provider

SIZES = [(16, 16), (64, 64), (512, 384), (512, 512), (513, 512), (768, 1024), (1024, 1024), (1800, 2400), (2048, 4096)]
SIZES += [(2048, 2048), (4096, 512), (8000, 16), (100, 2048), (1248, 1248)]


@pytest.mark.parametrize(
    ("model", "width", "height", "expected"),
    [
        ("gpt-4o", 1024, 1024, 765),  # the documented examples: 85 + 4 * 170
        ("gpt-4o", 2048, 4096, 1105),  # 85 + 6 * 170
        ("gpt-4o-mini", 512, 512, 2_833 + 5_667),
        ("gpt-5", 512, 512, 70 + 140),
        ("o1", 1024, 1024, 75 + 4 * 150),
        ("gpt-4.1-mini", 1024, 1024, 1_659),  # 32 * 32 patches * 1.62, rounded up
        ("gpt-4.1-mini", 1800, 2400, 2_353),  # the documented 1,452 patches * 1.62
        ("gpt-4.1-nano", 512, 512, 630),  # 256 * 2.46
        ("o4-mini", 320, 320, 172),  # 100 * 1.72
        ("anthropic/claude-haiku-5-5", 512, 384, 266),  # 19 * 14
        ("anthropic/claude-haiku-5-5", 5_152, 2_576, 4_232),  # 92 * 46, at half its size
        ("anthropic/claude-haiku-5-5", 8_000, 8_000, 4_784),
    ],
)
def test_the_documented_arithmetic(model: str, width: int, height: int, expected: int) -> None:
    """Counted by hand, from the formulas in the guide."""
    assert image_tokens(formula_of(model), width, height) == expected


@pytest.mark.parametrize("model", FORMULAS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_model_and_size_as_the_provider_counts_them(model: str, size: tuple[int, int]) -> None:
    """Exactly what the stand-in, which has a table of its own, bills."""
    counting = provider.find_model(model)
    assert counting is not None
    assert image_tokens(formula_of(model), *size) == provider.image_tokens(counting, *size)


@pytest.mark.parametrize("model", ANTHROPIC_FORMULAS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_anthropics_models_count_as_anthropic_counts_them(model: str, size: tuple[int, int]) -> None:
    """Exactly what its stand-in bills, by a table of its own."""
    counting = anthropic.find_model(model)
    assert counting is not None
    assert image_tokens(formula_of(f"anthropic/{model}"), *size) == anthropic.image_tokens(counting, *size)


@given(
    model=st.sampled_from(sorted([*FORMULAS, *(f"anthropic/{model}" for model in ANTHROPIC_FORMULAS)])),
    side=st.integers(16, 2_048),
    shape=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
)
def test_no_photo_passes_the_bound_of_its_side(model: str, side: int, shape: tuple[float, float]) -> None:
    """Whatever its shape: what a batch holds back before it has seen its photos is enough."""
    width, height = (max(int(side * share), 1) for share in shape)
    assert image_tokens(formula_of(model), width, height) <= image_tokens_max(formula_of(model), side)


def test_a_dated_snapshot_counts_as_its_model() -> None:
    """The names of fixed versions end in a date, which each provider writes in its own way."""
    assert formula_of("gpt-4o-mini-2024-07-18") == formula_of("gpt-4o-mini")
    assert formula_of("anthropic/claude-haiku-5-5-20261007") == formula_of("anthropic/claude-haiku-5-5")


@pytest.mark.parametrize("model", ["", "gpt-99", "claude-haiku-5-5", "gpt-4o-2024", "anthropic/gpt-4o"])
def test_an_unknown_model_is_refused_with_a_way_out(model: str) -> None:
    """Never free, never guessed, and of no other provider: the error names the setting."""
    with pytest.raises(UnknownImageTokensError, match="ANTHROPIC_MODEL" if "/" in model else "OPENAI_MODEL"):
        formula_of(model)
