"""The Storage emulator, driven by the real google-cloud-storage client."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Bucket, Client
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.serving import PortTakenError
from localcloud.storage import StorageServer


def test_what_is_uploaded_is_downloaded(bucket: Bucket) -> None:
    """Bytes, type and metadata of an object come back as they were sent."""
    blob = bucket.blob("users/u1/uploads/a b/ü?#%.jpg")
    blob.metadata = {"taken": "today"}
    blob.upload_from_string(b"\xff\xd8\xff\xe0 photo", content_type="image/jpeg")

    stored = bucket.get_blob("users/u1/uploads/a b/ü?#%.jpg")

    assert stored.download_as_bytes() == b"\xff\xd8\xff\xe0 photo"
    assert (stored.content_type, stored.size, stored.metadata) == ("image/jpeg", 10, {"taken": "today"})


@settings(max_examples=50)
@given(content=st.binary(max_size=300) | st.text("\r\n-=", max_size=20).map(str.encode))
def test_no_content_is_changed_on_the_way(bucket: Bucket, content: bytes) -> None:
    """Any bytes survive, line ends and multipart boundaries' look-alikes included, and so does nothing at all."""
    bucket.blob("any").upload_from_string(content)

    assert bucket.blob("any").download_as_bytes() == content


def test_requests_are_counted_and_can_take_longer(storage: StorageServer, bucket: Bucket) -> None:
    """As if the bucket were far away: each request waits, until that is taken back."""
    bucket.blob("far").upload_from_string(b"photo")
    before = storage.requests
    storage.delay(0.2)
    began = time.monotonic()
    assert bucket.blob("far").download_as_bytes() == b"photo"
    storage.delay(0)
    assert time.monotonic() - began >= 0.2
    assert storage.requests == before + 1


def test_missing_objects_are_not_found(bucket: Bucket) -> None:
    """Reading, deleting or looking at what is not there is NotFound, or says that it does not exist."""
    blob = bucket.blob("missing")

    with pytest.raises(NotFound):
        blob.download_as_bytes()
    with pytest.raises(NotFound):
        blob.delete()
    assert not blob.exists()
    assert bucket.get_blob("missing") is None


def test_deleted_objects_are_gone(bucket: Bucket) -> None:
    """A deleted object is neither found nor listed."""
    bucket.blob("gone/1").upload_from_string(b"x")
    bucket.blob("gone/1").delete()

    assert not bucket.blob("gone/1").exists()
    assert list(bucket.list_blobs(prefix="gone/")) == []


def test_lists_follow_prefix_and_delimiter(bucket: Bucket) -> None:
    """A list holds the names under a prefix in order; with a delimiter, folders stand for what is in them."""
    for name in ("tree/b.txt", "tree/a.txt", "tree/deep/c.txt", "forest/d.txt"):
        bucket.blob(name).upload_from_string(b"x")

    all_of_it = [blob.name for blob in bucket.list_blobs(prefix="tree/")]
    level = bucket.list_blobs(prefix="tree/", delimiter="/")

    assert all_of_it == ["tree/a.txt", "tree/b.txt", "tree/deep/c.txt"]
    assert [blob.name for blob in level] == ["tree/a.txt", "tree/b.txt"]
    assert level.prefixes == {"tree/deep/"}


def test_large_objects_stream_both_ways(bucket: Bucket) -> None:
    """A file of many chunks is written and read as a stream, and in ranges."""
    lines = [os.urandom(512 * 1024) for _ in range(12)]
    with bucket.blob("large").open("wb", chunk_size=1024 * 1024) as file:
        for line in lines:
            file.write(line)

    with bucket.blob("large").open("rb", chunk_size=1024 * 1024) as file:
        assert file.read() == b"".join(lines)
    assert bucket.blob("large").download_as_bytes(start=5, end=9) == lines[0][5:10]


def test_many_callers_at_once_lose_nothing(storage: StorageServer) -> None:
    """The first objects of a bucket, uploaded by 32 threads at once, are all there: the package alone loses some."""
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = Client("demo-sample", nobody, client_options={"api_endpoint": storage.host})
    fresh = client.create_bucket("fresh.example")

    def upload(n: int) -> bool:
        fresh.blob(f"o/{n}").upload_from_string(str(n))
        return bool(fresh.blob(f"o/{n}").download_as_bytes() == str(n).encode())

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(upload, range(128)))
    assert len(list(fresh.list_blobs())) == 128
    client.close()


def test_a_slow_caller_holds_nobody_up(storage: StorageServer, bucket: Bucket) -> None:
    """While one upload is still on its way, others are served."""
    may_end = threading.Event()

    def slow_body() -> Iterator[bytes]:
        yield b"first"
        may_end.wait(10)
        yield b"last"

    url = f"{storage.host}/upload/storage/v1/b/photos.example/o?uploadType=media&name=slow"
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, url, content=slow_body())
        bucket.blob("quick").upload_from_string(b"x")
        assert bucket.blob("quick").download_as_bytes() == b"x"
        assert not answer.done()
        may_end.set()
        assert answer.result().is_success
    assert bucket.blob("slow").download_as_bytes() == b"firstlast"


def test_a_fault_of_the_package_is_a_500(storage: StorageServer, caplog: pytest.LogCaptureFixture) -> None:
    """A request the package trips over gets a status and a reason, is logged, and harms no later one."""
    url = f"{storage.host}/upload/storage/v1/b/photos.example/o?uploadType=resumable"

    answer = httpx.post(url, content=b"{ no json", headers={"Content-Type": "application/json"})

    assert answer.status_code == 500
    assert "JSONDecodeError" in answer.json()["error"]["message"]
    assert "uploadType=resumable" in caplog.text
    assert httpx.get(storage.host).is_success


def test_the_package_keeps_quiet(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    """Serving, and answering that there is nothing, writes no line to the log."""
    bucket.blob("quiet").upload_from_string(b"x")
    bucket.get_blob("not there")

    assert caplog.text == ""


def test_a_taken_port_is_named(storage: StorageServer) -> None:
    """Asking for a port that is in use is an error that names it."""
    port = int(storage.host.rsplit(":", 1)[1])

    with pytest.raises(PortTakenError, match=f"port {port} is in use"):
        StorageServer("other.example", port)
