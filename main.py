"""Ecolane's functions, in the order in which a job lives. Each body is one call; what is heavy is imported inside."""

from typing import Any

from firebase_functions import https_fn, options, scheduler_fn

from functions import config
from functions.boundary import connect_firebase, run_cron, serve_call

connect_firebase()
options.set_global_options(
    region=config.REGION,  # type: ignore[arg-type]  # params are resolved by the deploy; the annotation forgot them
    max_instances=20,
)

OPENAI = [config.OPENAI_API_KEY]


@https_fn.on_call(memory=options.MemoryOption.GB_1, timeout_sec=120, secrets=OPENAI)
def classify_image(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Charge, then classify now (instant) or queue (batch)."""
    from functions import classify_image as use_case

    return serve_call(call, use_case.ClassifyImage, use_case.classify_image)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def get_job(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """One of the caller's own jobs."""
    from functions import get_job as use_case

    return serve_call(call, use_case.GetJob, use_case.get_job)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def get_wallet(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Balance and recent entries; the first call brings the welcome tokens."""
    from functions import get_wallet as use_case

    return serve_call(call, use_case.GetWallet, use_case.get_wallet)


@scheduler_fn.on_schedule(schedule="*/5 * * * *", memory=options.MemoryOption.GB_1, timeout_sec=540, secrets=OPENAI)
def submit_batches(event: scheduler_fn.ScheduledEvent) -> None:
    """Queued jobs into OpenAI batches."""
    from functions import submit_batches as use_case

    run_cron(event, use_case.submit_batches)


@scheduler_fn.on_schedule(schedule="*/5 * * * *", memory=options.MemoryOption.GB_1, timeout_sec=540, secrets=OPENAI)
def poll_batches(event: scheduler_fn.ScheduledEvent) -> None:
    """OpenAI batches that have ended into results, requeues and refunds."""
    from functions import poll_batches as use_case

    run_cron(event, use_case.poll_batches)
