"""Clients of the streams for tests: one of raw requests and responses, and those that keep what they are told."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc
from google.cloud.firestore import Client
from google.protobuf.json_format import MessageToDict

from localcloud.firestore.protos import Message, rpc_types
from localcloud.serving import unhurried

SECONDS_MAX = 20.0
_END = object()


class RawStream:
    """One open stream: requests in, responses out, each as a plain protobuf message."""

    def __init__(self, host: str, rpc: str, database: str) -> None:
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
        self._call = method(iter(self._requests.get, _END), metadata=[("google-cloud-resource-prefix", database)])
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, **fields: Any) -> None:
        """Send a request."""
        self._requests.put(self.request(database=self.database, **fields))

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


class Listening(RawStream):
    """A stream of Listen, and what a client has of each target, as SDKs keep it."""

    def __init__(self, host: str, client: Client) -> None:
        super().__init__(host, "Listen", client._database_string)  # noqa: SLF001 - it has no public name
        self.targets: dict[int, dict[str, dict[str, Any]]] = {}
        self.current: set[int] = set()
        self.causes: dict[int, Message] = {}
        self.removed: set[int] = set()
        self.said: list[str] = []  # every response since the last look, in short
        self.filters: list[Message] = []
        self.token = b""
        self.read_time: Message = None

    def query(self, target_id: int, query: Any, **fields: Any) -> None:
        """Add a query target; `query` is one of the client library's."""
        message = query._to_protobuf()._pb  # noqa: SLF001
        parent = f"{self.database}/documents"
        wanted = {"query": {"parent": parent, "structured_query": message}, "target_id": target_id, **fields}
        self.send(add_target=wanted)

    def documents(self, target_id: int, *paths: str, **fields: Any) -> None:
        """Add a target of documents."""
        names = [f"{self.database}/documents/{path}" for path in paths]
        self.send(add_target={"documents": {"documents": names}, "target_id": target_id, **fields})

    def snapshot(self, seconds: float = SECONDS_MAX) -> list[str]:
        """Follow the stream up to the next consistent state, and return what was said on the way."""
        while not self.follow(seconds):
            pass
        said, self.said = self.said, []
        return said

    def until(self, holds: Callable[[Self], bool]) -> None:
        """Follow the stream until something holds in a consistent state."""
        while not (self.follow() and holds(self)):
            pass

    def have(self, target_id: int) -> dict[str, Any]:
        """Return the documents of a target by id, each as its field `n`."""
        return {name.rpartition("/")[2]: fields.get("n") for name, fields in self.targets[target_id].items()}

    def follow(self, seconds: float = SECONDS_MAX) -> bool:
        """Take in one response; return whether all targets are consistent now."""
        response = self.next(seconds)
        kind = response.WhichOneof("response_type")
        change = getattr(response, kind)
        if kind == "target_change":
            return self._target_change(change)
        if kind == "filter":
            self.filters.append(change)
            self.said.append(f"filter {change.target_id}: {change.count}")
            return False
        document = change.document if kind != "document_change" else change.document.name
        matching = list(getattr(change, "target_ids", ()))
        self.said.append(f"{kind} {document.rpartition('/')[2]} {matching} {list(change.removed_target_ids)}")
        for target_id in change.removed_target_ids:
            self.targets.get(target_id, {}).pop(document, None)
        for target_id in matching:
            fields = {name: _plain(value) for name, value in change.document.fields.items()}
            self.targets[target_id][document] = fields
        return False

    def _target_change(self, change: Message) -> bool:
        kind = change.TargetChangeType.Name(change.target_change_type)
        self.said.append(f"{kind} {list(change.target_ids)}")
        for target_id in change.target_ids:
            if kind in {"ADD", "RESET"}:
                # What a resumed client has is added by the test.
                self.targets[target_id] = {} if kind == "RESET" else self.targets.get(target_id, {})
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

    def silent(self, seconds: float = 0.3) -> bool:
        """Tell whether nothing comes for a while."""
        try:
            self._told.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@contextlib.contextmanager
def snapshots(query: Any) -> Iterator[Snapshots]:
    """Listen to a query or a document for as long as the block runs."""
    listening = Snapshots(query)
    yield listening
    listening.watch.unsubscribe()
