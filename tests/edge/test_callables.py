"""Callables: what a request must look like, who may call, and what a browser may know."""

from functools import cache
from typing import Any

import pytest

from functions.edge import callables
from functions.edge.callables import CALL_BYTES_MAX
from tests.wire import Wire, content, id_token, names

CALLABLES = names("callable")
JSON = "application/json"


def test_a_call_in_form_is_answered(wire: Wire) -> None:
    """What the app's SDK sends comes back as a result, whatever charset the type names."""
    for kind in (JSON, "application/json; charset=utf-8", "Application/JSON"):
        sent = wire.request("get_wallet", '{"data": {}}', Content_Type=kind, Authorization=f"Bearer {id_token('ann')}")
        assert (sent.status_code, content(sent)["result"]["balance"]) == (200, 10)


@pytest.mark.parametrize("uid", ["a", "x" * 128, "ana.b-c_d", "user@example.org", "идентификатор", "__x", "x__", "..."])
def test_any_uid_that_can_be_a_document_id_is_served(wire: Wire, uid: str) -> None:
    """Custom tokens carry other people's ids: up to 128 characters of almost anything."""
    assert content(wire.call("get_wallet", {}, id_token(uid)))["result"]["balance"] == 10


@pytest.mark.parametrize("uid", ["a/b", "/", ".", "..", "__x__", "____", "x" * 129, "a\nb", "a\n", "a\x00", "\x7f"])
def test_a_uid_that_is_no_document_id_is_refused(wire: Wire, uid: str) -> None:
    """One that would lead into another path is nobody's: sign in first, before anything is read."""
    answer = wire.call("get_wallet", {}, id_token(uid))
    assert (answer.status_code, content(answer)["error"]["details"]) == (401, {"reason": "UNAUTHENTICATED"})


MALFORMED: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", JSON, "body"),
    "no JSON": (b"data=1", JSON, "body"),
    "half of it": (b'{"data": {', JSON, "body"),
    "a list": (b'["data"]', JSON, "body"),
    "a text": (b'"data"', JSON, "body"),
    "a number": (b"7", JSON, "body"),
    "null": (b"null", JSON, "body"),
    "no data": (b"{}", JSON, "body"),
    "more than data": (b'{"data": {}, "token": "secret"}', JSON, "body"),
    "not a number": (b'{"data": NaN}', JSON, "body"),
    "infinity": (b'{"data": {"maxTokens": -Infinity}}', JSON, "body"),
    "a number without end": (b'{"data": ' + b"9" * 5_000 + b"}", JSON, "body"),
    "nested without end": (b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON, "body"),
    "UTF-16": ('{"data": {}}'.encode("utf-16"), JSON, "body"),
    "a byte-order mark": (b'\xef\xbb\xbf{"data": {}}', JSON, "body"),
    "no UTF-8": (b'{"data": "\xff\xfe"}', JSON, "body"),
    "too long": (b'{"data": "' + b"x" * CALL_BYTES_MAX + b'"}', JSON, "body"),
    "no type": (b'{"data": {}}', "", "Content-Type"),
    "a form": (b'{"data": {}}', "application/x-www-form-urlencoded", "Content-Type"),
    "a type like it": (b'{"data": {}}', "application/json-seq", "Content-Type"),
    "a type of nonsense": (b'{"data": {}}', ";;;=\x7f", "Content-Type"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_request_is_the_callers_mistake(wire: Wire, what: str, capfd: pytest.CaptureFixture[str]) -> None:
    """400 with the part that is wrong, never a 500; and nothing of the body in the answer or the log."""
    body, kind, field = MALFORMED[what]
    answer = wire.request("quote", body, Content_Type=kind, Authorization=f"Bearer {id_token('ann')}")
    assert (answer.status_code, content(answer)["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert content(answer)["error"]["details"] == {"reason": "INVALID_REQUEST", "field": field}
    captured = capfd.readouterr()
    assert "secret" not in answer.text + captured.out + captured.err
    assert captured.err == ""


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "TRACE", "BREW"])
@pytest.mark.parametrize("name", CALLABLES)
def test_a_callable_is_called_with_post(wire: Wire, name: str, method: str) -> None:
    """Any other method is refused by each of them."""
    answer = wire.request(name, '{"data": {}}', method, Content_Type=JSON, Authorization=f"Bearer {id_token('ann')}")
    assert answer.status_code == 400


def test_a_browser_may_call_and_read_refusals(wire: Wire) -> None:
    """The app runs on the web too: a preflight passes, and an answer, good or bad, may be read by the page."""
    preflight = wire.request(
        "quote",
        method="OPTIONS",
        Origin="https://app.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type,x-firebase-appcheck",
    )
    assert preflight.status_code == 200
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "x-firebase-appcheck" in preflight.headers["Access-Control-Allow-Headers"]
    for body in ('{"data": {}}', "no JSON"):
        answer = wire.request("quote", body, Content_Type=JSON, Origin="https://app.example")
        assert answer.headers["Access-Control-Allow-Origin"] in {"*", "https://app.example"}
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_what_breaks_before_the_use_case_tells_nothing_either(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A process that cannot be set up answers INTERNAL in the protocol's words; the log has the reason."""

    def broken() -> None:
        raise RuntimeError("secret setting")

    monkeypatch.setattr("functions.wiring.deps", broken)
    answer = wire.call("quote", {}, id_token("ann"))
    assert (answer.status_code, content(answer)["error"]["details"]) == (500, {"reason": "INTERNAL"})
    assert "secret" not in answer.text
    assert "RuntimeError: secret setting" in capfd.readouterr().err


def test_firebase_is_connected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second import of main.py in one process makes no second app; what it connects to is Firebase's to say, and how
    long its services are waited for is ours."""
    made: list[dict[str, Any]] = []
    monkeypatch.setenv("FIREBASE_CONFIG", '{"projectId": "demo-ecolane"}')
    monkeypatch.setattr("firebase_admin.initialize_app", lambda **given: made.append(given["options"]))
    monkeypatch.setattr(callables, "connect_firebase", cache(callables.connect_firebase.__wrapped__))
    for _ in range(2):
        callables.connect_firebase()
    assert made == [{"projectId": "demo-ecolane", "httpTimeout": 5}]
