"""Where a day begins, whoever asks, and how a moment is told."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from functions.core.shared.utc_days import day_bounds, day_of, iso_text, month_of, next_day, next_month

KOLKATA = timezone(timedelta(hours=5, minutes=30))


def test_a_day_begins_at_midnight_utc_wherever_the_caller_is() -> None:
    """Half past five in India is midnight."""
    assert day_of(datetime(2026, 11, 22, 5, 29, tzinfo=KOLKATA)) == "2026-11-21"
    assert day_of(datetime(2026, 11, 22, 5, 30, tzinfo=KOLKATA)) == "2026-11-22"
    assert next_day(datetime(2026, 11, 22, 5, 29, tzinfo=KOLKATA)) == datetime(2026, 11, 22, tzinfo=UTC)


def test_midnight_belongs_to_the_day_that_begins() -> None:
    """A day's end is the next one's begin, over a year's end too."""
    assert day_bounds("2026-12-31") == (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    assert next_day(datetime(2026, 12, 31, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "month", "following"),
    [("2026-11-30T23:59:59Z", "2026-11", "2026-12-01"), ("2026-12-01T00:00:00Z", "2026-12", "2027-01-01")],
)
def test_a_month_begins_at_midnight_utc(now: str, month: str, following: str) -> None:
    """It lasts to the last second of its last day, over a year's end too."""
    moment = datetime.fromisoformat(now)
    assert month_of(moment) == month
    assert next_month(moment) == datetime.fromisoformat(following).replace(tzinfo=UTC)


def test_the_app_reads_utc_in_whole_seconds() -> None:
    """Dart's DateTime.parse takes it for UTC because of the Z."""
    moment = datetime(2026, 11, 22, 5, 30, 15, 999_999, tzinfo=KOLKATA)
    assert iso_text(moment) == "2026-11-22T00:00:15Z"
