"""Cloud Storage: the photos that users uploaded, and the files of a batch.

users/{uid}/uploads/{name}      photos; users write them under storage.rules
batches/{batchId}/input.jsonl   what OpenAI gets, a line a job
batches/{batchId}/jobs.jsonl    the batch's list of jobs, a BatchMember a line
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from google.api_core import exceptions
from google.cloud.storage import Bucket, Client

from functions.core.batches import BatchMember
from functions.core.errors import ImageNotFound, InvalidImage
from functions.core.uploads import IMAGE_BYTES_MAX

TIMEOUT_SECONDS = 30.0
"""For one request; a file is sent and read in chunks of one request each."""

CHUNK_BYTES = 4 * 1024 * 1024
"""What a stream holds in memory at a time. Storage wants multiples of 256 KiB."""


class StorageFiles:
    """The objects in one bucket."""

    def __init__(self, client: Client, bucket: str) -> None:
        self._bucket: Bucket = client.bucket(bucket)

    def read_photo(self, path: str) -> bytes:
        """Return an uploaded photo.

        Raises:
            ImageNotFound: nothing is stored there.
            InvalidImage: it is empty or larger than 10 MB; no more than that is downloaded.
        """
        try:
            data: bytes = self._bucket.blob(path).download_as_bytes(
                start=0, end=IMAGE_BYTES_MAX, timeout=TIMEOUT_SECONDS
            )
        except exceptions.NotFound as error:
            raise ImageNotFound("There is no photo at imagePath. Upload it first.") from error
        except exceptions.RequestRangeNotSatisfiable:
            data = b""  # no byte, not even the first: an empty object
        if not data:
            raise InvalidImage("The photo is empty. Upload it again.")
        if len(data) > IMAGE_BYTES_MAX:
            raise InvalidImage(f"The photo is larger than {IMAGE_BYTES_MAX // 1024**2} MB.")
        return data

    @contextmanager
    def write_input(self, batch_id: str) -> Iterator[IO[bytes]]:
        """Open a batch's input file for writing. The object appears when the block ends without an error."""
        with self._bucket.blob(_input_path(batch_id)).open(
            "wb", chunk_size=CHUNK_BYTES, ignore_flush=True, timeout=TIMEOUT_SECONDS
        ) as file:
            yield file

    @contextmanager
    def read_input(self, batch_id: str) -> Iterator[IO[bytes]]:
        """Open a batch's input file for reading."""
        with self._bucket.blob(_input_path(batch_id)).open(
            "rb", chunk_size=CHUNK_BYTES, timeout=TIMEOUT_SECONDS
        ) as file:
            yield file

    def write_members(self, batch_id: str, members: list[BatchMember]) -> None:
        """Store a batch's list of jobs."""
        lines = "".join(member.model_dump_json(by_alias=True) + "\n" for member in members)
        self._bucket.blob(_members_path(batch_id)).upload_from_string(
            lines.encode(), content_type="application/jsonl", timeout=TIMEOUT_SECONDS
        )

    def read_members(self, batch_id: str) -> list[BatchMember]:
        """Return a batch's list of jobs."""
        data: bytes = self._bucket.blob(_members_path(batch_id)).download_as_bytes(timeout=TIMEOUT_SECONDS)
        return [BatchMember.model_validate_json(line) for line in data.splitlines()]

    def delete_batch_files(self, batch_id: str) -> None:
        """Remove a batch's files. Those that are gone already are no error."""
        for path in (_input_path(batch_id), _members_path(batch_id)):
            try:
                self._bucket.blob(path).delete(timeout=TIMEOUT_SECONDS)
            except exceptions.NotFound:
                continue


def _input_path(batch_id: str) -> str:
    return f"batches/{batch_id}/input.jsonl"


def _members_path(batch_id: str) -> str:
    return f"batches/{batch_id}/jobs.jsonl"
