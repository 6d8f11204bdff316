"""Which Cloud Scheduler jobs there should be, and how the existing jobs differ. Pure: no calls.

The table is main.py itself: each `on_schedule` trigger has one job, with the name that the Firebase CLI gives it, so
that both maintain the same job. A scaled function has numbered jobs instead, and its single job is paused.
"""

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from functions.core.refresh.worker_shards import WORKERS_MAX

SCALABLE = ("refresh_credits", "submit_batches", "poll_batches")
"""Functions whose runs may overlap, each with other shards."""


@dataclass(frozen=True)
class CronTrigger:
    """A scheduled function as main.py declares it."""

    function: str
    schedule: str
    time_zone: str
    timeout_seconds: int


@dataclass(frozen=True)
class Place:
    """Where the functions are deployed, and who calls them there."""

    project: str
    region: str
    service_account: str = ""

    @property
    def parent(self) -> str:
        """The path that the jobs are under."""
        return f"projects/{self.project}/locations/{self.region}"

    def url(self, function: str) -> str:
        """Return a function's address, which is also the audience of its callers' tokens."""
        return f"https://{self.region}-{self.project}.cloudfunctions.net/{function}"


@dataclass(frozen=True)
class JobSpec:
    """The fields of a job that are managed here. `job_id` is the last part of its name."""

    job_id: str
    schedule: str
    time_zone: str
    url: str
    service_account: str
    audience: str
    deadline_seconds: int
    paused: bool


@dataclass(frozen=True)
class Change:
    """One thing to do: `create`, `update`, `delete`, `pause` or `resume` the job `spec`. `why` is for people."""

    verb: str
    spec: JobSpec
    why: str = ""


def cron_triggers() -> dict[str, CronTrigger]:
    """Return the scheduled functions of main.py by name, in its order."""
    found = {}
    for name, function in vars(importlib.import_module("main")).items():
        endpoint = getattr(function, "__firebase_endpoint__", None)
        if endpoint is None or not endpoint.scheduleTrigger:
            continue
        zone = endpoint.scheduleTrigger.get("timeZone")
        found[name] = CronTrigger(
            name,
            endpoint.scheduleTrigger["schedule"],
            zone if isinstance(zone, str) else "UTC",
            endpoint.timeoutSeconds,
        )
    return found


def job_id(function: str, region: str, number: int = 1, of: int = 1) -> str:
    """Return the id of a function's only job, or of one of several workers'."""
    if of == 1:
        return f"firebase-schedule-{function}-{region}"
    return f"ecolane-{function}-{region}-worker-{number}-of-{of}"


def jobs_of(function: str, region: str, existing: Iterable[str]) -> list[str]:
    """Return those of these job ids that are a function's, its workers included."""
    prefixes = f"ecolane-{function}-{region}-worker-"
    return [name for name in existing if name == job_id(function, region) or name.startswith(prefixes)]


def workers_now(function: str, region: str, existing: Iterable[str]) -> int:
    """Return how many workers a function has: the highest `of` that a job names."""
    counts = [int(name.rpartition("-of-")[2]) for name in jobs_of(function, region, existing) if "-worker-" in name]
    return max(counts, default=1)


def wanted(trigger: CronTrigger, place: Place, workers: int, *, paused: bool = False) -> list[JobSpec]:
    """Return the jobs of a function with this number of workers. `paused` pauses all of them.

    Raises ValueError if it cannot have so many.
    """
    if workers != 1 and trigger.function not in SCALABLE:
        raise ValueError(f"{trigger.function} has one worker; only {', '.join(SCALABLE)} can have more")
    if not 1 <= workers <= WORKERS_MAX:
        raise ValueError(f"workers: from 1 to {WORKERS_MAX}, not {workers}")
    numbered = [(number, workers) for number in range(1, workers + 1)] if workers > 1 else []
    url = place.url(trigger.function)
    return [
        JobSpec(
            job_id=job_id(trigger.function, place.region, number, of),
            schedule=trigger.schedule,
            time_zone=trigger.time_zone,
            url=url,
            service_account=place.service_account,
            audience=url,
            deadline_seconds=trigger.timeout_seconds,
            paused=paused or (of == 1 and workers > 1),
        )
        for number, of in [*numbered, (1, 1)]
    ]


def changes(specs: Iterable[JobSpec], existing: Mapping[str, JobSpec], obsolete: Iterable[str] = ()) -> list[Change]:
    """Return the changes from the existing to the wanted jobs: additions first, so that no run is missed."""
    todo: list[Change] = []
    for spec in specs:
        now = existing.get(spec.job_id)
        if now is None:
            todo.append(Change("create", spec, f"{spec.schedule} → {spec.url}"))
        elif differing := _differing(now, spec):
            todo.append(Change("update", spec, differing))
        if spec.paused and (now is None or not now.paused):
            todo.append(Change("pause", spec))
        elif now is not None and now.paused and not spec.paused:
            todo.append(Change("resume", spec))
    return todo + [Change("delete", existing[name]) for name in obsolete]


def _differing(now: JobSpec, spec: JobSpec) -> str:
    names = [field.name for field in fields(JobSpec) if field.name not in {"job_id", "paused"}]
    differing = [name for name in names if getattr(now, name) != getattr(spec, name)]
    return ", ".join(f"{name}: {getattr(now, name)} → {getattr(spec, name)}" for name in differing)


def sync_changes(triggers: Iterable[CronTrigger], place: Place, existing: Mapping[str, JobSpec]) -> list[Change]:
    """Return the changes that give every trigger its jobs. Its number of workers and its pause stay as they are."""
    todo: list[Change] = []
    for trigger in triggers:
        theirs = jobs_of(trigger.function, place.region, existing)
        workers = workers_now(trigger.function, place.region, theirs)
        paused = bool(theirs) and all(existing[name].paused for name in theirs)
        specs = wanted(trigger, place, workers, paused=paused)
        todo += changes(specs, existing, _others(theirs, specs))
    return todo


def scale_changes(trigger: CronTrigger, place: Place, workers: int, existing: Mapping[str, JobSpec]) -> list[Change]:
    """Return the changes that give a function this number of workers. Raises ValueError as `wanted` does."""
    specs = wanted(trigger, place, workers)
    return changes(specs, existing, _others(jobs_of(trigger.function, place.region, existing), specs))


def _others(names: Iterable[str], specs: Iterable[JobSpec]) -> list[str]:
    stay = {spec.job_id for spec in specs}
    return [name for name in names if name not in stay]
