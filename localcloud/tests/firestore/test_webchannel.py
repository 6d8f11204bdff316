"""WebChannel's sessions, as a browser's client sees them: with a stream that answers what it is told."""

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from localcloud.auth.accounts import Account
from localcloud.auth.tokens import Session, Tokens
from localcloud.firestore import FirestoreServer, callers
from localcloud.firestore.engine import Caller
from localcloud.firestore.errors import not_found
from localcloud.firestore.protos import Message, rpc_types
from localcloud.firestore.service import Service
from localcloud.firestore.streams import Stream
from localcloud.firestore.web import channel, webchannel

DATABASE = "projects/demo-web/databases/(default)"
PATIENCE_SECONDS = 20
BAD_REQUEST = 400
MOCK_HEAD = {"alg": "none", "type": "JWT"}
MOCK_USER = {
    "iss": "https://securetoken.google.com/demo-web",
    "aud": "demo-web",
    "iat": 0,
    "exp": 3600,
    "auth_time": 0,
    "sub": "ada",
    "user_id": "ada",
    "firebase": {"sign_in_provider": "custom", "identities": {}},
}

Arrays = list[list[Any]]


class EchoStream(Stream):
    """Answers each request with its target id; at the id 404 it ends with an error, at 200 without one."""

    opened: "list[EchoStream]"

    def __init__(self, service: Service, caller: Caller | None = None) -> None:
        super().__init__(service, caller)
        self.received: list[int] = []
        self.answers: deque[int] = deque()
        self.closed = threading.Event()
        self.opened.append(self)

    def receive(self, request: Message) -> None:
        self.received.append(request.remove_target)
        self.say(request.remove_target)

    def say(self, number: int) -> None:
        self.answers.append(number)
        self.wake()

    def take(self, seconds: float | None = None) -> list[bytes] | None:
        assert seconds == 0
        if 404 in self.answers:
            raise not_found("grüße")
        if 200 in self.answers:
            return None
        return [self._response(self.answers.popleft()) for _ in range(len(self.answers))]

    def close(self) -> None:
        self.closed.set()

    def _response(self, number: int) -> bytes:
        response = rpc_types("Listen")[1]()
        response.target_change.target_ids.append(number)
        response.target_change.cause.message = "🌍" * 300_000 if number == 777 else "grüße"
        raw: bytes = response.SerializeToString()
        return raw

    # The other half of the interface, which nothing calls here.
    def _handle(self, *_: Any) -> list[bytes]:
        raise NotImplementedError


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[EchoStream]:
    """The streams that were opened; every session gets an EchoStream."""
    EchoStream.opened = []
    monkeypatch.setitem(callers.STREAMS, "Listen", EchoStream)
    monkeypatch.setitem(callers.STREAMS, "Write", EchoStream)
    return EchoStream.opened


