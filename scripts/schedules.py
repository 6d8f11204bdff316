"""`python -m scripts.schedules`: the Cloud Scheduler jobs that make the scheduled functions run.

`--dry-run` prints what would be done. Without it the command asks first and records the change in `audit/`.
Credentials are Google's usual ones (`gcloud auth application-default login`).
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Annotated

import grpc
import typer
from google.cloud import scheduler_v1 as api
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from scripts.operators.printing import Screen, table
from scripts.operators.printing import change as asked
from scripts.operators.session import AsJson, By, Project, Yes, changing, command, one_line, place
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
    help="The Cloud Scheduler jobs that run the scheduled functions.", no_args_is_help=True, add_completion=False
)
console = Screen(highlight=False, soft_wrap=True)

Region = Annotated[str, typer.Option(envvar="REGION", help="Where the functions run.")]
Account = Annotated[str, typer.Option(envvar="SCHEDULER_SERVICE_ACCOUNT", help="Who calls the functions (OIDC).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]
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
        found = self._client.list_jobs(parent=self.place.parent, timeout=RPC_TIMEOUT_SECONDS)
        return {job.name.rpartition("/")[2]: job for job in found}

    def apply(self, change: Change) -> None:
        client, name, job = self._client, self._name(change.spec), self._job(change.spec)
        calls: dict[str, Callable[..., object]] = {
            "create": partial(client.create_job, parent=self.place.parent, job=job),
            "update": partial(client.update_job, job=job, update_mask=OURS),
            "delete": partial(client.delete_job, name=name),
            "pause": partial(client.pause_job, name=name),
            "resume": partial(client.resume_job, name=name),
            "run": partial(client.run_job, name=name),
        }
        calls[change.verb](timeout=RPC_TIMEOUT_SECONDS)

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
    """Return the managed fields of a job."""
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


@dataclass(frozen=True)
class Work:
    """One run of a command that changes jobs: the jobs, and the options."""

    jobs: Jobs
    dry_run: bool
    yes: bool
    by: str

    @property
    def place(self) -> Place:
        return self.jobs.place

    @cached_property
    def existing(self) -> dict[str, JobSpec]:
        return {name: spec_of(job) for name, job in self.jobs.all().items()}

    def of_function(self, function: str) -> list[JobSpec]:
        """Return a function's jobs, its workers included."""
        names = jobs_of(_trigger(function).function, self.place.region, self.existing)
        if not names:
            raise LookupError(f"{function} has no job in {self.place.parent}; `sync` makes one")
        return [self.existing[name] for name in sorted(names)]

    def do(self, todo: Sequence[Change]) -> None:
        """Print changes, ask, record them, and make them."""
        for change in todo:
            line = f"{SIGNS.get(change.verb, '[cyan]>[/]')} {change.verb} {change.spec.job_id}"
            console.print(f"{line}  {change.why}".rstrip())
        if not todo:
            console.print("Nothing to do: everything is as it should be.")
        elif self.dry_run:
            console.print("Nothing was done: this was a dry run.")
        else:
            if not self.yes and not typer.confirm(f"{place(self.place.project, os.environ.get(EMULATOR))}: do it?"):
                raise LookupError("nothing was changed")
            self._record(todo)
            for change in todo:
                self.jobs.apply(change)

    def _record(self, todo: Sequence[Change]) -> None:
        """Store in `audit/` what is about to be done: first, so that no change is without a record."""
        with changing(self.place.project, self.by) as operation:
            changed = [asked(change.spec.job_id, None, change.verb) for change in todo]
            operation.store.record(operation.audit("schedules", self.place.parent, changed))


@contextmanager
def _connected(place: Place) -> Iterator[Jobs]:
    """Connect, and turn what goes wrong into one clear line and exit status 1."""
    with (
        one_line("schedules", f"Cloud Scheduler, {place.parent}", LookupError, ValueError),
        closing(Jobs(place)) as jobs,
    ):
        yield jobs


@contextmanager
def _working(
    project: Project, region: Region = "us-central1", dry_run: DryRun = False, yes: Yes = False, by: By = ""
) -> Iterator[Work]:
    with _connected(Place(project, region)) as jobs:
        yield Work(jobs, dry_run, yes, by)


@contextmanager
def _deploying(
    project: Project,
    service_account: Account,
    region: Region = "us-central1",
    dry_run: DryRun = False,
    yes: Yes = False,
    by: By = "",
) -> Iterator[Work]:
    with _working(project, region, dry_run, yes, by) as work:
        work.jobs.place = replace(work.place, service_account=service_account)
        yield work


@app.command("list")
def list_jobs(project: Project, region: Region = "us-central1", as_json: AsJson = False) -> None:
    """Print the jobs."""
    with _connected(Place(project, region)) as jobs:
        rows = [_shown(name, job) for name, job in sorted(jobs.all().items())]
    if as_json:
        print(json.dumps({"jobs": rows}, indent=2))
    else:
        cells = [tuple(row.values()) for row in rows]
        console.print(table("job", "schedule", "state", "next run", "~last run", rows=cells))


def _shown(name: str, job: api.Job) -> dict[str, str]:
    return {
        "job": name,
        "schedule": job.schedule,
        "state": api.Job.State(job.state).name.lower(),
        "next": f"{job.schedule_time:%Y-%m-%d %H:%M}" if job.schedule_time else "-",
        "last": "-" if not job.last_attempt_time else f"failed: {job.status.message}" if job.status.code else "ok",
    }


@app.command()
@command(_deploying)
def sync(work: Work) -> None:
    """Create and update a job for every scheduled function, as main.py declares it."""
    work.do(sync_changes(cron_triggers().values(), work.place, work.existing))


@app.command()
@command(_deploying)
def scale(work: Work, function: Function, workers: Annotated[int, typer.Argument(help="How many.")]) -> None:
    """Give a function this number of workers, each with its own shards."""
    work.do(scale_changes(_trigger(function), work.place, workers, work.existing))


@app.command()
@command(_working)
def pause(work: Work, function: Function) -> None:
    """Stop a function's jobs, workers included."""
    work.do([Change("pause", spec) for spec in work.of_function(function) if not spec.paused])


@app.command()
@command(_working)
def resume(work: Work, function: Function) -> None:
    """Resume a function's jobs: its workers if it has several, otherwise its only job."""
    specs = work.of_function(function)
    workers = [spec for spec in specs if "-worker-" in spec.job_id] or specs
    work.do([Change("resume", spec) for spec in workers if spec.paused])


@app.command()
@command(_working)
def run(work: Work, function: Function) -> None:
    """Run a function now: each of its jobs that is not paused, or all jobs if all are paused."""
    specs = work.of_function(function)
    work.do([Change("run", spec) for spec in [each for each in specs if not each.paused] or specs])


def _trigger(function: str) -> CronTrigger:
    triggers = cron_triggers()
    if function not in triggers:
        raise LookupError(f"{function} is no scheduled function; these are: {', '.join(triggers)}")
    return triggers[function]


if __name__ == "__main__":
    app()
