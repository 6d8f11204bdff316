"""A user's cache: at most 200 photos, each of which names the job that it was classified by.

An entry is bytes, so that 200 of them are 52 kB of one document and one read:

    key 4 | job 16 | day 2 | SHA-256 16 | six hashes of 32 | colours 32
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from functions.core.cache.fingerprints import COLOUR_BYTES, CUTS, HASH_BYTES, Fingerprint
from functions.core.cache.shared import SharedPhoto

ENTRIES_MAX = 200

_LAYOUT = struct.Struct(f">4s16sH16s{HASH_BYTES * len(CUTS)}s{COLOUR_BYTES}s")
ENTRY_BYTES = _LAYOUT.size

_FIRST_DAY = date(2020, 1, 1)
"""Days are counted from here, in two bytes."""


@dataclass(frozen=True)
class Entry:
    """A photo, the job that the model was asked by, on which day (UTC), and under which `keys.key_of`. A hit writes
    nothing here: an answer that is given again grows no younger by it."""

    key: bytes
    job_id: str
    asked_on: date
    photo: Fingerprint


Entries = Mapping[str, Entry]
"""By the id of their job."""


@dataclass(frozen=True)
class Remembered:
    """What a charge writes to its user's entries: the `new` ones, of those jobs that it creates, and which are `gone`
    for them. The document is deleted at `expire_at` if nothing is written until then. `shared` are those of the sample
    that nobody has sent before."""

    new: Sequence[Entry]
    gone: Sequence[str]
    expire_at: datetime
    shared: Sequence[SharedPhoto] = ()


def packed(entry: Entry) -> bytes:
    """Return an entry as it is stored."""
    hashes = b"".join(each.to_bytes(HASH_BYTES, "big") for each in entry.photo.hashes)
    day = (entry.asked_on - _FIRST_DAY).days
    return _LAYOUT.pack(entry.key, bytes.fromhex(entry.job_id), day, entry.photo.sha, hashes, entry.photo.colours)


def read_entries(stored: Mapping[str, object]) -> Entries:
    """Return a user's entries. One that cannot be read, or is a newer release's, is passed over: it finds nothing."""
    good = {name: each for name, each in stored.items() if isinstance(each, bytes) and len(each) == ENTRY_BYTES}
    return {name: _read(each) for name, each in good.items()}


def _read(stored: bytes) -> Entry:
    key, job, day, sha, hashes, colours = _LAYOUT.unpack(stored)
    framed = tuple(int.from_bytes(hashes[at : at + HASH_BYTES], "big") for at in range(0, len(hashes), HASH_BYTES))
    return Entry(key, job.hex(), _FIRST_DAY + timedelta(days=day), Fingerprint(sha, framed, colours))


def evicted(entries: Entries, new: Sequence[Entry], oldest: date) -> list[str]:
    """Return what `new` entries take the place of: the same files under the same keys, what was asked before `oldest`
    and answers nothing any more, and, beyond `ENTRIES_MAX`, what was asked the longest ago."""
    again = {(each.key, each.photo.sha) for each in new}
    gone = [name for name, each in entries.items() if each.asked_on < oldest or (each.key, each.photo.sha) in again]
    left = sorted(entries.keys() - set(gone), key=lambda name: (entries[name].asked_on, name))
    return [*gone, *left[: max(len(left) + len(new) - ENTRIES_MAX, 0)]]
