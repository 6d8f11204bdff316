"""The files of a batch: the input file for its provider, and the roll, our list of the jobs that are in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from functions.adapters.transient_errors import will_pass
from functions.core.batches.batches import INPUT_BYTES_MAX, Batch
from functions.core.batches.manifest import BatchMember
from functions.core.jobs.endings import refunding
from functions.core.jobs.jobs import Failure, JobError
from functions.core.jobs.transitions import backoff, lease_moved, requeued, waited_too_long
from functions.core.jobs.uploads import unchanged
from functions.core.model.dialects.dialect import dialect_of
from functions.core.model.prompts import image_data_url
from functions.core.shared.errors import ImageNotFound, InvalidImage
from functions.core.shared.providers import split
from functions.use_cases.rollouts.serving import images_of, way_of
from functions.use_cases.shared.set_aside import LOOK_AGAIN, report_item

if TYPE_CHECKING:
    from datetime import datetime

    from functions.core.shared.records import Fields
    from functions.wiring import Deps

PHOTO_THREADS = 8
"""Photos fetched and prepared side by side: enough to hide Storage's latency, few enough to hold in memory."""

UNREAD_MAX = 4 * PHOTO_THREADS
"""Photos in a row, from the first on, that could not be read. Then it is Storage, and the rest is not asked for."""

_UNREADABLE = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="The photo could not be read from storage.")
_NOT_SENT = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="not sent yet")


class LeaseOverError(Exception):
    """Another run may have closed the batch, and removed its files: what is written now would stay for ever."""


class StorageDownError(Exception):
    """Not one photo of a batch could be read."""


@dataclass
class _Sorted:
    """Where a batch's jobs go: how many are `sent`; the `refused` photos, with the reason; those that `failed` by an
    unforeseen error; those `left`, since the file is full or time is out."""

    sent: int = 0
    size: int = 0
    refused: list[tuple[BatchMember, JobError]] = field(default_factory=list)
    failed: list[tuple[BatchMember, Exception]] = field(default_factory=list)
    left: list[BatchMember] = field(default_factory=list)

    @property
    def storage_is_down(self) -> bool:
        """Whether no photo could be read. A single one proves that only by an error that is Storage's own."""
        alone = len(self.failed) == 1 and not will_pass(self.failed[0][1])
        return bool(self.failed) and not (self.sent or self.refused or alone)


def write_files(deps: Deps, batch: Batch, members: Sequence[BatchMember], until: datetime, counts: Counter[str]) -> int:
    """Stream the input file and the manifest. Returns how many jobs are in them.

    A photo that was removed or replaced fails its job, with a refund. An unreadable one is retried alone, within the
    usual attempts. What exceeds the file, or comes after `until`, is requeued without an attempt.

    Raises:
        LeaseOverError: it took too long; photos and files that were written may have been removed.
        StorageDownError: no photo could be read. All jobs are still the batch's.
    """
    found, (head, between, tail) = _Sorted(), dialect_of(batch.model).BATCH_FRAME
    with deps.files.write_input(batch.batch_id) as file:
        with (
            deps.files.write_manifest(batch.batch_id) as manifest,
            closing(_lines(deps, batch, members, until)) as lines,
        ):
            file.write(head)
            for number, (member, line) in enumerate(lines):
                full = (
                    isinstance(line, bytes) and found.size + len(line) > INPUT_BYTES_MAX
                )  # the frame is in the margin
                unread = len(found.failed) >= UNREAD_MAX and found.storage_is_down
                if line is None or full or unread:
                    found.left += members[number:]
                    break
                if isinstance(line, bytes):
                    file.write(between + line if found.sent else line)
                    manifest.write(member.to_line())
                    found.size += len(line)
                    found.sent += 1
                elif isinstance(line, JobError):
                    found.refused.append((member, line))
                else:
                    found.failed.append((member, line))
            file.write(tail)
            _require_lease(deps, batch)  # a file appears when its block ends without an error
        _require_lease(deps, batch)
    _require_lease(deps, batch)  # what comes next reads them
    if found.storage_is_down:
        raise StorageDownError from found.failed[0][1]
    _see_to_the_others(deps, batch, found, counts)
    return found.sent


