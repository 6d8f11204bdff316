"""What is far from what was expected, once an episode, and why a cost differs."""

import math
from functools import reduce

import pytest

from functions.core.insights.deviations import (
    ERRORS_KEPT,
    ERRORS_MIN,
    STAYS_DAYS,
    TEACHES_Z,
    Direction,
    Part,
    Reasons,
    Seen,
    Watch,
    fell_a_year_ago,
    middle_and_spread,
    reasons,
    see,
)

USUAL = (1.1, 0.9, 1.05, 0.95, 1.0)
RISE, FALL = Direction.RISE, Direction.FALL


def watched(days: int) -> Watch:
    """Return the watch after so many usual days, which differ by a tenth."""
    return reduce(lambda watch, day: see(watch, 1_000 * USUAL[day % 5], 1_000, 10).watch, range(days), Watch())


def told(*days: float, least: float = 10) -> list[Seen]:
    """Return how days are seen, in thousands, after a month of usual ones at one thousand."""
    watch, found = watched(30), []
    for day in days:
        found.append(see(watch, 1_000 * day, 1_000, least))
        watch = found[-1].watch
    return found


@pytest.mark.parametrize(
    ("times", "began"), [(3.0, RISE), (1.45, RISE), (1.25, None), (1.0, None), (0.6, None), (0.5, FALL), (0.0, FALL)]
)
def test_a_day_that_is_far_off_begins_an_episode(times: float, began: Direction | None) -> None:
    """A rise by 30 %, a fall by 45 %, and by several spreads; they are told apart."""
    (seen,) = told(times)
    assert (seen.began, seen.watch.episode) == (began, began)
    assert seen.taught == (1 if began is None else 0)


def test_what_fell_as_far_a_year_ago_is_no_fall() -> None:
    """Or seven tenths as far, on the logarithmic scale; a rise it does not keep quiet."""
    watch, fell = watched(30), math.log(1_001 / 301)
    assert see(watch, 300, 1_000, 10, 0.71 * fell).began is None
    assert see(watch, 300, 1_000, 10, 0.69 * fell).began is FALL
    assert see(watch, 3_000, 1_000, 10, fell).began is RISE


def test_a_year_ago_is_the_same_weekday_or_date() -> None:
    """Against the same weekday of four weeks on both sides; a day beside it does not count, nor one without them."""
    week = [100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0]
    past = week * 60
    for back, fell in ((363, 0), (364, 1), (365, 1), (366, 1), (367, 0)):
        shut = [*past]
        shut[-back] /= 4
        far = math.log1p(past[-back]) - math.log1p(shut[-back])
        assert fell_a_year_ago(shut) == pytest.approx(fell * far)
    assert fell_a_year_ago([1.0, *[100.0] * (363 + 28)]) == 0
    assert fell_a_year_ago([*[100.0] * 28, 1.0, *[100.0] * 363]) > 1
    assert fell_a_year_ago([*[100.0] * 27, 1.0, *[100.0] * 363]) == 0


def test_a_rise_takes_fewer_spreads_than_a_fall() -> None:
    """Of days that move by a fifth: 3.7 spreads more are one; as many less are none, though it is by more than half."""
    watch = reduce(lambda watch, day: see(watch, (830, 1_000, 1_200)[day % 3], 1_000, 10).watch, range(30), Watch())
    _, spread = middle_and_spread(watch.errors)
    far = 3.7 * spread
    assert see(watch, 1_000 * math.exp(far), 1_000, 10).began is RISE
    assert see(watch, 1_000 * math.exp(-far), 1_000, 10).began is None
    assert see(watch, 1_000 * math.exp(-4.1 * spread), 1_000, 10).began is FALL


