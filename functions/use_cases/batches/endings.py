"""Writing how the jobs of a batch end, each by itself: an error of one costs no other.

Results and requeues are collected into bulk writes, each under the version of its job's claim. A refund is a
transaction of its own. After an unforeseen error a job is left to the next poll, and after a few of them to
`recover_jobs`, with a dead letter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from functions.core.batches.batches import UNENDED_POLLS_MAX, Batch
from functions.core.batches.manifest import BatchMember, in_tally
from functions.core.budget import tally
from functions.core.budget.anomalies import Terms, UsageAnomalies
from functions.core.jobs.attempts import Attempt, answered
from functions.core.jobs.checks import is_check
from functions.core.jobs.counting import ended
from functions.core.jobs.endings import refunding
from functions.core.jobs.jobs import FINAL, Failure, Job, JobError, Status
from functions.core.jobs.transitions import backoff, lease_moved, may_try_again, requeued, waited_too_long
from functions.core.shared.records import Fields
from functions.core.wallet.profile import PushSummary
from functions.use_cases.budget.days import line_micros
from functions.use_cases.budget.spending import known_batch_price
from functions.use_cases.cache.labels import compared
from functions.use_cases.rollouts.serving import way_of
from functions.use_cases.shared.set_aside import LOOK_AGAIN, Items, report_item

if TYPE_CHECKING:
    from functions.wiring import Deps

WRITES_BUFFERED_MAX = 100
"""Results held back to be written in one call."""


@dataclass(frozen=True)
class _Ending:
    """How a job ends that needs no refund: after which attempt, and what is written."""

    member: BatchMember
    attempt: Attempt
    fields: Fields


class Endings:
    """Ends jobs of a batch, and counts in `ended` how, from the `before` of earlier collectors, with what the day's
    tally is to count. `news` is for the users, `causes` why attempts failed; `unended` jobs are left to the next
    poll."""

    def __init__(self, deps: Deps, batch: Batch, before: Counter[str]) -> None:
        """Take a batch under a lease."""
        self._deps, self._batch = deps, batch
        most, percent = (batch.hold.line_micros, batch.hold.percent) if batch.hold else (line_micros(deps), 100)
        self._terms = Terms(batch.model, known_batch_price(batch, deps), most_micros=most, percent=percent)
        self._held_back: list[_Ending] = []
        self._items = Items(deps.clock)
        self.anomalies = UsageAnomalies()
        self.causes: Counter[str] = Counter()
        self.ended = Counter(before)
        self.news: dict[str, PushSummary] = {}
        self.unended: list[BatchMember] = []

    def end(
        self, member: BatchMember, attempt: Attempt, *, counts: bool = True, pause: timedelta | None = None
    ) -> None:
        """End a job after an attempt, if it `counts` as one; the next one waits for `pause`. Raises
        google.api_core.exceptions.GoogleAPICallError if Firestore is down; the job is left to the next poll."""
        try:
            self._end(member, attempt, counts=counts, pause=pause)
            self._items.succeeded()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next job gets its turn)
            self._items.failed(error, jobId=member.job_id, batchId=self._batch.batch_id)
            self._leave(member, attempt)
        if len(self._held_back) >= WRITES_BUFFERED_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what is held back. A write is refused if an earlier collector, who died before it could store what it
        had counted, has ended the job: by this line, or without it. A read for each says how."""
        endings, self._held_back = self._held_back, []
        outcomes = self._deps.store.update_jobs([(e.member.job_id, e.member.updated_at, e.fields) for e in endings])
        refused = [e.member.job_id for e, outcome in zip(endings, outcomes, strict=True) if outcome is None]
        before = self._deps.store.jobs_of_ids(refused)
        for ending, outcome in zip(endings, outcomes, strict=True):
            member, attempt = ending.member, ending.attempt
            if isinstance(outcome, Exception):
                self.ended["answered"] -= attempt.billed
                report_item(outcome, jobId=member.job_id, batchId=self._batch.batch_id)
                self._leave(member, attempt)
            elif outcome is not None:
                self._note(member, attempt, ending.fields["status"], attempt.error)
            else:
                self._note_as_found(member, attempt, before.get(member.job_id))

    def _end(self, member: BatchMember, attempt: Attempt, *, counts: bool, pause: timedelta | None) -> None:
        now, cost = self._deps.clock(), self._terms.cost_micros(attempt)
        if attempt.answer is not None:
            way = way_of(self._batch, self._deps)
            done = answered(attempt.answer, attempt, member, self._terms, now, way.prompt, side_max=way.side_max)
            label = compared(member.cache, attempt.answer, way, self._deps)
            self._hold_back(_Ending(member, attempt, {**done, **label}))
            return
        error = attempt.error
        if error is None:
            raise ValueError("an attempt without an answer carries an error")
        self.causes[error.message] += 1
        usage = self._terms.believed(attempt)
        spent, attempts = member.cost_micros + cost, member.attempts - (0 if counts else 1)
        in_time = not waited_too_long(member.created_at, now)
        may = may_try_again(error, attempts, self._deps.runtime().batch.attempts_max)
        if attempt.retryable and may and in_time:
            again = requeued(error, attempts=attempts, at=now + (pause or backoff(attempts)))
            self._hold_back(_Ending(member, attempt, {**again, "costMicros": spent}))
            return
        decision = refunding(lambda job: job.batch_id == self._batch.batch_id, error, spent, now, usage)
        stored = self._deps.store.settle_job(member.job_id, member.uid, decision)
        self.ended["answered"] += attempt.billed
        self._note_as_found(member, attempt, stored.job if stored else None)

    def _counted(self, member: BatchMember, attempt: Attempt, error: JobError | None, status: str) -> Counter[str]:
        """Return what a job that has come to this, by this error if it is not done, adds to the day's tally."""
        done, again = status == Status.DONE, status not in FINAL
        code, usage = error.code if error and not done else None, self._terms.believed(attempt)
        counters = tally.of_usage(usage) + Counter([f"retried:{code}"] if code else ()) if again else ended(code, usage)
        if is_check(member.job_id):  # no user's photo, and none waits for it
            return in_tally(tally.of_check(counters, self._terms.cost_micros(attempt)))
        if done and attempt.answer is not None:
            counters += tally.of_answer(self._batch.prompt_version, attempt.answer.category)
        if not again:
            counters += tally.of_wait(self._deps.clock() - member.created_at)
        return in_tally(counters)

    def _hold_back(self, ending: _Ending) -> None:
        self._held_back.append(ending)
        self.ended["answered"] += ending.attempt.billed

    def _note_as_found(self, member: BatchMember, attempt: Attempt, job: Job | None) -> None:
        """Count a job as it is stored: ended by this batch, whoever wrote it, or taken back to the queue. Of one that
        is gone only the cost is left."""
        if job is None:
            self.ended["costMicros"] += self._terms.cost_micros(attempt)
        else:
            ours = job.batch_id == self._batch.batch_id
            self._note(member, attempt, job.status if ours else Status.QUEUED, job.error)

    def _note(self, member: BatchMember, attempt: Attempt, status: str, error: JobError | None) -> None:
        outcome = status if status in {Status.DONE, Status.FAILED} else "requeued"
        self.ended.update({outcome: 1, "costMicros": self._terms.cost_micros(attempt)})
        self.ended.update(self._counted(member, attempt, error, status))
        self.anomalies.add(member.job_id, attempt, self._terms)
        if (member.notify or member.looked_up) and outcome != "requeued":
            before = self.news.get(member.uid, PushSummary(member.uid))
            self.news[member.uid] = replace(
                before,
                push_tokens=before.push_tokens or member.notify,
                done=before.done + (outcome == "done"),
                failed=before.failed + (outcome == "failed"),
            )

    def _leave(self, member: BatchMember, attempt: Attempt) -> None:
        """Leave a job that could not be ended to the next poll, and after a few of them to `recover_jobs`."""
        if self._batch.unended_polls < UNENDED_POLLS_MAX:
            self.unended.append(member)
            return
        now, cost = self._deps.clock(), self._terms.cost_micros(attempt)
        error = attempt.error or JobError(code=Failure.ANSWER_UNUSABLE, message="the result could not be stored")
        self._deps.store.leave_letter("job", member.job_id, member.uid, error.message, now)
        later = lease_moved(now + LOOK_AGAIN, error, member.cost_micros + cost)
        self._deps.store.update_jobs([(member.job_id, member.updated_at, later)])
        self.ended.update(costMicros=cost, answered=int(attempt.billed), failed=1)
        self.ended.update(self._counted(member, attempt, error, Status.FAILED))
