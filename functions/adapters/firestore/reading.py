"""Documents into records. One that this version cannot read is named, and costs nothing but itself.

A hand or a newer version has written it: a field is missing, of another type, or has an unknown value.

sound      one document     raises DamagedDocumentError, which names it
all_sound  many of a query  the sound ones are the list; the others are in its `damaged`
sound_fields    figures          their sound fields, with defaults for the others, and what is wrong
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import ValidationError

from functions.adapters.firestore.values import Snapshot
from functions.core.shared.damage import DamagedDocument, salvaged
from functions.core.shared.records import Record, problems

T = TypeVar("T")
R = TypeVar("R", bound=Record)


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


def sound(snapshot: Snapshot, read: Callable[[Snapshot], T]) -> T:
    """Return what `read` makes of a document. Raises DamagedDocumentError if it does not validate."""
    try:
        return read(snapshot)
    except ValidationError as error:
        field, problem = problems(error)[0]
        damaged = DamagedDocument(snapshot.path, field, problem, snapshot.update_time)
        raise DamagedDocumentError(damaged) from error


def all_sound(snapshots: Iterable[Snapshot], read: Callable[[Snapshot], T]) -> Found[T]:
    """Return what `read` makes of each document, and which ones it can make nothing of."""
    records, damaged = [], []
    for snapshot in snapshots:
        try:
            records.append(sound(snapshot, read))
        except DamagedDocumentError as error:
            damaged.append(error.damaged)
    return Found(records, damaged)


def sound_fields(model: type[R], snapshot: Snapshot) -> tuple[R, tuple[DamagedDocument, ...]]:
    """Return what can be read of figures that may be there, and what cannot: see `salvaged`."""
    return salvaged(model, snapshot.fields, snapshot.path)
