"""What models really write into the fields of an answer, and what it plainly means."""

import pytest

from functions.core.model.classification import Answer, Category, DisposalMethod
from functions.core.model.parsing import Completion, Unusable, parse_answer
from tests.builders import USAGE, answer_json, answer_text, disposal_json

A = answer_text()


def parse(text: str) -> Answer:
    """Parse an answer that is this text."""
    return parse_answer(Completion(text, None, USAGE))


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("confidence", "95%", 0.95),
        ("confidence", "0,85", 0.85),
        ("confidence", "0.85", 0.85),
        ("confidence", "85 %", 0.85),
        ("confidence", 1, 1.0),
        ("confidence", "87,5 %", 0.875),
        ("category", "dry_waste", Category.DRY),
        ("category", "DRY-WASTE", Category.DRY),
        ("category", " wet waste ", Category.WET),
        ("category", "NON-WASTE", Category.NON_WASTE),
        ("category", "Non Waste", Category.NON_WASTE),
        ("hazardLevel", "3", 3),
        ("hazardLevel", 3.0, 3),
        ("recyclingCode", "PET 1", 1),
        ("recyclingCode", "#5", 5),
        ("recyclingCode", "7", 7),
        ("recyclingCode", "", None),
        ("recyclingCode", "null", None),
        ("recyclingCode", " n/a ", None),
        ("recyclingCode", "-", None),
        ("materials", ["PET", None], ("PET",)),
        ("materials", ["", "PET", "  "], ("PET",)),
        ("materials", "none", ()),
        ("materials", "", ()),
        ("materials", None, ()),
        ("materials", ["None"], ()),
        ("materials", "PET,, HDPE , paper,", ("PET", "HDPE", "paper")),
        ("itemName", "  Bottle\n", "Bottle"),
        ("explanation", ["It is a bottle.", "It is clean."], "It is a bottle. It is clean."),
        ("needsReview", "yes", True),
        ("isRecyclable", "No", False),
        ("isCompostable", "TRUE", True),
        ("requiresSpecialDisposal", " false ", False),
        ("isRecyclable", "ja", True),
        ("isRecyclable", "Sí.", True),
        ("isCompostable", "нет", False),
        ("isCompostable", "いいえ", False),
        ("alternatives", None, ()),
        ("alternatives", "none", ()),
        ("alternatives", [None, {}], ()),
    ],
)
def test_a_field_is_what_it_plainly_means(field: str, written: object, meant: object) -> None:
    """Shares, names of a closed set, nothing in all its spellings, and yes and no in the user's language."""
    assert parse(answer_text(**{field: written})).model_dump(by_alias=True)[field] == meant


@pytest.mark.parametrize("field", ["warnings", "tips"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ([""], ()),
        ([None], ()),
        (["  \n", "Hot"], ("Hot",)),
        ([" Hot ", None, "Sharp"], ("Hot", "Sharp")),
        ("", ()),
        (None, ()),
        ("None", ()),
        ("hot, sharp", ("hot", "sharp")),
        ("Hot when used, so wait.", ("Hot when used, so wait.",)),
        ("- Hot, so wait\n- Sharp", ("Hot, so wait", "Sharp")),
        ("1. Hot. 2. Sharp.", ("Hot.", "Sharp.")),
    ],
)
def test_lists_of_a_disposal_are_read_without_what_is_empty(field: str, written: object, meant: object) -> None:
    """An empty warning is no warning, and no reason to drop a paid answer; sentences are not torn at their commas."""
    parsed = parse(answer_text(disposal=disposal_json(**{field: written})))
    assert parsed.disposal.model_dump()[field] == meant


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("steps", ["Rinse it.", "", None, "  "], ("Rinse it.",)),
        ("steps", ["\n", " Rinse it. "], ("Rinse it.",)),
        ("steps", "Empty it.", ("Empty it.",)),
        ("steps", "Empty it.\nRinse it.\n\nBin it.", ("Empty it.", "Rinse it.", "Bin it.")),
        ("steps", "1. Empty it. 2. Rinse it. 3) Bin it.", ("Empty it.", "Rinse it.", "Bin it.")),
        ("steps", "- Empty it.\n* Rinse it.\n• Bin it.", ("Empty it.", "Rinse it.", "Bin it.")),
        ("timeframe", "", None),
        ("location", "", None),
        ("timeframe", "  ", None),
        ("timeframe", "N/A", None),
        ("location", "none", None),
        ("location", [], None),
        ("location", ["Kerb", "on Mondays"], "Kerb on Mondays"),
        ("primary_method", "Recycle", DisposalMethod.RECYCLE),
        ("urgent", "Non", False),
    ],
)
def test_the_other_fields_of_a_disposal_too(field: str, written: object, meant: object) -> None:
    """Steps as text with lines, numbers or bullets are steps; a blank step, place or time is none."""
    parsed = parse(answer_text(disposal=disposal_json() | {field: written}))
    assert parsed.disposal.model_dump()[field] == meant


@pytest.mark.parametrize("steps", [[""], [None], "", "none", [[], {}]])
def test_steps_that_are_all_empty_are_none(steps: object) -> None:
    """A result without anything to do is no result."""
    with pytest.raises(Unusable, match=r"disposal\.steps"):
        parse(answer_text(disposal=disposal_json(steps=steps)))


def test_of_many_alternatives_the_first_three_count() -> None:
    """More than the app shows is no reason to drop a paid answer."""
    one = {"category": "wet waste", "sub_category": "Food Waste", "confidence": "10%", "reason": ["It", "is wet."]}
    alternatives = parse(answer_text(alternatives=[one, None, *[{**one, "confidence": n / 10} for n in range(5)]]))
    assert [(a.confidence, a.reason) for a in alternatives.alternatives] == [
        (0.1, "It is wet."),
        (0.0, "It is wet."),
        (0.1, "It is wet."),
    ]


def test_a_share_without_quotes_is_read() -> None:
    """`"confidence": 95%` is no JSON, and means one thing."""
    text = A.replace(f'"confidence": {answer_json()["confidence"]}', '"confidence": 95%')
    assert parse(text).confidence == 0.95
