"""What is given up is kept for somebody to look at."""

from datetime import timedelta

from functions.core.shared.dead_letters import dead_letter, letter_about
from tests.builders import NOW


def test_a_dead_letter_says_who_and_why_and_ends_by_itself() -> None:
    """It names the document and the reason, cut to a readable length, and has an end."""
    letter = dead_letter("users/ana/wallet/main", "ana", "x" * 5_000, NOW)
    assert letter.letter_id == "refresh:users:ana:wallet:main:2026-11-21T12:00:00"
    assert (letter.uid, letter.path) == ("ana", "users/ana/wallet/main")
    assert (len(letter.reason), letter.expire_at - letter.at) == (1_000, timedelta(days=30))


def test_there_is_one_dead_letter_about_a_document() -> None:
    """However often it is met; it says what kind of thing it is about."""
    first, second = (letter_about("job", "aiJobs/abc", "ann", why, NOW) for why in ("once", "twice"))
    assert (first.letter_id, first.kind, first.path, first.uid) == ("job:aiJobs:abc", "job", "aiJobs/abc", "ann")
    assert (second.letter_id, second.reason) == (first.letter_id, "twice")
