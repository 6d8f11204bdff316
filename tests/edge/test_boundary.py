"""The edge: who gets in, and what they are told."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any

import pytest
from firebase_functions.https_fn import AuthData, CallableRequest, FunctionsErrorCode, HttpsError
from firebase_functions.scheduler_fn import ScheduledEvent
from pydantic import Field

from functions import log
from functions.core.shared.errors import EcolaneError, InsufficientTokens, InvalidImage, KeyReused, ProviderUnavailable
from functions.core.shared.records import Request
from functions.deploy.params import ConfigurationError
from functions.edge import boundary
from functions.edge.boundary import CronError, run_cron, serve_call
from functions.edge.http_errors import CODES, errors_to_https
from functions.wiring import Deps
from scripts.inprocess import InProcessCloud

TICK = ScheduledEvent(job_name="tick", schedule_time=datetime(2026, 11, 21, 12, 0, tzinfo=UTC))

Logs = Callable[[], list[dict[str, Any]]]


class Ask(Request):
    """What these tests ask for."""

    job_count: int
    tags: list[str] = Field(default_factory=list)


@pytest.fixture(autouse=True)
def product(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """The product in one process, behind the boundary."""
    product = InProcessCloud()
    monkeypatch.setattr("functions.wiring.deps", lambda: product.deps)
    return product


@pytest.fixture
def logs(capfd: pytest.CaptureFixture[str]) -> Logs:
    """Return what was logged since the last look, one JSON object a line."""

    def look() -> list[dict[str, Any]]:
        captured = capfd.readouterr()
        return [json.loads(line) for line in (captured.out + captured.err).splitlines()]

    return look


def call(
    data: object, uid: str | None = "ana", claims: Mapping[str, object] = MappingProxyType({})
) -> CallableRequest[Any]:
    """Return a call as firebase-functions hands it over, the token already verified."""
    auth = None if uid is None else AuthData(uid=uid, token={"sub": uid, **claims})
    return CallableRequest(data=data, raw_request=None, auth=auth)  # type: ignore[arg-type]


def answer(request: Ask, uid: str, _deps: Deps) -> dict[str, Any]:
    """Answer with what came in."""
    return {"count": request.job_count, "uid": uid}


def raising(error: Exception) -> Callable[[Ask, str, Deps], dict[str, Any]]:
    """Return a handler that fails."""

    def failing(_request: Ask, _uid: str, _deps: Deps) -> dict[str, Any]:
        raise error

    return failing


def refused(
    data: object, uid: str | None = "ana", handle: Callable[[Ask, str, Deps], dict[str, Any]] = answer, **options: bool
) -> tuple[FunctionsErrorCode, str, dict[str, Any]]:
    """Make a call that is refused. Returns code, message and details."""
    with pytest.raises(HttpsError) as error, errors_to_https(handle.__name__):
        serve_call(call(data, uid), handle, **options)
    assert isinstance(error.value.details, dict)
    return error.value.code, error.value.message, error.value.details


# Who gets in


def test_a_checked_request_and_a_verified_uid_reach_the_handler() -> None:
    """What the handler gets is typed and whose it is."""
    assert serve_call(call({"jobCount": 2}), answer) == {"count": 2, "uid": "ana"}


@pytest.mark.parametrize("uid", ["a", "x" * 128, "ana.b-c_d", "user@example.org", "идентификатор", "__x", "x__", "..."])
def test_any_uid_that_can_be_a_document_id_is_served(uid: str) -> None:
    """Custom tokens carry other people's ids: up to 128 characters of almost anything."""
    assert serve_call(call({"jobCount": 1}, uid), answer)["uid"] == uid


@pytest.mark.parametrize(
    "uid", [None, "", "a/b", "/", ".", "..", "__x__", "____", "x" * 129, "a\nb", "a\n", "a\x00", "\x7f"]
)
def test_nobody_and_uids_that_are_no_document_ids_are_refused(uid: str | None) -> None:
    """No token, or a uid that would lead into another path: sign in first, before anything is read."""
    code, _, details = refused({"jobCount": 1}, uid)
    assert (code, details) == (FunctionsErrorCode.UNAUTHENTICATED, {"reason": "UNAUTHENTICATED"})


# What they are told


def test_every_error_has_a_code() -> None:
    """The tree of errors and the table of codes are the same list."""
    assert set(CODES) == set(EcolaneError.__subclasses__())


