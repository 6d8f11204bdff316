"""A provider that wants to do harm: the stand-in, whose every answer may be another one.

What it does at a call is drawn from a catalogue: it does not answer, sends the caller elsewhere, says no in odd words,
answers what is no JSON, or lies in its answer, about costs, ids, states and photos. All its words carry `MARK`.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import httpx2
from openai import OpenAI

from functions.adapters.providers.openai import bounded_client
from scripts.inprocess import StillClock

MARK = "m4rk-of-the-provider"
"""In every text that the adversary makes up. It is in no output of ours."""

LONG = f"{MARK} " * 20_000
ODD = [
    None,
    True,
    -1,
    0,
    10**6,
    10**30,
    1.5,
    "",
    f"?{MARK}",
    f"\x1b]0;{MARK}\x07\u202e",
    [],
    [None],
    {},
    {MARK: MARK},
    LONG,
]
"""Values for any field of an answer."""

Json = Any
Endpoint = str


class Call:
    """One call as the adversary sees it. `honest` does what was asked for."""

    def __init__(self, request: httpx2.Request, inner: httpx2.BaseTransport, dice: Random, clock: StillClock) -> None:
        self.request, self.dice, self.clock = request, dice, clock
        self._inner = inner

    def honest(self) -> httpx2.Response:
        """Return the stand-in's answer, read to its end."""
        response = self._inner.handle_request(self.request)
        response.read()
        return response

    def wait(self) -> None:
        """Take the time that a caller may wait at the most."""
        self.clock.advance(timedelta(seconds=25))


def endpoint_of(request: httpx2.Request) -> Endpoint:
    """Return what is asked for."""
    parts = request.url.path.removeprefix("/v1/").split("/")
    if parts[0] == "batches":
        return "list" if request.method == "GET" and len(parts) == 1 else "batch"
    return {"chat": "chat", "files": "content" if parts[-1] == "content" else "upload"}[parts[0]]


