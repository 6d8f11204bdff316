"""Photos and batch files in a bucket, over the real client."""

import gzip
import threading
import time
import tracemalloc
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import google_crc32c
import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials, Credentials
from google.cloud.storage import Blob, Bucket, Client
from google.cloud.storage.exceptions import DataCorruption

from functions.adapters import storage as adapters_storage
from functions.adapters.storage import LINK_LIFETIME, StorageFiles, emulated_url
from functions.adapters.transient_errors import will_pass
from functions.core.batches.batches import LOST
from functions.core.batches.manifest import BatchMember
from functions.core.jobs.uploads import IMAGE_BYTES_MAX
from functions.core.shared.errors import ImageNotFound, InvalidImage
from localcloud.serving import unhurried
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
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]  # google.auth is typed in part
    return Client(project="demo", **{"credentials": credentials, **options})


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

    yield from served(Handler)


def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free port, and yield the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


PHOTO = bytes(range(256)) * 40
OTHER = b"\1" + PHOTO[1:]
CRC32C = b64encode(google_crc32c.value(PHOTO).to_bytes(4)).decode()

Answer = Callable[[BaseHTTPRequestHandler], None]


def answering(status: int, body: bytes = PHOTO, length: int | None = None, **headers: str) -> Answer:
    """Answer with this, and say that it has this length."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(body)
        handler.close_connection = length is not None

    return answer


def hung_up(handler: BaseHTTPRequestHandler) -> None:
    """End the connection without a word."""
    handler.close_connection = True


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then."""
    answering(200, b"", 10_000)(handler)
    with suppress(OSError):
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.02)


WHOLE = answering(206, Content_Range=f"bytes 0-{len(PHOTO) - 1}/{len(PHOTO)}", X_Goog_Hash=f"crc32c={CRC32C},md5=x")