def _see_to_the_others(deps: Deps, batch: Batch, found: _Sorted, counts: Counter[str]) -> None:
    """Refund, try again or give back the jobs that are not in the files."""
    now = deps.clock()
    changes: list[tuple[str, datetime, Fields]] = []
    for member, error in found.refused:
        counts["refused"] += _refund(deps, batch, member, error)
    for member, unforeseen in found.failed:
        report_item(unforeseen, jobId=member.job_id, batchId=batch.batch_id)
        if member.attempts < deps.runtime().batch.attempts_max and not waited_too_long(member.created_at, now):
            fields = requeued(_UNREADABLE, attempts=member.attempts, at=now + backoff(member.attempts))
            changes.append((member.job_id, member.updated_at, fields))
        else:
            counts["refused"] += _refund(deps, batch, member, _UNREADABLE)
    for member in found.left:
        fields = requeued(_NOT_SENT, attempts=member.attempts - 1, at=member.created_at)
        changes.append((member.job_id, member.updated_at, fields))
    counts["unreadable"] += len(found.failed)
    counts["released"] += len(found.left)
    outcomes = deps.store.update_jobs(changes)
    unwritten = [change for change, outcome in zip(changes, outcomes, strict=True) if isinstance(outcome, Exception)]
    deps.store.update_jobs(unwritten)  # else `recover_jobs` refunds them when the lease of their claim is over


def _refund(deps: Deps, batch: Batch, member: BatchMember, reason: JobError) -> bool:
    """Fail a job and give its price back. False if that is left to `recover_jobs`, with a dead letter."""
    now = deps.clock()
    decision = refunding(lambda job: job.batch_id == batch.batch_id, reason, member.cost_micros, now)
    try:
        deps.store.settle_job(member.job_id, member.uid, decision)
    except Exception as error:  # noqa: BLE001  (whatever it is, the others of the batch are sent)
        report_item(error, jobId=member.job_id, batchId=batch.batch_id)
        deps.store.leave_letter("job", member.job_id, member.uid, reason.message, now)
        later = lease_moved(now + LOOK_AGAIN, reason, member.cost_micros)
        deps.store.update_jobs([(member.job_id, member.updated_at, later)])
        return False
    return True


def _require_lease(deps: Deps, batch: Batch) -> None:
    if not batch.holds_lease(deps.clock()):
        raise LeaseOverError(batch.batch_id)


def _lines(
    deps: Deps, batch: Batch, members: Sequence[BatchMember], until: datetime
) -> Generator[tuple[BatchMember, bytes | JobError | Exception | None]]:
    """Prepare the photos side by side, in chunks, so that only a few are held at a time. None: there was no time."""
    prepare = partial(_line, deps, batch, until)
    with ThreadPoolExecutor(PHOTO_THREADS) as pool:
        for start in range(0, len(members), 4 * PHOTO_THREADS):
            chunk = members[start : start + 4 * PHOTO_THREADS]
            yield from zip(chunk, pool.map(prepare, chunk), strict=True)


def _line(deps: Deps, batch: Batch, until: datetime, member: BatchMember) -> bytes | JobError | Exception | None:
    if deps.clock() >= until:
        return None
    try:
        return _prepared(deps, batch, member)
    except LeaseOverError:
        raise
    except ImageNotFound:
        return JobError(code=Failure.IMAGE_NOT_FOUND, message="The photo was replaced or removed before its turn came.")
    except InvalidImage as problem:
        return JobError(code=Failure.INVALID_IMAGE, message=problem.message, problem=problem.problem)
    except Exception as unforeseen:  # noqa: BLE001  (whatever it is, it is this photo's alone)
        return unforeseen


def _prepared(deps: Deps, batch: Batch, member: BatchMember) -> bytes:
    upload = unchanged(deps.files.read_photo(member.image_path), member.image_digest)
    photo = deps.prepare_photo(upload, images_of(way_of(batch, deps), deps))
    if deps.runtime().batch.signed_urls:
        _require_lease(deps, batch)
        url = deps.files.put_photo(batch.batch_id, member.job_id, photo)
    else:
        url = image_data_url(photo)
    member.to_line()  # what cannot be listed cannot be sent
    dialect, (provider, model) = dialect_of(batch.model), split(batch.model)
    prompt, identifier = batch.prompt_version, deps.safety_identifier(member.uid, provider)
    body = dialect.completion_request(model, url, member.region, member.language, prompt=prompt, identifier=identifier)
    return dialect.batch_line(member.job_id, body)
