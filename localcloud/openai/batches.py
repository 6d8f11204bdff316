"""Batches: created, moved along by the clock, listed and cancelled."""

import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.openai import batch_input
from localcloud.openai.azure import BATCH_ENDPOINT, Azure
from localcloud.openai.batch_lines import LineWorker
from localcloud.openai.batch_state import CANCELLING_SECONDS_MAX, FINAL, Batch, timetable
from localcloud.openai.chat_options import check_metadata
from localcloud.openai.errors import ApiError, invalid, missing_parameter, no_such
from localcloud.openai.files import Files, StoredFile, life_seconds, page_of
from localcloud.openai.images import Gallery
from localcloud.openai.settings import BATCH_FILE_LIFE_SECONDS, COMPLETION_WINDOW, Settings
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids

ENDPOINT = "/v1/chat/completions"
PARAMETERS = frozenset({"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"})
LIST_MAX = 100

Announce = Callable[[str, str, int], None]
"""Event type, batch id and moment of something that a webhook tells."""


class Batches:
    """All batches. Safe to use from several threads; time is handed into every call as seconds since 1970."""

    def __init__(
        self,
        settings: Settings,
        files: Files,
        faults: Faults,
        ids: Ids,
        gallery: Gallery,
        worker: LineWorker,
        announce: Announce,
        azure: Azure | None = None,
    ) -> None:
        """Start without batches; `announce` is called when one becomes final."""
        self._azure = azure
        self._settings = settings
        self._files = files
        self._faults = faults
        self._ids = ids
        self._gallery = gallery
        self._worker = worker
        self._announce = announce
        self._batches: dict[str, Batch] = {}  # oldest first
        self._lock = threading.RLock()

    def create(self, body: object, now: int) -> dict[str, Any]:
        """Create a batch from a request's JSON; its input is validated later, as the clock moves.

        Raises:
            ApiError: 400; the request itself is not in order.
        """
        request, output_life = _checked(body, ENDPOINT if self._azure is None else BATCH_ENDPOINT)
        file = self._input_file(request["input_file_id"], now)
        with self._lock:
            batch_id = self._ids.new("batch_")
            dice = self._ids.dice(f"batch {len(self._batches)}")
            faults = self._faults.strike_all("batch", f"BATCH {request['endpoint']}")
            batch = Batch(
                id=batch_id,
                endpoint=request["endpoint"],
                input_file_id=file.id,
                created_at=now,
                metadata=check_metadata(request.get("metadata")),
                times=timetable(now, self._settings.batch_minutes, dice, faults),
                faults=faults,
                dice=dice,
                output_path=self._files.new_path(),
                error_path=self._files.new_path(),
                output_life_seconds=output_life,
            )
            if self._azure is not None:
                batch.times.expires_at = math.inf  # there, 24 hours are a target
            self._batches[batch_id] = batch
            return batch.public(now)

    def retrieve(self, batch_id: str, now: int) -> dict[str, Any]:
        """Return a batch as it is now.

        Raises:
            ApiError: 404; there is no such batch.
        """
        with self._lock:
            batch = self._find(batch_id)
            self._advance(batch, now)
            return batch.public(now)

    def page(self, now: int, *, after: str | None, limit: int) -> dict[str, Any]:
        """Return one page of the list of batches, newest first."""
        with self._lock:
            self.advance(now)
            newest_first = [batch.public(now) for batch in reversed(self._batches.values())]
        return page_of(newest_first, after, limit, "Batch")

    def cancel(self, batch_id: str, now: int) -> dict[str, Any]:
        """Begin to cancel a batch; it becomes `cancelled` within ten minutes.

        Raises:
            ApiError: 404, or 409 when the batch is final already.
        """
        with self._lock:
            batch = self._find(batch_id)
            self._advance(batch, now)
            if batch.status in FINAL:
                message = f"Cannot cancel a batch with status '{batch.status}'."
                raise ApiError(409, message, code="batch_not_cancellable")
            if batch.status != "cancelling":
                self._begin_to_cancel(batch, now)
            return batch.public(now)

    def advance(self, now: int) -> None:
        """Move every batch to where the clock says it is."""
        with self._lock:
            for batch in self._batches.values():
                self._advance(batch, now)

    def _find(self, batch_id: str) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is None:
            raise no_such("Batch", batch_id)
        return batch

    def _input_file(self, file_id: str, now: int) -> StoredFile:
        try:
            file = self._files.get(file_id, now)
        except ApiError as error:
            raise invalid(error.message, param="input_file_id", code="invalid_file_id") from error
        if file.purpose != "batch":
            message = f"Invalid value for 'input_file_id': the file's purpose is '{file.purpose}', expected 'batch'."
            raise invalid(message, param="input_file_id", code="invalid_file_purpose")
        return file

    def _advance(self, batch: Batch, now: int) -> None:
        while batch.status not in FINAL:
            before = batch.status
            times = batch.times
            if batch.status == "cancelling":
                if now >= batch.cancelled_due:
                    self._close(batch, "cancelled", batch.cancelled_due)
            elif batch.status == "validating":
                self._on_time(batch, now, times.in_progress_at, self._validate)
            elif batch.status == "in_progress":
                self._worker.work(batch, batch.due(min(now, times.expires_at)))
                self._on_time(batch, now, times.finalizing_at, self._finish_work)
            else:
                self._on_time(
                    batch, now, times.completed_at, lambda each, moment: self._close(each, "completed", moment)
                )
            if batch.status == before:
                return

    def _on_time(self, batch: Batch, now: int, due: float, step: Callable[[Batch, float], None]) -> None:
        """Take the next step of a batch if it is due, or expire the batch if that comes first."""
        expires_at = batch.times.expires_at
        if now >= due and due < expires_at:
            step(batch, due)
        elif now >= expires_at:
            self._worker.expire_rest(batch)
            self._close(batch, "expired", expires_at)

    def _validate(self, batch: Batch, moment: float) -> None:
        found = self._scan(batch, moment)
        self._check_queue(batch, found)
        for fault in batch.faults:
            if fault.kind == "batch_invalid_line":
                found.fault("invalid_json_line", "This line is not parseable as valid JSON.", line=fault.line)
        batch.model = found.model
        if found.errors:
            batch.errors = found.errors
            self._close(batch, "failed", moment)
            return
        batch.offsets = found.offsets
        batch.enqueued_tokens = found.prompt_tokens
        batch.order = list(range(batch.total))
        batch.dice.shuffle(batch.order)
        batch.enter("in_progress", moment)

    def _scan(self, batch: Batch, moment: float) -> batch_input.Scan:
        try:
            batch.input_path = self._files.link(batch.input_file_id, int(moment))
        except ApiError as error:
            found = batch_input.Scan()
            found.fault("invalid_file_id", error.message, param="input_file_id")
            return found
        return batch_input.scan(
            batch.input_path,
            batch.endpoint,
            lines_max=self._settings.batch_lines_max,
            bytes_max=self._settings.batch_bytes_max,
            count_tokens=None if self._settings.enqueued_token_limit is None else self._gallery,
            azure=self._azure,
        )

    def _check_queue(self, batch: Batch, found: batch_input.Scan) -> None:
        limit = self._settings.enqueued_token_limit
        waiting = sum(
            other.enqueued_tokens
            for other in self._batches.values()
            if other.status not in FINAL and other.model == found.model
        )
        forced = any(fault.kind == "batch_token_limit" for fault in batch.faults)
        if forced or (limit is not None and waiting + found.prompt_tokens > limit):
            message = (
                f"Enqueued token limit reached for {found.model} in organization org-standin. Limit: {limit or 0:,} "
                "enqueued tokens. Please try again once some in_progress batches have been completed."
            )
            found.fault("token_limit_exceeded", message)

    def _finish_work(self, batch: Batch, moment: float) -> None:
        if batch.times.cancels_itself:
            self._begin_to_cancel(batch, moment)
        else:
            batch.enter("finalizing", moment)

    def _begin_to_cancel(self, batch: Batch, moment: float) -> None:
        batch.enter("cancelling", moment)
        batch.cancelled_due = moment + min(
            CANCELLING_SECONDS_MAX, self._settings.batch_minutes * 60 * batch.dice.uniform(0.1, 0.5)
        )

    def _close(self, batch: Batch, status: str, moment: float) -> None:
        batch.enter(status, moment)
        if batch.input_path is not None:
            batch.input_path.unlink()
        if self._azure is not None and status == "completed":  # where both files are there, empty or not
            batch.output_path.touch()
            batch.error_path.touch()
        batch.output_file_id = self._keep(batch, batch.output_path, "output", moment)
        batch.error_file_id = self._keep(batch, batch.error_path, "error", moment)
        clean = status == "completed" and batch.error_file_id is None
        if clean and batch.dice.random() < self._settings.blank_error_file_share:
            batch.error_file_id = ""  # the service is seen to do this
        self._announce(f"batch.{status}", batch.id, int(moment))

    def _keep(self, batch: Batch, path: Path, what: str, moment: float) -> str | None:
        if not path.exists() or (self._azure is None and not path.stat().st_size):
            path.unlink(missing_ok=True)
            return None
        name = f"{batch.id}_{what}.jsonl"
        return self._files.add(path, name, "batch_output", int(moment), batch.output_life_seconds).id


def _checked(body: object, endpoint: str) -> tuple[dict[str, Any], int]:
    if not isinstance(body, dict):
        raise invalid("We could not parse the JSON body of your request: expected an object.")
    if unknown := sorted(set(body) - PARAMETERS):
        raise invalid(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not isinstance(body.get(name), str):
            raise missing_parameter(name)
    if body["completion_window"] != COMPLETION_WINDOW:
        message = f"Invalid value: '{body['completion_window']}'. Value must be '{COMPLETION_WINDOW}'."
        raise invalid(message, param="completion_window", code="invalid_value")
    if body["endpoint"] != endpoint:
        message = f"Invalid value: '{body['endpoint']}'. The stand-in serves '{endpoint}' only."
        raise invalid(message, param="endpoint", code="invalid_value")
    check_metadata(body.get("metadata"))
    return body, life_seconds(body.get("output_expires_after"), "output_expires_after") or BATCH_FILE_LIFE_SECONDS
