"""The doors: what a request must look like, who may set a function off, and what a browser may know."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from firebase_functions.https_fn import HttpsError

from functions.edge.http_errors import CODES, STATUS
from functions.edge.triggers import CALL_BYTES_MAX
from tests.wire import Wire, content, id_token, names, new_wire

CALLABLES, SCHEDULED = names("callable"), names("schedule")
SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "firebase-schedule-x-us-central1"}
JSON = "application/json"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions in front of a fresh cloud."""
    with new_wire(monkeypatch) as wire:
        yield wire


def test_a_call_in_form_is_answered(wire: Wire) -> None:
    """What the app's SDK sends comes back as a result, whatever charset the type names."""
    for kind in (JSON, "application/json; charset=utf-8", "Application/JSON"):
        sent = wire.request("get_wallet", '{"data": {}}', Content_Type=kind, Authorization=f"Bearer {id_token('ann')}")
        assert (sent.status_code, content(sent)["result"]["balance"]) == (200, 10)


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


def test_every_code_in_use_has_its_status() -> None:
    """The statuses are firebase-functions' own."""
    assert set(CODES.values()) <= set(STATUS)
    for code, status in STATUS.items():
        theirs = HttpsError(code, "")._http_error_code  # noqa: SLF001 (what ours has to equal)
        assert (theirs.status, theirs.canonical_name.value) == (status, code.name)


# Scheduled functions


@pytest.mark.parametrize("name", SCHEDULED)
@pytest.mark.parametrize("missing", [*SCHEDULERS, "both"])
def test_a_scheduled_function_is_set_off_by_scheduler_alone(wire: Wire, name: str, missing: str) -> None:
    """Without Scheduler's headers nothing runs, and nothing is said."""
    before = wire.cloud.firestore.bill.reset()
    headers = {header: value for header, value in SCHEDULERS.items() if missing not in {header, "both"}}
    refused = wire.request(name, **headers)
    assert (refused.status_code, refused.data) == (HTTPStatus.FORBIDDEN, b"")
    assert wire.cloud.firestore.bill.reset() == before
    assert wire.request(name, **SCHEDULERS).status_code == 200


@pytest.mark.parametrize("at", ["", "yesterday", "2026-11-21", "2026-11-21T12:00:00.123456789Z", "9" * 5_000, "\xff"])
def test_an_odd_schedule_time_stops_no_run(wire: Wire, at: str) -> None:
    """The time of a tick is for the log; a run does not depend on it."""
    assert wire.request("recover_jobs", **SCHEDULERS, X_CloudScheduler_ScheduleTime=at).status_code == 200


def test_scheduled_functions_are_deployed_for_nobody_else() -> None:
    """Their manifest entry is a schedule's and no public URL's: the Firebase CLI then makes the functions' own service
    account, which the Scheduler job uses, their only invoker. Only callables and the webhook are public."""
    endpoints = {name: endpoint(name) for name in names()}
    for name in SCHEDULED:
        assert endpoints[name].scheduleTrigger is not None
        assert endpoints[name].httpsTrigger is None
        assert endpoints[name].callableTrigger is None
    public = {name for name, it in endpoints.items() if it.httpsTrigger is not None or it.callableTrigger is not None}
    assert public == {*CALLABLES, "openai_webhook"}


def endpoint(name: str) -> Any:
    """Return what a function declares to the deploy."""
    import main  # noqa: PLC0415 (it declares the functions, once a process)

    return getattr(main, name).__firebase_endpoint__
