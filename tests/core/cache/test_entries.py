"""What a user's cache document holds."""

from dataclasses import replace
from datetime import date, timedelta

from functions.core.cache.entries import ENTRIES_MAX, ENTRY_BYTES, Entry, evicted, packed, read_entries
from functions.core.cache.fingerprints import BITS, COLOUR_BYTES, CUTS, Fingerprint

DAY = date(2026, 11, 29)
PHOTO = Fingerprint(bytes(range(16)), tuple(2**BITS - 1 - n for n in range(len(CUTS))), bytes(range(COLOUR_BYTES)))
ENTRY = Entry(b"key!", "0f" * 16, DAY, PHOTO)


def test_an_entry_is_read_as_it_was_written() -> None:
    """262 bytes, so that 200 of them are one document of 52 kB."""
    assert len(packed(ENTRY)) == ENTRY_BYTES == 262
    assert read_entries({"job": packed(ENTRY)}) == {"job": ENTRY}


def test_an_entry_that_cannot_be_read_finds_nothing_and_harms_no_other() -> None:
    """Another length, or no bytes at all, is passed over."""
    stored = {"short": b"1", "text": "entry", "job": packed(ENTRY)}
    assert list(read_entries(stored)) == ["job"]


def entry(number: int, *, days: int = 0, key: bytes = b"key!") -> Entry:
    """Return an entry of another photo, asked so many days after the first."""
    known = replace(PHOTO, sha=number.to_bytes(16, "big"))
    return Entry(key, f"{number:032x}", DAY + timedelta(days=days), known)


def test_what_was_asked_the_longest_ago_makes_room() -> None:
    """Up to 200 none goes; beyond, the oldest, as many as come."""
    entries = {f"{n:03}": entry(n, days=n) for n in range(ENTRIES_MAX)}
    assert evicted(dict(list(entries.items())[:-1]), [entry(999)], DAY) == []
    assert evicted(entries, [entry(999)], DAY) == ["000"]
    assert evicted({**entries, "000": entry(0, days=900)}, [entry(998), entry(999)], DAY) == ["001", "002"]


def test_what_answers_nothing_any_more_goes_first() -> None:
    """What was asked before the oldest day, and the same file under the same key: the new job answers for it."""
    entries = {"old": entry(1, days=-1), "same": entry(2), "other key": entry(2, key=b"else"), "other": entry(3)}
    assert evicted(entries, [entry(2, days=5)], DAY) == ["old", "same"]
