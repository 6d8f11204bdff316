"""Moments and UTC days: a day is known by its ISO 8601 text, `2026-11-21`, and begins at midnight UTC."""

from datetime import UTC, datetime, timedelta


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment as ISO 8601 text."""
    return moment.astimezone(UTC).date().isoformat()


def next_day(now: datetime) -> datetime:
    """Return the next midnight UTC."""
    return (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """Return when a UTC day begins, and when the next one does."""
    since = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return since, since + timedelta(days=1)


def month_of(moment: datetime) -> str:
    """Return the UTC month of a moment, as in `2026-11`."""
    return day_of(moment)[: len("2026-11")]


def next_month(now: datetime) -> datetime:
    """Return when the next UTC month begins."""
    return next_day((now.astimezone(UTC).replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1))


def clock_text(moment: datetime) -> str:
    """Return a moment as operators read it: `2026-11-21 12:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def iso_text(moment: datetime) -> str:
    """Return a moment as the app reads it: ISO 8601 in UTC, in whole seconds, ending in Z."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
