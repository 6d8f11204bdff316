"""Cloud Storage: the photos that users uploaded, and the files of a batch.

users/{uid}/uploads/{name}      photos; users write them under storage.rules
batches/{batchId}/input.jsonl   what OpenAI gets, a line a job
batches/{batchId}/jobs.jsonl    the batch's list of jobs, a BatchMember a line
bulks/{uid}/{bulkId}/           the list of a bulk job's photos, by its digest, a path a line; its report
"""

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import timedelta
from functools import cache
from time import monotonic
from typing import IO, Any

import certifi
import google.auth
import google_crc32c
import urllib3
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.auth.transport.urllib3 import AuthorizedHttp
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.fileio import BlobReader
from google.cloud.storage.retry import DEFAULT_RETRY

from functions.core.batches.manifest import BatchManifest
from functions.core.jobs.uploads import IMAGE_BYTES_MAX, upload_folder
from functions.core.shared.errors import ImageNotFound, InvalidImage
from functions.core.shared.photos import PhotoProblem

TIMEOUT_SECONDS = 10.0
"""For one request to begin to be answered, and between two parts of the answer. A file takes one request a chunk."""

REPEATED_SECONDS = 15.0
"""How long a request that fails is repeated; the library's own two minutes are more than a callable has."""

REQUEST_SECONDS = REPEATED_SECONDS + TIMEOUT_SECONDS
"""What a request can take, the last try included: a photo, or a chunk of a file."""

LINK_LIFETIME = timedelta(days=2)
"""Longer than core.batches.batches.LOST, after which nobody waits for the batch any more."""

REPORT_LINK_LIFETIME = timedelta(minutes=15)
"""Of a link to a report, which whoever has it can follow: the app opens it at once, and asks for another one later."""

_LIMITS: dict[str, Any] = {"timeout": TIMEOUT_SECONDS, "retry": DEFAULT_RETRY.with_timeout(REPEATED_SECONDS)}
"""For every request, those that a stream makes included."""

READ_BYTES = 64 * 1024
"""How much of a photo is taken off the wire at a time, and between two looks at the clock."""

CONNECTIONS_KEPT = 16
"""One for each caller of an instance: see `functions.deploy.params.CALLERS_AT_ONCE`."""

CHUNK_BYTES = 4 * 1024 * 1024
"""What a stream holds in memory at a time. Storage wants multiples of 256 KiB."""


def connected(project: str) -> Client:
    """Return a client that works with the account of this process."""
    return Client(project=project)