class Browser:
    """The client's half of the protocol, one request at a time."""

    def __init__(self, url: str, http: httpx.Client, rpc: str = "Listen") -> None:
        self.url, self.http = f"{url}/google.firestore.v1.Firestore/{rpc}/channel", http
        self.sid, self.next_message, self.rid = "", 0, 1
        self.always: dict[str, str] = {}  # more parameters of every address

    def open(self, *ids: int, headers: str = "") -> "Browser":
        """Open a session with these first messages."""
        answer = self.post(*ids, headers=headers, CVER="22")
        ((number, opened),) = arrays_in(answer.text)
        assert number == 0
        assert opened[0] == "c"
        self.sid = opened[1]
        return self

    def post(self, *ids: int, offset: int | None = None, headers: str = "", **more: str) -> httpx.Response:
        """Send messages. The answer is returned whatever it is."""
        first = self.next_message if offset is None else offset
        form: dict[str, Any] = {"headers": headers, "count": len(ids), "ofs": first}
        for number, target in enumerate(ids):
            form[f"req{number}___data__"] = json.dumps({"database": DATABASE, "removeTarget": target})
        self.next_message, self.rid = first + len(ids), self.rid + 1
        return self.raw(urlencode(form, quote_via=quote), **more)

    def raw(self, body: str, **more: str) -> httpx.Response:
        """Send a body."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        query = self.query(**{"RID": str(self.rid), "AID": "0", **more})
        return self.http.post(self.url, params=query, content=body, headers=headers)

    def back(self, acknowledged: int = 0, polls: bool = False, **more: str) -> "BackChannel":
        """Open a back channel."""
        query = {"RID": "rpc", "AID": str(acknowledged), "CI": "1" if polls else "0", "TYPE": "xmlhttp", **more}
        return BackChannel(self.http.build_request("GET", self.url, params=self.query(**query)), self.http)

    def query(self, **more: str) -> dict[str, str]:
        """Return the parameters of an address."""
        return {"VER": "8", "database": DATABASE, **({"SID": self.sid} if self.sid else {}), **self.always, **more}


class BackChannel:
    """An open back channel. Leave it with `close`, which is how a browser drops one."""

    def __init__(self, request: httpx.Request, http: httpx.Client) -> None:
        self.response = http.send(request, stream=True)
        self._texts, self._rest = self.response.iter_text(), ""

    def __enter__(self) -> "BackChannel":
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()

    def chunks(self) -> Iterator[Arrays]:
        """Yield the arrays, as many at a time as were sent together."""
        while True:
            size, _, rest = self._rest.partition("\n")
            if size and len(rest) >= int(size):
                self._rest = rest[int(size) :]
                yield json.loads(rest[: int(size)])
            elif text := next(self._texts, ""):
                self._rest += text
            else:
                return

    def until(self, wanted: Callable[[Any], bool]) -> list[tuple[int, Any]]:
        """Return what comes up to the first array that is wanted, without those that say nothing."""
        found: list[tuple[int, Any]] = []
        for chunk in self.chunks():
            found += [(number, content) for number, content in chunk if content != ["noop"]]
            if found and wanted(found[-1][1]):
                return found
        return found


def arrays_in(text: str) -> Arrays:
    """Return the arrays of a text with its length before it."""
    size, _, rest = text.partition("\n")
    assert len(rest) == int(size)
    found: Arrays = json.loads(rest)
    return found


def of_target(content: Any) -> int:
    """Return the target id that an array is about."""
    return int(content[0]["targetChange"]["targetIds"][0])


def seen(arrays: list[tuple[int, Any]]) -> list[tuple[int, int]]:
    """Return number and target id of each array."""
    return [(number, of_target(content)) for number, content in arrays]


def last(target: int) -> Callable[[Any], bool]:
    """Return what tells the array about a target from others."""
    return lambda content: of_target(content) == target


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """Connections of a page."""
    with httpx.Client(timeout=PATIENCE_SECONDS, limits=httpx.Limits(max_connections=None)) as client:
        yield client


@pytest.fixture
def browser(lenient: FirestoreServer, http: httpx.Client, streams: list[EchoStream]) -> Browser:
    """A client without a session."""
    return Browser(f"http://{lenient.app_host}", http)


def test_answers_come_in_numbered_arrays(browser: Browser) -> None:
    """A session streams what its messages are answered with, from the handshake's on, over one back channel."""
    browser.open(5)
    with browser.back() as back:
        first = back.until(last(5))
        browser.post(6, 7)
        assert [of_target(content) for _, content in [*first, *back.until(last(7))]] == [5, 6, 7]


def test_a_back_channel_speaks_at_once(browser: Browser) -> None:
    """It says something before there is anything to say: else the client takes it that a proxy collects answers."""
    browser.open()
    with browser.back() as back:
        assert [content for _, content in next(back.chunks())] == [["noop"]]
        assert back.response.headers["x-content-type-options"] == "nosniff"


def test_what_a_lost_back_channel_has_not_delivered_comes_again(browser: Browser) -> None:
    """Arrays after the acknowledged one are sent again, with their numbers; those before it are not."""
    browser.open(5, 6)
    with browser.back() as back:
        (first, _), second = seen(back.until(last(6)))
    with browser.back(acknowledged=first) as again:
        browser.post(7)
        assert seen(again.until(last(7)))[:1] == [second]


