"""The schedules command, run as a person runs it, with the real client against a Cloud Scheduler in memory."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.cloud import scheduler_v1 as api
from typer.testing import CliRunner, Result

from functions.core.refresh.worker_shards import worker_of
from localcloud.cloud_scheduler_api import SchedulerServer
from scripts import schedules
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from scripts.operators.repairs_by_hand import AuditEntry
from scripts.schedule_plan import SCALABLE, CronTrigger, JobSpec, Place, cron_triggers, job_id, wanted
from scripts.schedules import EMULATOR, app, spec_of

PARENT = "projects/demo-ecolane/locations/us-central1"
ACCOUNT = "scheduler@demo-ecolane.iam.gserviceaccount.com"
URL = "https://us-central1-demo-ecolane.cloudfunctions.net"
PAUSED: Any = api.Job.State.PAUSED

Run = Callable[..., Result]
CHANGING = {"sync", "scale", "pause", "resume", "run"}
audits: list[AuditEntry] = []
"""What was recorded in this test."""


@pytest.fixture
def server() -> Iterator[SchedulerServer]:
    """An empty Cloud Scheduler, whose lists come in pages of two."""
    server = SchedulerServer(page_size=2)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def run(server: SchedulerServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command against it, on a terminal that is wide enough for a row to be a line."""
    monkeypatch.setattr(schedules.console, "width", 200)
    deps = InProcessCloud(seed=1).operator()
    monkeypatch.setattr(session, "connect", lambda _project: deps)
    audits.clear()
    monkeypatch.setattr(deps.store, "record", audits.append)
    environment = {
        EMULATOR: server.host,
        "GOOGLE_CLOUD_PROJECT": "demo-ecolane",
        "SCHEDULER_SERVICE_ACCOUNT": ACCOUNT,
    }

    def invoke(*arguments: str, answer: str = "") -> Result:
        quiet = ["--yes"] if arguments[0] in CHANGING and not answer else []
        return CliRunner().invoke(app, [*arguments, *quiet], input=answer, env=environment)

    return invoke


def ids(server: SchedulerServer, state: object = None) -> set[str]:
    """Return the ids of the jobs, or of those in a state."""
    return {name.rpartition("/")[2] for name, job in server.jobs.items() if state is None or job.state == state}


def base(function: str) -> str:
    """Return the id of a function's only job."""
    return job_id(function, "us-central1")


def changed_calls(server: SchedulerServer) -> list[str]:
    """Return the calls that change something."""
    return [call for call in server.calls if call != "ListJobs"]


def test_sync_gives_every_scheduled_function_its_job(server: SchedulerServer, run: Run) -> None:
    """Each trigger of main.py gets the job that it declares: schedule, URL, identity, time limit."""
    result = run("sync")
    assert result.exit_code == 0, result.output
    assert ids(server) == {base(function) for function in cron_triggers()}
    job = server.jobs[f"{PARENT}/jobs/{base('refresh_credits')}"]
    assert spec_of(job) == JobSpec(
        job_id="firebase-schedule-refresh_credits-us-central1",
        schedule="*/5 * * * *",
        time_zone="UTC",
        url=f"{URL}/refresh_credits",
        service_account=ACCOUNT,
        audience=f"{URL}/refresh_credits",
        deadline_seconds=540,
        paused=False,
    )
    assert job.http_target.http_method == api.HttpMethod.POST


def test_sync_again_changes_nothing(server: SchedulerServer, run: Run) -> None:
    """What is as it should be is left alone, in whatever state it is."""
    run("sync")
    run("pause", "poll_batches")
    calls = len(changed_calls(server))
    result = run("sync")
    assert "Nothing to do" in result.output
    assert len(changed_calls(server)) == calls
    assert ids(server, PAUSED) == {base("poll_batches")}


