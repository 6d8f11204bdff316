"""The RPC Listen: what documents and queries are now, and each change from then on.

The client adds targets and removes them; each is acknowledged by ADD or REMOVE. What `take` returns leads the client
from one consistent state of all its targets to the next, whatever was committed in between:

    RESET for targets that cannot be resumed: forget what you have
    DocumentChange, DocumentDelete, DocumentRemove: with the targets that a document is in, and those it has left
    ExistenceFilter for a resumed target of which the client has another number of documents than the server had
    CURRENT for targets that have their first, whole result
    NO_CHANGE for no target in particular, with a read time and a resume token: all targets are as of this time
    REMOVE with PERMISSION_DENIED for a target that has changed, or is new, and that the rules do not allow as it is now

Source: the protocol's own documentation of `ListenResponse`, and what the SDKs do with it.
"""

import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from google.rpc.status_pb2 import Status

from .bill import LISTENER_RESUMES_TICKS
from .bloom import bloom_of
from .engine import Call, Caller, Engine, Session
from .errors import FirestoreError, invalid
from .history import StoredDocument
from .paths import collection_id, document_path, full_name
from .plan import make_plan
from .protos import Message, rpc_types
from .reads import masked
from .service import Service
from .streams import Stream
from .targets import DocumentsTarget, QueryTarget, Target
from .wire import framed, packed, tick_of, timestamp

ListenRequest, ListenResponse = rpc_types("Listen")

_TOKEN = struct.Struct(">8sQ")  # the server's run, and the tick that the client knows everything up to


@dataclass(slots=True)
class _News:
    """One document that a client has to learn about, for all targets that see the same fields of it."""

    path: str
    stored: StoredDocument | None
    target: Target  # one of them
    matching: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    readable: bool = True  # whether a client that has no target for it any more may see what it is now


@dataclass(slots=True)
class _Snapshot:
    """What leads a client to the state as of a tick."""

    tick: int
    answers: list[bytes]
    news: list[_News] = field(default_factory=list)
    filters: list[tuple[int, list[str]]] = field(default_factory=list)  # of targets, with what is in them
    current: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    whole: bool = False  # whether there is something to say of the tick