def test_messages_that_come_twice_count_once(browser: Browser, streams: list[EchoStream]) -> None:
    """A POST whose answer was lost is sent again, perhaps with more: only what is new reaches the stream."""
    browser.open(5)
    browser.post(6, offset=1)
    browser.post(6, 7, offset=1)

    assert streams[0].received == [5, 6, 7]


def test_a_missing_message_is_refused(browser: Browser, streams: list[EchoStream]) -> None:
    """A gap in the numbers of messages is an error that names both ends, and nothing is done."""
    browser.open(5)
    answer = browser.post(9, offset=3)

    assert answer.status_code == BAD_REQUEST
    assert answer.json()["error"]["message"] == "Message 3 came before message 1 (ofs)."
    assert streams[0].received == [5]


@pytest.mark.parametrize("rpc", ["Listen", "Write"])
def test_an_unknown_session_is_named_as_the_client_looks_for_it(browser: Browser, http: httpx.Client, rpc: str) -> None:
    """`Unknown SID`, not at the very beginning, has the client open a new session; one of another RPC is unknown."""
    browser.open()
    other = Browser(browser.url.partition("/google")[0], http, rpc)
    other.sid = "nonsense" if rpc == "Listen" else browser.sid

    for answer in (other.post(1), other.back().response):
        assert answer.status_code == BAD_REQUEST
        assert answer.read().decode().find("Unknown SID") > 0


def test_long_polling_ends_with_the_first_news(browser: Browser, streams: list[EchoStream]) -> None:
    """With CI=1 an answer waits for news and ends with it; the next request takes up from there."""
    browser.open(5)
    with browser.back(polls=True) as first:
        ((number, _),) = seen([*first.until(lambda _: False)])
    timer = threading.Timer(0.2, lambda: streams[0].say(6))
    timer.start()
    with browser.back(acknowledged=number, polls=True) as second:
        assert [target for _, target in seen(second.until(lambda _: False))] == [6]
    timer.join()


def test_long_polling_ends_when_its_time_is_up(browser: Browser) -> None:
    """With TO in milliseconds and no news the answer says nothing, and ends."""
    browser.open()
    with browser.back(polls=True, TO="100") as back:
        assert [[content for _, content in chunk] for chunk in back.chunks()] == [[["noop"]]]


