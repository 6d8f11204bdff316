"""Clients of the streams for tests: one of raw requests and responses, and those that keep what they are told."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc
from google.cloud.firestore import Client, CollectionReference
from google.protobuf.json_format import MessageToDict

from localcloud.firestore.protos import Message, rpc_types
from localcloud.serving import unhurried
from localcloud.tests.firestore.support import documents_root

SECONDS_MAX = 20.0
_END = object()


class RawStream:
    """One open stream of a server client: requests in, responses out, each as a plain protobuf message."""

    def __init__(self, host: str, rpc: str, database: str, authorization: str = "Bearer owner") -> None:
        self.database = database
        self.request, response = rpc_types(rpc)
        self._requests: queue.Queue[Any] = queue.Queue()
        self._responses: queue.Queue[Any] = queue.Queue()
        self._channel = grpc.insecure_channel(host)
        method = self._channel.stream_stream(
            f"/google.firestore.v1.Firestore/{rpc}",
            request_serializer=self.request.SerializeToString,
            response_deserializer=response.FromString,
        )
        metadata = [("google-cloud-resource-prefix", database), ("authorization", authorization)]
        self._call = method(iter(self._requests.get, _END), metadata=metadata)
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, **fields: Any) -> None:
        """Send a request."""
        self._requests.put(self.request(**{"database": self.database, **fields}))

    def finish(self) -> None:
        """Say that no request will follow."""
        self._requests.put(_END)

    def next(self, seconds: float = SECONDS_MAX) -> Message:
        """Return the next response, None for the end of the stream.

        Raises:
            grpc.RpcError: the stream has ended with an error.
            queue.Empty: nothing has come in time.
        """
        response = self._responses.get(timeout=unhurried(seconds))
        if isinstance(response, grpc.RpcError):
            raise response
        return response

    def close(self) -> None:
        """Vanish."""
        self._requests.put(_END)
        self._call.cancel()
        self._channel.close()

    def _read(self) -> None:
        try:
            for response in self._call:
                self._responses.put(response)
            self._responses.put(None)
        except grpc.RpcError as error:
            self._responses.put(error)


class View:
    """What a client has of each target, as SDKs keep it."""

    def __init__(self) -> None:
        self.targets: dict[int, dict[str, dict[str, Any]]] = {}  # documents by name
        self.current: set[int] = set()
        self.removed: set[int] = set()
        self.causes: dict[int, Message] = {}
        self.filters: list[Message] = []
        self.said: list[str] = []  # every response since `told`, in short
        self.token = b""
        self.read_time: Message = None

    def told(self) -> list[str]:
        """Return what has been said since the last time."""
        said, self.said = self.said, []
        return said

    def have(self, target_id: int) -> dict[str, Any]:
        """Return the documents of a target by id, each as its field `n`."""
        return {name.rpartition("/")[2]: fields.get("n") for name, fields in self.targets[target_id].items()}

    def take(self, response: Message) -> bool:
        """Take in a response; return whether all targets are consistent now."""
        kind = response.WhichOneof("response_type")
        change = getattr(response, kind)
        if kind == "target_change":
            return self._target_change(change)
        if kind == "filter":
            self.filters.append(change)
            self.said.append(f"filter {change.target_id}: {change.count}")
            return False
        name = change.document.name if kind == "document_change" else change.document
        matching = list(getattr(change, "target_ids", ()))
        left = list(change.removed_target_ids)
        self.said.append(f"{kind} {name.rpartition('/')[2]} in {matching} not in {left}")
        for target_id in left:
            self.targets.get(target_id, {}).pop(name, None)
        for target_id in matching:
            fields = {field: _plain(value) for field, value in change.document.fields.items()}
            self.targets[target_id][name] = fields
        return False

    def _target_change(self, change: Message) -> bool:
        kind = change.TargetChangeType.Name(change.target_change_type)
        self.said.append(f"{kind} {list(change.target_ids)}")
        for target_id in change.target_ids:
            if kind == "ADD":
                self.targets.setdefault(target_id, {})  # a resumed client has something
            elif kind == "RESET":
                self.targets[target_id] = {}
            elif kind == "CURRENT":
                self.current.add(target_id)
            elif kind == "REMOVE":
                self.removed.add(target_id)
                self.targets.pop(target_id, None)
                if change.HasField("cause"):
                    self.causes[target_id] = change.cause
        consistent = not change.target_ids and change.HasField("read_time")
        if consistent:
            self.token, self.read_time = change.resume_token, change.read_time
        return consistent


def documents_target(client: Client, target_id: int, *paths: str, **fields: Any) -> dict[str, Any]:
    """Return a target of documents."""
    names = [f"{documents_root(client)}/{path}" for path in paths]
    return {"documents": {"documents": names}, "target_id": target_id, **fields}


def query_target(client: Client, target_id: int, query: Any, **fields: Any) -> dict[str, Any]:
    """Return a target of one of the client library's queries, or of a collection."""
    if isinstance(query, CollectionReference):
        query = query._query()  # noqa: SLF001 - the library has no public names for these
    message = query._to_protobuf()._pb  # noqa: SLF001
    parent = documents_root(client)
    return {"query": {"parent": parent, "structured_query": message}, "target_id": target_id, **fields}


