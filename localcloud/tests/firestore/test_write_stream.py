"""The Write stream on the embedded server: resuming, tokens, faults, locks and the bill."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer
from localcloud.firestore.protos import Message
from localcloud.tests.firestore.streaming import RawStream
from localcloud.tests.firestore.support import begun


@pytest.fixture
def database(strict: Client) -> str:
    """The name of the client's database."""
    return str(strict._database_string)  # noqa: SLF001


@pytest.fixture
def writing(server: FirestoreServer, database: str) -> Iterator[RawStream]:
    """A Write stream that has not been opened by a request yet."""
    with RawStream(server.host, "Write", database) as stream:
        yield stream


def opened(stream: RawStream, **fields: Any) -> Message:
    """Open a stream and return the answer."""
    stream.send(**fields)
    return stream.next()


def add(stream: RawStream, number: int, token: bytes = b"") -> None:
    """Add to the counter `c/one`, the way that shows how often it was done."""
    transform = {"field_path": "n", "increment": {"integer_value": number}}
    document = {"name": f"{stream.database}/documents/c/one", "fields": {}}
    write = {"update": document, "update_mask": {}, "update_transforms": [transform]}
    stream.send(writes=[write], stream_token=token)


def failure(stream: RawStream) -> tuple[grpc.StatusCode, str]:
    """Return what a stream ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        stream.next()
    return caught.value.code(), caught.value.details()


def counter(client: Client) -> int:
    """Return the counter."""
    return int((client.document("c/one").get().to_dict() or {"n": 0})["n"])


def test_missed_answers_are_replayed(server: FirestoreServer, database: str, strict: Client) -> None:
    """A client that comes back with its stream's id and its last token gets the answers since, and nothing is written
    twice; then it goes on."""
    with RawStream(server.host, "Write", database) as lost:
        stream_id = opened(lost).stream_id
        for number in (1, 10, 100):
            add(lost, number)
        answers = [lost.next() for _ in range(3)]
    with RawStream(server.host, "Write", database) as back:
        first = opened(back, stream_id=stream_id, stream_token=answers[0].stream_token)
        assert (first.stream_id, first.stream_token) == (stream_id, answers[0].stream_token)
        assert [back.next() for _ in range(2)] == answers[1:]
        add(back, 1000, answers[2].stream_token)
        assert back.next().write_results[0].transform_results[0].integer_value == 1111
    assert counter(strict) == 1111


def test_a_lost_reply_can_be_fetched(server: FirestoreServer, writing: RawStream, strict: Client) -> None:
    """A commit whose reply is lost on request has happened; its answer is replayed to who resumes the stream."""
    answer = opened(writing)
    server.faults.add("reply_lost", rpc="Write", path="c/one")
    add(writing, 5, answer.stream_token)
    assert failure(writing)[0] is grpc.StatusCode.UNAVAILABLE
    assert counter(strict) == 5
    with RawStream(server.host, "Write", strict._database_string) as back:  # noqa: SLF001
        opened(back, stream_id=answer.stream_id, stream_token=answer.stream_token)
        assert back.next().write_results[0].transform_results[0].integer_value == 5
    assert counter(strict) == 5


@pytest.mark.parametrize("token", [b"1", b"7", b"junk", b"\xff"])
def test_a_token_must_be_of_this_stream(writing: RawStream, strict: Client, token: bytes) -> None:
    """A token that was not given out yet, or is none at all, ends the stream and writes nothing."""
    opened(writing)
    add(writing, 5, token)
    assert failure(writing) == (grpc.StatusCode.INVALID_ARGUMENT, failure_text(token))
    assert counter(strict) == 0


def failure_text(token: bytes) -> str:
    """Return what is said of a token that cannot be used."""
    return f'"{token.decode(errors="replace")}" is no stream token that can be used on this stream.'


def test_a_token_is_not_used_after_a_later_one(writing: RawStream) -> None:
    """Whoever has acknowledged an answer cannot take that back: what came before is no longer kept."""
    first = opened(writing).stream_token
    add(writing, 1, first)
    add(writing, 1, writing.next().stream_token)
    writing.next()
    add(writing, 1, first)
    assert failure(writing)[0] is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("other", [True, False])
def test_only_a_stream_of_this_database_is_resumed(server: FirestoreServer, writing: RawStream, *, other: bool) -> None:
    """An unknown id, and that of another database's stream, are INVALID_ARGUMENT."""
    stream_id = opened(writing).stream_id if other else "nonsense"
    with RawStream(server.host, "Write", "projects/other/databases/(default)") as stream:
        stream.send(stream_id=stream_id)
        assert failure(stream) == (grpc.StatusCode.INVALID_ARGUMENT, f'There is no stream "{stream_id}" to resume.')


def test_a_commit_waits_for_readers(writing: RawStream, strict: Client) -> None:
    """A commit on a stream waits for a transaction that has read its document, like any other commit."""
    strict.document("c/one").set({"n": 1})
    token = opened(writing).stream_token
    reader = begun(strict)
    strict.document("c/one").get(transaction=reader)
    add(writing, 1, token)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(writing.next)
        with pytest.raises(TimeoutError):
            answer.result(0.15)
        reader._rollback()  # noqa: SLF001
        assert answer.result(10).write_results[0].transform_results[0].integer_value == 2


def test_each_written_document_is_billed(server: FirestoreServer, writing: RawStream) -> None:
    """A write on a stream costs what it costs in a commit."""
    token = opened(writing).stream_token
    for _ in range(3):
        add(writing, 1, token)
        writing.next()
    assert server.bill.snapshot()["by_rpc"]["Write"] == {"reads": 0, "writes": 3, "deletes": 0}


def test_malformed_bytes_end_a_stream(server: FirestoreServer) -> None:
    """Bytes that are no message are INVALID_ARGUMENT on both streams."""
    for rpc in ("Listen", "Write"):
        with grpc.insecure_channel(server.host) as channel:
            call = channel.stream_stream(f"/google.firestore.v1.Firestore/{rpc}")(iter([b"\xff\xff\xff"]), timeout=10)
            with pytest.raises(grpc.RpcError, match=f"not a valid {rpc}") as caught:
                list(call)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
