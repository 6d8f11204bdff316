"""What nothing more is done with until an operator has looked at it: `deadLetters/{id}`."""

from datetime import datetime
from typing import Any, Literal

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.query import Collection
from functions.adapters.firestore.writes import guarded_update
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.dead_letters import DeadLetter, letter_about
from functions.core.shared.records import Fields

_LETTERS_ABOUT = {"job": "aiJobs", "batch": "batches"}


class DeadLetterDocuments(Documents):
    """Reads and writes of dead letters. What is set aside, so that it does not block the head of a queue, gets one."""

    def set_aside(self, damaged: DamagedDocument, fields: Fields, letter: DeadLetter) -> bool:
        """Write these fields into a damaged document and leave a dead letter. Two writes; False, and none, if it has
        changed since."""
        if damaged.version is None:
            return False
        ref, letter_ref = self._client.document(damaged.path), self._letter_ref(letter)
        written = guarded_update(
            self._client, ref, damaged.version, fields, lambda writes: writes.set(letter_ref, letter_fields(letter))
        )
        return written is not None

    def leave_letter(self, kind: Literal["job", "batch"], name: str, uid: str, reason: str, now: datetime) -> None:
        """Store a dead letter about a job or a batch, in place of an earlier one. One write."""
        letter = letter_about(kind, f"{_LETTERS_ABOUT[kind]}/{name}", uid, reason, now)
        self._client.batch().set(self._letter_ref(letter), letter_fields(letter)).commit()

    def count_dead_letters(self, limit: int) -> int:
        """Count the dead letters, up to a limit. One read for every thousand."""
        return self._letters.limit(limit).count()

    @property
    def _letters(self) -> Collection:
        return self._client.collection("deadLetters")

    def _letter_ref(self, letter: DeadLetter) -> str:
        return self._letters.document(letter.letter_id)


def letter_fields(letter: DeadLetter) -> dict[str, Any]:
    """Return a letter as it is stored; its id is its document's."""
    return letter.model_dump(by_alias=True, exclude={"letter_id"})
