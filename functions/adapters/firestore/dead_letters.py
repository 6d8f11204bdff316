"""What nothing more is done with until an operator has looked at it: `deadLetters/{id}`."""

from datetime import datetime
from functools import partial
from typing import Literal

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.query import Collection
from functions.adapters.firestore.transactions import Writes
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
        leave = partial(self._leave, letter)
        return guarded_update(self._client, damaged.path, damaged.version, fields, leave) is not None

    def leave_letter(self, kind: Literal["job", "batch"], name: str, uid: str, reason: str, now: datetime) -> None:
        """Store a dead letter about a job or a batch, in place of an earlier one. One write."""
        letter = letter_about(kind, f"{_LETTERS_ABOUT[kind]}/{name}", uid, reason, now)
        self._leave(letter, self._client.batch()).commit()

    def count_dead_letters(self, limit: int) -> int:
        """Count the dead letters, up to a limit. One read for every thousand."""
        return self._letters.limit(limit).count()

    @property
    def _letters(self) -> Collection:
        return self._client.collection("deadLetters")

    def _leave(self, letter: DeadLetter, writes: Writes) -> Writes:
        """Put a letter into a commit; its id is its document's."""
        fields = letter.model_dump(by_alias=True, exclude={"letter_id"})
        return writes.set(self._letters.document(letter.letter_id), fields)
