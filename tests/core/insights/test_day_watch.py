"""Days that were unusual: told once, with what was to be expected, and nothing is learned from them."""

from datetime import date, timedelta

from functions.core.insights.day_notes import NotedDay, Series
from functions.core.insights.day_watch import Daily, Watched, WatchNote, day_watched
from functions.core.insights.deviations import Direction

BEGINS = date(2026, 9, 1)


def days(*photos: float, usual: int = 60, back: int | None = 50) -> Series:
    """Return so many usual days, a little off, then these: photos as times the usual."""
    figures = [1 + 0.03 * (n % 3) for n in range(usual)] + list(photos)
    found = [
        NotedDay(asked={"instant": round(1_000 * times)}, new=100, back=None if back is None else round(back * times))
        for times in figures
    ]
    return Series(BEGINS, found, 0)


def test_a_fall_is_told_with_the_day_on_which_it_began() -> None:
    """And not again while it lasts, nor when the days before it are looked at again."""
    notes, found = day_watched(Watched(), days(0.3))
    fallen = found[Daily.DEMAND]
    assert (fallen.day, fallen.direction) == ("2026-10-31", Direction.FALL)
    assert fallen.actual == 300
    assert 950 < fallen.expected < 1_080
    watched = Watched(daily=notes)
    assert day_watched(watched, days(0.3))[1] == {}
    later, again = day_watched(watched, days(0.3, 0.3))
    assert again == {}
    assert later["demand"].episode is Direction.FALL


def test_a_holiday_is_no_fall_in_its_second_year() -> None:
    """Three tenths of the usual on the same date: a fall in the first year alone."""
    _, found = day_watched(Watched(), days(0.3, usual=100))
    assert found[Daily.DEMAND].direction is Direction.FALL
    first = [1 + 0.03 * (n % 3) for n in range(364)]
    _, found = day_watched(Watched(), days(0.3, *first, 0.3, usual=100))
    assert Daily.DEMAND not in found


def test_an_episodes_days_are_taken_for_what_was_expected_until_their_level_stays() -> None:
    """Two days of a fault teach nothing; a level that has stayed for three is learned, with all of its days."""
    notes, _ = day_watched(Watched(), days(3, 3))
    assert set(notes["demand"].instead) == {"2026-10-31", "2026-11-01"}
    stays, _ = day_watched(Watched(daily=notes), days(3, 3, 3))
    assert stays["demand"].instead == {}
    assert stays["demand"].learning


def test_a_quiet_day_hardly_lowers_what_is_expected_of_the_next() -> None:
    """Two fifths fewer are no episode; the day is taken for one that is less far off, and the next is no rise."""
    notes, found = day_watched(Watched(), days(0.6))
    assert found == {}
    ((day, taken),) = notes["demand"].instead.items()
    assert (day, 800 < taken < 950) == ("2026-10-31", True)
    after, found = day_watched(Watched(daily=notes), days(0.6, 1.05))
    assert found == {}
    assert abs(after["demand"].errors[-1]) < 0.1


def test_users_who_do_not_come_back_are_told() -> None:
    """Of a hundred new ones a tenth as many as usual."""
    _, found = day_watched(Watched(), days(0.2))
    assert found[Daily.RETENTION].direction is Direction.FALL
    assert found[Daily.RETENTION].actual == 10


def test_too_few_days_or_new_users_say_nothing() -> None:
    """A day that was not counted is passed over."""
    assert day_watched(Watched(), days(usual=7)) == ({"demand": WatchNote(), "retention": WatchNote()}, {})
    notes, found = day_watched(Watched(), days(back=None))
    assert notes["retention"] == WatchNote()
    assert found == {}


def test_what_began_earlier_is_not_told_as_of_the_last_day() -> None:
    """Three days that nobody planned on: the watch goes through all of them."""
    notes, _ = day_watched(Watched(), days())
    after, found = day_watched(Watched(daily=notes), days(3, 1, 1))
    assert found == {}
    assert after["demand"].until == (BEGINS + timedelta(days=62)).isoformat()