def test_sync_mends_what_differs_and_says_what(server: SchedulerServer, run: Run) -> None:
    """A job that was changed by hand is set right; the line names each field, before and after; others' jobs stay."""
    run("sync")
    job = server.jobs[f"{PARENT}/jobs/{base('submit_batches')}"]
    job.schedule, job.time_zone = "0 * * * *", "Europe/Berlin"
    server.jobs[f"{PARENT}/jobs/somebody-elses"] = api.Job(name=f"{PARENT}/jobs/somebody-elses")
    result = run("sync")
    assert "schedule: 0 * * * * → */5 * * * *, time_zone: Europe/Berlin → UTC" in result.output
    assert changed_calls(server)[-1] == "UpdateJob"
    assert job.name in server.jobs
    assert server.jobs[job.name].schedule == "*/5 * * * *"
    assert "somebody-elses" in ids(server)


def test_a_dry_run_prints_the_difference_and_does_nothing(server: SchedulerServer, run: Run) -> None:
    """The same lines, and no call but the list."""
    dry = run("sync", "--dry-run")
    assert changed_calls(server) == []
    assert "dry run" in dry.output
    real = run("sync")
    assert dry.output.splitlines()[:-1] == real.output.splitlines()
    run("scale", "refresh_credits", "3", "--dry-run")
    assert not any("worker" in name for name in ids(server))


@pytest.mark.parametrize("function", SCALABLE)
def test_scaling_up_and_down(server: SchedulerServer, run: Run, function: str) -> None:
    """Three workers share the shards while the only one rests; two replace them; one is the only one again."""
    run("sync")
    assert run("scale", function, "3").exit_code == 0
    mine = {name for name in ids(server) if function in name}
    workers = {name for name in mine if "worker" in name}
    assert {str(worker_of(name)) for name in workers} == {"1-of-3", "2-of-3", "3-of-3"}
    assert mine - workers == {base(function)} == ids(server, PAUSED)
    assert {spec_of(server.jobs[f"{PARENT}/jobs/{name}"]).url for name in mine} == {f"{URL}/{function}"}

    assert "Nothing to do" in run("sync").output
    run("scale", function, "2")
    assert {str(worker_of(name)) for name in ids(server) if "worker" in name} == {"1-of-2", "2-of-2"}
    run("scale", function, "1")
    assert ids(server) == {base(name) for name in cron_triggers()}
    assert ids(server, PAUSED) == set()


def test_additions_come_first(server: SchedulerServer, run: Run) -> None:
    """While it scales somebody always runs: new workers before the only one rests, and that again before they go."""
    run("sync")
    server.calls.clear()
    run("scale", "refresh_credits", "2")
    run("scale", "refresh_credits", "1")
    assert changed_calls(server) == ["CreateJob", "CreateJob", "PauseJob", "ResumeJob", "DeleteJob", "DeleteJob"]


def test_scaling_without_a_job_makes_all_of_them(server: SchedulerServer, run: Run) -> None:
    """A new project can be scaled at once; the job that rests is made, too, and rests."""
    run("scale", "refresh_credits", "2")
    assert len(ids(server)) == 3
    assert ids(server, PAUSED) == {base("refresh_credits")}


def test_pause_resume_and_run_reach_the_workers(server: SchedulerServer, run: Run) -> None:
    """All jobs of a function pause; those resume that were at work; each of those runs now."""
    run("sync")
    run("scale", "refresh_credits", "2")
    run("pause", "refresh_credits")
    assert len(ids(server, PAUSED)) == 3
    assert run("sync").output.startswith("Nothing to do")
    run("resume", "refresh_credits")
    assert ids(server, PAUSED) == {base("refresh_credits")}
    server.calls.clear()
    run("run", "refresh_credits")
    assert changed_calls(server) == ["RunJob", "RunJob"]


def test_a_paused_function_can_be_run_by_hand(server: SchedulerServer, run: Run) -> None:
    """That is what one pauses for."""
    run("sync")
    run("pause", "recover_jobs")
    server.calls.clear()
    assert run("run", "recover_jobs").exit_code == 0
    assert changed_calls(server) == ["RunJob"]


