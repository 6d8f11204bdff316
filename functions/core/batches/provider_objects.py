"""Providers' files and batches, from JSON that may be anything. Its words get into documents, logs, addresses and
terminals: what is malformed is left out, or makes the whole object unreadable."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.core.batches.reports import ProviderBatch, ProviderState
from functions.core.model.provider_errors import THE_PHOTOS, TROUBLES, Trouble, code_of

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")
"""An id of a file or batch: OpenAI's have about thirty characters, those of proxies may be longer."""

_WORD = re.compile("[a-z_]{1,32}")
"""What a batch's state looks like, in the provider's own word. It gets into documents and alerts."""

LINES_MAX = 1_000_000
"""Above any count of lines, and any line's number, in a batch."""

PROBLEMS_READ_MAX = 50_000
"""Of a batch that failed validation: one for each line that it may have."""


class UnreadableError(ValueError):
    """The provider answered, and nobody can make sense of it. The message quotes nothing."""


def id_in(body: object) -> str:
    """Return the id of an object. Raises UnreadableError if it has none."""
    found = _mapping(body).get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise UnreadableError("no id")
    return found


def read_batch(body: object, provider_batch_id: str | None = None) -> ProviderBatch:
    """Reduce OpenAI's batch object. Raises UnreadableError if it is none, or not the one that was asked about."""
    batch, found = _the_one(body, provider_batch_id)
    status, counts, problems = batch.get("status"), _part(batch, "request_counts"), _problems(batch)
    codes = {str(code_of({"code": problem.get("code")})) for problem in problems}
    return ProviderBatch(
        provider_batch_id=found,
        state=ProviderState(str(status)),
        output_file_id=_file_id(batch.get("output_file_id")),
        error_file_id=_file_id(batch.get("error_file_id")),
        problem=", ".join(sorted(codes)[:5]) or None,
        bad_lines=frozenset(_count(problem.get("line")) for problem in problems if _is_the_lines(problem)) - {0},
        over_limit=any(problem.get("code") == "token_limit_exceeded" for problem in problems),
        answered=_count(counts.get("completed")),
        refused=_count(counts.get("failed")),
        status=_word(status),
    )


@dataclass(frozen=True)
class Listed:
    """A batch in Anthropic's list, which keeps no word of its creator: when it was created, and with how many lines."""

    reported: ProviderBatch
    created_at: datetime
    lines: int


def read_message_batch(body: object, provider_batch_id: str | None = None) -> ProviderBatch:
    """Reduce Anthropic's batch object; its results go by the batch's own id, once there are any. Raises UnreadableError
    if it is none, or not the one that was asked about."""
    batch, found = _the_one(body, provider_batch_id)
    status, counts = batch.get("processing_status"), _outcomes(batch)
    return ProviderBatch(
        provider_batch_id=found,
        state=_message_batch_state(status, counts),
        output_file_id=found if isinstance(batch.get("results_url"), str) else None,
        answered=counts["succeeded"],
        refused=counts["errored"] + counts["canceled"] + counts["expired"],
        status=_word(status),
        one_file=True,
    )


def read_listed(body: object) -> Listed:
    """Reduce a batch in Anthropic's list. Raises UnreadableError if it says not when it was created."""
    created, counts = _mapping(body).get("created_at"), _outcomes(_mapping(body))
    try:
        created_at = datetime.fromisoformat(created) if isinstance(created, str) else None
    except ValueError:
        created_at = None
    if created_at is None or created_at.tzinfo is None:
        raise UnreadableError("no time of creation")
    return Listed(read_message_batch(body), created_at, sum(counts.values()))


def _message_batch_state(status: object, counts: Mapping[str, int]) -> ProviderState:
    if status == "ended":
        of_rest = ((ProviderState.EXPIRED, "expired"), (ProviderState.CANCELLED, "canceled"))
        return next((state for state, name in of_rest if counts[name]), ProviderState.COMPLETED)
    return {"in_progress": ProviderState.IN_PROGRESS, "canceling": ProviderState.CANCELLING}.get(
        str(status), ProviderState.UNKNOWN
    )


def _outcomes(batch: Mapping[str, object]) -> dict[str, int]:
    counts = _part(batch, "request_counts")
    return {name: _count(counts.get(name)) for name in ("processing", "succeeded", "errored", "canceled", "expired")}


def _the_one(body: object, provider_batch_id: str | None) -> tuple[Mapping[str, object], str]:
    batch, found = _mapping(body), id_in(body)
    if provider_batch_id not in {None, found}:
        raise UnreadableError("another batch")
    return batch, found


def _word(status: object) -> str:
    return status if isinstance(status, str) and _WORD.fullmatch(status) else "unreadable"


def read_page(body: object) -> tuple[Sequence[object], bool]:
    """Return one page's objects, and whether there is another page. Raises UnreadableError if it is no list."""
    page = _mapping(body)
    data = page.get("data")
    if not isinstance(data, list):
        raise UnreadableError("no list")
    return data, page.get("has_more") is True and bool(data)


def carries(body: object, batch_id: str) -> bool:
    """Whether a batch object carries our id."""
    return _part(_mapping(body), "metadata").get("batchId") == batch_id


def is_before(body: object, moment: datetime) -> bool:
    """Whether a batch object says that it was created before this time."""
    created = _mapping(body).get("created_at")
    return isinstance(created, int | float) and created < moment.timestamp()


def _mapping(body: object) -> Mapping[str, object]:
    if not isinstance(body, Mapping):
        raise UnreadableError("no object")
    return body


def _part(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = body.get(name)
    return found if isinstance(found, Mapping) else {}


def _problems(batch: Mapping[str, object]) -> list[Mapping[str, object]]:
    data = _part(batch, "errors").get("data")
    return [each for each in data[:PROBLEMS_READ_MAX] if isinstance(each, Mapping)] if isinstance(data, list) else []


def _file_id(value: object) -> str | None:
    """Return a file's id, None for None and for "", which has been seen. Raises UnreadableError for anything else: a
    file that nobody can fetch must not be taken for none."""
    if value is None or value == "":
        return None
    return id_in({"id": value})


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value <= LINES_MAX else 0


def _is_the_lines(problem: Mapping[str, object]) -> bool:
    """Whether what is wrong with a line is that line's own: of a model that is gone, it is told line by line."""
    code = problem.get("code")
    return TROUBLES.get(code if isinstance(code, str) else "", Trouble.PHOTO) in THE_PHOTOS