class StorageFiles:
    """The objects in one bucket."""

    def __init__(self, client: Client, bucket: str, sign: Callable[[Blob, timedelta], str]) -> None:
        """`sign` makes a link to an object that whoever has it can follow for so long: see `signed_url`."""
        self._sign = sign
        self._bucket: Bucket = client.bucket(bucket)
        self._photos = _Photos(client)

    def read_photo(self, path: str) -> bytes:
        """Return an uploaded photo. Raises ImageNotFound if there is none, and InvalidImage if it is empty or larger
        than 10 MB; no more than that is downloaded. Raises DataCorruption if it came with other bytes than were
        stored."""
        try:
            data: bytes = _LIMITS["retry"](self._photos.get)(self._bucket.blob(path))
        except exceptions.NotFound as error:
            raise ImageNotFound("There is no photo at imagePath. Upload it first.") from error
        except exceptions.RequestRangeNotSatisfiable:
            data = b""  # no byte, not even the first: an empty object
        if not data:
            raise InvalidImage(PhotoProblem.EMPTY, "The photo is empty. Upload it again.")
        if len(data) > IMAGE_BYTES_MAX:
            raise InvalidImage(
                PhotoProblem.TOO_LARGE, f"The photo is larger than {IMAGE_BYTES_MAX // 1024**2} MB. Make it smaller."
            )
        return data

    def write_input(self, batch_id: str) -> AbstractContextManager[IO[bytes]]:
        """Open a batch's input file for writing. The object appears when the block ends without an error."""
        return self._writing(_input_path(batch_id))

    def read_input(self, batch_id: str) -> AbstractContextManager[IO[bytes]]:
        """Open a batch's input file for reading."""
        return self._reading(_input_path(batch_id))

    def write_manifest(self, batch_id: str) -> AbstractContextManager[IO[bytes]]:
        """Open a batch's list of jobs for writing, a `BatchMember` a line; see `write_input`."""
        return self._writing(_roll_path(batch_id))

    def read_manifest(self, batch_id: str) -> BatchManifest:
        """Return a batch's list of jobs."""
        with self._reading(_roll_path(batch_id)) as file:
            return BatchManifest(file)

    def put_photo(self, batch_id: str, job_id: str, jpeg: bytes) -> str:
        """Store a prepared photo with its batch and return a link to it that outlives the batch."""
        blob = self._bucket.blob(f"batches/{batch_id}/photos/{job_id}.jpg")
        blob.upload_from_string(jpeg, content_type="image/jpeg", **_LIMITS)
        return self._sign(blob, LINK_LIFETIME)

    def delete_batch_files(self, batch_id: str) -> None:
        """Remove a batch's files. Those that are gone already are no error."""
        self._delete(f"batches/{batch_id}/")

    def list_uploads(self, uid: str, token: str | None) -> tuple[list[str], str | None]:
        """Return the paths of a user's photos, a page of a thousand, and what asks for the next page."""
        found = self._bucket.list_blobs(prefix=upload_folder(uid), page_token=token, **_LIMITS)
        page = next(found.pages, ())
        return [blob.name for blob in page], found.next_page_token

    def delete_uploads(self, uid: str, most: int) -> int:
        """Remove a user's photos, so many at the most. Returns how many there were."""
        return self._delete(upload_folder(uid), most)

    def named_uploads(self, uid: str, prefix: str, most: int) -> list[str]:
        """Return the paths of a user's photos whose names begin so, by name, so many at the most."""
        found = self._bucket.list_blobs(prefix=upload_folder(uid) + prefix, max_results=most, **_LIMITS)
        return [blob.name for blob in found]

    def put_list(self, uid: str, bulk_id: str, digest: str, paths: str) -> None:
        """Store the list of a bulk job's photos, a path a line. Under one digest there is one list."""
        blob = self._bucket.blob(f"{_bulk_folder(uid)}{bulk_id}/{digest}.txt")
        blob.upload_from_string(paths, content_type="text/plain; charset=utf-8", **_LIMITS)

    def read_list(self, uid: str, bulk_id: str, digest: str) -> list[str]:
        """Return the paths of a bulk job's photos."""
        with self._reading(f"{_bulk_folder(uid)}{bulk_id}/{digest}.txt") as file:
            return file.read().decode().split("\n")

    def put_report(self, uid: str, bulk_id: str, report: str) -> None:
        """Store the report of a bulk job, which browsers download."""
        blob = self._report(uid, bulk_id)
        blob.content_disposition = f'attachment; filename="report-{bulk_id[:8]}.csv"'
        blob.upload_from_string(report, content_type="text/csv; charset=utf-8", **_LIMITS)

    def report_link(self, uid: str, bulk_id: str) -> str:
        """Return a link to the report of a bulk job, good for a quarter of an hour."""
        return self._sign(self._report(uid, bulk_id), REPORT_LINK_LIFETIME)

    def delete_bulk_files(self, uid: str) -> int:
        """Remove the lists and reports of a user. Returns how many there were."""
        return self._delete(_bulk_folder(uid))

    def _report(self, uid: str, bulk_id: str) -> Blob:
        return self._bucket.blob(f"{_bulk_folder(uid)}{bulk_id}/report.csv")

    def _delete(self, prefix: str, most: int | None = None) -> int:
        found = 0
        for blob in self._bucket.list_blobs(prefix=prefix, max_results=most, **_LIMITS):
            found += 1
            with suppress(exceptions.NotFound):
                blob.delete(**_LIMITS)
        return found

    @contextmanager
    def _writing(self, path: str) -> Iterator[IO[bytes]]:
        blob = self._bucket.blob(path)
        with blob.open("wb", chunk_size=CHUNK_BYTES, ignore_flush=True, **_LIMITS) as file:
            yield file

    @contextmanager
    def _reading(self, path: str) -> Iterator[IO[bytes]]:
        blob = self._bucket.blob(path)
        blob.reload(**_LIMITS)  # the reader would ask for the size by itself, for two minutes
        with _Reader(blob, CHUNK_BYTES, **_LIMITS) as file:
            yield file