def test_a_silent_back_channel_is_kept_alive(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is sent as often as the handshake has promised."""
    monkeypatch.setattr(webchannel, "KEEP_ALIVE_SECONDS", 0.05)
    browser.open()
    with browser.back() as back:
        chunks = back.chunks()
        assert [content for _ in range(3) for _, content in next(chunks)] == [["noop"]] * 3


def test_a_post_is_answered_with_the_state_of_the_back_channel(browser: Browser) -> None:
    """`[back channel or not, last array, bytes not acknowledged]` is what the client decides on."""
    browser.open(5)
    assert json.loads(browser.post(6, AID="0").text.partition("\n")[2]) == [0, 0, 0]
    with browser.back() as back:
        (number, _) = seen(back.until(last(6)))[-1]
        there, latest, waiting = json.loads(browser.post(AID="0").text.partition("\n")[2])
        assert [there, latest] == [1, number]
        assert waiting > 0
        assert json.loads(browser.post(AID=str(number)).text.partition("\n")[2]) == [1, number, 0]


def test_the_second_back_channel_ends_the_first(browser: Browser) -> None:
    """A client that has given one up without our noticing gets everything by the next."""
    browser.open()
    with browser.back() as first:
        next(first.chunks())
        with browser.back() as second:
            browser.post(5)
            assert [target for _, target in seen(second.until(last(5)))] == [5]
        assert first.until(lambda _: False) == []


def test_a_full_back_channel_ends(browser: Browser) -> None:
    """After a megabyte the answer ends, so that the client says what has arrived; and no character is split."""
    browser.open(777, 5)
    with browser.back() as back:
        whole = back.until(lambda _: False)
    assert whole[0][1][0]["targetChange"]["cause"]["message"] == "🌍" * 300_000
    with browser.back(acknowledged=whole[0][0]) as rest:
        assert [target for _, target in seen(rest.until(last(5)))] == [5]


def test_an_error_ends_the_session_in_googles_form(browser: Browser, streams: list[EchoStream]) -> None:
    """The status comes as an array, then the end; once that has arrived, the session is forgotten."""
    browser.open(404)
    with browser.back() as back:
        (_, error), (number, end) = back.until(lambda content: content == ["close"])
    assert error == [{"error": {"code": 404, "message": "grüße", "status": "NOT_FOUND"}}]
    assert end == ["close"]
    assert browser.back(acknowledged=number).response.status_code == 200
    assert browser.post().status_code == BAD_REQUEST
    assert streams[0].closed.is_set()


def test_a_stream_that_ends_says_so(browser: Browser) -> None:
    """A stream that is closed from within ends its session without an error."""
    browser.open(200)
    with browser.back() as back:
        assert [content for _, content in back.until(lambda _: False)] == [["close"]]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_client_says_goodbye(browser: Browser, http: httpx.Client, streams: list[EchoStream], method: str) -> None:
    """TYPE=terminate ends session, stream and back channel; a page that closes sends it as a beacon, or by an image."""
    browser.open(5)
    with browser.back() as back:
        back.until(last(5))
        answer = http.request(method, browser.url, params=browser.query(RID="9", TYPE="terminate"))
        assert answer.status_code == 200
        assert back.until(lambda _: False) == []
    assert streams[0].closed.wait(PATIENCE_SECONDS)
    assert browser.post(6).status_code == BAD_REQUEST


@pytest.mark.parametrize("attached", [False, True])
def test_a_client_that_vanishes_is_forgotten(
    browser: Browser, streams: list[EchoStream], monkeypatch: pytest.MonkeyPatch, attached: bool
) -> None:
    """Without a back channel for long enough, be it lost or never there, the stream is closed."""
    monkeypatch.setattr(channel, "VANISHED_SECONDS", 0.2)
    browser.open(5)
    if attached:
        with browser.back() as back:
            back.until(last(5))
            time.sleep(0.4)
            assert not streams[0].closed.is_set()
    assert streams[0].closed.wait(PATIENCE_SECONDS)


def id_token() -> str:
    """Return a token of the Auth emulator's."""
    return Tokens("demo-web").id_token(Account("ada"), Session("ada", "anonymous"))


@pytest.mark.parametrize("place", ["body", "address"])
def test_a_session_knows_who_has_opened_it(browser: Browser, streams: list[EchoStream], place: str) -> None:
    """The token comes among the headers that a browser may not send, in the body or, from old SDKs, the address."""
    lines = f"X-Goog-Api-Client:gl-js/\r\nAuthorization:Bearer {id_token()}\r\nContent-Type:text/plain\r\n"
    if place == "body":
        browser.open(headers=lines)
    else:
        browser.always["$httpHeaders"] = lines
        browser.open()

    caller = streams[0].caller
    assert caller is not None
    assert caller.token is not None
    assert caller.token["sub"] == "ada"


def test_the_sdks_own_token_is_believed(browser: Browser, streams: list[EchoStream]) -> None:
    """The token of `connectFirestoreEmulator(..., {mockUserToken})` ran out in 1970, as the SDK writes it; Google's
    emulator takes it, and rules-unit-testing knows no other."""
    part = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (MOCK_HEAD, MOCK_USER)]
    browser.open(headers=f"Authorization:Bearer {'.'.join(part)}.\r\n")

    caller = streams[0].caller
    assert caller is not None
    assert caller.token is not None
    assert caller.token["sub"] == "ada"


def test_nobody_and_the_owner(browser: Browser, http: httpx.Client, streams: list[EchoStream]) -> None:
    """Without a token nobody is signed in; `owner` is a server client."""
    browser.open()
    Browser(browser.url.partition("/google")[0], http).open(headers="Authorization:Bearer owner\r\n")

    assert [stream.caller for stream in streams] == [Caller(None), None]