class ListenStream(Stream):
    """A stream of targets and their changes."""

    rpc = "Listen"
    request = ListenRequest

    def __init__(self, service: Service, caller: Caller | None = None) -> None:
        super().__init__(service, caller)
        self._database = ""
        self._targets: dict[int, Target] = {}
        self._wanted: dict[int, Message] = {}
        self._doubted: set[int] = set()  # resumed targets of which the client has another number of documents
        self._said = self.engine.seconds()

    def close(self) -> None:
        """End the stream and its targets."""
        super().close()
        with self.engine.mutex:
            for target_id in list(self._targets):
                self._drop(target_id)

    def _handle(self, engine: Engine, request: Message, call: Call) -> list[bytes]:
        _ = call
        # Answers are laid down here, under the mutex: a target's first documents must not overtake its ADD.
        if self._database not in {"", request.database}:
            raise invalid(f'A stream listens to one database, this one to "{self._database}".')
        session = engine.session(request.database)
        self._database = request.database
        match request.WhichOneof("target_change"):
            case "add_target" if not self._closed:
                self._add(session, request.add_target)
            case "remove_target" if request.remove_target in self._targets:
                self._drop(request.remove_target)
                self._answers.append(_target_change("REMOVE", [request.remove_target]))
            case None:
                raise invalid("A request of Listen adds a target or removes one.")
        return []

    def _add(self, session: Session, wanted: Message) -> None:
        target_id = wanted.target_id or max(self._targets, default=0) + 1
        if target_id < 0:
            raise invalid(f"A target's id is positive, not {target_id}.")
        if target_id in self._targets:
            raise invalid(f"There is a target {target_id} on this stream already.")
        self._answers.append(_target_change("ADD", [target_id]))
        try:
            target = self._target(wanted, target_id)
        except FirestoreError as error:
            self._answers.append(_target_change("REMOVE", [target_id], cause=_cause(error)))
            return
        if wanted.WhichOneof("resume_type") is not None:
            self._resume(session, target, wanted)
        self._targets[target_id], self._wanted[target_id] = target, wanted
        session.watchers.add(target)

    def _target(self, wanted: Message, target_id: int) -> Target:
        """Read a target.

        Raises:
            FirestoreError: what is wrong with it, or that no index serves it.
        """
        match wanted.WhichOneof("target_type"):
            case "documents":
                paths = [document_path(name, self._database) for name in dict.fromkeys(wanted.documents.documents)]
                return DocumentsTarget(target_id, self.wake, paths, once=wanted.once)
            case "query":
                query = wanted.query.structured_query
                name, plan = make_plan(wanted.query.parent, query)
                if name != self._database:
                    raise invalid(f'The query is about "{name}", the request about "{self._database}".')
                if query.HasField("find_nearest"):
                    raise invalid("A vector search cannot be listened to.")
                target = QueryTarget(target_id, self.wake, plan, once=wanted.once)
                try:
                    self.engine.rules.check(plan)
                except FirestoreError:
                    self._check(target, wanted)  # who may not ask learns that first
                    raise
                return target
            case _:
                raise invalid("A target is a query or some documents.")

    def _resume(self, session: Session, target: Target, wanted: Message) -> None:
        """Begin with what the client knows, if the past still tells what that is."""
        tick = self._resumed_at(wanted)
        now = self.engine.tick()
        if tick is None or not session.database.history.complete_since <= tick <= now:
            self._answers.append(_target_change("RESET", [target.id]))
            return
        target.resume(session.database, tick)
        if wanted.expected_count.value not in {0, len(target.told)}:
            self._doubted.add(target.id)
        if tick < now - LISTENER_RESUMES_TICKS:
            self._bill(Counter(map(collection_id, target.told)))

    def _resumed_at(self, wanted: Message) -> int | None:
        """Return the tick up to which a client knows everything; None if another run of the server told it."""
        if wanted.WhichOneof("resume_type") == "read_time":
            tick = tick_of(wanted.read_time)
            return tick if tick >= self.engine.started else None
        if len(wanted.resume_token) != _TOKEN.size:
            return None
        run, tick = _TOKEN.unpack(wanted.resume_token)
        return int(tick) if run == self.engine.run else None

    def _drop(self, target_id: int) -> None:
        self.engine.session(self._database).watchers.remove(self._targets.pop(target_id))
        del self._wanted[target_id]
        self._doubted.discard(target_id)

    def _responses(self) -> list[bytes]:
        with self.engine.mutex:
            snapshot = self._snapshot()
        responses = snapshot.answers
        if snapshot.whole:
            responses += self._wire(snapshot)
        if responses:
            self._said = self.engine.seconds()
        return responses

    def _snapshot(self) -> _Snapshot:
        """Take the client, in thought, to the present."""
        snapshot = _Snapshot(self.engine.tick(), super()._responses())
        dirty = [target for target in self._targets.values() if target.dirty]
        merged: dict[tuple[object, ...], _News] = {}
        reads: Counter[str] = Counter()
        for target in dirty:
            billed_before = reads.total()
            changes = [*target.changes(self.engine.session(self._database).database)]
            if (changes or not target.current) and (refusal := self._refusal(target)) is not None:
                snapshot.answers.append(_target_change("REMOVE", [target.id], cause=refusal))
                self._drop(target.id)
                continue
            for change in changes:
                key = (change.path, target.select)
                news = merged.setdefault(key, _News(change.path, change.stored, target))
                (news.matching if change.matches else news.left).append(target.id)
                reads[collection_id(change.path)] += change.read
            if not target.current:
                target.current = True
                if reads.total() == billed_before and not target.resumed:
                    reads[target.collection_id] += 1  # an empty result is a read
                snapshot.current.append(target.id)
                if target.id in self._doubted:
                    snapshot.filters.append((target.id, target.told))
            if target.once:
                snapshot.ended.append(target.id)
                self._drop(target.id)
        for news in merged.values():
            news.readable = bool(news.matching) or news.stored is None or self._may_read(news.path, news.stored)
        snapshot.news.extend(merged.values())
        self._bill(reads)
        silent = self.engine.seconds() - self._said >= self.engine.timing.listen_silence_seconds
        snapshot.whole = bool(merged or snapshot.current or (self._targets and silent))
        return snapshot

    def _refusal(self, target: Target) -> Message | None:
        """Return why the caller may not see a target as it is now; None for one that may."""
        try:
            self._check(target, self._wanted[target.id])
        except FirestoreError as error:
            return _cause(error)
        return None

    def _may_read(self, path: str, stored: StoredDocument) -> bool:
        """Tell whether the caller may read a document by its name as it is now."""
        try:
            app = self.engine.asking(self.engine.session(self._database), Call(self.rpc, self.caller))
            if app is not None:
                self.engine.security.check_reads(app, [(path, stored)])
        except FirestoreError:
            return False
        return True

    def _check(self, target: Target, wanted: Message) -> None:
        session = self.engine.session(self._database)
        app = self.engine.asking(session, Call(self.rpc, self.caller))
        if app is None:
            return
        if isinstance(target, DocumentsTarget):
            documents = [(path, session.database.get(path)) for path in target.paths]
            self.engine.security.check_reads(app, documents, several=len(documents) > 1)
        else:
            self.engine.security.check_query(app, wanted.query.parent, wanted.query.structured_query)

    def _bill(self, reads: Counter[str]) -> None:
        for collection, count in reads.items():
            self.engine.bill.read(self.rpc, collection, count)

    def _wire(self, snapshot: _Snapshot) -> Iterable[bytes]:
        """Yield a snapshot as responses."""
        read_time = timestamp(snapshot.tick)
        token = _TOKEN.pack(self.engine.run, snapshot.tick)
        for news in snapshot.news:
            yield self._document(news, read_time)
        for target_id, paths in snapshot.filters:
            names = [full_name(self._database, path) for path in paths]
            digest = {"target_id": target_id, "count": len(names), "unchanged_names": bloom_of(names)}
            yield ListenResponse(filter=digest).SerializeToString()
        if snapshot.current:
            yield _target_change("CURRENT", snapshot.current, resume_token=token, read_time=read_time)
        yield _target_change("NO_CHANGE", [], resume_token=token, read_time=read_time)
        for target_id in snapshot.ended:
            yield _target_change("REMOVE", [target_id])

    def _document(self, news: _News, read_time: Message) -> bytes:
        name = full_name(self._database, news.path)
        if news.stored is None:
            gone = {"document": name, "removed_target_ids": news.left, "read_time": read_time}
            return bytes(ListenResponse(document_delete=gone).SerializeToString())
        if not news.readable:
            gone = {"document": name, "removed_target_ids": news.left, "read_time": read_time}
            return bytes(ListenResponse(document_remove=gone).SerializeToString())
        document = framed(1, masked(news.stored, news.target.select))
        return framed(3, document + packed(5, news.matching) + packed(6, news.left))


def _cause(error: FirestoreError) -> Message:
    return Status(code=error.code.value[0], message=error.message)


def _target_change(kind: str, target_ids: list[int], **fields: object) -> bytes:
    change = {"target_change_type": kind, "target_ids": target_ids, **fields}
    return bytes(ListenResponse(target_change=change).SerializeToString())
