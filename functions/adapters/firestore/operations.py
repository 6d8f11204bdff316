"""What the guard and operators look for in the documents of others."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from functions.adapters.firestore.batches import BatchDocuments
from functions.adapters.firestore.jobs import JobDocuments
from functions.adapters.firestore.reading import sound_fields
from functions.core.batches.batches import BatchState
from functions.core.jobs.jobs import Status
from functions.core.jobs.queue_stats import QueueStats
from functions.core.operations.health import CronRun
from functions.core.rollouts.stops import States, read_states
from functions.core.shared.damage import DamagedDocument, mapping, salvaged


class OperatorStats(NamedTuple):
    """The crons' figures (the queue, each refresh worker's last run, the crons' last runs by name), the flags' states,
    and what is `damaged`."""

    queue: QueueStats
    workers: Mapping[str, Any]
    crons: Mapping[str, CronRun]
    flags: States
    damaged: tuple[DamagedDocument, ...] = ()


class OperationDocuments(JobDocuments, BatchDocuments):
    """Reads of the guard and of operators."""

    def unknown_states(self, limit: int) -> list[DamagedDocument]:
        """Read up to so many jobs and batches each in a state of a newer release, which no run finds. At least two
        reads."""
        found = []
        for documents, field, ours in ((self._jobs, "status", Status), (self._batches, "state", BatchState)):
            query = documents.where(field, "not-in", [state.value for state in ours]).limit(limit)
            for each in query.stream():
                problem = f"is {each.fields[field]!r:.40}, which this release does not know"
                found.append(DamagedDocument(each.path, field, problem))
        return found

    def operator_stats(self) -> OperatorStats:
        """Read the stored figures. Four reads."""
        stats = self._client.collection("stats")
        read = self._client.get_all([stats.document(name) for name in ("queue", "refresh", "crons", "rollouts")])
        queue, damaged = sound_fields(QueueStats, read[0])
        crons: dict[str, CronRun] = {}
        runs = mapping(read[2].fields, "runs")
        for name in runs:
            crons[name], wrong = salvaged(CronRun, mapping(runs, name), f"{read[2].path}, {name}")
            damaged += wrong
        flags, wrong = read_states(read[3].fields, read[3].path)
        return OperatorStats(queue, mapping(read[1].fields, "workers"), crons, flags, damaged + wrong)