@pytest.mark.parametrize("value", ["Bearer nonsense", "Bearer a.e30.b", "Basic abc"])
def test_a_bad_token_opens_nothing(browser: Browser, streams: list[EchoStream], value: str) -> None:
    """A token that cannot be read is refused, and never taken for nobody; it is not repeated in the error."""
    answer = browser.post(headers=f"Authorization:{value}\r\n")

    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert value.partition(" ")[2] not in answer.text.replace("Bearer owner", "")
    assert streams == []


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ("count=2&ofs=0&req0___data__={}", "count is 2, but there is no req1___data__."),
        ("count=1&ofs=0&req0_type=_badmap", "count is 1, but there is no req0___data__."),
        ("count=x", 'count is a number of less than 16 digits, not "x".'),
        ("count=1001", "count is 1001, but there is no req0___data__."),
        ("count=1&req0___data__={", "The request is not valid JSON"),
        ("count=1&req0___data__=[]", "A ListenRequest is a JSON object."),
        ('count=1&req0___data__={"addTarge":1}', "The request is not a valid ListenRequest"),
        ("count=1&req0___data__=" + "[" * 100_000, "The request is not valid JSON"),
        ("&".join(f"a{n}=1" for n in range(1100)), "The body is not the form of a WebChannel request"),
        ("grüße", "The body is not the form of a WebChannel request"),
    ],
)
def test_a_bad_body_is_named(browser: Browser, streams: list[EchoStream], body: str, wrong: str) -> None:
    """What is wrong with a body is said in one line, in the handshake and later; the session goes on."""
    refused = browser.raw(body)
    assert refused.status_code == BAD_REQUEST
    assert refused.json()["error"]["message"].startswith(wrong)

    browser.open(5)
    assert browser.raw(body).status_code == BAD_REQUEST
    browser.post(6)
    assert streams[0].received == [5, 6]


def test_bodies_have_a_limit(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body above the limit is refused before the rest of it is read."""
    browser.open()
    answer = browser.raw("x" * (webchannel.FORM_BYTES_MAX + 1))

    assert answer.status_code == BAD_REQUEST
    assert answer.json()["error"]["message"] == f"A body has at most {webchannel.FORM_BYTES_MAX} bytes."


@pytest.mark.parametrize("query", [{"VER": "7"}, {"AID": "x"}, {"AID": "99"}, {"AID": "-1"}, {"AID": "9" * 5000}])
def test_bad_addresses_are_refused(browser: Browser, query: dict[str, str]) -> None:
    """Another version, or an array that there never was."""
    browser.open()
    answer = browser.http.get(browser.url, params=browser.query(AID="0", RID="rpc") | query)
    assert answer.status_code == BAD_REQUEST


def test_sessions_have_a_limit(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that opens sessions without end is told so."""
    monkeypatch.setattr(webchannel, "SESSIONS_MAX", 0)
    answer = browser.post()

    assert answer.status_code == 429
    assert answer.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_idle_sessions_take_no_threads(browser: Browser, http: httpx.Client, streams: list[EchoStream]) -> None:
    """A hundred pages that wait for news are served without a hundred threads, and the last hears of its own."""
    url, before = browser.url.partition("/google")[0], threading.active_count()
    with ExitStack() as stack:
        for number in range(100):
            page = Browser(url, http).open(number + 1000)
            back = stack.enter_context(page.back())
            assert [target for _, target in seen(back.until(last(number + 1000)))] == [number + 1000]
        assert threading.active_count() - before < 40
        streams[-1].say(5)
        assert [target for _, target in seen(back.until(last(5)))] == [5]


def test_a_stopped_server_ends_its_sessions(http: httpx.Client, streams: list[EchoStream]) -> None:
    """Stopping tells the clients, closes streams, and leaves no thread."""
    before = threading.active_count()
    server = FirestoreServer()
    server.start()
    with Browser(f"http://{server.app_host}", http).open(5).back() as back:
        back.until(last(5))
        server.stop()
        (_, error), (_, end) = back.until(lambda _: False)
    assert error[0]["error"]["status"] == "UNAVAILABLE"
    assert end == ["close"]
    assert streams[0].closed.is_set()
    assert threading.active_count() <= before