@contextmanager
def storage_answering(*answers: Answer, **options: Any) -> Iterator[tuple[StorageFiles, list[Mapping[str, str]]]]:
    """A Storage that answers one request after the other like this, and every further one like the last. Yields the
    adapter, and the headers of the requests."""
    seen: list[Mapping[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append({"path": self.path, **self.headers})
            answers[min(len(seen), len(answers)) - 1](self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        client = anonymous_client(client_options={"api_endpoint": f"http://127.0.0.1:{server.server_port}"}, **options)
        yield StorageFiles(client, "photos", emulated_url), seen
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "passing",
    [answering(status) for status in (408, 429, 500, 502, 503, 504)]
    + [hung_up, answering(200, PHOTO[:99], len(PHOTO))],
    ids=["408", "429", "500", "502", "503", "504", "hung up", "cut off"],
)
def test_what_will_pass_is_tried_again(passing: Answer) -> None:
    """A moment's trouble at Storage costs the user nothing: the second request brings the photo."""
    with storage_answering(passing, WHOLE) as (files, seen):
        assert files.read_photo(PATH) == PHOTO
    assert len(seen) == 2


@pytest.mark.parametrize("down", [answering(503), hung_up, dripping], ids=["503", "hung up", "dripping"])
def test_a_storage_that_stays_down_is_given_up_as_an_outage(monkeypatch: pytest.MonkeyPatch, down: Answer) -> None:
    """However it is down, all tries together have an end; a byte now and then is no answer."""
    limits = vars(adapters_storage)["_LIMITS"]
    monkeypatch.setitem(limits, "timeout", 0.3)
    monkeypatch.setitem(limits, "retry", limits["retry"].with_timeout(0.3))
    began = time.monotonic()
    with storage_answering(down) as (files, _), pytest.raises(exceptions.RetryError) as error:
        files.read_photo(PATH)
    assert will_pass(error.value)
    assert time.monotonic() - began < unhurried(3)


def test_a_refusal_of_our_account_is_no_outage() -> None:
    """Waiting does not mend a missing role."""
    with storage_answering(answering(403)) as (files, _), pytest.raises(exceptions.Forbidden) as refusal:
        files.read_photo(PATH)
    assert not will_pass(refusal.value)


@pytest.mark.parametrize("status", [200, 206])
def test_a_photo_with_other_bytes_than_were_stored_is_no_photo(status: int) -> None:
    """Storage says which checksum the whole object has, of a part that is the whole too."""
    span, checksum = f"bytes 0-{len(PHOTO) - 1}/{len(PHOTO)}", f"crc32c={CRC32C}"
    whole, broken = (
        answering(status, body, Content_Range=span if status == 206 else "", X_Goog_Hash=checksum)
        for body in (PHOTO, OTHER)
    )
    with storage_answering(whole, broken) as (files, _):
        assert files.read_photo(PATH) == PHOTO
        with pytest.raises(DataCorruption):
            files.read_photo(PATH)


def test_a_storage_that_ignores_the_limit_is_not_read_beyond_it() -> None:
    """No more than 10 MB and a byte is in memory, whatever comes."""
    with storage_answering(answering(200, bytes(3 * IMAGE_BYTES_MAX))) as (files, _):
        held = peak_mb(lambda: refused(files))
    assert held < 5.5 * IMAGE_BYTES_MAX / 1024**2, "three of which the server has"


def test_a_photo_is_one_request_on_a_kept_connection() -> None:
    """The bucket is not asked for, and the next photo needs no new connection."""
    ports: list[int] = []

    def noted(handler: BaseHTTPRequestHandler) -> None:
        ports.append(handler.client_address[1])
        WHOLE(handler)

    with storage_answering(noted) as (files, seen):
        for _ in range(3):
            files.read_photo("users/ana/uploads/a b.jpg")
    assert len(set(ports)) == 1
    assert {each["path"] for each in seen} == {
        "/download/storage/v1/b/photos/o/users%2Fana%2Fuploads%2Fa%20b.jpg?alt=media"
    }
    assert {each["Range"] for each in seen} == {f"bytes=0-{IMAGE_BYTES_MAX}"}


def test_each_request_carries_the_accounts_token() -> None:
    """A token that has run out is refreshed, also where Storage is the first to say so."""
    with storage_answering(WHOLE, answering(401), WHOLE, credentials=OwnCredentials()) as (files, seen):
        for _ in range(2):
            files.read_photo(PATH)
    assert [each["authorization"] for each in seen] == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


# Files of a batch


def test_an_input_file_is_written_and_read_in_chunks(files: StorageFiles) -> None:
    """What went in line by line comes out the same, across the borders of chunks."""
    lines = [b'{"number": %d, "filler": "%s"}\n' % (number, b"x" * 999_983) for number in range(9)]
    with files.write_input("batch-1") as file:
        for line in lines:
            file.write(line)
    with files.read_input("batch-1") as file:
        assert file.read() == b"".join(lines)


def test_a_file_ends_where_it_ends_on_googles_emulator(answers_any_range: str) -> None:
    """Read in pieces, as OpenAI's client does, it ends with its last byte, whatever the server says of later ones."""
    files = StorageFiles(anonymous_client(client_options={"api_endpoint": answers_any_range}), "photos", emulated_url)
    with files.read_input("batch-1") as file:
        assert [file.read(600), file.read(600), file.read(600)] == [b"x" * 600, b"x" * 400, b""]
        assert file.seek(0) == 0
        assert file.read() == b"x" * 1000


@pytest.fixture
def answers_any_range() -> Iterator[str]:
    """A server that answers a range after the end as Google's emulator does: with all of the object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = b"x" * 1000 if "/download/" in self.path else b'{"size": "1000"}'
            start = int(self.headers.get("Range", "bytes=1000-").partition("=")[2].partition("-")[0])
            self.send_response(206 if start < len(content) else 200)
            self.send_header("Content-Length", str(len(content[start:] or content)))
            self.end_headers()
            self.wfile.write(content[start:] or content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    yield from served(Handler)


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
        assert adapters_storage.signed_url(bucket.blob("photo.jpg"), LINK_LIFETIME) == "https://link"
    assert own.refreshed == 1
    assert {(each["access_token"], each["service_account_email"]) for each in signed} == {
        ("token-1", "functions@demo.iam")
    }
    assert all(each["expiration"] > LOST for each in signed)
    own.expiry = datetime.now(UTC).replace(tzinfo=None)
    adapters_storage.signed_url(bucket.blob("photo.jpg"), LINK_LIFETIME)
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
