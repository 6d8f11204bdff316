"""`python -m scripts.schedules`: the Cloud Scheduler jobs that make the scheduled functions run.

    list                       what there is, when it runs next, how it went
    sync                       a job for every scheduled function of main.py, as main.py declares it
    scale refresh_credits 4    four workers, each with its own shards; 1 is the only one again
    pause, resume, run         one function, by name

`--dry-run` prints what would be done; without it, it is asked for and on record in `audit/`.
Credentials are Google's usual ones (`gcloud auth application-default login`).
"""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import grpc
import typer
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud import scheduler_v1 as api
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from scripts.operators.repairs_by_hand import AuditEntry
from scripts.operators.session import AsJson, By, Screen, Yes, connected, login, table
from scripts.operators.session import change as asked
from scripts.schedule_plan import (
    Change,
    CronTrigger,
    JobSpec,
    Place,
    cron_triggers,
    jobs_of,
    scale_changes,
    sync_changes,
)

RPC_TIMEOUT_SECONDS = 20.0
EMULATOR = "CLOUD_SCHEDULER_EMULATOR_HOST"
OURS = FieldMask(paths=["schedule", "time_zone", "attempt_deadline", "http_target"])
SIGNS = {"create": "[green]+[/]", "update": "[yellow]~[/]", "delete": "[red]-[/]"}

app = typer.Typer(
    help="Look after the Cloud Scheduler jobs that make the scheduled functions run.",
    no_args_is_help=True,
    add_completion=False,
)
console = Screen(highlight=False, soft_wrap=True)

