"""Reading the next photos of a bulk job: what cannot be used is known before it becomes a job that waits.

The batch lane reads each photo again when it is sent. That it is read here keeps damaged files, which cost the most
time, out of the batches of others; and what is sent is what was checked.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from functions.adapters.transient_errors import will_pass
from functions.core.bulk.changes import Seen
from functions.core.jobs.jobs import Failure, JobError
from functions.core.jobs.uploads import digest_of
from functions.core.shared.errors import ImageNotFound, InvalidImage
from functions.use_cases.shared.set_aside import report_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.wiring import Deps

PHOTO_THREADS = 8
"""Photos read side by side, to hide Storage's latency."""


class StorageDownError(Exception):
    """Not one photo of a page could be read."""


def read_page(paths: Sequence[str], deps: Deps) -> list[Seen]:
    """Read these photos. One that cannot be read just now is left to the batch lane, which tries again. Raises
    StorageDownError if none can, by an error that will pass."""
    with ThreadPoolExecutor(PHOTO_THREADS) as pool:
        read = list(pool.map(partial(_read, deps), paths))
    errors = [each for each in read if isinstance(each, Exception)]
    if errors and len(errors) == len(read) and will_pass(errors[0]):
        raise StorageDownError from errors[0]
    for error in errors:
        report_item(error, about="a photo of a bulk job")
    return [Seen(path) if isinstance(each, Exception) else each for path, each in zip(paths, read, strict=True)]


def _read(deps: Deps, path: str) -> Seen | Exception:
    try:
        upload = deps.files.read_photo(path)
        deps.prepare_photo(upload, deps.runtime().images)
        return Seen(path, digest_of(upload))
    except ImageNotFound:
        return Seen(path, error=JobError(code=Failure.IMAGE_NOT_FOUND, message="there is no such photo"))
    except InvalidImage as problem:
        return Seen(path, error=JobError(code=Failure.INVALID_IMAGE, message=problem.message, problem=problem.problem))
    except Exception as unforeseen:  # noqa: BLE001  (whatever it is, it is this photo's alone)
        return unforeseen
