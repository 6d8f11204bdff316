"""What operators are told, from when, and until when."""

from datetime import timedelta

from functions.core.shared.alerts import (
    TO_DO,
    AlertKind,
    Verdict,
    alert,
    ended,
    opened,
    reopened,
)
from tests.builders import NOW


def test_an_alert_is_one_a_day_and_kind() -> None:
    """Two guards that find the same make the same document; it is due at once and goes after three months."""
    told = alert(AlertKind.DRIFT, "The shards were off.", NOW)
    assert told.alert_id == alert(AlertKind.DRIFT, "Off, they were.", NOW + timedelta(hours=1)).alert_id
    assert told.alert_id == "drift-2026-11-21"
    assert alert(AlertKind.DRIFT, "", NOW + timedelta(days=1)).alert_id != told.alert_id
    assert (told.due_at, told.expire_at - NOW) == (NOW, timedelta(days=90))


def test_an_alert_says_since_when_and_what_to_do_or_that_it_is_over() -> None:
    """Whoever reads it at night needs no other page for the first step."""
    told = opened(AlertKind.DEAD_LETTERS, "Two are given up.", NOW, NOW - timedelta(hours=3))
    assert told.told == "2026-11-21 09:00 UTC: Two are given up. Run admin letters list."
    over = told.model_copy(update={"over_at": NOW})
    assert over.told == "Over since 2026-11-21 12:00 UTC (from 2026-11-21 09:00 UTC): Two are given up."
    assert alert(AlertKind.DRIFT, "Off.", NOW).told.startswith("2026-11-21 12:00 UTC: Off.")
    newer = told.model_copy(update={"kind": "of_a_newer_release"})
    assert newer.told == "2026-11-21 09:00 UTC: Two are given up."
    assert set(TO_DO) == set(AlertKind)


def test_what_does_not_hold_any_more_is_over_and_told() -> None:
    """Delivered like the alert; what goes on, goes on."""
    found = opened(AlertKind.QUEUE_OLD, "Old.", NOW)
    assert ended(found, {AlertKind.QUEUE_OLD}, NOW + timedelta(hours=1)) is None
    later = NOW + timedelta(hours=2)
    assert ended(found, set(), later) == {"open": False, "overAt": later, "dueAt": later, "attempts": 0}


def test_what_another_alert_tells_is_over_quietly() -> None:
    """The next day's of the same kind; the closing of both lanes, after that of one."""
    tomorrow = NOW + timedelta(days=1)
    found = opened(AlertKind.QUEUE_OLD, "Old.", NOW)
    assert ended(found, {AlertKind.QUEUE_OLD}, tomorrow) == {"open": False, "overAt": tomorrow}
    first = opened(AlertKind.BATCH_ONLY, "80 %.", NOW)
    assert ended(first, {AlertKind.CLOSED}, NOW) == {"open": False, "overAt": NOW}


def test_what_was_expected_comes_back_without_a_message() -> None:
    """An operator has said so of this day's."""
    over = opened(AlertKind.SPEND_UNUSUAL, "Much.", NOW).model_copy(
        update={"open": False, "over_at": NOW, "verdict": Verdict.EXPECTED}
    )
    later = NOW + timedelta(hours=3)
    again = reopened(over, opened(AlertKind.SPEND_UNUSUAL, "More.", later), later)
    assert again == {"open": True, "overAt": None, "text": "More."}


def test_what_comes_back_the_same_day_is_told_again_unless_it_flaps() -> None:
    """A second outage in the afternoon is no secret; one that was gone for ten minutes is the same one."""
    found = opened(AlertKind.QUEUE_OLD, "Old.", NOW)
    assert reopened(found, found, NOW) is None
    over = found.model_copy(update={"open": False, "over_at": NOW})
    again = opened(AlertKind.QUEUE_OLD, "Old again.", NOW)
    open_again = {"open": True, "overAt": None, "text": "Old again."}
    assert reopened(over, again, NOW + timedelta(minutes=59)) == open_again
    late = NOW + timedelta(hours=1)
    assert reopened(over, again, late) == {**open_again, "since": late, "dueAt": late, "attempts": 0}
