"""What is believed of an answer: it sends nobody anywhere, and says when it cannot be right."""

from typing import Any

import pytest

from functions.core.model.parsing import Unusable
from functions.core.model.trust import trusted
from tests.builders import answer, disposal_json

STICKER = "Claim your prize at win-a-phone.tk!"


def test_an_honest_answer_is_believed_as_it_is() -> None:
    """Nothing is changed where nothing is wrong."""
    assert trusted(answer()) == answer()


def test_what_a_sticker_says_is_left_out_and_the_rest_is_for_review() -> None:
    """Links, numbers and tags in any of the texts; what is said beside them stays."""
    disposal = disposal_json(
        steps=["Rinse it.", STICKER],
        warnings=["Call 0900 123 45 67"],
        tips=[STICKER, "Put the cap\u202e back on."],
        location="Behind the shop. See http://x.example",
        timeframe="+1 202 555 0123",
    )
    found = trusted(
        answer(
            explanation=f"A bottle. {STICKER} <b>Glass</b> is heavier.",
            subcategory="www.plastic.example",
            materials=["PET", "@eco_winner"],
            disposal=disposal,
            alternatives=[
                {"category": "Non-Waste", "subcategory": "Reusable", "confidence": 0.1, "reason": STICKER},
                {"category": "Non-Waste", "subcategory": "Donatable", "confidence": 0.1, "reason": "It is new."},
            ],
        )
    )
    assert found.needs_review
    assert (found.explanation, found.subcategory, found.materials) == (
        "A bottle. Glass is heavier.",
        "Dry Waste",
        ("PET",),
    )
    assert (found.disposal.steps, found.disposal.warnings) == (("Rinse it.",), ())
    assert found.disposal.tips == ("Put the cap back on.",)
    assert (found.disposal.location, found.disposal.timeframe) == ("Behind the shop.", None)
    assert [each.subcategory for each in found.alternatives] == ["Donatable"]
    assert trusted(answer(explanation=STICKER)).explanation == "Water bottle"


@pytest.mark.parametrize(
    "changes", [{"itemName": STICKER}, {"itemName": "\u202e\u2066"}, {"disposal": disposal_json(steps=[STICKER])}]
)
def test_an_answer_of_which_nothing_is_left_is_none(changes: dict[str, Any]) -> None:
    """Another attempt may bring one that is."""
    with pytest.raises(Unusable):
        trusted(answer(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {
            "category": "Medical Waste",
            "requiresSpecialDisposal": True,
            "disposal": disposal_json(primaryMethod="compost"),
        },
        {"category": "Medical Waste", "disposal": disposal_json(primaryMethod="medical")},
        {"category": "Hazardous Waste", "requiresSpecialDisposal": True, "isCompostable": True},
        {
            "category": "Hazardous Waste",
            "requiresSpecialDisposal": True,
            "disposal": disposal_json(primaryMethod="donate"),
        },
        {"hazardLevel": 5, "isCompostable": True},
        {"disposal": disposal_json(primaryMethod="compost")},
        {"isRecyclable": False},
        {"category": "Non-Waste", "hazardLevel": 4},
        {"disposal": disposal_json(primaryMethod="medical")},
        {"category": "Wet Waste", "disposal": disposal_json(primaryMethod="hazardous")},
    ],
)
def test_an_answer_that_contradicts_itself_is_for_review(changes: dict[str, Any]) -> None:
    """Two things of which one must be wrong, and could do harm."""
    assert trusted(answer(**changes)).needs_review


@pytest.mark.parametrize(
    "changes",
    [
        {"category": "Hazardous Waste", "requiresSpecialDisposal": True, "hazardLevel": 4},
        {
            "category": "Medical Waste",
            "requiresSpecialDisposal": True,
            "disposal": disposal_json(primaryMethod="hazardous"),
        },
        {"category": "Wet Waste", "isCompostable": True, "disposal": disposal_json(primaryMethod="compost")},
        {"category": "Non-Waste", "disposal": disposal_json(primaryMethod="donate")},
        {"isRecyclable": False, "disposal": disposal_json(primaryMethod="landfill")},
    ],
)
def test_an_answer_that_is_only_unusual_is_believed(changes: dict[str, Any]) -> None:
    """Batteries that are recycled, medicines for the collection of chemicals, a plant for the compost."""
    assert not trusted(answer(**changes)).needs_review
