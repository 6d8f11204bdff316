"""The whole engine on planted days: what is promised, what comes about once it is applied, and how soon that is known.

The days are made photo by photo, from tokens and prices written down here once more, apart from the code that promises.
"""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from statistics import fmean

import pytest

from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.day_notes import NotedDay
from functions.core.insights.measured import DAYS, Change, Measured, measured
from functions.core.insights.saving_kinds import Costs, Kind, Saving
from functions.core.insights.savings import savings
from functions.core.shared.lanes import Lane
from tests.core.insights.test_savings import LUNA, models

MADE = date(2026, 11, 1)
PHOTOS = 300
NANO = "gpt-5-nano"
PRICES = {LUNA: (0.10, 0.50), NANO: (0.05, 0.40)}
"""Micro-dollars a token of input and of output, instant; a batch costs half."""

TEXT, ANSWER, SPREAD = 710, 230, 40
IMAGE = {512: 2.46 * 192, 384: 2.46 * 108}
"""Tokens of what is the same in each request, of an answer and how far these differ, and of a photo by its side."""


def planted(dice: Random, model: str = LUNA, side: int = 512, answer: int = ANSWER, instant: float = 0.5) -> NotedDay:
    """Return a day of three hundred photos that are asked about so."""
    into, out = PRICES[model]
    lanes = {Lane.INSTANT: round(instant * PHOTOS), Lane.BATCH: PHOTOS - round(instant * PHOTOS)}
    answers = {lane: [dice.gauss(answer, SPREAD) for _ in range(n)] for lane, n in lanes.items()}
    micros = {
        lane: round(sum((TEXT + IMAGE[side]) * into + each * out for each in of) / (1 if lane == "instant" else 2))
        for lane, of in answers.items()
    }
    tokens = {"input": round(PHOTOS * (TEXT + IMAGE[side])), "output": round(sum(map(sum, answers.values())))}
    ended = {str(lane): n for lane, n in lanes.items()}
    return NotedDay(
        ended=ended, micros={str(lane): n for lane, n in micros.items()}, done=PHOTOS, answered=PHOTOS, tokens=tokens
    )


def promised(before: list[NotedDay], kind: Kind) -> Saving:
    """Return what is promised of a change, after these days."""
    each = {lane: fmean(day.micros[lane] / day.ended[lane] for day in before) for lane in Lane}
    photos = {lane: 30.0 * fmean(day.ended[lane] for day in before) for lane in Lane}
    costs = Costs(round(sum(photos[lane] * each[lane] for lane in Lane)), photos, each)
    found = savings(costs, before, RuntimeConfig(), models(LUNA, NANO))
    assert found is not None
    assert found.together <= 1
    return next(one for one in found.list if one.kind == kind)


def came(before: list[NotedDay], after: list[NotedDay], kind: str) -> Measured:
    """Return what a change has come to."""
    days = [*before[-DAYS:], before[-1], *after]
    noted = {(MADE + timedelta(days=on - DAYS)).isoformat(): day for on, day in enumerate(days)}
    change = Change(audit_id="a", kind=kind, day=MADE.isoformat(), by="ana", promised=0.1)
    return measured(change, noted)


CHANGES: dict[Kind, Callable[[Random], NotedDay]] = {
    Kind.IMAGE_SIDE: lambda dice: planted(dice, side=384),
    Kind.ANSWER_LENGTH: lambda dice: planted(dice, answer=round(0.7 * ANSWER)),
    Kind.MODEL: lambda dice: planted(dice, model=NANO),
    Kind.LANE_SHARE: lambda dice: planted(dice, instant=0.45),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_is_promised_is_within_a_twentieth_of_what_comes_about(kind: Kind) -> None:
    """Image, answer, model and lanes, over twenty histories of four weeks and the two after."""
    promises, outcomes = [], []
    for seed in range(20):
        dice = Random(seed)  # noqa: S311  (repeatable)
        before = [planted(dice) for _ in range(28)]
        promises.append(promised(before, kind).share)
        share = came(before, [CHANGES[kind](dice) for _ in range(DAYS)], kind).share
        assert share is not None
        outcomes.append(share)
    assert fmean(promises) == pytest.approx(fmean(outcomes), rel=0.05)


def test_nine_per_cent_less_is_found_within_a_week() -> None:
    """At three hundred photos a day, in four histories of five at least; and it is what was planted."""
    found = 0
    for seed in range(100):
        dice = Random(seed)  # noqa: S311  (as above)
        before, after = [planted(dice) for _ in range(DAYS)], [planted(dice, side=384) for _ in range(7)]
        outcome = came(before, after, Kind.IMAGE_SIDE)
        found += outcome.verdict == "saves" and outcome.low is not None and outcome.low <= 0.0886 <= (outcome.high or 0)
    assert found >= 80
