"""Files: uploaded inputs and written outputs, kept on disk so that 200 MB never sit in memory."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.openai.errors import invalid, missing_parameter, no_such
from localcloud.openai.settings import BATCH_FILE_LIFE_SECONDS, EXPIRY_SECONDS
from localcloud.standins.ids import Ids

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
LIST_MAX = 10_000


@dataclass(frozen=True)
class StoredFile:
    """A file's record; its content is at `path`. Times are in seconds since 1970."""

    id: str
    path: Path
    filename: str
    purpose: str
    size_bytes: int
    created_at: int
    expires_at: int | None

    def public(self) -> dict[str, Any]:
        """Return the file object as the API shows it."""
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.filename,
            "bytes": self.size_bytes,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """All files. Safe to use from several threads."""

    def __init__(self, directory: Path, ids: Ids) -> None:
        """Keep contents in `directory`, which must exist."""
        self._directory = directory
        self._ids = ids
        self._files: dict[str, StoredFile] = {}  # oldest first
        self._lock = threading.Lock()

    def new_path(self) -> Path:
        """Return a path to write a content to before it is added."""
        return self._directory / self._ids.new("content-")

    def add(self, path: Path, filename: str, purpose: str, now: int, life_seconds: int | None = None) -> StoredFile:
        """Take over the content at `path` as a new file."""
        expires_at = None if life_seconds is None else now + life_seconds
        file = StoredFile(self._ids.new("file-"), path, filename, purpose, path.stat().st_size, now, expires_at)
        with self._lock:
            self._files[file.id] = file
        return file

    def get(self, file_id: str, now: int) -> StoredFile:
        """Return a file that exists and has not expired.

        Raises:
            ApiError: 404 otherwise.
        """
        with self._lock:
            self._expire(now)
            file = self._files.get(file_id)
        if file is None:
            raise no_such("File", file_id)
        return file

    def link(self, file_id: str, now: int) -> Path:
        """Return a second path to a file's content, which outlives the file; the caller removes it.

        Raises:
            ApiError: 404; there is no such file, or not any more.
        """
        path = self.new_path()
        file = self.get(file_id, now)
        with self._lock:
            if file_id not in self._files:
                raise no_such("File", file_id)
            path.hardlink_to(file.path)
        return path

    def delete(self, file_id: str, now: int) -> dict[str, Any]:
        """Delete a file and return OpenAI's confirmation.

        Raises:
            ApiError: 404; there is no such file.
        """
        file = self.get(file_id, now)
        with self._lock:
            self._files.pop(file_id, None)
        file.path.unlink(missing_ok=True)
        return {"id": file_id, "object": "file", "deleted": True}

    def page(self, now: int, *, after: str | None, limit: int, order: str, purpose: str | None) -> dict[str, Any]:
        """Return one page of the list of files, newest first unless `order` is `asc`."""
        with self._lock:
            self._expire(now)
            files = [file for file in self._files.values() if purpose in {None, file.purpose}]
        if order != "asc":
            files.reverse()
        return page_of([file.public() for file in files], after, limit, "File")

    def _expire(self, now: int) -> None:
        for file in [file for file in self._files.values() if file.expires_at is not None and file.expires_at <= now]:
            del self._files[file.id]
            file.path.unlink(missing_ok=True)


def page_of(items: list[dict[str, Any]], after: str | None, limit: int, what: str) -> dict[str, Any]:
    """Return the page of `items` (objects with an id, in order) that follows the object `after`.

    Raises:
        ApiError: 404; no object has the id `after`.
    """
    start = 0
    if after:
        positions = [position for position, item in enumerate(items) if item["id"] == after]
        if not positions:
            raise no_such(what, after)
        start = positions[0] + 1
    page = items[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(items),
    }


def life_seconds(policy: dict[str, Any] | None, name: str) -> int | None:
    """Return the seconds of an expiry policy `{"anchor": "created_at", "seconds": n}`, or None without a policy.

    Raises:
        ApiError: 400; another anchor, or seconds outside one hour to 30 days.
    """
    if not policy:
        return None
    if policy.get("anchor") != "created_at":
        raise invalid(
            f"Invalid value for '{name}.anchor': expected 'created_at'.", param=f"{name}.anchor", code="invalid_value"
        )
    try:
        seconds = int(policy.get("seconds", ""))
    except (TypeError, ValueError) as error:
        raise missing_parameter(f"{name}.seconds") from error
    if seconds not in EXPIRY_SECONDS:
        least, most = EXPIRY_SECONDS[0], EXPIRY_SECONDS[-1]
        message = f"Invalid '{name}.seconds': expected {least} to {most}, but got {seconds} instead."
        raise invalid(message, param=f"{name}.seconds", code="integer_out_of_range")
    return seconds


def upload_life_seconds(purpose: str, policy: dict[str, Any] | None) -> int | None:
    """Return how long an upload lives: as asked for, else 30 days for batch inputs and for ever for others.

    Raises:
        ApiError: 400; an unknown purpose or a wrong policy.
    """
    if purpose not in PURPOSES:
        message = f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'"
        raise invalid(message, param="purpose", code="invalid_value")
    return life_seconds(policy, "expires_after") or (BATCH_FILE_LIFE_SECONDS if purpose == "batch" else None)
