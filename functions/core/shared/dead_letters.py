"""Work that was given up, kept for an operator to look at."""

from datetime import datetime, timedelta

from functions.core.shared.records import Record

DEAD_LETTER_LIFETIME = timedelta(days=30)
"""How long an operator has to look at it."""

REASON_CHARACTERS_MAX = 1_000
"""A damaged document can be wrong in every field; the first few tell enough."""


class DeadLetter(Record):
    """Work that was given up, and why, in `deadLetters/{letterId}`. `kind`: a user's `refresh`, a `document`, `job` or
    `batch`."""

    letter_id: str
    kind: str = "refresh"
    path: str
    uid: str
    reason: str
    at: datetime
    expire_at: datetime


def letter_about(kind: str, path: str, uid: str, reason: str, now: datetime) -> DeadLetter:
    """Return the dead letter about a document: one for each, however often it is met."""
    name = f"{kind}:{path.replace('/', ':')}"
    return dead_letter(path, uid, reason, now).model_copy(update={"letter_id": name, "kind": kind})


def dead_letter(path: str, uid: str, reason: str, now: datetime) -> DeadLetter:
    """Return the dead letter about a user whose last attempt has failed now."""
    return DeadLetter(
        letter_id=f"refresh:{path.replace('/', ':')}:{now:%Y-%m-%dT%H:%M:%S}",
        path=path,
        uid=uid,
        reason=reason[:REASON_CHARACTERS_MAX],
        at=now,
        expire_at=now + DEAD_LETTER_LIFETIME,
    )
