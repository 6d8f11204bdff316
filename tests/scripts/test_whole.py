"""`make bench BENCH=whole`, of a day in place of three weeks: what is sent, and whether the books see what is wrong."""

import re
from collections import Counter
from datetime import timedelta
from io import BytesIO
from itertools import chain

import pytest
from PIL import Image

from functions.core.shared.alerts import AlertKind
from scripts.benchmarks import weeks, weeks_books, weeks_played
from scripts.benchmarks.weeks_books import Books
from scripts.benchmarks.weeks_picture import drawn_weeks
from scripts.benchmarks.weeks_played import Weeks

LEAVES_AT = 20
"""O'clock, as weeks_played.py has it."""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[weeks.Sent]:
    """The photos of a day on which seven in ten come again."""
    for module in (weeks, weeks_played, weeks_books):
        monkeypatch.setattr(module, "DAYS", 1)
    for module in (weeks, weeks_played):
        monkeypatch.setattr(module, "BEFORE", timedelta(hours=4))
    monkeypatch.setattr(weeks_played, "AFTER", timedelta(hours=8))
    monkeypatch.setattr(weeks, "PHOTOS_A_DAY", 60)
    return weeks.drawn(0.7)


def test_what_comes_again_was_sent_before_by_the_same_user(sent: list[weeks.Sent]) -> None:
    """Whatever is done to a photo, the model sees what it shows."""
    known: set[tuple[str, int]] = set()
    for each in sent:
        assert ((each.uid, each.item) in known) is each.again
        known.add((each.uid, each.item))
        with Image.open(BytesIO(each.photo)) as image:
            assert weeks.seen(image)["subcategory"] == each.kind


def test_books_that_add_up_and_books_that_do_not(sent: list[weeks.Sent], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thing that must not be is counted, once it is. Somebody deletes the account in the evening, and the answers
    with it."""
    leaves, _ = Counter(each.uid for each in sent if each.counts and each.at.hour < LEAVES_AT).most_common(1)[0]
    monkeypatch.setattr(weeks_played, "LEAVING", {leaves: 0})
    played = Weeks(sent)
    played.play()
    books = Books(played)
    assert len(books.called) == len(sent)
    assert 0 < sum(books.micros_by_photo().values()) + books.micros_of_checks() == sum(books.micros_by_day())
    assert (books.failures(), books.lost_jobs(), books.double_charges(), books.unbalanced_wallets()) == (0, 0, 0, 0)
    assert played.overshoot == 0
    assert books.paid_by_a_team() > 0
    because = books.asked_because()
    assert sorted(chain(books.hits(), *because.values())) == [each.number for each in sent]
    assert because["new"] == [each.number for each in sent if not each.again]
    erased = next(job for job in books.jobs.values() if not job["uid"])
    erased["cache"] = {"served": True}
    assert list(books.hits().values()) == [None]
    assert AlertKind.PROVIDER_DOWN in books.alerts_missed()  # which is to happen on the sixth day
    assert books.alerts_false() == []
    job = next(job for job in books.jobs.values() if job["status"] == "done" and job["uid"])
    job["status"] = "failed"
    assert (books.failures(), books.double_charges()) == (1, 1)
    job["status"] = "processing"
    assert books.lost_jobs() == 1
    books.wallets[job["uid"]]["balance"] += 1
    assert books.unbalanced_wallets() == 1
    books.alerts.append({"kind": "provider_down", "createdAt": job["createdAt"]})
    assert books.alerts_false() == ["provider_down"]


def test_the_picture_says_what_was_saved() -> None:
    """A bar a day for each of the two, and what has happened."""
    picture = drawn_weeks([25, 50], [100, 100], {1: "prices & more"}, saved=0.624)
    assert "62% less" in picture
    assert "prices &amp; more" in picture
    assert len(re.findall("<rect", picture)) == 4
