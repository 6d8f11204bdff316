"""What can be read of a document that is damaged."""

from pydantic import Field

from functions.core.shared.damage import DamagedDocument, mapping, salvaged, strings
from functions.core.shared.records import Record


class Figures(Record):
    """A record whose fields all have defaults."""

    count: int = 0
    by_day: dict[str, int] = Field(default_factory=dict)


def test_what_can_be_read_of_figures_is_kept() -> None:
    """A field that cannot counts as absent, and is named; the others are as they are stored."""
    assert salvaged(Figures, {"count": 3, "byDay": {"a": 1}}, "stats/x") == (Figures(count=3, by_day={"a": 1}), ())
    read, damaged = salvaged(Figures, {"count": 3, "byDay": {"a": "x"}}, "stats/x")
    assert (read, damaged) == (Figures(count=3), (DamagedDocument("stats/x", "byDay.a", "must be a whole number"),))


def test_a_damaged_document_is_one_line() -> None:
    """Where it is, which field, and what is wrong with it; nothing of what the field holds."""
    assert str(DamagedDocument("aiJobs/a", "uid", "missing")) == "aiJobs/a: uid: missing"
    assert str(DamagedDocument("aiJobs/a", "", "no map")) == "aiJobs/a: the document: no map"


def test_a_field_that_is_no_list_holds_no_texts() -> None:
    """Nor does a list of other things."""
    assert strings({"teams": ["a", 1, "b"]}, "teams") == ["a", "b"]
    assert [strings(stored, "teams") for stored in ({}, {"teams": None}, {"teams": "ab"})] == [[], [], []]


def test_a_field_that_is_no_map_holds_nothing() -> None:
    """Whatever stands there instead."""
    assert mapping({"runs": {"a": 1}}, "runs") == {"a": 1}
    assert [mapping(stored, "runs") for stored in ({}, {"runs": None}, {"runs": [1]})] == [{}, {}, {}]
