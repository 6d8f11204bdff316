"""The files of a batch: the input file for OpenAI, and the roll, our list of the jobs that are in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from functions.core.batches import INPUT_BYTES_MAX, Batch, BatchMember
from functions.core.errors import ImageNotFound, InvalidImage
from functions.core.jobs import Failure, Job, JobError
from functions.core.prompts import batch_line, completion_request, image_data_url
from functions.core.settlement import refunding
from functions.core.transitions import requeued

if TYPE_CHECKING:
    from functions.wiring import Deps

PHOTO_THREADS = 8
"""Photos fetched and prepared side by side: enough to hide Storage's latency, few enough to hold in memory."""


class LeaseOverError(Exception):
    """Another run may have closed the batch, and removed its files: what is written now would stay for ever."""


def write_files(deps: Deps, batch: Batch, members: Sequence[BatchMember], counts: Counter[str]) -> int:
    """Stream the input file and the roll. Returns how many jobs are in them.

    A photo that is gone or broken by now fails its own job, with a refund. What does not fit goes back to the queue.

    Raises:
        LeaseOverError: it took too long; photos and files that were written may have been removed.
    """
    left: list[BatchMember] = []
    sent = size = 0
    with deps.files.write_input(batch.batch_id) as file:
        with deps.files.write_roll(batch.batch_id) as roll:
            for member, line in _lines(deps, batch, members):
                if isinstance(line, JobError):
                    decision = refunding(_in(batch), line, member.cost_micros, deps.clock())
                    deps.store.settle_job(member.job_id, member.uid, decision)
                    counts["refused"] += 1
                elif size + len(line) > INPUT_BYTES_MAX:
                    left.append(member)
                else:
                    file.write(line)
                    roll.write(member.to_line())
                    size += len(line)
                    sent += 1
            _require_lease(deps, batch)  # a file appears when its block ends without an error
        _require_lease(deps, batch)
    _require_lease(deps, batch)  # what comes next reads them
    full = JobError(code=Failure.PROVIDER_UNAVAILABLE, message="not sent yet: the batch file is full")
    back = [(m.job_id, m.updated_at, requeued(full, attempts=m.attempts - 1, at=deps.clock())) for m in left]
    deps.store.update_jobs(back)
    counts["released"] += len(back)
    return sent


def _in(batch: Batch) -> Callable[[Job], bool]:
    return lambda job: job.batch_id == batch.batch_id


def _require_lease(deps: Deps, batch: Batch) -> None:
    if not batch.is_ours(deps.clock()):
        raise LeaseOverError(batch.batch_id)


def _lines(deps: Deps, batch: Batch, members: Sequence[BatchMember]) -> Iterator[tuple[BatchMember, bytes | JobError]]:
    """Prepare the photos side by side, in chunks, so that only a few are held at a time."""
    with ThreadPoolExecutor(PHOTO_THREADS) as pool:
        for start in range(0, len(members), 4 * PHOTO_THREADS):
            chunk = members[start : start + 4 * PHOTO_THREADS]
            yield from zip(chunk, pool.map(lambda member: _line(deps, batch, member), chunk), strict=True)


def _line(deps: Deps, batch: Batch, member: BatchMember) -> bytes | JobError:
    runtime = deps.runtime()
    try:
        photo = deps.prepare_photo(deps.files.read_photo(member.image_path), runtime.images)
    except ImageNotFound:
        return JobError(code=Failure.IMAGE_NOT_FOUND, message="The photo was removed before its turn came.")
    except InvalidImage as problem:
        return JobError(code=Failure.INVALID_IMAGE, message=problem.message, problem=problem.problem)
    if runtime.batch.signed_urls:
        _require_lease(deps, batch)
        url = deps.files.put_photo(batch.batch_id, member.job_id, photo)
    else:
        url = image_data_url(photo)
    body = completion_request(deps.settings.openai_model, url, member.region, member.language)
    return batch_line(member.job_id, body)