def test_list_shows_state_and_last_run(server: SchedulerServer, run: Run) -> None:
    """Every page of jobs, with schedule, state, and how the last run went."""
    run("sync")
    run("pause", "poll_batches")
    run("run", "recover_jobs")
    failed = server.jobs[f"{PARENT}/jobs/{base('submit_batches')}"]
    failed.last_attempt_time = server.jobs[f"{PARENT}/jobs/{base('recover_jobs')}"].last_attempt_time
    failed.schedule_time = failed.last_attempt_time
    failed.status.code, failed.status.message = 13, "INTERNAL"
    rows = [line for line in run("list").output.splitlines() if "firebase-schedule" in line]
    lines = {line.split()[0]: line for line in rows}
    assert len(lines) == len(cron_triggers())
    assert "paused" in lines[base("poll_batches")]
    assert "ok" in lines[base("recover_jobs")]
    assert "failed: INTERNAL" in lines[base("submit_batches")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pause", "nonsense"), "nonsense is no scheduled function; these are: "),
        (("scale", "nonsense", "2"), "nonsense is no scheduled function"),
        (("scale", "recover_jobs", "2"), "recover_jobs has one worker; only refresh_credits"),
        (("scale", "refresh_credits", "0"), "workers: from 1 to 16, not 0"),
        (("scale", "refresh_credits", "17"), "workers: from 1 to 16, not 17"),
        (("run", "refresh_credits"), f"refresh_credits has no job in {PARENT}; `sync` makes one"),
        (("sync", "--service-account", ""), "OidcToken.service_account_email is required"),
    ],
)
def test_a_mistake_is_one_clear_line(run: Run, arguments: tuple[str, ...], words: str) -> None:
    """What cannot be done ends with status 1 and one line that says why."""
    result = run(*arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("schedules: ")
    assert words in line


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED])
def test_a_refusal_of_the_service_is_one_clear_line(server: SchedulerServer, run: Run, code: grpc.StatusCode) -> None:
    """What Google refuses is told in its own words, with the place that was asked."""
    server.refuse_with = (code, "The caller does not have permission.")
    result = run("list")
    assert result.exit_code == 1
    assert result.stderr == f"schedules: Cloud Scheduler, {PARENT}: The caller does not have permission.\n"


def test_no_credentials_is_one_clear_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an emulator and without credentials the line says what is missing."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    monkeypatch.delenv(EMULATOR, raising=False)
    result = CliRunner().invoke(app, ["list", "--project", "demo-ecolane"])
    assert result.exit_code == 1
    assert result.stderr.startswith("schedules: no Google credentials: ")


def test_the_trigger_of_a_zone_keeps_it() -> None:
    """A schedule in local time is one in Scheduler, too."""
    trigger = CronTrigger("refresh_credits", "0 3 * * *", "Europe/Berlin", 60)
    (spec,) = wanted(trigger, Place("demo", "europe-west1", ACCOUNT), 1)
    assert (spec.time_zone, spec.deadline_seconds) == ("Europe/Berlin", 60)
    assert spec.url == "https://europe-west1-demo.cloudfunctions.net/refresh_credits"


def test_a_change_is_asked_for_and_on_record(server: SchedulerServer, run: Run) -> None:
    """The question names the emulator or the project; a no changes nothing, a yes leaves word of who did what."""
    asked = run("sync", answer="n\n")
    assert asked.exit_code == 1
    assert f"Emulator at {server.host}, project demo-ecolane: do it?" in asked.output
    assert (ids(server), audits) == (set(), [])
    assert run("sync", "--by", "mia", answer="y\n").exit_code == 0
    (entry,) = audits
    assert (entry.action, entry.by, entry.target) == ("schedules", "mia", PARENT)
    assert {each["field"] for each in entry.changed} == ids(server)
    run("sync", "--dry-run")
    assert len(audits) == 1


def test_jobs_are_listed_as_json_too(server: SchedulerServer, run: Run) -> None:
    """One document, for a program."""
    run("sync")
    listed = json.loads(run("list", "--json").stdout)["jobs"]
    assert {each["job"] for each in listed} == ids(server)
    assert {each["state"] for each in listed} == {"enabled"}