class _Photos:
    """Reads objects in one GET each. The library's download costs twice the CPU, asks for the bucket besides, and does
    not look at the checksum of a part, which every download with a limit is."""

    def __init__(self, client: Client) -> None:
        """Read with the account of this client, from where it does."""
        self._endpoint: str = client.api_endpoint
        pool = urllib3.PoolManager(maxsize=CONNECTIONS_KEPT, ca_certs=certifi.where())
        self._http = AuthorizedHttp(client._credentials, pool)  # type: ignore[no-untyped-call]  # noqa: SLF001  (it tells nobody else)

    def get(self, blob: Blob) -> bytes:
        """Return an object as it is stored, compressed if it is; of a large one a byte more than `IMAGE_BYTES_MAX`.
        Raises ConnectionError if no whole answer came in time, and Google's errors for other statuses."""
        began = monotonic()
        try:
            response = self._http.urlopen(  # type: ignore[no-untyped-call]
                "GET",
                f"{self._endpoint}/download/storage/v1{blob.path}?alt=media",
                headers={"Range": f"bytes=0-{IMAGE_BYTES_MAX}", "Accept-Encoding": "gzip"},
                timeout=_LIMITS["timeout"],
                retries=False,
                redirect=False,
                preload_content=False,
            )
            with closing(response):  # which ends the connection, unless all of the answer was read
                if response.status not in {200, 206}:
                    raise exceptions.from_http_status(response.status, f"a photo: status {response.status}")  # type: ignore[no-untyped-call]
                data = b"".join(_received(response, began + _LIMITS["timeout"]))
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"no photo from Storage ({type(error).__name__})") from error
        _check(data, response.headers)
        return data


def _received(response: urllib3.BaseHTTPResponse, end: float) -> Iterator[bytes]:
    """Yield what comes in. Raises ConnectionError if it goes on beyond `end`."""
    left = IMAGE_BYTES_MAX + 1
    while left and (part := response.read1(min(left, READ_BYTES), decode_content=False)):
        yield part
        left -= len(part)
        if monotonic() > end:
            raise ConnectionError("a photo from Storage takes too long")


def _check(data: bytes, headers: Mapping[str, str]) -> None:
    """Compare a whole object with the checksum that Storage keeps of it. Raises DataCorruption."""
    total = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length")
    checksums = dict(each.strip().partition("=")[::2] for each in headers.get("X-Goog-Hash", "").split(","))
    if total == str(len(data)) and "crc32c" in checksums:
        found = b64encode(google_crc32c.value(data).to_bytes(4)).decode()
        if found != checksums["crc32c"]:
            raise DataCorruption(None, f"a photo of {total} bytes has the CRC32C {found}, not {checksums['crc32c']}")


class _Reader(BlobReader):  # type: ignore[misc]  # the library is typed in part
    """A file that asks for no byte after its last. The library does, and takes a refusal for the end: Google's own
    emulator refuses nothing and sends the whole object again."""

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or with -1 all that are left."""
        left = self._blob.size - self.tell()
        data: bytes = super().read(left if size < 0 else min(size, left)) if left else b""
        return data


def signed_url(blob: Blob, lifetime: timedelta) -> str:
    """Return a V4 signed link to an object, good for up to two days: longer than any batch is waited for.

    Functions hold no private key: IAM signs, and wants the role `roles/iam.serviceAccountTokenCreator` of the service
    account on itself. It promises to keep its key for twelve hours (`signBlob`), whatever the link says, and has kept
    it for days. A link that dies before its photo's turn costs an attempt, and the next batch has a new one.
    """
    credentials = _own_credentials()
    with _REFRESHING:  # one request an hour, by the first of the threads that prepare photos
        if not credentials.valid:
            credentials.refresh(Request())
    url: str = blob.generate_signed_url(
        version="v4",
        expiration=lifetime,
        service_account_email=credentials.service_account_email,
        access_token=credentials.token,
    )
    return url


_REFRESHING = threading.Lock()


@cache
def _own_credentials() -> Any:
    """Return the credentials of the account that this process runs as."""
    return google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])[0]


def emulated_url(blob: Blob, _lifetime: timedelta) -> str:
    """Return a plain link to an object in a Storage emulator, which asks for no signature."""
    url: str = blob.public_url
    return url


def _input_path(batch_id: str) -> str:
    return f"batches/{batch_id}/input.jsonl"


def _roll_path(batch_id: str) -> str:
    return f"batches/{batch_id}/jobs.jsonl"


def _bulk_folder(uid: str) -> str:
    return f"bulks/{uid}/"
