"""A user's cache: at most 200 photos, each of which names the job that it was classified by.

An entry is bytes, so that 200 of them are 52 kB of one document and one read:

    key 4 | job 16 | day last used 2 | SHA-256 16 | six hashes of 32 | colours 32
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from functions.core.cache.fingerprints import COLOUR_BYTES, CUTS, HASH_BYTES, Fingerprint

ENTRIES_MAX = 200

_LAYOUT = struct.Struct(f">4s16sH16s{HASH_BYTES * len(CUTS)}s{COLOUR_BYTES}s")
ENTRY_BYTES = _LAYOUT.size

_FIRST_DAY = date(2020, 1, 1)
"""Days are counted from here, in two bytes."""


@dataclass(frozen=True)
class Entry:
    """A photo, the job that it was classified by, the day (UTC) it was last asked for, and under which `keys.key_of`
    its answer was written."""

    key: bytes
    job_id: str
    used_on: date
    photo: Fingerprint


Entries = Mapping[str, Entry]
"""By the id of their job."""


def packed(entry: Entry) -> bytes:
    """Return an entry as it is stored."""
    hashes = b"".join(each.to_bytes(HASH_BYTES, "big") for each in entry.photo.hashes)
    day = (entry.used_on - _FIRST_DAY).days
    return _LAYOUT.pack(entry.key, bytes.fromhex(entry.job_id), day, entry.photo.sha, hashes, entry.photo.colours)


def read_entries(stored: Mapping[str, object]) -> Entries:
    """Return a user's entries. One that cannot be read, or is a newer release's, is passed over: it finds nothing."""
    good = {name: each for name, each in stored.items() if isinstance(each, bytes) and len(each) == ENTRY_BYTES}
    return {name: _read(each) for name, each in good.items()}


def _read(stored: bytes) -> Entry:
    key, job, day, sha, hashes, colours = _LAYOUT.unpack(stored)
    framed = tuple(int.from_bytes(hashes[at : at + HASH_BYTES], "big") for at in range(0, len(hashes), HASH_BYTES))
    return Entry(key, job.hex(), _FIRST_DAY + timedelta(days=day), Fingerprint(sha, framed, colours))


def used(entry: Entry, today: date) -> Entry:
    """Return an entry that was asked for today."""
    return replace(entry, used_on=today)


def evicted(entries: Entries, adding: int = 1) -> list[str]:
    """Return the entries that make room for so many new ones: those that nobody has asked for the longest."""
    surplus = len(entries) + adding - ENTRIES_MAX
    oldest = sorted(entries, key=lambda name: (entries[name].used_on, name))
    return oldest[: max(surplus, 0)]
