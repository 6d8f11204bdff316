"""What operators' commands print of the texts and figures of others."""

import json

import pytest

from scripts.operators.printing import escaped_json, spreadsheet_cell
from scripts.operators.spending import Photos, everybody_else


def test_json_is_escaped_and_means_the_same() -> None:
    """Letters of any script stay as they are."""
    data = {"zoë": "a\x9b\u202e\x7f\U000e0041b", "kinds": ["ä", "日本"]}
    text = escaped_json(json.dumps(data, ensure_ascii=False, indent=2))
    assert json.loads(text) == data
    assert "日本" in text
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "  =1"])
def test_a_cell_that_would_begin_a_formula_is_a_text(cell: str) -> None:
    """Numbers and other texts stay as they are."""
    assert str(spreadsheet_cell(cell)).startswith("'")
    assert (spreadsheet_cell(-1), spreadsheet_cell("a=1\x1b"), spreadsheet_cell("a\tb\u200dc")) == (
        -1,
        "a=1",
        "a b\u200dc",
    )


def test_what_is_left_beside_those_who_are_named_makes_the_sum() -> None:
    """Photos and money; a photo's mean of none is nothing."""
    rest = everybody_else(Photos(10, 900), [Photos(3, 500), Photos(2, 100)])
    assert (rest, rest.each, Photos().each) == (Photos(5, 300), 60, 0)