class Listening(RawStream, View):
    """A stream of Listen, with what its client has."""

    def __init__(self, host: str, client: Client, authorization: str = "Bearer owner") -> None:
        RawStream.__init__(self, host, "Listen", client._database_string, authorization)  # noqa: SLF001
        View.__init__(self)
        self._client = client

    def query(self, target_id: int, query: Any, **fields: Any) -> None:
        """Add a query target."""
        self.send(add_target=query_target(self._client, target_id, query, **fields))

    def documents(self, target_id: int, *paths: str, **fields: Any) -> None:
        """Add a target of documents."""
        self.send(add_target=documents_target(self._client, target_id, *paths, **fields))

    def follow(self, seconds: float = SECONDS_MAX) -> bool:
        """Take in one response; return whether all targets are consistent now."""
        return self.take(self.next(seconds))

    def until(self, holds: Callable[[Self], bool]) -> Self:
        """Follow the stream until something holds in a consistent state."""
        while not (self.follow() and holds(self)):
            pass
        return self

    def snapshot(self) -> list[str]:
        """Follow the stream to the next consistent state, and return what was said on the way."""
        return self.until(lambda _: True).told()


def _plain(value: Message) -> Any:
    (plain,) = MessageToDict(value).values()
    return int(plain) if value.HasField("integer_value") else plain


class Snapshots:
    """What the client library's `on_snapshot` has told."""

    def __init__(self, query: Any) -> None:
        self._told: queue.Queue[tuple[list[Any], list[Any]]] = queue.Queue()
        self.watch = query.on_snapshot(lambda documents, changes, _: self._told.put((documents, changes)))

    def next(self, seconds: float = SECONDS_MAX) -> tuple[list[tuple[str, Any]], list[tuple[str, str]]]:
        """Return the next snapshot: its documents as (id, field `n`), and the changes as (kind, id)."""
        documents, changes = self._told.get(timeout=unhurried(seconds))
        return (
            [(each.id, (each.to_dict() or {}).get("n")) for each in documents],
            [(change.type.name, change.document.id) for change in changes],
        )

    def next_contents(self, seconds: float = SECONDS_MAX) -> dict[str, dict[str, Any]]:
        """Return the documents of the next snapshot, all their fields by id."""
        documents, _ = self._told.get(timeout=unhurried(seconds))
        return {each.id: each.to_dict() for each in documents}


@contextlib.contextmanager
def snapshots(query: Any) -> Iterator[Snapshots]:
    """Listen to a query or a document for as long as the block runs. Its server has to outlive it: the library opens
    the stream again for ever, and leaves a thread with every try."""
    listening = Snapshots(query)
    try:
        yield listening
    finally:
        listening.watch.unsubscribe()
