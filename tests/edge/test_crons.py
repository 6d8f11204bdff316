"""Scheduled functions: who may set one off, and what is left of a run."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest

from functions import log
from functions.deploy.params import ConfigurationError
from functions.edge.crons import CronError, Tick, run_cron
from functions.wiring import Deps
from scripts.inprocess import InProcessCloud
from tests.edge.conftest import Logs
from tests.wire import Wire, names

SCHEDULED = names("schedule")
SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "firebase-schedule-x-us-central1"}
TICK = Tick(job_name="tick", schedule_time=datetime(2026, 11, 21, 12, 0, tzinfo=UTC))


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
    account, which the Scheduler job uses, their only invoker. Only callables and webhooks are public."""
    endpoints = {name: endpoint(name) for name in names()}
    for name in SCHEDULED:
        assert endpoints[name].scheduleTrigger is not None
        assert endpoints[name].httpsTrigger is None
        assert endpoints[name].callableTrigger is None
    public = {name for name, it in endpoints.items() if it.httpsTrigger is not None or it.callableTrigger is not None}
    assert public == {*names("callable"), "openai_webhook", "stripe_webhook", "revenuecat_webhook"}


def endpoint(name: str) -> Any:
    """Return what a function declares to the deploy."""
    import main  # noqa: PLC0415 (it declares the functions, once a process)

    return getattr(main, name).__firebase_endpoint__


# A run


def test_a_run_logs_what_it_did(product: InProcessCloud, logs: Logs) -> None:
    """Counts and the tick that it ran for, as fields."""

    def counting(_deps: Deps) -> dict[str, int]:
        return {"jobs": 3}

    run_cron(TICK, counting)
    (entry,) = logs()
    assert (entry["message"], entry["function"], entry["jobs"]) == (log.Event.CRON_FINISHED, "counting", 3)
    assert entry["scheduled"] == "2026-11-21T12:00:00+00:00"


def test_a_failed_run_leaks_nothing_into_its_response(product: InProcessCloud, logs: Logs) -> None:
    """The platform answers with the error's text: it says where to look, and the traceback is there."""

    def crashing(_deps: Deps) -> dict[str, int]:
        raise ValueError("secret")

    with pytest.raises(CronError) as error:
        run_cron(TICK, crashing)
    assert str(error.value) == "crashing failed; its log entry cron_crashed says why"
    (entry,) = logs()
    assert (entry["message"], entry["severity"]) == (log.Event.CRON_CRASHED, "ERROR")
    assert "ValueError: secret" in entry["stack_trace"]


def test_a_run_with_a_wrong_setting_says_which(monkeypatch: pytest.MonkeyPatch, logs: Logs) -> None:
    """One clear line in the log, as for a call."""

    def wrong() -> Deps:
        raise ConfigurationError("set OPENAI_MODEL to another")

    monkeypatch.setattr("functions.wiring.deps", wrong)
    with pytest.raises(CronError, match=log.Event.CONFIG_INVALID):
        run_cron(TICK, lambda _deps: {})
    (entry,) = logs()
    assert (entry["message"], entry["problems"]) == (log.Event.CONFIG_INVALID, ["set OPENAI_MODEL to another"])