def test_a_day_that_is_far_off_and_no_episode_teaches_as_if_it_were_nearer() -> None:
    """A fall by two fifths counts as one of three spreads when the next days are forecast; its error is kept as it was.
    A usual day is taken for itself, a day of an episode for what was expected, a level that stays for itself."""
    middle, spread = middle_and_spread(watched(30).errors)
    (seen,) = told(0.6)
    assert seen.taken == pytest.approx(math.expm1(math.log1p(1_000) + middle - TEACHES_Z * spread))
    assert seen.watch.errors[-1] == pytest.approx(math.log1p(600) - math.log1p(1_000))
    assert told(1.1)[0].taken == 1_100
    assert [each.taken for each in told(3, 3, 3, 3, 1)] == [1_000, 1_000, 3_000, 3_000, 1_000]
    assert see(watched(30), 0, 5, 10).taken == pytest.approx(math.expm1(math.log1p(5) + middle - TEACHES_Z * spread))
    wild = reduce(lambda watch, day: see(watch, 9 * (day % 3), 9, 10).watch, range(30), Watch())
    assert see(wild, 0, 1, 10).taken == 0


def test_a_trifle_is_no_deviation() -> None:
    """Three times nearly nothing, or a figure that never moved and now does by a tenth."""
    assert told(3.0, least=2_001)[0].began is None
    still = reduce(lambda watch, _: see(watch, 1_000, 1_000, 10).watch, range(30), Watch())
    assert see(still, 1_150, 1_000, 10).began is None
    assert see(still, 1_350, 1_000, 10).began is RISE


def test_nothing_is_told_before_two_weeks() -> None:
    """What is usual has to be known."""
    assert see(watched(ERRORS_MIN - 1), 9_000, 1_000, 10).began is None
    assert see(watched(ERRORS_MIN), 9_000, 1_000, 10).began is RISE


def test_an_episode_is_told_once_and_ends_when_it_is_over() -> None:
    """Not while it is still two spreads off; after its end, the next one is told again."""
    seen = told(3, 2, 1.25, 1, 3)
    assert [each.began for each in seen] == [RISE, None, None, None, RISE]
    assert [each.watch.episode for each in seen] == [RISE, RISE, RISE, None, RISE]
    assert [each.taught for each in seen] == [0, 0, 0, 1, 0]


def test_a_rise_that_turns_into_a_fall_is_another_episode() -> None:
    """Each is told."""
    assert [each.began for each in told(3, 0.2, 0.2)] == [RISE, FALL, None]


def test_days_of_an_episode_teach_nothing_until_the_level_has_stayed_for_three() -> None:
    """A spike of two days leaves the spread as it was; a new level is learned on its third day, all of it, and is told
    no second time while what is expected follows."""
    before = watched(30).errors
    assert told(3, 3)[-1].watch.errors == before
    stays = told(3, 3.1, 2.9, 3, 2, 0.3)
    assert [each.taught for each in stays] == [0, 0, STAYS_DAYS, 1, 1, 0]
    assert [each.began for each in stays] == [RISE, None, None, None, None, FALL]
    assert (stays[2].watch.episode, stays[-1].watch.errors) == (RISE, before)
    assert [each.taught for each in told(3, 9, 3, 3.1)] == [0, 0, 0, 0]
    assert told(3, 9, 3, 3.1, 3)[-1].taught == 5


def test_what_was_long_ago_is_forgotten() -> None:
    """Eight weeks of errors are kept."""
    assert len(watched(200).errors) == ERRORS_KEPT


def test_a_cost_differs_by_volume_price_and_mix() -> None:
    """200 photos at 10 and 100 at 20; then twice as many, of which the dear ones cost a tenth more, and a new model."""
    before = {"batch": Part(200, 2_000), "instant": Part(100, 2_000)}
    assert reasons({"batch": Part(400, 4_000), "instant": Part(200, 4_000)}, before) == Reasons(4_000, 0, 0)
    assert reasons({"batch": Part(200, 2_000), "instant": Part(100, 2_200)}, before) == Reasons(0, 200, 0)
    moved = reasons({"batch": Part(100, 1_000), "instant": Part(200, 4_000)}, before)
    assert (moved.volume, moved.price, moved.mix) == pytest.approx((0, 0, 1_000))
    new = reasons({"batch": Part(200, 2_000), "instant": Part(100, 2_000), "next": Part(30, 900)}, before)
    assert (new.volume, new.price, new.mix) == pytest.approx((400, 0, 500))
    assert reasons({"batch": Part(1, 10)}, {}) == Reasons(0, 0, 10)
    assert reasons({"batch": Part(1, 10)}, {"batch": Part(0, 0)}) == Reasons(0, 0, 10)
