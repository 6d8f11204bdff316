"""What operators are shown of the cache."""

from datetime import UTC, datetime

import pytest

from functions.core.cache.certification import Labels, NearTier, interval
from functions.core.cache.checks import Chosen
from functions.core.cache.report import DAYS_KEPT, CacheDay, Disputed, report, with_day
from functions.core.cache.state import CacheState, Family

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
STATE = CacheState(
    families={
        "f": Family(
            near=NearTier(labels={"31": Labels(checked=400, wrong=1)}, serves=31, checks=200, wrong=2),
            near_chosen=Chosen(total=9, day="2026-11-29", of_day=4),
            exact_chosen=Chosen(total=7, day="2026-11-28", of_day=5),
            exact_checked=100,
            exact_wrong=0,
            seen_at=NOW,
        )
    }
)


def day(**more: object) -> CacheDay:
    """Return a day of ten instant photos, four of them hits, and ten in batches, one of them a would-hit."""
    counted = {
        "photos": {"instant": 10, "batch": 10},
        "micros": {"instant": 600, "batch": 500},
        "hits": {"exact": {"instant": 3}, "near": {"instant": 1}},
        "would": {"near": {"batch": 1}},
        **more,
    }
    return CacheDay.model_validate(counted)


def test_hits_save_what_a_photo_of_their_lane_costs_less_the_checks() -> None:
    """Of ten photos six were asked about, for 100 micro-dollars each; a check costs what a batch photo does."""
    found = report({"2026-11-28": day(checks=2), "2026-11-29": day()}, STATE, NOW)
    instant, batch = found.lanes
    assert (instant.photos, instant.exact, instant.near, instant.would, instant.saved_micros) == (20, 6, 2, 0, 800)
    assert (batch.photos, batch.exact, batch.near, batch.would, batch.saved_micros) == (20, 0, 0, 2, 0)
    assert (found.checks, found.saved_micros) == (2, 800 - 2 * 50)
    assert [(each.day, each.photos, each.hits, each.would) for each in found.days] == [
        ("2026-11-28", 20, 4, 1),
        ("2026-11-29", 20, 4, 1),
    ]


def test_what_is_believed_has_its_interval() -> None:
    """The model by itself, what is served, and what was compared within each threshold."""
    found = report({}, STATE, NOW)
    assert [(each.what, each.bits, each.checked, each.wrong) for each in found.believed] == [
        ("the same file", None, 100, 0),
        ("nearly the same, served", 31, 200, 2),
        ("nearly the same, compared", 31, 400, 1),
    ]
    assert (found.serves, found.saved_micros, found.disputed, found.days) == ({"f": 31}, 0, (), ())


@pytest.mark.parametrize(
    ("wrong", "count", "low", "high"),
    [(0, 100, 0, 0.0363), (2, 200, 0.0013, 0.0357), (5, 5, 0.4782, 1), (0, 0, 0, 1)],
)
def test_an_interval_is_clopper_and_pearsons(wrong: int, count: int, low: float, high: float) -> None:
    """As tables have it, to a ten-thousandth."""
    assert list(interval(wrong, count)) == pytest.approx([low, high], abs=2e-4)


def test_disputes_are_those_of_the_days_that_are_shown() -> None:
    """What was disputed before is subtracted; what nobody answered or disputed is left out."""
    names = [f"2026-11-{number:02}" for number in range(20, 29)]
    days: dict[str, CacheDay] = {}
    for number, name in enumerate(names):
        answers = {"m": {"p": {"Dry Waste": 10}}}
        disputed = {"m": {"p": {"Dry Waste": number, "Wet Waste": 2}}}
        days = with_day(days, name, day(), answers, disputed, STATE)
    assert sorted(days) == names[-DAYS_KEPT:]
    assert report(days, STATE, NOW).disputed == (
        Disputed(model="m", prompt="p", category="Dry Waste", answers=70, disputed=7),
    )


def test_a_day_that_is_over_keeps_what_only_it_knew() -> None:
    """What was disputed by its end, and how many of its hits were chosen."""
    before = with_day({}, "2026-11-28", day(), {}, {"m": {"p": {"c": 1}}}, STATE)
    assert before["2026-11-28"].checks == 5
    today = with_day(before, "2026-11-29", day(), {}, {"m": {"p": {"c": 2}}}, STATE)
    assert today["2026-11-29"].checks == 4
    later = with_day(today, "2026-11-28", day(micros={"batch": 900}), {}, {"m": {"p": {"c": 3}}}, CacheState())
    assert (later["2026-11-28"].checks, later["2026-11-28"].disputed) == (5, {"m": {"p": {"c": 1}}})
    assert later["2026-11-28"].micros == {"batch": 900}
