"""`poll_batches`: OpenAI batches that have ended into results, requeues and refunds.

One retrieve a batch, never a call a job, and less often as the batch grows older. When it has ended, the output and the
error file are streamed once: every job of the batch ends as done, requeued, or failed and refunded, also when its
line is missing. Every write carries the version of the job's claim, so a collector that dies, or a second one, does
no harm: the next one streams the same lines, and what was written before refuses to be written again.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.openai import ProviderDownError, ProviderRejectedError
from functions.core.attempts import Attempt, Terms, answered, failed_attempt
from functions.core.batches import (
    ENDED,
    POLL_FIRST,
    Batch,
    BatchMember,
    BatchState,
    ProviderBatch,
    ProviderState,
    next_poll,
    read_line,
)
from functions.core.jobs import Failure, Fields, requeued
from functions.core.settlement import refunding

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredBatch
    from functions.wiring import Deps

WRITES_BUFFERED_MAX = 100
"""Results held back to be written in one call."""


def poll_batches(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts: batches `polled`, `collected`, `delayed` (the provider) and `crashed`; jobs `done`,
    `requeued` and `failed`.

    Raises:
        RuntimeError: every batch that was due crashed: something is wrong that is not the batches'.
    """
    counts: Counter[str] = Counter(polled=0, collected=0, delayed=0, crashed=0, done=0, requeued=0, failed=0)
    open_states = [BatchState.SUBMITTED, BatchState.COLLECTING]
    for stored in deps.store.due_batches(open_states, deps.clock(), deps.runtime().batch.polls_per_run):
        try:
            _advance(deps, stored, counts)
        except (ProviderDownError, ProviderRejectedError) as problem:
            counts["delayed"] += 1
            log.warning(log.Event.BATCH_DELAYED, batchId=stored.batch.batch_id, cause=str(problem))
        except Exception:  # noqa: BLE001  (whatever it is, the next batch gets its turn)
            # One batch must not hold up the others. It stays due, and is tried again when its lease has run out.
            counts["crashed"] += 1
            log.error(log.Event.BATCH_CRASHED, batchId=stored.batch.batch_id, trace=traceback.format_exc())
    if counts["crashed"] and not counts["polled"]:
        raise RuntimeError("every batch that was due crashed the poller")
    return dict(counts)


def _advance(deps: Deps, stored: StoredBatch, counts: Counter[str]) -> None:
    batch = stored.batch
    reported = deps.provider.retrieve_batch(batch.openai_batch_id or "")
    counts["polled"] += 1
    now = deps.clock()
    if reported.state not in ENDED:
        fields = {"dueAt": next_poll(batch.created_at, now), "polls": batch.polls + 1}
        deps.store.update_batch(batch.batch_id, stored.version, fields)
        return
    lease = timedelta(minutes=deps.runtime().batch.lease_minutes)
    version = deps.store.update_batch(
        batch.batch_id, stored.version, {"state": BatchState.COLLECTING, "dueAt": now + lease}
    )
    if version is None:
        return  # another poller collects it
    try:
        collected = _Collector(deps, batch).collect(reported)
    except (ProviderDownError, ProviderRejectedError):
        deps.store.update_batch(batch.batch_id, version, {"dueAt": now + POLL_FIRST})
        raise
    deps.store.update_batch(batch.batch_id, version, _closing_fields(reported, collected, deps.clock()))
    deps.files.delete_batch_files(batch.batch_id)
    counts["collected"] += 1
    for outcome in ("done", "requeued", "failed"):
        counts[outcome] += collected[outcome]
    log.info(log.Event.BATCH_COLLECTED, batchId=batch.batch_id, state=reported.state, **collected)


def _closing_fields(reported: ProviderBatch, collected: Counter[str], now: datetime) -> Fields:
    return {
        "state": BatchState.DONE,
        "doneCount": collected["done"],
        "requeuedCount": collected["requeued"],
        "failedCount": collected["failed"],
        "costMicros": collected["costMicros"],
        "error": reported.problem,
        "completedAt": now,
    }


class _Collector:
    """Ends every job of one batch exactly once. `ended` counts the outcomes, those of a collector that died
    included."""

    def __init__(self, deps: Deps, batch: Batch) -> None:
        self._deps = deps
        self._batch = batch
        self._terms = Terms(batch.model, deps.model_price(), batch=True)
        self._writes: list[tuple[str, datetime, Fields]] = []
        self.ended: Counter[str] = Counter()

    def collect(self, reported: ProviderBatch) -> Counter[str]:
        """Stream both files, then see to the jobs that neither of them named."""
        waiting = {member.job_id: member for member in self._deps.files.read_members(self._batch.batch_id)}
        for line in self._lines(reported):
            read = read_line(line)
            # A second line for the same job, or one for a job that is not ours, finds nobody waiting.
            member = waiting.pop(read[0], None) if read else None
            if read is None or member is None:
                self.ended["strayLines"] += 1
            else:
                self._end(member, read[1])
        missing = _missing(reported)
        for member in waiting.values():
            self._end(member, missing)
        self._flush()
        return self.ended

    def _lines(self, reported: ProviderBatch) -> Iterator[dict[str, Any]]:
        for file_id in (reported.output_file_id, reported.error_file_id):
            if file_id is not None:
                yield from self._deps.provider.read_lines(file_id)

    def _end(self, member: BatchMember, attempt: Attempt) -> None:
        now = self._deps.clock()
        cost = self._terms.cost_micros(attempt)
        self.ended["costMicros"] += cost
        if attempt.answer is not None:
            self._write(member, answered(attempt.answer, attempt, member, self._terms, now))
            self.ended["done"] += 1
            return
        error = attempt.error
        if error is None:
            raise ValueError("an attempt without an answer carries an error")
        spent = member.cost_micros + cost
        if attempt.retryable and member.attempts < self._deps.runtime().batch.attempts_max:
            again = {**requeued(error, attempts=member.attempts), "costMicros": spent}
            self._write(member, again)
            self.ended["requeued"] += 1
            return
        decision = refunding(lambda job: job.batch_id == self._batch.batch_id, error, spent, now)
        self._deps.store.close_job(member.job_id, member.uid, decision)
        self.ended["failed"] += 1

    def _write(self, member: BatchMember, fields: Fields) -> None:
        self._writes.append((member.job_id, member.updated_at, fields))
        if len(self._writes) >= WRITES_BUFFERED_MAX:
            self._flush()

    def _flush(self) -> None:
        # A refused write is one that was made before, by this line or one like it: there is nothing left to do.
        self._deps.store.update_jobs(self._writes)
        self._writes.clear()


def _missing(reported: ProviderBatch) -> Attempt:
    """What it means for a job that neither file names it: a lost line, or a batch that was never processed."""
    if reported.state is ProviderState.FAILED:
        return failed_attempt(Failure.BATCH_FAILED, f"the batch failed validation: {reported.problem}")
    if reported.state in {ProviderState.EXPIRED, ProviderState.CANCELLED}:
        return failed_attempt(Failure.BATCH_EXPIRED, "the batch ended before this photo's turn")
    return failed_attempt(Failure.LINE_MISSING, "the provider lost this photo's answer")
