"""Reads a batch's input file: where its lines are, and what OpenAI's validation finds wrong with them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.openai import chat, chat_request
from localcloud.openai.azure import Azure
from localcloud.openai.errors import ApiError
from localcloud.openai.images import Gallery
from localcloud.openai.tokens import find_model, image_tokens, text_tokens

ERRORS_MAX = 100  # ours: a file of 50,000 bad lines does not need 50,000 entries
REMOTE_IMAGE_PX = 2048  # an image behind a URL is not fetched to validate: it is counted as one of this size, squared


@dataclass
class Scan:
    """What validation found. `offsets` are the lines' places in the file, `errors` the entries of `errors.data`."""

    offsets: list[int] = field(default_factory=list)
    model: str | None = None
    prompt_tokens: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def fault(self, code: str, message: str, *, line: int | None = None, param: str | None = None) -> None:
        """Note something that makes the batch fail; `line` counts from 1."""
        if len(self.errors) < ERRORS_MAX:
            self.errors.append({"code": code, "line": line, "message": message, "param": param})


def scan(
    path: Path,
    endpoint: str,
    *,
    lines_max: int,
    bytes_max: int,
    count_tokens: Gallery | None,
    azure: Azure | None = None,
) -> Scan:
    """Validate an input file against the documented rules.

    Args:
        path: The file.
        endpoint: The batch's, which every line must name in `url`.
        lines_max: How many lines may be in it.
        bytes_max: How large it may be.
        count_tokens: A gallery to open inline images with if the prompt tokens are to be counted, else None.
        azure: Whose deployments the lines name in place of models, if it is Azure.
    """
    result = Scan()
    size = path.stat().st_size
    if size > bytes_max:
        result.fault("file_too_large", f"The batch input file has {size} bytes, more than the maximum of {bytes_max}.")
        return result
    seen: set[str] = set()
    for number, (offset, raw) in enumerate(_lines(path), start=1):
        if number > lines_max:
            result.fault("too_many_tasks", f"The batch input file has more than the maximum of {lines_max} requests.")
            return result
        result.offsets.append(offset)
        body = _check_line(result, raw, number, endpoint, seen)
        body = None if body is None else _on_model(result, body, number, azure)
        if body is not None and count_tokens is not None:
            result.prompt_tokens += _prompt_tokens(body, count_tokens)
    if not result.offsets:
        result.fault("empty_file", "The batch input file is empty.")
    return result


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    offset = 0
    with path.open("rb") as file:
        for raw in file:
            if raw.strip():
                yield offset, raw
            offset += len(raw)


def _check_line(result: Scan, raw: bytes, number: int, endpoint: str, seen: set[str]) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        result.fault("invalid_json_line", "This line is not parseable as valid JSON.", line=number)
        return None
    for name in ("custom_id", "method", "url", "body"):
        if not line.get(name):
            result.fault(
                "missing_required_parameter", f"Missing required parameter: '{name}'.", line=number, param=name
            )
            return None
    custom_id, body = line["custom_id"], line["body"]
    if not isinstance(custom_id, str) or not isinstance(body, dict):
        result.fault("invalid_type", "'custom_id' is a string and 'body' an object.", line=number)
        return None
    if custom_id in seen:
        message = f"The custom_id '{custom_id}' is not unique within the batch."
        result.fault("duplicate_custom_id", message, line=number, param="custom_id")
    seen.add(custom_id)
    if line["method"] != "POST":
        result.fault("invalid_method", "Only the method 'POST' is supported.", line=number, param="method")
    if line["url"] != endpoint:
        message = f"The URL '{line['url']}' does not match the batch endpoint '{endpoint}'."
        result.fault("invalid_url", message, line=number, param="url")
    return body


def _on_model(result: Scan, body: dict[str, Any], number: int, azure: Azure | None) -> dict[str, Any] | None:
    """Return the request with its model, which is checked; None if there is no such deployment."""
    try:
        body = body if azure is None else azure.on_model(body, batch=True)
    except ApiError as error:
        result.fault("model_not_found", error.message, line=number, param="body.model")
        return None
    _check_model(result, body.get("model"), number)
    return body


def _check_model(result: Scan, model: object, number: int) -> None:
    if not isinstance(model, str) or find_model(model) is None:
        message = f"The provided model '{model}' is not supported by the Batch API."
        result.fault("model_not_found", message, line=number, param="body.model")
    elif result.model is None:
        result.model = model
    elif model != result.model:
        message = f"The model '{model}' does not match the model '{result.model}' of the lines before."
        result.fault("mismatched_model", message, line=number, param="body.model")


def _prompt_tokens(body: dict[str, Any], gallery: Gallery) -> int:
    try:
        request = chat_request.read(body)
        inline = [image for image in request.images if image.url.startswith("data:")]
        remote = len(request.images) - len(inline)
        request.images = inline
        pictures = [gallery.open(image.url) for image in inline]
    except ApiError:
        # This line will fail on its own when it is worked off; until then its text waits in the queue like any other.
        return text_tokens(len(json.dumps(body)))
    ceiling = image_tokens(request.counting, REMOTE_IMAGE_PX, REMOTE_IMAGE_PX)
    return chat.prompt_tokens(request, pictures) + remote * ceiling