def _answer(body: Json, status: int = 200, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.Response(status, content=data, headers={"content-type": "application/json", **named})


# What may happen at any call


def no_connection(call: Call) -> httpx2.Response:
    raise httpx2.ConnectError(MARK, request=call.request)


def silence(call: Call) -> httpx2.Response:
    call.wait()
    raise httpx2.ReadTimeout(MARK, request=call.request)


def done_and_silence(call: Call) -> httpx2.Response:
    call.honest()
    call.wait()
    raise httpx2.ReadTimeout(MARK, request=call.request)


def done_and_broken_off(call: Call) -> httpx2.Response:
    call.honest()
    raise httpx2.RemoteProtocolError(MARK, request=call.request)


def slow(call: Call) -> httpx2.Response:
    response = call.honest()
    call.wait()
    return response


def elsewhere(call: Call) -> httpx2.Response:
    status = call.dice.choice((301, 302, 303, 307, 308))
    return _answer({}, status, location=f"http://{MARK}.example/v1/chat/completions")


def no_api(call: Call) -> httpx2.Response:
    status = call.dice.choice((200, 200, 201, 204, 304, 404, 418, 502))
    body = b"" if status in {204, 304} else f"<html>{MARK}</html>".encode()
    return httpx2.Response(status, content=body, headers={"content-type": "text/html"})


def other_type(call: Call) -> httpx2.Response:
    response = call.honest()
    kind = call.dice.choice(("text/plain", "text/html", "application/octet-stream", "", "\u00fc;;="))
    return httpx2.Response(response.status_code, content=response.content, headers={b"content-type": kind.encode()})


def compressed(call: Call) -> httpx2.Response:
    call.honest()
    return httpx2.Response(200, stream=httpx2.ByteStream(b"\x1f\x8b"), headers={"content-encoding": "gzip"})


def not_json(call: Call) -> httpx2.Response:
    whole = call.honest().content
    choices = (
        whole[: len(whole) // 2],
        b"",
        b"\xff\xfe" + MARK.encode(),
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5_000 + b"}",
        b'{"id": NaN, "choices": Infinity}',
        whole + whole,
        b"data: " + whole + b"\n\ndata: [DONE]\n\n",
    )
    return _answer(call.dice.choice(choices))


def other_json(call: Call) -> httpx2.Response:
    call.honest()
    return _answer(call.dice.choice(ODD))


def refused(call: Call) -> httpx2.Response:
    dice = call.dice
    code = dice.choice([f"bad Bearer {MARK}", MARK, "", None, 7, {"a": MARK}, LONG, "content_policy_violation"])
    message = dice.choice([MARK, LONG, None, {"a": MARK}, ["a"], f"\x1b[31m{MARK}\u202e"])
    error = dice.choice([{"message": message, "code": code, "type": MARK, "param": code}, MARK, [MARK], None, LONG])
    status = dice.choice((400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 422, 429, 451, 500, 503, 504, 599))
    wait = dice.choice(("1", "99999999999", "-5", "\u00b2", MARK, "nan", "1e9", ""))
    call.honest() if dice.random() < 0.3 else None
    return httpx2.Response(
        status,
        content=json.dumps(dice.choice(({"error": error}, error, {MARK: error}))).encode(),
        headers={b"content-type": b"application/json", b"retry-after": wait.encode("latin-1"), b"x-request-id": b"id"},
    )


def odd_field(call: Call) -> httpx2.Response:
    """Give one field, at any depth, a value that does not belong there; or leave it out."""
    response = call.honest()
    try:
        body = json.loads(response.content)
    except ValueError:
        return response
    return _answer(_hurt(body, call.dice), response.status_code)


def _hurt(value: Json, dice: Random) -> Json:
    if isinstance(value, dict) and value and dice.random() < 0.85:
        name = dice.choice(sorted(value))
        if dice.random() < 0.15:
            return {key: each for key, each in value.items() if key != name}
        return {**value, name: _hurt(value[name], dice)}
    if isinstance(value, list) and value and dice.random() < 0.7:
        at = dice.randrange(len(value))
        return [*value[:at], _hurt(value[at], dice), *value[at + 1 :] * dice.choice((1, 1, 0, 3))]
    return dice.choice(ODD)


# What may happen to an answer about a photo


def _usage(dice: Random) -> Json:
    count = dice.choice((0, 1, 900, 5_000, 10**5, 10**7, 10**7 + 1, 10**25, -5, 1.5, "900", True, None))
    usage = {"prompt_tokens": count, "completion_tokens": dice.choice((count, 10, 10**6))}
    details = dice.choice(({}, {"cached_tokens": count}, {"cached_tokens": 10**9, "cache_write_tokens": -1}, MARK, [1]))
    return dice.choice((usage, {**usage, "prompt_tokens_details": details}, None, [], MARK, {}))


def _spoilt(body: Json, dice: Random) -> Json:
    """Return a completion with another text, model, id, end or usage."""
    if not isinstance(body, dict) or not body.get("choices"):
        return body
    choice = body["choices"][0]
    message = choice["message"]
    text = message["content"] or ""
    kind = dice.randrange(12)
    texts = {
        0: text + "\n" + text.replace("e", "a"),  # two that contradict each other
        1: LONG,
        2: text.replace('": "', f'": "\x1b[2J\u202e<b>{MARK}</b> https://{MARK}.example +49 30 1234567 '),
        3: "{" * 50_000,
        4: f"<think>{text}</think> {MARK}",
        5: json.dumps({MARK: MARK}),
    }
    if kind in texts:
        changed = {"message": {**message, "content": texts[kind]}}
    elif kind == 6:
        changed = {"message": {**message, "content": None, "refusal": LONG}}
    elif kind == 7:
        ends: tuple[Json, ...] = ("length", "content_filter", MARK, None, [MARK], {})
        changed = {"finish_reason": dice.choice(ends)}
    elif kind == 8:
        changed = {"message": {**message, "content": [{"type": "text", "text": text}, MARK, None, {"type": "text"}]}}
    else:
        changed = {}
    others: dict[int, dict[str, Json]] = {
        9: {"model": MARK, "id": MARK},
        10: {"error": {"code": MARK, "message": LONG}},
        11: {"usage": _usage(dice)},
    }
    return {**body, "choices": [{**choice, **changed}], **others.get(kind, {})}


def spoilt_answer(call: Call) -> httpx2.Response:
    response = call.honest()
    return _answer(_spoilt(json.loads(response.content), call.dice), response.status_code)


# What may happen to a batch and its files


def lying_batch(call: Call) -> httpx2.Response:
    """Name another state, other files or counts, or faults that are none."""
    response, dice = call.honest(), call.dice
    body = json.loads(response.content)
    counts = {"total": 1, "completed": dice.choice((0, -1, 10**9)), "failed": dice.choice((0, -1, 10**9))}
    problems = [
        {"code": dice.choice((MARK, None, LONG)), "line": dice.choice((1, 0, -1, 10**12, None)), "message": LONG}
    ]
    lies = (
        {"status": dice.choice(("failed", "expired", "cancelled", "cancelling", "completed", "validating", MARK, ""))},
        {"id": dice.choice((f"../{MARK}", "", f"?{MARK}", LONG, "batch_1"))},
        {"output_file_id": dice.choice((None, "", f"../{MARK}", "file-none", LONG)), "status": "completed"},
        {"error_file_id": body.get("input_file_id"), "output_file_id": body.get("input_file_id")},
        {"request_counts": counts},
        {"errors": {"object": "list", "data": problems * dice.choice((1, 1_000))}, "status": "failed"},
        {"metadata": {"batchId": MARK}},
        {"created_at": dice.choice((0, -1, 10**12))},
    )
    return _answer({**body, **dice.choice(lies)}, response.status_code)


def lying_list(call: Call) -> httpx2.Response:
    """Return a list without end, of batches that are not ours, or that say they are."""
    body = json.loads(call.honest().content)
    found = body.get("data", [])
    body["has_more"] = True
    others = [{**each, "id": f"batch_{number}", "metadata": None} for each in found[:1] for number in range(100)]
    body["data"] = call.dice.choice((found * 3, others, [], list(reversed(found))))
    return _answer(body)


def _lines(text: bytes, dice: Random) -> list[bytes]:
    """Return what becomes of a line of an output or error file: nothing, several, another one."""
    line = json.loads(text)
    response = line.get("response") or {}
    status = dice.choice((400, 401, 429, 500, "200", None, 10**9, [200]))
    changed: list[dict[str, Any]] = [
        {"custom_id": dice.choice((MARK, "", None, 7, [1], LONG))},
        {"padding": "x" * 1_100_000},
        {"error": {"code": dice.choice((MARK, LONG, 7)), "message": LONG}},
        {"response": {**response, "status_code": status}},
        {"response": {**response, "body": _spoilt(response.get("body"), dice)}},
        {"response": {**response, "body": _spoilt(response.get("body"), dice)}},
    ]
    found = [[json.dumps({**line, **each}).encode()] for each in changed]
    junk = [text[: len(text) // 2], b"\xff\xff", b"[]", b"null", b'"x"', b"9" * 5_000]
    return dice.choice([*found, [json.dumps(_hurt(line, dice)).encode()], junk, [text] * 3, [], [text], [text], [text]])


def lying_lines(call: Call) -> httpx2.Response:
    """Change, repeat, leave out and make up lines of an output or error file."""
    lines = [each for text in call.honest().content.splitlines() for each in _lines(text, call.dice)]
    call.dice.shuffle(lines)
    return httpx2.Response(200, content=b"\n".join(lines), headers={"content-type": "application/octet-stream"})


Misbehaviour = Callable[[Call], httpx2.Response]

ANYWHERE: tuple[Misbehaviour, ...] = (
    no_connection,
    silence,
    done_and_silence,
    done_and_broken_off,
    slow,
    elsewhere,
    no_api,
    other_type,
    compressed,
    not_json,
    other_json,
    refused,
    odd_field,
)
CATALOGUE: Mapping[Endpoint, tuple[Misbehaviour, ...]] = {
    "chat": (*ANYWHERE, *[spoilt_answer] * 8),
    "upload": ANYWHERE,
    "content": (*ANYWHERE, *[lying_lines] * 20),
    "list": (*ANYWHERE, *[lying_list] * 6),
    "batch": (*ANYWHERE, *[lying_batch] * 8),
}


class Adversary(httpx2.BaseTransport):
    """The network, with the adversary at its end. It stops when `share` is set to 0."""

    def __init__(self, inner: httpx2.BaseTransport, seed: int, clock: StillClock, share: float) -> None:
        """Misbehave at this share of all calls."""
        self.share, self.drawn = share, Counter[str]()
        self.hosts: set[str] = set()
        self._inner, self._clock = inner, clock
        self._dice = Random(f"adversary {seed}")  # noqa: S311  (repeatable, not secret)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.hosts.add(request.url.host)
        call = Call(request, self._inner, self._dice, self._clock)
        if self._dice.random() >= self.share:
            return call.honest()
        endpoint = endpoint_of(request)
        act = self._dice.choice(CATALOGUE[endpoint])
        self.drawn[f"{endpoint} {act.__name__}"] += 1
        response = act(call)
        response.request = request
        return response

    def client(self) -> OpenAI:
        """Return OpenAI's client as production has it, but for the sockets."""
        client = bounded_client("stand-in", "http://openai.local/v1")
        http = client._client  # noqa: SLF001  (there is no public way to the transport)
        http._transport = self  # noqa: SLF001
        http._mounts = {}  # noqa: SLF001  (proxies of the environment)
        return client
