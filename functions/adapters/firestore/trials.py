"""Trials, `stats/trials`, and their photos among the checks; until when some may wait, `stats/queue`."""

from collections.abc import Callable, Iterable, Sequence

from functions.adapters.firestore.jobs import StoredJob, all_jobs
from functions.adapters.firestore.query import Query
from functions.adapters.firestore.queue import QueueDocuments
from functions.adapters.firestore.reading import Found, all_sound, sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.writes import run_transaction
from functions.core.jobs.jobs import Job, Status
from functions.core.jobs.trials import LIFETIME, PHOTOS, Trials, opener
from functions.core.model.usage import Usage

_TRIALS, _QUEUE = "stats/trials", "stats/queue"

Change = Callable[[Trials], tuple[Trials, Iterable[Job]] | None]
"""Returns the trials as they are to be, and photos to be asked about; None to change nothing."""


class TrialDocuments(QueueDocuments):
    """Reads and writes of trials."""

    def trials(self) -> Trials:
        """Read the trials. One read."""
        return sound_fields(Trials, self._client.get(self._client.document(_TRIALS)))[0]

    def change_trials(self, change: Change, left: Sequence[str] = ()) -> Trials:
        """Store what `change` makes of the trials, and delete photos that are `left` over, in one transaction: a read,
        two writes, and one for each photo."""

        def body(transaction: Transaction) -> Trials:
            before = sound_fields(Trials, self._client.get(_TRIALS, transaction))[0]
            changed = change(before)
            if changed is None:
                return before
            after, photos = changed
            until = after.running.at + LIFETIME if after.running else None
            transaction.set(_TRIALS, after.model_dump(by_alias=True))
            transaction.merge(_QUEUE, {"trialUntil": until})
            for photo in photos:
                fields = photo.model_dump(by_alias=True, exclude={"job_id"})
                transaction.create(self._checks.document(photo.job_id), fields)
            for job_id in left:
                transaction.delete(self._checks.document(job_id))
            return after

        return run_transaction(self._client.transaction(), body)

    def answered_jobs(self, day: str, limit: int) -> Found[StoredJob]:
        """Read done jobs of a day, by their ids, which are hashes: a fair sample. A read each, one at least."""
        return all_jobs(self._jobs.where("day", "==", day).where("status", "==", Status.DONE).limit(limit))

    def queued_of_trial(self, number: int) -> Found[StoredJob]:
        """Read the photos of a trial that wait. A read each, one if there are none."""
        return all_jobs(self._of_trial(number).where("status", "==", Status.QUEUED).limit(PHOTOS))

    def trial_is_open(self, number: int) -> bool:
        """Whether a photo of a trial has not ended. One read."""
        waiting = self._of_trial(number).where("status", "in", [Status.QUEUED, Status.PROCESSING])
        return bool(waiting.select(["status"]).limit(1).stream())

    def photos_of_trial(self, number: int) -> Found[StoredJob]:
        """Read the photos of a trial. A read each, one if there are none."""
        return all_jobs(self._of_trial(number).limit(PHOTOS))

    def usages(self, job_ids: Sequence[str]) -> dict[str, Usage]:
        """Read what these jobs' answers took, of those that are still there. A read each."""
        snapshots = self._client.get_all([self._jobs.document(each) for each in job_ids]) if job_ids else []
        known = (each for each in snapshots if each.fields.get("usage"))
        return dict(all_sound(known, lambda each: (each.id, Usage.model_validate(each.fields["usage"]))))

    def _of_trial(self, number: int) -> Query:
        return self._checks.where("openedBy", "==", opener(number))
