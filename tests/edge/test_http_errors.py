"""What callers are told of what goes wrong, and what the log is."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from firebase_functions.https_fn import FunctionsErrorCode, HttpsError
from pydantic import Field

from functions import log
from functions.core.shared.errors import EcolaneError, InvalidImage
from functions.core.shared.records import Request
from functions.deploy.params import ConfigurationError
from functions.edge.callables import Call, serve_call
from functions.edge.http_errors import CODES, STATUS, errors_to_https
from functions.wiring import Deps
from tests.edge.conftest import Logs

pytestmark = pytest.mark.usefixtures("product")


class Ask(Request):
    """What these tests ask for."""

    job_count: int
    tags: list[str] = Field(default_factory=list)


def answer(request: Ask, uid: str, _deps: Deps) -> dict[str, Any]:
    """Answer with what came in."""
    return {"count": request.job_count, "uid": uid}


def raising(error: Exception) -> Callable[[Ask, str, Deps], dict[str, Any]]:
    """Return a use case that fails."""

    def failing(_request: Ask, _uid: str, _deps: Deps) -> dict[str, Any]:
        raise error

    return failing


def refused(
    data: object, handle: Callable[[Ask, str, Deps], dict[str, Any]] = answer
) -> tuple[FunctionsErrorCode, str, dict[str, Any]]:
    """Make a call that is refused. Returns code, message and details."""
    with pytest.raises(HttpsError) as error, errors_to_https(handle.__name__):
        serve_call(Call("ana", data), handle)
    assert isinstance(error.value.details, dict)
    return error.value.code, error.value.message, error.value.details


def test_a_checked_request_and_a_verified_uid_reach_the_use_case() -> None:
    """What it gets is typed, and whose it is."""
    assert serve_call(Call("ana", {"jobCount": 2}), answer) == {"count": 2, "uid": "ana"}


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


@pytest.mark.parametrize("data", [[], "text", 7])
def test_what_is_no_object_is_refused_as_a_whole(data: object) -> None:
    """It has no field to correct."""
    assert refused(data)[2] == {"reason": "INVALID_REQUEST", "field": "data"}


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


def test_a_wrong_setting_is_logged_as_one_clear_line(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    """What to set and why, without a traceback; the caller is told nothing of it."""

    def wrong() -> Deps:
        raise ConfigurationError("OPENAI_MODEL: the model 'gpt-99' has no known price; set OPENAI_MODEL to one")

    monkeypatch.setattr("functions.wiring.deps", wrong)
    code, message, details = refused({"jobCount": 1})
    assert (code, details) == (FunctionsErrorCode.INTERNAL, {"reason": "INTERNAL"})
    assert "gpt-99" not in message
    (entry,) = logs()
    assert (entry["message"], entry["severity"]) == (log.Event.CONFIG_INVALID, "ERROR")
    assert entry["problems"] == ["OPENAI_MODEL: the model 'gpt-99' has no known price; set OPENAI_MODEL to one"]
    assert "stack_trace" not in entry


def test_every_code_in_use_has_its_status() -> None:
    """The statuses are firebase-functions' own."""
    assert set(CODES.values()) <= set(STATUS)
    for code, status in STATUS.items():
        theirs = HttpsError(code, "")._http_error_code  # noqa: SLF001 (what ours has to equal)
        assert (theirs.status, theirs.canonical_name.value) == (status, code.name)
