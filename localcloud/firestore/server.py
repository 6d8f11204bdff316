"""The server: the service on a gRPC port, with its admin port beside it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc

from localcloud.clock import utc_now
from localcloud.rules.values import Path as RulesPath

from .admin import AdminServer
from .bill import Bill
from .callers import STREAMS, caller_of, open_stream
from .engine import Engine
from .errors import FirestoreError
from .faults import Faults
from .indexes import IndexRules
from .paths import collection_id
from .rule_values import document_value
from .security import Security, place_of
from .service import REQUEST_BYTES_MAX, RPCS, UNSERVED, Service, waiting
from .streams import Stream
from .transactions import Timing
from .web import Front

SERVICE_NAME = "google.firestore.v1.Firestore"

# A blocked call keeps its thread, and the commit it waits for needs one too; so does every open stream, and Python's
# client opens one for each listener. Threads are started only when needed; an idle one takes 16 KB.
THREADS_MAX = 8192

_OPTIONS = [
    (
        "grpc.max_receive_message_length",
        2 * REQUEST_BYTES_MAX,
    ),  # so that the service itself can refuse with a clear text
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]


class FirestoreServer:
    """An in-memory Firestore for server clients.

    Args:
        port: of the gRPC service on 127.0.0.1; 0 picks a free one.
        admin_port: of the admin HTTP service; 0 picks a free one.
        app_port: of apps, which speak gRPC or, in browsers, HTTP; 0 picks a free one.
        indexes: the `firestore.indexes.json` to enforce. Without it, or while it does not exist, there are only
            automatic indexes.
        security_rules: the `firestore.rules` that apps are held to, read again whenever the file changes. Without it,
            or while it does not exist, apps may do nothing.
        clock: returns the time as an aware datetime; commit times come from it but always rise.
        enforce_indexes: False serves queries that production would refuse for lack of an index.
        timing: how long transactions live and commits wait.
        seconds: the running time that `timing` is measured in.
    """

    def __init__(  # noqa: PLR0913 - each is a choice of its own
        self,
        port: int = 0,
        admin_port: int = 0,
        *,
        app_port: int = 0,
        indexes: Path | None = None,
        security_rules: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
        enforce_indexes: bool = True,
        timing: Timing | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        rules = IndexRules(indexes, enforced=enforce_indexes)
        self.engine = Engine(
            rules=rules, security=Security(security_rules), clock=clock, timing=timing, seconds=seconds
        )
        self.service = Service(self.engine)
        self._port, self._admin_port, self._app_port = port, admin_port, app_port
        self._grpc: Any = None
        self._admin: AdminServer | None = None
        self._front: Front | None = None

    @property
    def bill(self) -> Bill:
        """What was billed since the last reset."""
        return self.engine.bill

    @property
    def faults(self) -> Faults:
        """The faults to inject."""
        return self.service.faults

    def rules_document(self, project: str, path: RulesPath) -> dict[str, Any] | None:
        """Return a document of a project as security rules see it, for those of Storage; None if there is none.

        Raises:
            EvaluationError: the path is no document's.
        """
        with self.engine.mutex:
            database = self.engine.session(f"projects/{project}/databases/(default)").database
            place = place_of(database.name, path)
            self.engine.bill.read("StorageRules", collection_id(place))
            stored = database.get(place)
        return None if stored is None else document_value(database.name, place, stored.parse())

    @property
    def host(self) -> str:
        """The value for FIRESTORE_EMULATOR_HOST, such as `127.0.0.1:8080`."""
        return f"127.0.0.1:{self._port}"

    @property
    def app_host(self) -> str:
        """Where apps find it, such as `127.0.0.1:8081`: it takes everybody, and server clients too, if more slowly."""
        return f"127.0.0.1:{self._app_port}"

    @property
    def admin_url(self) -> str:
        """Where the admin requests go, such as `http://127.0.0.1:8081`."""
        return f"http://127.0.0.1:{self._admin_port}"

    def start(self) -> None:
        """Serve until `stop`.

        Raises:
            OSError: the admin port or that of apps is taken.
            RuntimeError: the gRPC port is taken.
        """
        server = grpc.server(ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="firestore"), options=_OPTIONS)
        server.add_generic_rpc_handlers((_Handlers(self.service),))
        self._port = server.add_insecure_port(self.host)
        self._front = Front(self.service, self._port, self._app_port)
        self._app_port = self._front.port
        self._admin = AdminServer(self._admin_port, self.service, lambda: self.host)
        self._admin_port = self._admin.server_address[1]
        self._grpc = server
        self._grpc.start()
        self._front.start()
        threading.Thread(target=self._admin.serve_forever, args=(0.05,), name="firestore-admin", daemon=True).start()

    def stop(self) -> None:
        """Stop serving; calls under way are cancelled. The documents are kept, so that `start` resumes."""
        if self._front is not None:
            self._front.stop()
            self._front = None
        if self._grpc is not None:
            self._grpc.stop(grace=None).wait()
            self._grpc = None
        if self._admin is not None:
            self._admin.shutdown()
            self._admin.server_close()
            self._admin = None


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc carries no types
    """Hands every RPC of the service to `Service` or to a stream, as bytes in and bytes out."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._handlers = {f"/{SERVICE_NAME}/{rpc}": self._handler(rpc) for rpc in [*RPCS, *STREAMS, *UNSERVED]}

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)

    def _handler(self, rpc: str) -> Any:
        if rpc in STREAMS:
            return grpc.stream_stream_rpc_method_handler(lambda raws, context: self._stream(rpc, raws, context))
        if rpc in RPCS and not RPCS[rpc].streams:
            return grpc.unary_unary_rpc_method_handler(lambda raw, context: self._answers(rpc, raw, context)[0])
        return grpc.unary_stream_rpc_method_handler(lambda raw, context: iter(self._answers(rpc, raw, context)))

    def _answers(self, rpc: str, raw: bytes, context: Any) -> list[bytes]:
        lock_wait_seconds = self._service.engine.timing.lock_wait_seconds
        wait = waiting(lock_wait_seconds, context.add_callback, lambda: not context.is_active())
        try:
            return self._service.answer_bytes(rpc, raw, wait, caller_of(_authorization(context)))
        except FirestoreError as error:
            context.abort(error.code, error.message)
            raise  # unreachable: abort raises

    def _stream(self, rpc: str, raws: Iterator[bytes], context: Any) -> Iterator[bytes]:
        """Serve a stream in two threads: this one sends, another one reads."""
        try:
            stream = open_stream(self._service, rpc, _authorization(context))
        except FirestoreError as error:
            context.abort(error.code, error.message)
        context.add_callback(stream.close)
        threading.Thread(target=_read, args=(stream, raws), name=f"firestore-{rpc}", daemon=True).start()
        try:
            while (responses := stream.take()) is not None:
                yield from responses
        except FirestoreError as error:
            context.abort(error.code, error.message)
        finally:
            stream.close()


def _authorization(context: Any) -> str | None:
    return dict(context.invocation_metadata()).get("authorization")


def _read(stream: Stream, raws: Iterator[bytes]) -> None:
    """Give a stream its requests until there are no more, or the client has gone: then the iterator raises."""
    try:
        with contextlib.suppress(grpc.RpcError):
            for raw in raws:
                stream.receive_bytes(raw)
    finally:
        stream.close()
