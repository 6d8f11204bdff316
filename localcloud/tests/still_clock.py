"""A clock for tests of the stand-ins."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **step: float) -> None:
        self.now += timedelta(**step)

    @property
    def seconds(self) -> int:
        return int(self.now.timestamp())
