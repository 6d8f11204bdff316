"""What the guard looks for in the documents of others."""

from google.cloud.firestore import FieldFilter

from functions.adapters.firestore.batches import BatchDocuments
from functions.adapters.firestore.jobs import JobDocuments
from functions.core.batches.batches import BatchState
from functions.core.jobs.jobs import Status
from functions.core.shared.damage import DamagedDocument


class OperationDocuments(JobDocuments, BatchDocuments):
    """Reads of the guard."""

    def unknown_states(self, limit: int) -> list[DamagedDocument]:
        """Read jobs and batches in a state that only a newer release knows, up to so many of each: none of our runs
        finds them. Two reads, if there are none."""
        found = []
        for documents, field, ours in ((self._jobs, "status", Status), (self._batches, "state", BatchState)):
            query = documents.where(filter=FieldFilter(field, "not-in", [state.value for state in ours])).limit(limit)
            for each in query.stream():
                problem = f"is {each.get(field)!r:.40}, which this release does not know"
                found.append(DamagedDocument(each.reference.path, field, problem))
        return found