Project = Annotated[str, typer.Option(envvar=["GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"], help="Firebase project.")]
Region = Annotated[str, typer.Option(envvar="REGION", help="Where the functions run.")]
Account = Annotated[str, typer.Option(envvar="SCHEDULER_SERVICE_ACCOUNT", help="Who calls the functions (OIDC).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]
Answers = tuple[bool, bool, str]
"""Whether it is a dry run, whether nobody is to be asked, and who asks for it."""
Function = Annotated[str, typer.Argument(help="A scheduled function of main.py.")]


class Jobs:
    """The jobs of one project and region, through the real client."""

    def __init__(self, place: Place) -> None:
        """Connect: to Google, or to an emulator if the environment names one."""
        self.place = place
        emulator = os.environ.get(EMULATOR)
        self._channel = grpc.insecure_channel(emulator) if emulator else None
        transport = CloudSchedulerGrpcTransport(channel=self._channel) if self._channel else None
        self._client = api.CloudSchedulerClient(transport=transport)

    def close(self) -> None:
        """Close the connection to an emulator; the client closes its own."""
        if self._channel is not None:
            self._channel.close()

    def all(self) -> dict[str, api.Job]:
        """Return every job by its id."""
        found = self._client.list_jobs(parent=self.place.parent, timeout=RPC_TIMEOUT_SECONDS)
        return {job.name.rpartition("/")[2]: job for job in found}

    def apply(self, change: Change) -> None:
        """Do one thing."""
        calls: dict[str, Callable[[JobSpec], object]] = {
            "create": lambda spec: self._client.create_job(
                parent=self.place.parent, job=self._job(spec), timeout=RPC_TIMEOUT_SECONDS
            ),
            "update": lambda spec: self._client.update_job(
                job=self._job(spec), update_mask=OURS, timeout=RPC_TIMEOUT_SECONDS
            ),
            "delete": lambda spec: self._client.delete_job(name=self._name(spec), timeout=RPC_TIMEOUT_SECONDS),
            "pause": lambda spec: self._client.pause_job(name=self._name(spec), timeout=RPC_TIMEOUT_SECONDS),
            "resume": lambda spec: self._client.resume_job(name=self._name(spec), timeout=RPC_TIMEOUT_SECONDS),
            "run": lambda spec: self._client.run_job(name=self._name(spec), timeout=RPC_TIMEOUT_SECONDS),
        }
        calls[change.verb](change.spec)

    def _name(self, spec: JobSpec) -> str:
        return f"{self.place.parent}/jobs/{spec.job_id}"

    def _job(self, spec: JobSpec) -> api.Job:
        token = api.OidcToken(service_account_email=spec.service_account, audience=spec.audience)
        return api.Job(
            name=self._name(spec),
            description="Made by scripts/schedules.py",
            schedule=spec.schedule,
            time_zone=spec.time_zone,
            attempt_deadline=Duration(seconds=spec.deadline_seconds),
            http_target=api.HttpTarget(uri=spec.url, http_method=api.HttpMethod.POST, oidc_token=token),
        )


def spec_of(job: api.Job) -> JobSpec:
    """Return what matters of a job."""
    target = job.http_target
    return JobSpec(
        job_id=job.name.rpartition("/")[2],
        schedule=job.schedule,
        time_zone=job.time_zone,
        url=target.uri,
        service_account=target.oidc_token.service_account_email,
        audience=target.oidc_token.audience,
        deadline_seconds=int(job.attempt_deadline.total_seconds()),
        paused=job.state == api.Job.State.PAUSED,
    )


@app.command("list")
def list_jobs(project: Project, region: Region = "us-central1", as_json: AsJson = False) -> None:
    """Print the jobs."""
    with _connected(Place(project, region)) as jobs:
        rows = [_shown(name, job) for name, job in sorted(jobs.all().items())]
        if as_json:
            print(json.dumps({"jobs": rows}, indent=2))
            return
        console.print(
            table("job", "schedule", "state", "next run", "~last run", rows=[tuple(row.values()) for row in rows])
        )


def _shown(name: str, job: api.Job) -> dict[str, str]:
    return {
        "job": name,
        "schedule": job.schedule,
        "state": api.Job.State(job.state).name.lower(),
        "next": f"{job.schedule_time:%Y-%m-%d %H:%M}" if job.schedule_time else "-",
        "last": "-" if not job.last_attempt_time else f"failed: {job.status.message}" if job.status.code else "ok",
    }


@app.command()
def sync(
    project: Project,
    service_account: Account,
    region: Region = "us-central1",
    dry_run: DryRun = False,
    yes: Yes = False,
    by: By = "",
) -> None:
    """Create and update a job for every scheduled function, as main.py declares it."""
    with _connected(Place(project, region, service_account)) as jobs:
        existing = {name: spec_of(job) for name, job in jobs.all().items()}
        _apply(jobs, sync_changes(cron_triggers().values(), jobs.place, existing), (dry_run, yes, by))


@app.command()
def scale(
    function: Function,
    workers: Annotated[int, typer.Argument(help="How many.")],
    project: Project,
    service_account: Account,
    region: Region = "us-central1",
    dry_run: DryRun = False,
    yes: Yes = False,
    by: By = "",
) -> None:
    """Give a function so many workers, each with its own shards."""
    with _connected(Place(project, region, service_account)) as jobs:
        existing = {name: spec_of(job) for name, job in jobs.all().items()}
        _apply(jobs, scale_changes(_trigger(function), jobs.place, workers, existing), (dry_run, yes, by))


@app.command()
def pause(
    function: Function,
    project: Project,
    region: Region = "us-central1",
    dry_run: DryRun = False,
    yes: Yes = False,
    by: By = "",
) -> None:
    """Stop a function's jobs, workers included."""
    with _connected(Place(project, region)) as jobs:
        specs = _jobs_of(jobs, function)
        _apply(jobs, [Change("pause", spec) for spec in specs if not spec.paused], (dry_run, yes, by))


@app.command()
def resume(
    function: Function,
    project: Project,
    region: Region = "us-central1",
    dry_run: DryRun = False,
    yes: Yes = False,
    by: By = "",
) -> None:
    """Let a function's jobs go on: its workers, if it has several, else its only one."""
    with _connected(Place(project, region)) as jobs:
        specs = _jobs_of(jobs, function)
        workers = [spec for spec in specs if "-worker-" in spec.job_id] or specs
        _apply(jobs, [Change("resume", spec) for spec in workers if spec.paused], (dry_run, yes, by))


@app.command()
def run(
    function: Function,
    project: Project,
    region: Region = "us-central1",
    dry_run: DryRun = False,
    yes: Yes = False,
    by: By = "",
) -> None:
    """Run a function now: each of its jobs that is not paused, or all if all are."""
    with _connected(Place(project, region)) as jobs:
        specs = _jobs_of(jobs, function)
        active = [spec for spec in specs if not spec.paused] or specs
        _apply(jobs, [Change("run", spec) for spec in active], (dry_run, yes, by))


def _jobs_of(jobs: Jobs, function: str) -> list[JobSpec]:
    existing = {name: spec_of(job) for name, job in jobs.all().items()}
    names = jobs_of(_trigger(function).function, jobs.place.region, existing)
    if not names:
        raise LookupError(f"{function} has no job in {jobs.place.parent}; `sync` makes one")
    return [existing[name] for name in sorted(names)]


def _trigger(function: str) -> CronTrigger:
    triggers = cron_triggers()
    if function not in triggers:
        raise LookupError(f"{function} is no scheduled function; these are: {', '.join(triggers)}")
    return triggers[function]


def _apply(jobs: Jobs, todo: Sequence[Change], answers: Answers) -> None:
    dry_run, yes, by = answers
    for change in todo:
        line = f"{SIGNS.get(change.verb, '[cyan]>[/]')} {change.verb} {change.spec.job_id}"
        console.print(f"{line}  {change.why}".rstrip())
    if not todo:
        console.print("Nothing to do: everything is as it should be.")
    elif dry_run:
        console.print("Nothing was done: this was a dry run.")
    else:
        if not yes and not typer.confirm(f"{_place(jobs.place)}: do it?"):
            raise LookupError("nothing was changed")
        record(jobs.place, todo, by or login())
        for change in todo:
            jobs.apply(change)


def _place(place: Place) -> str:
    emulator = os.environ.get(EMULATOR)
    return f"Emulator at {emulator}, project {place.project}" if emulator else f"Project {place.project}"


def record(place: Place, todo: Sequence[Change], by: str) -> None:
    """Store in `audit/` what is about to be done to the jobs of a project: first, so that nothing is done without."""
    with connected(place.project) as deps:
        audit = AuditEntry(
            audit_id=f"schedules:{uuid.uuid4().hex}",
            action="schedules",
            target=place.parent,
            by=by,
            why="by hand",
            at=deps.clock(),
            changed=tuple(asked(change.spec.job_id, None, change.verb) for change in todo),
        )
        deps.store.record(audit)


@contextmanager
def _connected(place: Place) -> Iterator[Jobs]:
    """Connect, and turn what goes wrong into one clear line and exit status 1."""
    jobs = None
    try:
        jobs = Jobs(place)
        yield jobs
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        _fail(f"Cloud Scheduler, {place.parent}: {getattr(error, 'message', error)}")
    except GoogleAuthError as error:
        _fail(f"no Google credentials: {str(error).splitlines()[0]}")
    except (LookupError, ValueError) as error:
        _fail(str(error.args[0]))
    finally:
        if jobs is not None:
            jobs.close()


def _fail(reason: str) -> None:
    print(f"schedules: {reason}", file=sys.stderr)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
