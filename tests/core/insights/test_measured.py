"""What a change has come to, and how sure that is."""

from datetime import date, timedelta
from random import Random

import pytest

from functions.core.insights.day_notes import NotedDay
from functions.core.insights.measured import DAYS, Change, Measured, kept_shares, measured

MADE = date(2026, 11, 1)


def change(kind: str = "attempts", promised: float = 0.1, until: str = "") -> Change:
    """Return a change of the first of November."""
    return Change(audit_id="a", kind=kind, day=MADE.isoformat(), by="ana", promised=promised, until=until)


def days(before: float, after: float, known: int = DAYS, share: float = 0.5) -> dict[str, NotedDay]:
    """Return days with photos at these costs, a little off; afterwards `share` of them are instant."""
    found = {}
    for on in range(-DAYS, known + 1):
        instant = 50 if on < 0 else round(100 * share)
        cost = (before if on < 0 else after) * (1 + 0.01 * (on % 3 - 1))
        ended = {"instant": instant, "batch": 100 - instant}
        micros = {"instant": round(2 * cost * instant), "batch": round(cost * (100 - instant))}
        found[(MADE + timedelta(days=on)).isoformat()] = NotedDay(ended=ended, micros=micros)
    return found


def test_a_saving_is_told_from_a_week_on() -> None:
    """Nine per cent less: known to within a few, and a verdict; the day itself counts for neither side."""
    young = measured(change(), days(1_000, 910, known=6))
    assert (young.share, young.verdict, young.days) == (None, "measuring", 6)
    week = measured(change(), days(1_000, 910, known=7))
    assert week.share == pytest.approx(0.09, abs=0.01)
    assert week.low is not None
    assert week.high is not None
    assert 0 < week.low < 0.09 < week.high
    assert week.verdict == "saves"
    assert measured(change(), days(1_000, 1_200)).verdict == "costs"


def test_no_difference_is_measured_for_two_weeks_and_then_undecided() -> None:
    """Or until the field was changed again."""
    assert measured(change(), days(1_000, 1_000, known=9)).verdict == "measuring"
    assert measured(change(), days(1_000, 1_000)).verdict == "undecided"
    again = measured(change(until="2026-11-10"), days(1_000, 1_000))
    assert (again.days, again.verdict) == (8, "undecided")
    soon = measured(change(until="2026-11-04"), days(1_000, 900))
    assert (soon.days, soon.share, soon.verdict) == (2, None, "undecided")


def test_what_begins_in_stages_counts_from_the_last_of_them() -> None:
    """Half of the users on the way are neither what was nor what is."""
    staged = change("model").model_copy(update={"whole": "2026-11-05"})
    ramp = days(1_000, 910)
    for on in range(1, 5):
        ramp[(MADE + timedelta(days=on)).isoformat()] = days(1_000, 1_000)[(MADE + timedelta(days=on)).isoformat()]
    found = measured(staged, ramp)
    assert (found.days, found.verdict) == (10, "saves")
    assert found.share == pytest.approx(0.09, abs=0.01)


def test_the_mix_of_lanes_is_held_unless_it_is_what_was_to_change() -> None:
    """Instant photos cost twice as much: fewer of them are no cheaper, unless that was the point."""
    moved = days(1_000, 1_000, share=0.2)
    held = measured(change(), moved)
    assert held.share == pytest.approx(0, abs=0.01)
    assert measured(change("lane_share"), moved).share == pytest.approx(0.2, abs=0.01)
    assert measured(change("lane_share"), {}).share is None


def test_days_without_photos_are_no_days() -> None:
    """Nothing to compare with, and nothing that cost anything."""
    assert measured(change(), {}).verdict == "measuring"
    assert measured(change(), days(0, 0)).share is None


def test_what_came_about_corrects_the_next_promise() -> None:
    """The mean of those measured to their end, between nothing and half as much again; a promise of nothing tells
    nothing."""
    full = [
        Measured(change=change(promised=promised), days=DAYS, share=share)
        for promised, share in ((0.1, 0.08), (0.1, 0.04), (0.0, 0.5))
    ]
    part = Measured(change=change("model"), days=9, share=0.5)
    wild = Measured(change=change("cache"), days=DAYS, share=9.0)
    assert kept_shares([*full, part, wild]) == {"attempts": 0.6, "cache": 1.5}


def test_an_interval_holds_nothing_in_nine_of_ten_histories_without_a_change() -> None:
    """A thousand, each day's cost off by a twentieth."""
    dice = Random(7)  # noqa: S311  (repeatable)
    held = 0
    for _ in range(1_000):
        noted = {}
        for on in range(-DAYS, DAYS + 1):
            micros = {"instant": round(20_000 * dice.gauss(1, 0.05))}
            noted[(MADE + timedelta(days=on)).isoformat()] = NotedDay(ended={"instant": 100}, micros=micros)
        found = measured(change(), noted)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
    assert 860 <= held <= 940
