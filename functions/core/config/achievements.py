"""What users can achieve: a part of `config/runtime`."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from functions.core.shared.records import Form, Record


class Counter(StrEnum):
    """What a wallet counts: photos, days in a row with a bonus, lifetime points, own classifications."""

    SCANS = "scans"
    STREAK_DAYS = "streakDays"
    POINTS = "points"
    CORRECTIONS = "corrections"


class Achievement(Record):
    """One that a user has when the counter is `at_least` so much, once; `tokens` come with it."""

    name: Annotated[str, Form(r"[a-z0-9_]{1,32}", "must be 1 to 32 small letters, digits and _")]
    counter: Counter
    at_least: Annotated[int, Field(ge=1, le=1_000_000_000)]
    tokens: Annotated[int, Field(ge=0, le=1_000)] = 0


_STEPS = {
    Counter.SCANS: ((10, 1), (100, 5), (1_000, 20)),
    Counter.STREAK_DAYS: ((7, 1), (30, 5), (100, 20)),
    Counter.POINTS: ((1_000, 0), (10_000, 0)),
    Counter.CORRECTIONS: ((10, 1), (100, 5)),
}


class AchievementRules(Record):
    """Whether there are achievements, and which. One that was unlocked stays, also if its rule goes or changes."""

    open: bool = False
    rules: Annotated[tuple[Achievement, ...], Field(max_length=30)] = tuple(
        Achievement(name=f"{counter.name.lower()}_{at_least}", counter=counter, at_least=at_least, tokens=tokens)
        for counter, steps in _STEPS.items()
        for at_least, tokens in steps
    )

    @model_validator(mode="after")
    def _each_once(self) -> "AchievementRules":
        if len({each.name for each in self.rules}) < len(self.rules):
            raise ValueError("two achievements have one name: only one of them could be unlocked")
        return self
