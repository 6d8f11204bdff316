"""What a user's cache document holds."""

from datetime import date, timedelta

from functions.core.cache.entries import ENTRIES_MAX, ENTRY_BYTES, Entry, evicted, packed, read_entries, used
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


def test_the_longest_unused_make_room() -> None:
    """Up to 200 none goes; beyond, those that nobody has asked for the longest, however old they are."""
    entries = {f"{n:03}": used(ENTRY, DAY + timedelta(days=n)) for n in range(ENTRIES_MAX)}
    assert evicted(dict(list(entries.items())[:-1])) == []
    assert evicted(entries) == ["000"]
    assert evicted({**entries, "000": used(entries["000"], DAY + timedelta(days=900))}, adding=2) == ["001", "002"]
