"""Flags: their rules, their ends, and the deploy's ceilings."""

from datetime import UTC, datetime

import pytest

from functions.core.config.changes import known_fields
from functions.core.rollouts.flags import (
    ABOUT,
    PERCENTS,
    Cohort,
    Flag,
    FlagRules,
    Flags,
    any_is_on,
    ceilings,
    read_flags,
)


def test_a_cohort_stands_for_a_percentage() -> None:
    """`all` leaves five in a hundred behind until the holdback is given up; a percentage takes the cohort's place."""
    assert [FlagRules(cohort=cohort).share for cohort in PERCENTS] == [0, 0, 10, 25, 50, 95]
    assert FlagRules(cohort=Cohort.ALL, holdback_percent=0).share == 100
    assert FlagRules(cohort=Cohort.TEST, percent=3).share == 3


def test_a_flag_that_cannot_be_read_is_old_for_itself_alone() -> None:
    """A cohort that there is not costs that flag, a section that is no map all; a newer release's field costs none."""
    broken = read_flags({"model": {"cohort": "everybody"}, "prompt": {"cohort": "test"}})
    assert broken == {
        Flag.MODEL: None,
        Flag.PROMPT: FlagRules(cohort=Cohort.TEST),
        Flag.SIDE: FlagRules(),
    }
    assert read_flags({"model": {"percent": 101}})[Flag.MODEL] is None
    assert read_flags({"model": {"cohort": "test", "later": 1}})[Flag.MODEL] == FlagRules(cohort=Cohort.TEST)
    assert set(read_flags("off").values()) == {None}
    assert set(read_flags(None).values()) == {FlagRules()}


def test_every_flag_has_its_rules_and_its_end() -> None:
    """A flag without a field in the config could not be set; one past its day has to go, with the path that lost."""
    assert set(Flags.model_fields) == set(Flag) == set(ABOUT)
    overdue = [flag for flag in Flag if ABOUT[flag].until < datetime.now(UTC).date()]
    assert not overdue, f"{overdue} had to be gone by now: keep one path, and remove the flag"


def test_what_a_flag_brings_and_becomes_are_settings() -> None:
    """Whoever finishes it writes them."""
    fields = {*known_fields(), ""}
    assert {each for about in ABOUT.values() for each in (about.brings, about.becomes)} <= fields


def test_ceilings_are_read_from_one_line() -> None:
    """A flag that is not named may go all the way."""
    assert ceilings("") == dict.fromkeys(Flag, 100)
    assert ceilings(" model = 50, prompt=0 ") == {Flag.MODEL: 50, Flag.PROMPT: 0, Flag.SIDE: 100}


@pytest.mark.parametrize("text", ["modle=50", "model", "model=101", "model=-1", "model=ten", "model=\u0665"])
def test_a_ceiling_that_is_none_is_told(text: str) -> None:
    """A slip must not open a flag."""
    with pytest.raises(ValueError, match="is no ceiling"):
        ceilings(text)


@pytest.mark.parametrize(
    ("section", "on"),
    [
        (None, False),
        ({"model": {"cohort": "off", "percent": 50, "allow": ["ana"]}}, False),
        ({"model": {"cohort": "listed"}}, True),
        ({"model": "broken", "prompt": {"cohort": "test"}}, True),
        ({"model": "broken"}, False),
    ],
)
def test_a_flag_is_on_where_somebody_may_get_its_new_path(section: object, *, on: bool) -> None:
    """`off` is nobody, whatever else its rules say, and so are rules that cannot be read."""
    assert any_is_on(read_flags(section)) is on
