"""How often a photo is somebody else's, too: counted, never answered.

One file in sixteen is looked at, by its hash, so that all who send the same file are looked at or none is. What is kept
of it is who sent it first, as a hash that says nothing without the photo.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

SAMPLED_BELOW = 16
"""Of 256 values of a hash's first byte."""

SHARED_LIFETIME = timedelta(days=30)


@dataclass(frozen=True)
class SharedPhoto:
    """A file that was looked at, under its key: the document's id, by whom it was sent, and until when that is kept."""

    name: str
    by: str
    expire_at: datetime


def shared_photo(uid: str, key: bytes, sha: bytes, now: datetime) -> SharedPhoto | None:
    """Return what is kept of a user's file that is sent now; None if it is not in the sample."""
    if sha[0] >= SAMPLED_BELOW:
        return None
    by = hashlib.sha256(sha + uid.encode()).hexdigest()[:16]
    return SharedPhoto((key + sha).hex(), by, now + SHARED_LIFETIME)
