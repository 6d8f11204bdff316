"""Works off the lines of a batch into its output and error files."""

import json
from collections.abc import Callable
from typing import IO, Any

from localcloud.openai.batch_state import Batch
from localcloud.openai.errors import ApiError
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids

Answer = Callable[[dict[str, Any], str], dict[str, Any]]
"""Body and custom_id of a line to the completion object; raises ApiError."""

EXPIRED = {
    "code": "batch_expired",
    "message": "This request could not be executed before the completion window expired.",
}


class LineWorker:
    """Turns input lines into output lines."""

    def __init__(self, answer: Answer, faults: Faults, ids: Ids) -> None:
        """Answer each line's body with `answer`, unless one of `faults` strikes it."""
        self._answer = answer
        self._faults = faults
        self._ids = ids

    def work(self, batch: Batch, until: int) -> None:
        """Work off the lines up to the `until`-th of the batch's order, appending to its two files."""
        if batch.input_path is None or batch.done >= until:
            return
        with (
            batch.input_path.open("rb") as lines,
            batch.output_path.open("ab") as output,
            batch.error_path.open("ab") as errors,
        ):
            for index in batch.order[batch.done : until]:
                lines.seek(batch.offsets[index])
                self._work_line(batch, json.loads(lines.readline()), output, errors)
        batch.done = until

    def expire_rest(self, batch: Batch) -> None:
        """Write each line that is not worked off into the error file, with the code `batch_expired`."""
        if batch.input_path is None:
            return
        with batch.input_path.open("rb") as lines, batch.error_path.open("ab") as errors:
            for index in batch.order[batch.done :]:
                lines.seek(batch.offsets[index])
                _write(errors, self._line(json.loads(lines.readline())["custom_id"], None, EXPIRED))
                batch.failed += 1

    def _work_line(self, batch: Batch, line: dict[str, Any], output: IO[bytes], errors: IO[bytes]) -> None:
        custom_id, endpoint = line["custom_id"], f"BATCH {batch.endpoint}"
        struck = {fault.kind: fault for fault in self._faults.strike_all("line", endpoint, custom_id)}
        if broken := struck.get("line_error"):
            said = "The server had an error while processing your request."
            trouble = ApiError(broken.status, said, kind="server_error", code=broken.code)
            result, status = trouble.body(), broken.status
        else:
            result, status = self._outcome(line["body"], custom_id)
        response = {"status_code": status, "request_id": self._ids.new("req_"), "body": result}
        succeeded = status == 200
        if succeeded:
            batch.completed += 1
            _add_usage(batch, result["usage"])
        else:
            batch.failed += 1
        if "missing_line" in struck:
            return
        target = output if succeeded or (broken and broken.in_output) else errors
        _write(target, self._line(custom_id, response, None))
        if "duplicate_line" in struck:
            _write(target, self._line(custom_id, response, None))
        if "unknown_line" in struck:
            _write(target, self._line(f"unknown-{custom_id}", response, None))

    def _outcome(self, body: dict[str, Any], custom_id: str) -> tuple[dict[str, Any], int]:
        try:
            return self._answer(body, custom_id), 200
        except ApiError as error:
            return error.body(), error.status

    def _line(self, custom_id: str, response: dict[str, Any] | None, error: dict[str, str] | None) -> dict[str, Any]:
        return {"id": self._ids.new("batch_req_"), "custom_id": custom_id, "response": response, "error": error}


def _write(file: IO[bytes], line: dict[str, Any]) -> None:
    file.write(json.dumps(line).encode() + b"\n")


def _add_usage(batch: Batch, usage: dict[str, Any]) -> None:
    batch.input_tokens += usage["prompt_tokens"]
    batch.cached_tokens += usage["prompt_tokens_details"]["cached_tokens"]
    batch.output_tokens += usage["completion_tokens"]
