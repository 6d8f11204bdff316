"""Cloud Scheduler's API, in memory, for its real client: jobs are kept, checked and counted, and none ever fires.

The cron clock of the local cloud fires; this is for the commands that look after the jobs in a project. Refusals are
those of the service: a job that exists, or does not, a schedule that is none, a state that does not allow it.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NoReturn

import grpc
from cronsim import CronSim, CronSimError
from google.cloud import scheduler_v1 as api
from google.protobuf.empty_pb2 import Empty

from localcloud.serving import HOST

SERVICE = "google.cloud.scheduler.v1.CloudScheduler"
PAGE_SIZE_MAX = 500
THREADS = 4
_CRON_FIELDS = 5
_STATE: Any = api.Job.State  # an enum of protobuf's, typed as plain integers


class SchedulerServer:
    """The service on a port of this machine. `jobs` are the jobs by name, `calls` the RPCs so far."""

    def __init__(self, page_size: int = PAGE_SIZE_MAX) -> None:
        """`page_size` is the most jobs that one page of a list has."""
        self.jobs: dict[str, api.Job] = {}
        self.calls: list[str] = []
        self.refuse_with: tuple[grpc.StatusCode, str] | None = None
        self._page_size = page_size
        self._mutex = threading.Lock()
        self._grpc = grpc.server(ThreadPoolExecutor(THREADS, thread_name_prefix="scheduler"))
        self._grpc.add_generic_rpc_handlers((_Handlers(self),))
        self._port = self._grpc.add_insecure_port(f"{HOST}:0")

    @property
    def host(self) -> str:
        """The value for CLOUD_SCHEDULER_EMULATOR_HOST."""
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Serve until `stop`."""
        self._grpc.start()

    def stop(self) -> None:
        """Stop serving."""
        self._grpc.stop(grace=None).wait()

    def answer(self, rpc: str, request: Any, context: Any) -> Any:
        """Answer one call; `refuse_with` refuses every one."""
        with self._mutex:
            self.calls.append(rpc)
            if self.refuse_with is not None:
                context.abort(*self.refuse_with)
            return getattr(self, f"_{rpc}")(request, context)

    def _ListJobs(self, request: api.ListJobsRequest, _: Any) -> api.ListJobsResponse:  # noqa: N802  (the RPC's name)
        found = [job for name, job in sorted(self.jobs.items()) if name.startswith(f"{request.parent}/jobs/")]
        start = int(request.page_token or 0)
        end = start + min(request.page_size or self._page_size, self._page_size)
        return api.ListJobsResponse(jobs=found[start:end], next_page_token=str(end) if end < len(found) else "")

    def _CreateJob(self, request: api.CreateJobRequest, context: Any) -> api.Job:  # noqa: N802
        job = request.job
        if not job.name.startswith(f"{request.parent}/jobs/"):
            _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"Job name must be under {request.parent}/jobs/.")
        if job.name in self.jobs:
            _refuse(context, grpc.StatusCode.ALREADY_EXISTS, f"Job {job.name} already exists.")
        _check(job, context)
        job.state = _STATE.ENABLED
        self.jobs[job.name] = job
        return job

    def _UpdateJob(self, request: api.UpdateJobRequest, context: Any) -> api.Job:  # noqa: N802
        stored = self._stored(request.job.name, context)
        updated = api.Job(stored)
        for path in request.update_mask.paths:
            setattr(updated, path, getattr(request.job, path))
        _check(updated, context)
        self.jobs[stored.name] = updated
        return updated

    def _DeleteJob(self, request: api.DeleteJobRequest, context: Any) -> Empty:  # noqa: N802
        del self.jobs[self._stored(request.name, context).name]
        return Empty()

    def _PauseJob(self, request: api.PauseJobRequest, context: Any) -> api.Job:  # noqa: N802
        return self._switch(request.name, _STATE.ENABLED, _STATE.PAUSED, context)

    def _ResumeJob(self, request: api.ResumeJobRequest, context: Any) -> api.Job:  # noqa: N802
        return self._switch(request.name, _STATE.PAUSED, _STATE.ENABLED, context)

    def _RunJob(self, request: api.RunJobRequest, context: Any) -> api.Job:  # noqa: N802
        job = self._stored(request.name, context)
        job.last_attempt_time = datetime.now(UTC)
        return job

    def _switch(self, name: str, before: Any, after: Any, context: Any) -> api.Job:
        job = self._stored(name, context)
        if job.state != before:
            _refuse(context, grpc.StatusCode.FAILED_PRECONDITION, f"Job state must be {before.name}.")
        job.state = after
        return job

    def _stored(self, name: str, context: Any) -> api.Job:
        if name not in self.jobs:
            _refuse(context, grpc.StatusCode.NOT_FOUND, "Job not found.")
        return self.jobs[name]


def _check(job: api.Job, context: Any) -> None:
    if len(job.schedule.split()) != _CRON_FIELDS:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"Schedule {job.schedule!r} is no unix-cron expression.")
    try:
        CronSim(job.schedule, datetime.now(UTC))
    except CronSimError as error:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"Schedule {job.schedule!r}: {error}")
    if not job.http_target.uri.startswith(("https://", "http://")):
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "HttpTarget.uri must be an HTTP URL.")
    if job.http_target.oidc_token and not job.http_target.oidc_token.service_account_email:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "OidcToken.service_account_email is required.")


def _refuse(context: Any, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError("abort raises")


_RPCS: dict[str, tuple[Any, Callable[[Any], bytes]]] = {
    "ListJobs": (api.ListJobsRequest, api.ListJobsResponse.serialize),
    "CreateJob": (api.CreateJobRequest, api.Job.serialize),
    "UpdateJob": (api.UpdateJobRequest, api.Job.serialize),
    "DeleteJob": (api.DeleteJobRequest, Empty.SerializeToString),
    "PauseJob": (api.PauseJobRequest, api.Job.serialize),
    "ResumeJob": (api.ResumeJobRequest, api.Job.serialize),
    "RunJob": (api.RunJobRequest, api.Job.serialize),
}


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc carries no types
    """Hands each RPC to the server, with messages as their Python types."""

    def __init__(self, server: SchedulerServer) -> None:
        self._server = server

    def service(self, handler_call_details: Any) -> Any:
        service, _, rpc = handler_call_details.method.lstrip("/").partition("/")
        if service != SERVICE or rpc not in _RPCS:
            return None
        request_type, serialize = _RPCS[rpc]
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._server.answer(rpc, request, context),
            request_deserializer=request_type.deserialize,
            response_serializer=serialize,
        )
