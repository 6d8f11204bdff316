"""Photos and batch files in a bucket, over the real client."""

import gzip
import threading
import tracemalloc
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud.storage import Blob, Bucket, Client

from functions.adapters import storage as adapters_storage
from functions.adapters.storage import StorageFiles, emulated_url
from functions.core.batches.batches import LOST
from functions.core.batches.manifest import BatchMember
from functions.core.jobs.uploads import IMAGE_BYTES_MAX
from functions.core.shared.errors import ImageNotFound, InvalidImage
from localcloud.storage import StorageServer
from tests.builders import member

PATH = "users/ana/uploads/bottle.jpg"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A bucket in memory."""
    server = StorageServer("photos")
    server.start()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", server.host)
        client = anonymous_client()
        yield client.bucket("photos")
        client.close()
    server.stop()


def anonymous_client(**options: Any) -> Client:
    """Return a client that signs nothing."""
    return Client(
        project="demo",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]  # google.auth is typed in part
        **options,
    )


@pytest.fixture
def files(bucket: Bucket) -> StorageFiles:
    """The adapter over that bucket."""
    return StorageFiles(bucket.client, bucket.name, emulated_url)


def names(bucket: Bucket, prefix: str) -> set[str]:
    """Return the names of the objects below a prefix."""
    return {blob.name for blob in bucket.list_blobs(prefix=prefix)}


# Photos


@pytest.mark.parametrize("name", ["bottle.jpg", "a b (1)#?&%2F+.jpg", "фото 写真 🍾.jpg"])
def test_a_photo_comes_back_as_it_was_uploaded(files: StorageFiles, bucket: Bucket, name: str) -> None:
    """Byte for byte, under any honest name."""
    path = f"users/ana/uploads/{name}"
    bucket.blob(path).upload_from_string(bytes(range(256)) * 40, content_type="image/jpeg")
    assert files.read_photo(path) == bytes(range(256)) * 40


def test_a_photo_that_is_not_there_is_not_found(files: StorageFiles) -> None:
    """The user hears that the upload is missing."""
    with pytest.raises(ImageNotFound):
        files.read_photo("users/ana/uploads/none.jpg")


def test_an_empty_photo_is_invalid(files: StorageFiles, bucket: Bucket) -> None:
    """An upload that broke off at its first byte is no photo."""
    bucket.blob(PATH).upload_from_string(b"", content_type="image/jpeg")
    with pytest.raises(InvalidImage, match="empty"):
        files.read_photo(PATH)


def test_the_largest_photo_is_taken_and_one_byte_more_is_not(files: StorageFiles, bucket: Bucket) -> None:
    """The limit is exactly 10 MB, and no more than a byte beyond it is downloaded."""
    blob = bucket.blob(PATH)
    blob.upload_from_string(bytes(IMAGE_BYTES_MAX), content_type="image/jpeg")
    assert len(files.read_photo(PATH)) == IMAGE_BYTES_MAX
    blob.upload_from_string(bytes(IMAGE_BYTES_MAX + 1), content_type="image/jpeg")
    with pytest.raises(InvalidImage, match="10 MB"):
        files.read_photo(PATH)
    blob.upload_from_string(bytes(3 * IMAGE_BYTES_MAX), content_type="image/jpeg")
    assert peak_mb(lambda: refused(files)) < 2.5 * IMAGE_BYTES_MAX / 1024**2


def refused(files: StorageFiles) -> None:
    """Read a photo that is too large."""
    with pytest.raises(InvalidImage):
        files.read_photo(PATH)


def peak_mb(work: Callable[[], None]) -> float:
    """Return how many megabytes were held at most at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 1024**2
    finally:
        tracemalloc.stop()


def test_a_compressed_upload_is_not_unpacked(unpacking_bomb: str) -> None:
    """An object stored with `Content-Encoding: gzip` counts with the bytes that it has, not those that it hides."""
    files = StorageFiles(anonymous_client(client_options={"api_endpoint": unpacking_bomb}), "photos", emulated_url)

    def read() -> None:
        with suppress(InvalidImage):
            files.read_photo(PATH)

    assert peak_mb(read) < 2.5 * IMAGE_BYTES_MAX / 1024**2


