"""Flags: what goes live for a share of users first, and for how many.

A flag is code, with an owner and an end. Where it stands is config (`config/runtime`, `flags.{name}`), how far it may
go is the deploy's (`FLAGS`), and whether it was stopped is in `stats/rollouts`. `core.rollouts.arms` weighs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field, ValidationError

from functions.core.shared.records import Record, Uid


class Flag(StrEnum):
    """What there is to be switched."""

    MODEL = "model"
    PROMPT = "prompt"
    SIDE = "side"


@dataclass(frozen=True)
class About:
    """What a flag's new path does, who looks after it, and the day by which it has to be gone from the code. `brings`
    is the field of the config that names what the new path takes, "" if the code does; `becomes` the one that has it
    once everybody is on the new path, after which the flag is free for the next, "" if that takes a deploy."""

    does: str
    owner: str
    until: date
    brings: str = ""
    becomes: str = ""


ABOUT: Mapping[Flag, About] = {
    Flag.MODEL: About("Asks model.next instead of OPENAI_MODEL.", "classification", date(2027, 5, 31), "model.next"),
    Flag.PROMPT: About("Asks with the next wording of the prompt.", "classification", date(2027, 5, 31)),
    Flag.SIDE: About(
        "Sends photos of images.nextSideMax instead of images.sideMax.",
        "classification",
        date(2027, 5, 31),
        "images.nextSideMax",
        "images.sideMax",
    ),
}


class Cohort(StrEnum):
    """For whom a flag is on."""

    OFF = "off"
    LISTED = "listed"
    TEST = "test"
    SMALL = "small"
    LARGE = "large"
    ALL = "all"


PERCENTS: Mapping[str, int] = {
    Cohort.OFF: 0,
    Cohort.LISTED: 0,
    Cohort.TEST: 10,
    Cohort.SMALL: 25,
    Cohort.LARGE: 50,
    Cohort.ALL: 100,
}
"""Of users, in each cohort. `all` leaves the holdback out."""

UIDS_MAX = 50
Uids = Annotated[tuple[Uid, ...], Field(max_length=UIDS_MAX)]


class Metric(StrEnum):
    """What a test compares: which share of calls failed, or took longer than the old path's slowest 5 %."""

    FAILED = "failed"
    SLOW = "slow"


class FlagRules(Record):
    """Where a flag stands. `percent` takes the place of the cohort's. `allow` get the new path in every cohort but
    `off`, `deny` never. A new `salt` deals the users anew. At `all`, `holdback_percent` stay behind to be compared
    with.

    The rest is the guard's: the share of failures that the new path must not pass, by how many percent it may be
    dearer, what a stage takes before the next one begins by itself, if it may, and the test that is on.
    """

    cohort: Cohort = Cohort.OFF
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    allow: Uids = ()
    deny: Uids = ()
    salt: Annotated[str, Field(max_length=32)] = ""
    holdback_percent: Annotated[int, Field(ge=0, le=50)] = 5
    error_percent_max: Annotated[int, Field(ge=1, le=50)] = 5
    dearer_percent_max: Annotated[int, Field(ge=1, le=1_000)] = 50
    auto_advance: bool = False
    hours_per_stage: Annotated[int, Field(ge=1, le=24 * 31)] = 24
    calls_per_stage_min: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    test_metric: Metric | None = None
    test_calls: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000

    @property
    def share(self) -> int:
        """Return the percentage of users who get the new path."""
        if self.percent is not None:
            return self.percent if self.cohort is not Cohort.OFF else 0
        return 100 - self.holdback_percent if self.cohort is Cohort.ALL else PERCENTS[self.cohort]


NEXT_COHORT: Mapping[str, Cohort] = {
    Cohort.OFF: Cohort.TEST,
    Cohort.LISTED: Cohort.TEST,
    Cohort.TEST: Cohort.SMALL,
    Cohort.SMALL: Cohort.LARGE,
    Cohort.LARGE: Cohort.ALL,
}
"""What comes after each stage."""


class Flags(Record):
    """Every flag's rules."""

    model: FlagRules = FlagRules()
    prompt: FlagRules = FlagRules()
    side: FlagRules = FlagRules()


Rules = Mapping[Flag, FlagRules | None]
"""Flags and their rules; None for rules that cannot be read."""


def read_flags(section: object) -> Rules:
    """Return the rules of each flag in the stored section, None meaning that there is no section. Each stands alone:
    one that does not validate costs itself, and not its last good value in one process and the default in another."""
    stored = section if isinstance(section, Mapping) else {}
    broken = section is not None and not isinstance(section, Mapping)
    return {flag: None if broken else _read(stored.get(flag, {})) for flag in Flag}


def any_is_on(rules: Rules) -> bool:
    """Tell whether some user may get the new path of a flag: only then it matters whether it was stopped."""
    return any(each is not None and each.cohort is not Cohort.OFF for each in rules.values())


def _read(stored: object) -> FlagRules | None:
    try:
        return FlagRules.model_validate(stored)
    except ValidationError:
        return None


def ceilings(text: str) -> dict[Flag, int]:
    """Read the deploy's ceilings, as `model=50,prompt=0`: percent, 100 for a flag that is not named. Raises ValueError,
    which says what is wrong."""
    found = dict.fromkeys(Flag, 100)
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, percent = (piece.strip() for piece in part.partition("="))
        if name not in set(Flag) or not percent.isascii() or not percent.isdigit() or int(percent) > 100:
            known = ", ".join(Flag)
            raise ValueError(f"{part!r} is no ceiling; write name=0 to 100 with commas between, of these: {known}")
        found[Flag(name)] = int(percent)
    return found
