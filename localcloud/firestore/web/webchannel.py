"""WebChannel, version 8: what browsers put in place of the RPCs that stay open.

    POST .../Listen/channel?VER=8&RID=n&CVER=22                  headers=H&count=1&ofs=0&req0___data__=JSON
    GET  .../Listen/channel?VER=8&RID=rpc&SID=s&AID=a&TYPE=xmlhttp&CI=0     streams; CI=1 ends with the first news
    POST .../Listen/channel?VER=8&RID=n+1&SID=s&AID=a            count=1&ofs=1&req0___data__=JSON
    any  .../Listen/channel?VER=8&SID=s&TYPE=terminate

H are the headers that a browser would have to ask permission for, `Name:value` lines, in the body or as `$httpHeaders`
in the address. See `channel` for what a session is.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import grpc
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from localcloud.firestore.callers import STREAMS, open_stream
from localcloud.firestore.errors import FirestoreError, invalid
from localcloud.firestore.protos import Message, rpc_types
from localcloud.firestore.service import REQUEST_BYTES_MAX, Service

from .channel import KEEP_ALIVE_SECONDS, MESSAGES_MAX, VANISHED_SECONDS, Arrays, Channel, InThread, text_of
from .json_wire import message_of, parsed

SESSIONS_MAX = 10_000
FORM_BYTES_MAX = 4 * REQUEST_BYTES_MAX  # of a POST: the form's encoding makes three bytes of many a one
BACK_CHANNEL_BYTES_MAX = 1024 * 1024  # then the client opens another, which says what has arrived

_DIGITS_MAX = 16

_HEADERS = {
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "private, max-age=0",
    "X-Content-Type-Options": "nosniff",  # or the browser holds the first bytes back, to guess what they are
}


class WebChannels:
    """The open sessions, and the requests that belong to them."""

    def __init__(self, service: Service, in_thread: InThread[Any]) -> None:
        self._service, self._in_thread = service, in_thread
        self._sessions: dict[str, tuple[str, Channel]] = {}

    async def answer(self, request: Request, body: bytes) -> Response:
        """Answer one request of a client.

        Raises:
            FirestoreError: what is wrong with it.
        """
        rpc, query = request.path_params["rpc"], request.query_params
        if rpc not in STREAMS or query.get("VER") != "8":
            raise invalid(f"WebChannel of version 8 (VER) is served, for {' and '.join(STREAMS)}.")
        if "SID" not in query:
            return await self._open(rpc, query, _form(body))
        channel = self._session(rpc, query["SID"])
        if query.get("TYPE") == "terminate":
            channel.close()
            return Response(headers=_HEADERS)
        acknowledged = _number(query, "AID")
        channel.acknowledge(acknowledged)
        if request.method == "GET":
            return BackChannel(channel, acknowledged, query)
        form = _form(body)
        await channel.receive(*_messages(rpc, form))
        return PlainTextResponse(channel.state(), headers=_HEADERS)

    def close(self) -> None:
        """End all sessions: the server stops."""
        for _, channel in self._sessions.values():
            channel.stop()

    async def _open(self, rpc: str, query: Mapping[str, str], form: Mapping[str, str]) -> Response:
        if len(self._sessions) >= SESSIONS_MAX:
            raise FirestoreError(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{SESSIONS_MAX} sessions are open already.")
        headers = _headers(form.get("headers", "") + query.get("$httpHeaders", ""))
        first, messages = _messages(rpc, form)
        stream = open_stream(self._service, rpc, headers.get("authorization"))
        channel = Channel(stream, rpc_types(rpc)[1], self._in_thread, lambda: self._sessions.pop(channel.id))
        self._sessions[channel.id] = rpc, channel
        await channel.receive(first, messages)
        return PlainTextResponse(channel.handshake(), headers=_HEADERS)

    def _session(self, rpc: str, sid: str) -> Channel:
        found, channel = self._sessions.get(sid, ("", None))
        if channel is None or found != rpc:
            # The client looks for the first two words, and then opens another session at once.
            raise invalid(f"Unknown SID: this session of {rpc} has ended, or was idle for {VANISHED_SECONDS:.0f} s.")
        return channel


class BackChannel(Response):
    """The answer that carries a session's arrays to the client, until it breaks off, is full, or with CI=1 has news."""

    def __init__(self, channel: Channel, acknowledged: int, query: Mapping[str, str]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._channel, self._sent = channel, acknowledged
        self._polls = query.get("CI") == "1"
        asked = _number(query, "TO") / 1000 if self._polls and "TO" in query else KEEP_ALIVE_SECONDS
        self._seconds = min(asked, KEEP_ALIVE_SECONDS)

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until there is a reason to end."""
        self._channel.attach(self)
        gone = asyncio.create_task(self._detach_when_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._stream(send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._channel.detach(self)

    async def _stream(self, send: Send) -> None:
        async def write(arrays: Arrays) -> int:
            text = text_of(arrays).encode()
            await send({"type": "http.response.body", "body": text, "more_body": True})
            return len(text)

        # The first bytes come at once: a client that waits for them takes it that a proxy on the way collects them all.
        size = 0 if self._polls else await write(self._channel.noop())
        while size < BACK_CHANNEL_BYTES_MAX:
            arrays = await self._channel.next_arrays(self, self._sent, self._seconds)
            if arrays:
                self._sent = arrays[-1][0]
            size += await write(arrays or self._channel.noop())
            if self._polls or arrays is None:
                return

    async def _detach_when_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._channel.detach(self)


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MESSAGES_MAX + 3)
        return dict(pairs)
    except ValueError as error:
        raise invalid(f"The body is not the form of a WebChannel request: {error}") from None


def _messages(rpc: str, form: Mapping[str, str]) -> tuple[int, list[Message]]:
    """Return the number of a form's first message, and its messages."""
    kind = rpc_types(rpc)[0]
    count = _number(form, "count", "0")
    missing = [number for number in range(min(count, MESSAGES_MAX + 1)) if f"req{number}___data__" not in form]
    if missing:
        raise invalid(f"count is {count}, but there is no req{missing[0]}___data__.")
    texts = [form[f"req{number}___data__"] for number in range(count)]
    return _number(form, "ofs", "0"), [message_of(kind, parsed(text)) for text in texts]


def _headers(lines: str) -> dict[str, str]:
    """Return headers given as `Name:value` lines, by their names in lower case."""
    pairs = (line.partition(":") for line in lines.split("\r\n") if line)
    return {name.lower(): value.strip() for name, _, value in pairs}


def _number(given: Mapping[str, str], name: str, default: str = "") -> int:
    text = given.get(name, default)
    if not (text.isascii() and text.isdecimal() and len(text) < _DIGITS_MAX):
        raise invalid(f'{name} is a number of less than {_DIGITS_MAX} digits, not "{text[:_DIGITS_MAX]}".')
    return int(text)
