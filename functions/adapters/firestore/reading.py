"""Documents into records. One that this version cannot read is named, and costs nothing but itself.

A hand has written into it, or a newer version of a function has: one field is missing, of another type, or has a value
that is not known here.

    sound      one document     raises DamagedDocumentError, which names it
    all_sound  many of a query  the sound ones are the list; the others are in its `damaged`
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Literal, TypeVar

from google.cloud.firestore import Client, DocumentSnapshot
from pydantic import ValidationError

from functions.adapters.firestore.writes import guarded_update
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.dead_letters import DeadLetter, letter_about
from functions.core.shared.records import Fields, problems

T = TypeVar("T")

_LETTERS_ABOUT = {"job": "aiJobs", "batch": "batches"}


class DamagedDocumentError(Exception):
    """Nothing can be done with this document until somebody has repaired it."""

    def __init__(self, damaged: DamagedDocument) -> None:
        super().__init__(str(damaged))
        self.damaged = damaged


class Found(list[T]):
    """What a query has found, as a list of records; `damaged` are the documents that could not be read."""

    def __init__(self, records: Iterable[T] = (), damaged: Iterable[DamagedDocument] = ()) -> None:
        super().__init__(records)
        self.damaged = tuple(damaged)

    def __add__(self, other: "list[T]") -> "Found[T]":  # type: ignore[override]  # `list` promises more types than are needed
        """Return both, in this order."""
        return Found([*self, *other], (*self.damaged, *getattr(other, "damaged", ())))


def sound(snapshot: DocumentSnapshot[Any], read: Callable[[DocumentSnapshot[Any]], T]) -> T:
    """Return what `read` makes of a document.

    Raises:
        DamagedDocumentError: it does not validate.
    """
    try:
        return read(snapshot)
    except ValidationError as error:
        field, problem = problems(error)[0]
        damaged = DamagedDocument(snapshot.reference.path, field, problem, snapshot.update_time)
        raise DamagedDocumentError(damaged) from error


def all_sound(snapshots: Iterable[DocumentSnapshot[Any]], read: Callable[[DocumentSnapshot[Any]], T]) -> Found[T]:
    """Return what `read` makes of each document, and which ones it can make nothing of."""
    records, damaged = [], []
    for snapshot in snapshots:
        try:
            records.append(sound(snapshot, read))
        except DamagedDocumentError as error:
            damaged.append(error.damaged)
    return Found(records, damaged)


class SetAsideDocuments:
    """What is set aside, so that it is not met at the head of a queue for ever; each with a dead letter."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def set_aside(self, damaged: DamagedDocument, fields: Fields, letter: DeadLetter) -> bool:
        """Write these fields into a damaged document and leave a dead letter about it. Two writes; False, and nothing
        is written, if it has changed since it was read."""
        ref, letter_ref = self._client.document(damaged.path), self._client.document("deadLetters", letter.letter_id)
        content = letter.model_dump(by_alias=True, exclude={"letter_id"})
        if damaged.version is None:
            return False
        written = guarded_update(
            self._client, ref, damaged.version, fields, lambda writes: writes.set(letter_ref, content)
        )
        return written is not None

    def leave_letter(self, kind: Literal["job", "batch"], name: str, uid: str, reason: str, now: datetime) -> None:
        """Store a dead letter about a job or a batch, in place of an earlier one. One write."""
        letter = letter_about(kind, f"{_LETTERS_ABOUT[kind]}/{name}", uid, reason, now)
        ref = self._client.document("deadLetters", letter.letter_id)
        ref.set(letter.model_dump(by_alias=True, exclude={"letter_id"}))
