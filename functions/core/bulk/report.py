"""The report of a bulk job: a CSV file with a line for each photo of its list, in its order."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from functions.core.jobs.jobs import Job
from functions.core.shared.plain_text import visible

COLUMNS = ("photo", "status", "item", "category", "subcategory", "method", "confidence", "tokens", "reason", "jobId")

NOT_TAKEN, UNKNOWN = "not_taken", "unknown"
"""The status of a photo that never became a job, and whose price came back with the bulk job's; and of one whose job
cannot be read."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula. A file's name, or what a model writes, may begin so."""


def header() -> str:
    """Return the first line."""
    return _lines([COLUMNS])


def lines(photos: Iterable[tuple[str, Job | str]]) -> str:
    """Return the lines of these photos: each one's path, and its job, or its status if it has none."""
    return _lines(_row(path.rpartition("/")[2], job) for path, job in photos)


def _row(name: str, job: Job | str) -> Iterator[str]:
    if isinstance(job, str):
        yield from (_cell(each) for each in (name, job, *[""] * (len(COLUMNS) - 2)))
        return
    result: dict[str, Any] = job.result or {}
    disposal = result.get("disposal")
    method = disposal.get("primaryMethod") if isinstance(disposal, dict) else None
    texts = [result.get(field) for field in ("itemName", "category", "subcategory")]
    figures = [method, result.get("confidence"), job.tokens_cost, job.error.code if job.error else None, job.job_id]
    yield from (_cell(each) for each in (name, job.status, *texts, *figures))


def _cell(value: object) -> str:
    text = "" if value is None else visible(str(value)).replace("\n", " ")
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Written(list[str]):
    """What a CSV writer has written: it takes anything that it can `write` to."""

    write = list.append


def _lines(rows: Iterable[Iterable[str]]) -> str:
    out = _Written()
    csv.writer(out).writerows(rows)
    return "".join(out)
