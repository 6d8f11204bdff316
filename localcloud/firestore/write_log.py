"""The answers of Write streams, kept until the client has said that it has them.

Tokens are numbers as text: the token `n` stands for the first n answers after the one that opened the stream. A client
that has lost its connection takes its stream up again with the stream's id and the last token that it has, and gets
what came after. Source: the protocol's own documentation of `WriteRequest`.
"""

import secrets
from collections import OrderedDict, deque

from .errors import invalid
from .protos import Message

LOGS_MAX = 1000  # streams, open or not; the least recently used is dropped
ANSWERS_MAX = 1000  # kept for one stream


class WriteLog:
    """The answers of one stream."""

    def __init__(self, stream_id: str, database: str) -> None:
        self.id, self.database = stream_id, database
        self._last = 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=ANSWERS_MAX)
        self._acknowledged = 0

    @property
    def token(self) -> bytes:
        """The token that stands for all answers."""
        return b"%d" % self._last

    def add(self, answer: Message) -> bytes:
        """Give a `WriteResponse` its token, keep it and return its wire form."""
        self._last += 1
        answer.stream_token = self.token
        raw = bytes(answer.SerializeToString())
        self._kept.append((self._last, raw))
        return raw

    def acknowledge(self, token: bytes) -> None:
        """Drop the answers that a token stands for; an empty one says nothing.

        Raises:
            FirestoreError: INVALID_ARGUMENT for a token that was never given out, or one before another that was used.
        """
        if not token:
            return
        if not token.isdigit() or not self._acknowledged <= int(token) <= self._last:
            raise invalid(f'"{token.decode(errors="replace")}" is no stream token that can be used on this stream.')
        self._acknowledged = int(token)
        while self._kept and self._kept[0][0] <= self._acknowledged:
            self._kept.popleft()

    def missed(self) -> list[bytes]:
        """Return the answers that the client has not acknowledged, oldest first.

        Raises:
            FirestoreError: INVALID_ARGUMENT when some of them are no longer kept.
        """
        if len(self._kept) < self._last - self._acknowledged:
            raise invalid(f"The stream cannot be resumed: only its last {ANSWERS_MAX} answers are kept.")
        return [raw for _, raw in self._kept]


class WriteLogs:
    """The logs by stream id. Used under the engine's mutex."""

    def __init__(self) -> None:
        self._logs: OrderedDict[str, WriteLog] = OrderedDict()

    def open(self, database: str) -> WriteLog:
        """Begin the log of a new stream."""
        log = WriteLog(secrets.token_urlsafe(12), database)
        self._logs[log.id] = log
        if len(self._logs) > LOGS_MAX:
            self._logs.popitem(last=False)
        return log

    def find(self, stream_id: str, database: str) -> WriteLog:
        """Return a stream's log.

        Raises:
            FirestoreError: INVALID_ARGUMENT for a stream that never was, was too long ago, or is of another database.
        """
        log = self._logs.get(stream_id)
        if log is None or log.database != database:
            raise invalid(f'There is no stream "{stream_id}" to resume.')
        self._logs.move_to_end(stream_id)
        return log
