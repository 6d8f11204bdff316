"""Message batches: created, moved along by the clock, listed, cancelled, read and deleted."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from localcloud.anthropic.batch_state import MessageBatch, timetable
from localcloud.anthropic.errors import ApiError, invalid, not_found, required
from localcloud.anthropic.settings import LIST_DEFAULT, LIST_MAX, Settings
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids

ENDPOINT = "BATCH /v1/messages"
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CANCELING_SECONDS_MAX = 600

Answer = Callable[[dict[str, Any], str], dict[str, Any]]
"""`params` and custom_id of a request to the message; raises ApiError."""


class Batches:
    """All batches. Safe to use from several threads; time is handed into every call as seconds since 1970."""

    def __init__(self, settings: Settings, directory: Path, faults: Faults, ids: Ids, answer: Answer) -> None:
        """Start without batches; keep requests and results in `directory`."""
        self._settings, self._directory, self._faults, self._ids, self._answer = (
            settings,
            directory,
            faults,
            ids,
            answer,
        )
        self._batches: dict[str, MessageBatch] = {}  # oldest first
        self._created = 0
        self._lock = threading.RLock()

    def create(self, body: object, now: float) -> MessageBatch:
        """Create a batch from a request's JSON. The `params` are validated later, each by itself.

        Raises:
            ApiError: 400; the request itself is not in order.
        """
        requests = self._checked(body)
        with self._lock:
            self._created += 1
            dice = self._ids.dice(f"batch {self._created}")
            faults = self._faults.strike_all("batch", ENDPOINT)
            begin, end, share = timetable(now, self._settings.batch_minutes, dice, faults)
            batch_id = self._ids.new("msgbatch_")
            path = self._directory / f"{batch_id}.requests"
            batch = MessageBatch(
                id=batch_id,
                created_at=now,
                faults=faults,
                requests_path=path,
                results_path=self._directory / f"{batch_id}.results",
                offsets=_write_all(path, requests),
                order=dice.sample(range(len(requests)), len(requests)),
                work_begins_at=begin,
                work_ends_at=end,
                share=share,
            )
            self._batches[batch_id] = batch
            return batch

    def retrieve(self, batch_id: str, now: float) -> MessageBatch:
        """Return a batch as it is now.

        Raises:
            ApiError: 404; there is no such batch.
        """
        with self._lock:
            batch = self._batches.get(batch_id)
            if batch is None:
                raise not_found(f"Message Batch {batch_id} not found.")
            self._advance(batch, now)
            return batch

    def page(self, now: float, *, limit: str | None, after: str | None, before: str | None) -> list[MessageBatch]:
        """Return one page of the list, newest first, and one batch more if there are more.

        Raises:
            ApiError: 400; the limit is out of range, or a cursor names no batch.
        """
        count = LIST_DEFAULT if limit is None else int(limit) if limit.isdecimal() else 0
        if not 1 <= count <= LIST_MAX:
            raise invalid(f"limit: Input should be between 1 and {LIST_MAX}")
        if after and before:
            raise invalid("Only one of before_id and after_id may be given")
        with self._lock:
            self.advance(now)
            listed = [each for each in self._batches.values() if now >= each.created_at + each.delayed("list_late")]
        newest_first = listed[::-1]
        for cursor in filter(None, (after, before)):
            if cursor not in {each.id for each in newest_first}:
                raise invalid(f"{'after_id' if after else 'before_id'}: {cursor} is not a Message Batch")
        place = next((number for number, each in enumerate(newest_first) if each.id in {after, before}), None)
        if place is not None and after:
            return newest_first[place + 1 :][: count + 1]
        return newest_first[: count + 1] if place is None else newest_first[:place][-count - 1 :]

    def cancel(self, batch_id: str, now: float) -> MessageBatch:
        """Begin to cancel a batch; it ends within ten minutes. A second wish changes nothing.

        Raises:
            ApiError: 404; 400 when the batch has ended.
        """
        with self._lock:
            batch = self.retrieve(batch_id, now)
            if batch.status == "ended":
                raise invalid(f"Batch {batch_id} cannot be canceled because it has already ended.")
            if batch.cancel_initiated_at is None:
                batch.cancel_initiated_at = now
                batch.canceled_due = now + min(CANCELING_SECONDS_MAX, self._settings.batch_minutes * 6)
            return batch

    def results(self, batch_id: str, now: float) -> Path:
        """Return the results of a batch that has ended, JSON lines in any order.

        Raises:
            ApiError: 404; there is no such batch, it has not ended, or its results are gone.
        """
        with self._lock:
            batch = self.retrieve(batch_id, now)
            if batch.ended_at is None or now < batch.ended_at + batch.delayed("results_late"):
                raise not_found(f"Message Batch {batch_id} has no available results.")
            if batch.archived_at(now) is not None:
                raise not_found(f"The results of Message Batch {batch_id} are no longer available.")
            return batch.results_path

    def delete(self, batch_id: str, now: float) -> dict[str, str]:
        """Remove a batch that has ended, and its results.

        Raises:
            ApiError: 404; 400 while the batch is processed.
        """
        with self._lock:
            batch = self.retrieve(batch_id, now)
            if batch.status != "ended":
                raise invalid(f"Batch {batch_id} cannot be deleted while it is being processed; cancel it first.")
            batch.results_path.unlink()
            del self._batches[batch_id]
            return {"id": batch_id, "type": "message_batch_deleted"}

    def advance(self, now: float) -> None:
        """Move every batch to where the clock says it is."""
        with self._lock:
            for batch in self._batches.values():
                self._advance(batch, now)

    def _checked(self, body: object) -> list[dict[str, Any]]:
        requests = body.get("requests") if isinstance(body, dict) else None
        if not isinstance(body, dict) or requests is None:
            raise required("requests")
        if extra := sorted(body.keys() - {"requests", "user_profile_id", "workspace_id"}):
            raise invalid(f"{extra[0]}: Extra inputs are not permitted")
        if not isinstance(requests, list) or not requests:
            raise invalid("requests: List should have at least 1 item after validation, not 0")
        most = self._settings.batch_requests_max
        if len(requests) > most:
            raise invalid(f"requests: List should have at most {most} items after validation, not {len(requests)}")
        seen: set[str] = set()
        for number, request in enumerate(requests):
            _check_request(request, f"requests.{number}", seen)
        return requests

    def _advance(self, batch: MessageBatch, now: float) -> None:
        if batch.ended_at is not None:
            return
        done_at = batch.work_ends_at if batch.share == 1.0 else float("inf")
        end = min(done_at, batch.canceled_due, batch.expires_at)
        if now < end:
            return
        if end == batch.expires_at:
            self._end(batch, end, batch.due(end), "expired")
        elif batch.cancel_initiated_at is not None and end == batch.canceled_due:
            self._end(batch, end, batch.due(batch.cancel_initiated_at), "canceled")
        else:
            self._end(batch, end, batch.total, "expired")

    def _end(self, batch: MessageBatch, moment: float, worked_off: int, rest: str) -> None:
        with batch.requests_path.open("rb") as requests, batch.results_path.open("wb") as results:
            for number, index in enumerate(batch.order):
                requests.seek(batch.offsets[index])
                request = json.loads(requests.readline())
                custom_id = request["custom_id"]
                result = self._result(request, custom_id) if number < worked_off else {"type": rest}
                batch.counts[result["type"]] += 1
                self._write(results, custom_id, result)
        batch.requests_path.unlink()
        batch.ended_at = moment

    def _result(self, request: dict[str, Any], custom_id: str) -> dict[str, Any]:
        if self._faults.strike("line error", ENDPOINT, custom_id):
            trouble = ApiError("api_error", "Internal server error")
        else:
            try:
                return {"type": "succeeded", "message": self._answer(request["params"], custom_id)}
            except ApiError as error:
                trouble = error
        return {"type": "errored", "error": trouble.body(self._ids.new("req_"))}

    def _write(self, results: IO[bytes], custom_id: str, result: dict[str, Any]) -> None:
        struck = {fault.kind for fault in self._faults.strike_all("line", ENDPOINT, custom_id)}
        names = [] if "missing_line" in struck else [custom_id]
        names += [custom_id] * ("duplicate_line" in struck) + [f"unknown-{custom_id}"] * ("unknown_line" in struck)
        for name in names:
            results.write(json.dumps({"custom_id": name, "result": result}).encode() + b"\n")


def _check_request(request: object, where: str, seen: set[str]) -> None:
    if not isinstance(request, dict):
        raise invalid(f"{where}: Input should be an object")
    for name in ("custom_id", "params"):
        if name not in request:
            raise required(f"{where}.{name}")
    custom_id = request["custom_id"]
    if not isinstance(custom_id, str) or not CUSTOM_ID.fullmatch(custom_id):
        raise invalid(f"{where}.custom_id: String should match pattern '^{CUSTOM_ID.pattern}$'")
    if custom_id in seen:
        raise invalid(f"{where}.custom_id: Custom id must be unique within the batch, got {custom_id} twice")
    if not isinstance(request["params"], dict):
        raise invalid(f"{where}.params: Input should be an object")
    seen.add(custom_id)


def _write_all(path: Path, requests: list[dict[str, Any]]) -> list[int]:
    offsets = []
    with path.open("wb") as file:
        for request in requests:
            offsets.append(file.tell())
            file.write(json.dumps(request).encode() + b"\n")
    return offsets
