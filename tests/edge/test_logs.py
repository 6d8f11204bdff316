"""What an operator finds in the logs: every entry under the request that it belongs to. Over the wire."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from functions import log
from functions.deploy.params import project
from localcloud.cloud import LocalCloud
from tests.app import App

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"  # pragma: allowlist secret (W3C's example)
TRACE_FIELD = "logging.googleapis.com/trace"
EVENTS = set(log.Event)


def entries(cloud: LocalCloud) -> Iterator[dict[str, Any]]:
    """Yield what the functions have logged so far, as Cloud Logging would take it."""
    for line in cloud.logs.read_text().splitlines():
        if line.startswith("{"):
            entry = json.loads(line)
            if entry.get("message") in EVENTS:
                yield entry


def traced(cloud: LocalCloud, trace: str) -> list[dict[str, Any]]:
    """Return the entries of one request."""
    return [entry for entry in entries(cloud) if entry.get(TRACE_FIELD) == f"projects/{cloud.project}/traces/{trace}"]


def send(app: App, function: str, data: dict[str, Any], headers: dict[str, str]) -> int:
    """Call a function with headers of one's own and return its status."""
    token = {"Authorization": f"Bearer {app.user.id_token}"}
    return httpx.post(app.cloud.url(function), json={"data": data}, headers={**token, **headers}).status_code


def test_a_call_is_logged_under_its_trace(app: App) -> None:
    """The trace of W3C's header, the span, the function and the job: all that a call's entry is found by."""
    trace, job_id = uuid.uuid4().hex, "0" * 32
    assert send(app, "get_job", {"jobId": job_id}, {"traceparent": f"00-{trace}-{SPAN}-01"}) == 404
    (entry,) = traced(app.cloud, trace)
    assert (entry["message"], entry["function"], entry["jobId"]) == ("call_refused", "get_job", job_id)
    assert entry["logging.googleapis.com/spanId"] == SPAN
    assert entry["logging.googleapis.com/trace_sampled"] is True


def test_a_photo_is_logged_with_its_job(app: App) -> None:
    """What goes wrong with a photo names its job, which the app has from its key."""
    trace = uuid.uuid4().hex
    data = {"requestId": uuid.uuid4().hex, "imagePath": f"users/{app.user.uid}/uploads/gone.jpg", "mode": "instant"}
    send(app, "classify_image", data, {"X-Cloud-Trace-Context": f"{trace}/255;o=0"})
    (entry,) = traced(app.cloud, trace)
    assert (entry["reason"], len(entry["jobId"])) == ("IMAGE_NOT_FOUND", 32)
    assert entry["logging.googleapis.com/spanId"] == "00000000000000ff"
    assert entry["logging.googleapis.com/trace_sampled"] is False


@pytest.mark.parametrize(
    "header", ["", "nonsense", f"00-{'a' * 32}-{SPAN}-01x", "00-" + "g" * 32 + f"-{SPAN}-01", '"}\t{"severity":"ALERT']
)
def test_a_header_that_is_no_trace_writes_nothing(app: App, header: str) -> None:
    """Headers are the caller's: what is not a trace gets into no field, and the platform's own is taken."""
    trace = uuid.uuid4().hex
    send(app, "get_job", {}, {"traceparent": header, "X-Cloud-Trace-Context": f"{trace}/1;o=1"})
    (entry,) = traced(app.cloud, trace)
    assert entry["function"] == "get_job"


def test_crons_and_webhooks_are_logged_under_a_trace(cloud: LocalCloud) -> None:
    """Also what nobody calls with a token: each run, and each webhook that was refused."""
    trace = uuid.uuid4().hex
    headers = {"X-Cloud-Trace-Context": f"{trace}/1;o=1"}
    schedulers = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "tick"}
    assert httpx.post(cloud.url("recover_jobs"), headers={**headers, **schedulers}).is_success
    assert httpx.post(cloud.url("openai_webhook"), headers=headers, content=b"{}").status_code == 400
    found = {(entry["message"], entry["function"]) for entry in traced(cloud, trace)}
    assert found == {("cron_finished", "recover_jobs"), ("webhook_refused", "openai_webhook")}


def test_everything_that_is_logged_carries_trace_and_function(app: App) -> None:
    """Whatever the functions have done until now: both lanes, crons, refusals."""
    job = app.classify(mode="batch")
    app.classify(mode="instant")
    app.until_final(job["jobId"])
    found = list(entries(app.cloud))
    assert {"batch_submitted", "batch_collected", "cron_finished"} <= {entry["message"] for entry in found}
    assert [entry for entry in found if TRACE_FIELD not in entry or "function" not in entry] == []


def test_a_log_outside_of_a_request_has_no_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """A command of an operator's logs the same events, and belongs to no request."""
    log.info(log.Event.CRON_FINISHED, jobs=1)
    assert json.loads(capsys.readouterr().out) == {"severity": "INFO", "message": "cron_finished", "jobs": 1}


CROWD = """
import threading
from functions import log

def serve(number):
    for _ in range(100):
        log.info(log.Event.CRON_FINISHED, number=number)

threads = [threading.Thread(target=serve, args=(number,)) for number in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_entries_of_many_threads_stay_apart(unbuffered: str) -> None:
    """Two entries on one line are text without a severity to Cloud Logging: an alert among them would go unseen."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", CROWD]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 (our own)
    numbers = [json.loads(line)["number"] for line in ran.stdout.splitlines()]
    assert sorted(numbers) == sorted([*range(16)] * 100)


def test_what_no_encoding_knows_is_logged_all_the_same(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Half a character, which JSON from outside can hold, fails no call for its log."""
    log.info(log.Event.CRON_FINISHED, name="\ud800ü")
    assert json.loads(capsysbinary.readouterr().out)["name"] == "\ud800ü"


def test_the_project_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Firebase sets one name, Google's other tools the other."""
    monkeypatch.delenv("GCLOUD_PROJECT", raising=False)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")
    assert project() == "demo"
