"""The RPC Write: commits one after the other on one stream, as the mobile and web SDKs make them.

The first request opens the stream or resumes it (see `write_log.py`), each further one is a commit, and one without
writes is the last.
"""

from .commits import CommitResponse, commit
from .engine import Call, Engine
from .errors import invalid
from .paths import check_database
from .protos import Message, rpc_types
from .streams import Stream
from .write_log import WriteLog

CommitRequest, _ = rpc_types("Commit")
WriteRequest, WriteResponse = rpc_types("Write")


class WriteStream(Stream):
    """A stream of commits. One that fails ends it: the client goes on from there on another stream."""

    rpc = "Write"
    request = WriteRequest
    _log: WriteLog | None = None

    def _handle(self, engine: Engine, request: Message, call: Call) -> list[bytes]:
        if self._log is None:
            return self._open(request)
        self._log.acknowledge(request.stream_token)
        if not request.writes:
            self.close()
            return [self._log.add(WriteResponse())]
        (raw,) = commit(engine, CommitRequest(database=self._log.database, writes=request.writes), call)
        done = CommitResponse.FromString(raw)
        return [self._log.add(WriteResponse(write_results=done.write_results, commit_time=done.commit_time))]

    def _open(self, request: Message) -> list[bytes]:
        check_database(request.database)
        if request.writes:
            raise invalid("The first request of a Write stream has no writes: it only opens the stream.")
        logs = self.service.write_logs
        if not request.stream_id:
            self._log = logs.open(request.database)
            return [WriteResponse(stream_id=self._log.id, stream_token=self._log.token).SerializeToString()]
        self._log = logs.find(request.stream_id, request.database)
        self._log.acknowledge(request.stream_token)
        opened = WriteResponse(stream_id=self._log.id, stream_token=request.stream_token)
        return [opened.SerializeToString(), *self._log.missed()]