@pytest.mark.parametrize("kind", [each for each in CODES if each is not InvalidImage], ids=lambda kind: kind.__name__)
def test_an_error_reaches_the_app_with_reason_and_details(kind: type[EcolaneError], logs: Logs) -> None:
    """Code, message, the constant to switch on, and the details; the log keeps the reason alone."""
    code, message, details = refused({"jobCount": 1}, handle=raising(kind("Do this instead.", retryAfter=30)))
    assert (code, message, details) == (CODES[kind], "Do this instead.", {"reason": kind.reason, "retryAfter": 30})
    json.dumps(details)
    (entry,) = logs()
    assert (entry["message"], entry["severity"], entry["reason"]) == (log.Event.CALL_REFUSED, "INFO", kind.reason)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (InsufficientTokens, FunctionsErrorCode.FAILED_PRECONDITION),
        (KeyReused, FunctionsErrorCode.ALREADY_EXISTS),
        (ProviderUnavailable, FunctionsErrorCode.UNAVAILABLE),
    ],
)
def test_the_codes_that_the_app_rests_on_stay(kind: type[EcolaneError], code: FunctionsErrorCode) -> None:
    """UNAVAILABLE is HTTP 503, and the others are no invitation to try again."""
    assert CODES[kind] is code


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (None, "jobCount"),
        ({}, "jobCount"),
        ({"jobCount": "1"}, "jobCount"),
        ({"jobCount": 1, "jobcount": 2}, "jobcount"),
        ({"jobCount": 1, "tags": ["a", 2]}, "tags.1"),
        ([], "data"),
        ("text", "data"),
        (7, "data"),
    ],
)
def test_a_wrong_field_is_named(data: object, field: str) -> None:
    """The app's developer sees which field to correct."""
    code, message, details = refused(data)
    assert code is FunctionsErrorCode.INVALID_ARGUMENT
    assert details == {"reason": "INVALID_REQUEST", "field": field}
    assert message.startswith(f"{field}: ")


def test_a_refusal_does_not_quote_what_was_sent() -> None:
    """What the client put into a field is not echoed, however wrong it is."""
    _, message, details = refused({"jobCount": "<script>secret</script>"})
    assert "secret" not in message + str(details)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("secret"), KeyError("secret"), HttpsError(FunctionsErrorCode.OK, "secret")]
)
def test_a_defect_tells_the_caller_nothing_and_the_log_everything(error: Exception, logs: Logs) -> None:
    """INTERNAL without a detail; the traceback is in the log, with the function's name."""
    code, message, details = refused({"jobCount": 1}, handle=raising(error))
    assert (code, details) == (FunctionsErrorCode.INTERNAL, {"reason": "INTERNAL"})
    assert "secret" not in message
    (entry,) = logs()
    assert (entry["message"], entry["severity"]) == (log.Event.CALL_CRASHED, "ERROR")
    assert entry["function"] == "failing"
    assert type(error).__name__ in entry["stack_trace"]
    assert "raise error" in entry["stack_trace"]


def test_a_process_without_settings_tells_the_caller_nothing(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    """What goes wrong while the dependencies are made is a defect like any other."""

    def unset() -> Deps:
        raise RuntimeError("secret setting")

    monkeypatch.setattr("functions.wiring.deps", unset)
    code, message, _ = refused({"jobCount": 1})
    assert code is FunctionsErrorCode.INTERNAL
    assert "secret" not in message
    assert logs()[0]["message"] == log.Event.CALL_CRASHED


def test_a_wrong_setting_is_logged_as_one_clear_line(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    """What to set and why, without a traceback, from calls and crons alike; the caller is told nothing of it."""

    def wrong() -> Deps:
        raise ConfigurationError("OPENAI_MODEL: the model 'gpt-99' has no known price; set OPENAI_MODEL to one")

    monkeypatch.setattr("functions.wiring.deps", wrong)
    code, message, details = refused({"jobCount": 1})
    assert (code, details) == (FunctionsErrorCode.INTERNAL, {"reason": "INTERNAL"})
    assert "gpt-99" not in message
    with pytest.raises(CronError, match=log.Event.CONFIG_INVALID):
        run_cron(TICK, lambda _deps: {})
    for entry in logs():
        assert entry["message"] == log.Event.CONFIG_INVALID
        assert entry["severity"] == "ERROR"
        assert entry["problems"] == ["OPENAI_MODEL: the model 'gpt-99' has no known price; set OPENAI_MODEL to one"]
        assert "trace" not in entry


# Scheduled runs


def test_a_run_logs_what_it_did(logs: Logs) -> None:
    """Counts and the tick that it ran for, as fields."""

    def counting(_deps: Deps) -> dict[str, int]:
        return {"jobs": 3}

    run_cron(TICK, counting)
    (entry,) = logs()
    assert (entry["message"], entry["function"], entry["jobs"]) == (log.Event.CRON_FINISHED, "counting", 3)
    assert entry["scheduled"] == "2026-11-21T12:00:00+00:00"


def test_a_failed_run_leaks_nothing_into_its_response(logs: Logs) -> None:
    """The platform answers with the error's text: it says where to look, and the traceback is there."""

    def crashing(_deps: Deps) -> dict[str, int]:
        raise ValueError("secret")

    with pytest.raises(CronError) as error:
        run_cron(TICK, crashing)
    assert str(error.value) == "crashing failed; its log entry cron_crashed says why"
    (entry,) = logs()
    assert (entry["message"], entry["severity"]) == (log.Event.CRON_CRASHED, "ERROR")
    assert "ValueError: secret" in entry["stack_trace"]


def test_firebase_is_connected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second import of main.py in one process makes no second app; what it connects to is Firebase's to say, and how
    long its services are waited for is ours."""
    made: list[dict[str, Any]] = []
    monkeypatch.setenv("FIREBASE_CONFIG", '{"projectId": "demo-ecolane"}')
    monkeypatch.setattr("firebase_admin.initialize_app", lambda **given: made.append(given["options"]))
    monkeypatch.setattr(boundary, "connect_firebase", cache(boundary.connect_firebase.__wrapped__))
    for _ in range(2):
        boundary.connect_firebase()
    assert made == [{"projectId": "demo-ecolane", "httpTimeout": 5}]