@pytest.fixture
def unpacking_bomb() -> Iterator[str]:
    """A server that answers as Storage does for an object with `contentEncoding: gzip`: 100 MB in 100 KB."""
    packed = gzip.compress(bytes(100_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "/download/" not in self.path:  # the client also asks for the bucket, in a thread of its own
                self.send_error(404)
                return
            self.send_response(206)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.send_header("Content-Range", f"bytes 0-{len(packed) - 1}/{len(packed)}")
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


# Files of a batch


def test_an_input_file_is_written_and_read_in_chunks(files: StorageFiles) -> None:
    """What went in line by line comes out the same, across the borders of chunks."""
    lines = [b'{"number": %d, "filler": "%s"}\n' % (number, b"x" * 999_983) for number in range(9)]
    with files.write_input("batch-1") as file:
        for line in lines:
            file.write(line)
    with files.read_input("batch-1") as file:
        assert file.read() == b"".join(lines)


def test_a_half_written_input_file_does_not_exist(files: StorageFiles, bucket: Bucket) -> None:
    """A submitter that fails while writing leaves no file that could be taken for a whole one."""
    with pytest.raises(ZeroDivisionError):
        half_write(files, "batch-2")
    assert names(bucket, "batches/batch-2/") == set()


def half_write(files: StorageFiles, batch_id: str) -> None:
    """Fail in the middle of an input file."""
    with files.write_input(batch_id) as file:
        file.write(b"x" * 9_000_000)
        raise ZeroDivisionError


def test_writing_an_input_file_holds_only_a_little_of_it(files: StorageFiles) -> None:
    """A file of 40 MB passes through a few chunks of memory, the emulator's own copy not counted."""
    tracemalloc.start()
    with files.write_input("batch-3") as file:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            file.write(b"x" * 1_000_000)
        held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert held < 8_000_000


def write_manifest(files: StorageFiles, batch_id: str, *members: BatchMember) -> None:
    """Store a batch's list of jobs."""
    with files.write_manifest(batch_id) as manifest:
        for one in members:
            manifest.write(one.to_line())


def test_a_list_of_jobs_comes_back_as_it_was_written(files: StorageFiles) -> None:
    """Every member with every field, in order, whatever characters a path or region holds."""
    members = [
        member(job_id=f"{number:032x}", image_path="users/ana/uploads/a\u2028b 写真.jpg", region="São Tomé")
        for number in range(1_000)
    ]
    write_manifest(files, "batch-1", *members)
    assert list(files.read_manifest("batch-1").take_rest()) == members


def test_a_list_that_is_written_again_replaces_the_first(files: StorageFiles) -> None:
    """A repeated step leaves one list."""
    write_manifest(files, "batch-4", member(), member(job_id="1" * 32))
    write_manifest(files, "batch-4", member())
    assert list(files.read_manifest("batch-4").take_rest()) == [member()]


def test_a_prepared_photo_has_a_link_to_follow(files: StorageFiles) -> None:
    """What is behind the link is the photo."""
    link = files.put_photo("batch-6", "0" * 32, b"\xff\xd8 jpeg")
    with urllib.request.urlopen(link, timeout=5) as reply:  # noqa: S310 (a link to our own server)
        assert (reply.read(), reply.headers["content-type"]) == (b"\xff\xd8 jpeg", "image/jpeg")


class OwnCredentials(Credentials):
    """The account's own, as a function has them: no key, and a token that is good for a while."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.refreshed = 0
        self.service_account_email = "default"

    def refresh(self, _request: object) -> None:
        """Ask for a token, which also tells who one is."""
        self.refreshed += 1
        self.token, self.service_account_email = f"token-{self.refreshed}", "functions@demo.iam"
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)


def test_many_links_are_signed_with_one_token(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's credentials are refreshed when they have run out, and not for each photo; a link is good for longer
    than its batch is waited for."""
    own = OwnCredentials()
    signed: list[dict[str, Any]] = []
    own_credentials = vars(adapters_storage)["_own_credentials"]
    own_credentials.cache_clear()  # a process has them once

    def sign(_blob: Blob, **terms: Any) -> str:
        signed.append(terms)
        return "https://link"

    monkeypatch.setattr("google.auth.default", lambda **_scopes: (own, "demo"))
    monkeypatch.setattr(Blob, "generate_signed_url", sign)
    for _ in range(5):
        assert adapters_storage.signed_url(bucket.blob("photo.jpg")) == "https://link"
    assert own.refreshed == 1
    assert {(each["access_token"], each["service_account_email"]) for each in signed} == {
        ("token-1", "functions@demo.iam")
    }
    assert all(each["expiration"] > LOST for each in signed)
    own.expiry = datetime.now(UTC).replace(tzinfo=None)
    adapters_storage.signed_url(bucket.blob("photo.jpg"))
    assert own.refreshed == 2
    own_credentials.cache_clear()


def test_the_files_of_a_batch_are_removed_and_no_others(files: StorageFiles, bucket: Bucket) -> None:
    """Files and photos go; removing them again, or those of a batch without files, is no error."""
    for batch_id in ("batch-5", "batch-55"):
        write_manifest(files, batch_id, member())
        files.put_photo(batch_id, "0" * 32, b"jpeg")
        with files.write_input(batch_id) as file:
            file.write(b"{}\n")
    for _ in range(2):
        files.delete_batch_files("batch-5")
    kept = {"input.jsonl", "jobs.jsonl", f"photos/{'0' * 32}.jpg"}
    assert names(bucket, "batches/batch-5") == {f"batches/batch-55/{name}" for name in kept}
