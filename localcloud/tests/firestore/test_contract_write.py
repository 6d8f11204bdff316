"""The Write stream, on both servers: commits one after the other, as the mobile and web SDKs make them."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.cloud.firestore import Client

from localcloud.firestore.protos import Message
from localcloud.tests.firestore.streaming import RawStream


@pytest.fixture
def writing(host: str, client: Client) -> Iterator[RawStream]:
    """A Write stream that has not been opened by a request yet."""
    with RawStream(host, "Write", client._database_string) as stream:  # noqa: SLF001
        yield stream


def opened(stream: RawStream) -> Message:
    """Open a stream and return the answer."""
    stream.send()
    return stream.next()


def update(stream: RawStream, path: str, number: int, **fields: Any) -> dict[str, Any]:
    """Return a write that sets the field `n` of a document."""
    name = f"{stream.database}/documents/{path}"
    return {"update": {"name": name, "fields": {"n": {"integer_value": number}}}, **fields}


def values(client: Client, *paths: str) -> list[Any]:
    """Return the field `n` of documents."""
    return [(client.document(path).get().to_dict() or {}).get("n") for path in paths]


def test_a_stream_is_opened_first(writing: RawStream) -> None:
    """The first request gets an id and a token, and no results."""
    answer = opened(writing)
    assert answer.stream_id
    assert answer.stream_token
    assert not answer.write_results
    assert not answer.HasField("commit_time")


def test_commits_are_answered_in_order(writing: RawStream, client: Client) -> None:
    """Each request is a commit of its own with a result for each write and a later time, even if many are under way."""
    token = opened(writing).stream_token
    writing.send(writes=[update(writing, "c/a", 1), update(writing, "c/b", 2)], stream_token=token)
    for number in (3, 4):
        writing.send(writes=[update(writing, "c/a", number)], stream_token=token)
    answers = [writing.next() for _ in range(3)]
    assert [len(answer.write_results) for answer in answers] == [2, 1, 1]
    times = [answer.commit_time.ToNanoseconds() for answer in answers]
    assert times == sorted(set(times))
    assert len({answer.stream_token for answer in answers}) == 3
    assert values(client, "c/a", "c/b") == [4, 2]


def test_transforms_have_their_results(writing: RawStream) -> None:
    """What a transform has made of a field is in the result of its write."""
    token = opened(writing).stream_token
    added = {"field_path": "n", "increment": {"integer_value": 5}}
    writing.send(writes=[update(writing, "c/a", 1, update_transforms=[added])], stream_token=token)
    (result,) = writing.next().write_results
    assert result.transform_results[0].integer_value == 6


def test_a_commit_that_fails_ends_the_stream(writing: RawStream, client: Client) -> None:
    """A failed precondition is the stream's status; nothing of that commit is done, what came before stays."""
    token = opened(writing).stream_token
    writing.send(writes=[update(writing, "c/a", 1)], stream_token=token)
    writing.next()
    missing = update(writing, "c/missing", 1, current_document={"exists": True})
    writing.send(writes=[update(writing, "c/a", 2), missing], stream_token=token)
    with pytest.raises(grpc.RpcError) as caught:
        writing.next()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert values(client, "c/a", "c/missing") == [1, None]


def test_a_request_without_writes_is_the_last(writing: RawStream) -> None:
    """It is answered with a token, and the stream ends."""
    token = opened(writing).stream_token
    writing.send(stream_token=token)
    assert not writing.next().write_results
    assert writing.next() is None


def test_a_stream_ends_when_the_client_has_finished(writing: RawStream) -> None:
    """A client that says that no request will follow gets the answers to those it has sent, and no error."""
    token = opened(writing).stream_token
    writing.send(writes=[update(writing, "c/a", 1)], stream_token=token)
    writing.finish()
    assert len(writing.next().write_results) == 1
    assert writing.next() is None


def test_the_first_request_writes_nothing(writing: RawStream, client: Client) -> None:
    """Writes in the request that opens a stream are INVALID_ARGUMENT."""
    writing.send(writes=[update(writing, "c/a", 1)])
    with pytest.raises(grpc.RpcError) as caught:
        writing.next()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert values(client, "c/a") == [None]
