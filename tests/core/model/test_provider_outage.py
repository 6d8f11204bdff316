"""When failures of the provider are an outage, and what is told of it."""

from datetime import timedelta

import pytest

from functions.core.model.provider_errors import Trouble
from functions.core.model.provider_outage import FORGOTTEN, Door, Outage, described, standing
from tests.builders import NOW


def outage(failures: int, minutes: int = 0, trouble: Trouble = Trouble.UNREACHABLE) -> Outage:
    """Return failures of which the first was so long ago."""
    since = NOW - timedelta(minutes=minutes)
    return Outage(failures=failures, since=since, last_at=NOW, trouble=trouble, problem="no answer")


@pytest.mark.parametrize(
    ("door", "found", "is_told"),
    [
        (Door.INSTANT, outage(2, minutes=60), False),
        (Door.INSTANT, outage(3), True),
        (Door.SUBMIT, outage(1, minutes=2), False),
        (Door.SUBMIT, outage(1, minutes=3), True),
        (Door.POLL, outage(3), True),
        (Door.INSTANT, outage(1, trouble=Trouble.KEY_REFUSED), True),
        (Door.INSTANT, outage(2, trouble=Trouble.CONFIGURATION), False),
    ],
)
def test_an_accident_is_no_outage(door: Door, found: Outage, *, is_told: bool) -> None:
    """One call that failed is none; three in a row are, and a cron's that has met no success; a refused key at once."""
    assert bool(standing({door: found}, NOW)) is is_told
    assert standing({door: found}, NOW + FORGOTTEN) == {}


def test_each_door_says_whom_it_touches() -> None:
    """Also a door that a newer release has, and a note that crossed with a success and has lost its beginning."""
    crossed = Outage(failures=5, last_at=NOW, problem="no answer")
    found = {Door.INSTANT: outage(3, minutes=2), Door.POLL: crossed, "export": outage(3)}
    told = described(found, {"waiting": 1, "users": 1, "at_provider": 2})
    assert told == (
        "Since 2026-11-21 12:00 UTC (no answer): calls fail. "
        "Since 2026-11-21 11:58 UTC (no answer): instant photos that go to OpenAI fail, at least 3 so far. "
        "Since 2026-11-21 12:00 UTC (no answer): OpenAI gives no results of batches: 2 wait."
    )


@pytest.mark.parametrize(("lasts", "waits"), [(0, 0), (5, 5), (20, 20), (60, 30), (24 * 60, 30)])
def test_a_provider_that_stays_down_is_asked_less_often(lasts: int, waits: int) -> None:
    """At once after the first failure, then after as long as it lasts already, and every half hour at least."""
    assert outage(3, minutes=lasts).probe_at == NOW + timedelta(minutes=waits)
