"""Ecolane's functions, in the order in which a job lives. Each body is one call; what is heavy is imported inside."""

from typing import Any

from firebase_functions import https_fn, options, scheduler_fn
from flask import Request, Response

from functions import config
from functions.boundary import connect_firebase, run_cron, serve_call, serve_webhook

connect_firebase()
config.provide_threads()
options.set_global_options(
    region=config.REGION,  # type: ignore[arg-type]  # params are resolved by the deploy; the annotation forgot them
    max_instances=20,
    cpu=1,  # left out, it is what the first generation gave: a fraction of one, for one caller at a time
    concurrency=config.CALLERS_AT_ONCE,
)

OPENAI = [config.OPENAI_API_KEY]


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def quote(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """What each lane costs now and how long it takes, and which one suits the caller."""
    from functions import quote as use_case

    return serve_call(call, use_case.Quote, use_case.quote)


@https_fn.on_call(memory=options.MemoryOption.GB_1, timeout_sec=120, secrets=OPENAI)
def classify_image(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Charge, then classify now (instant) or queue (batch)."""
    from functions import classify_image as use_case

    return serve_call(call, use_case.ClassifyImage, use_case.classify_image)


@https_fn.on_call(memory=options.MemoryOption.GB_1, timeout_sec=120)
def classify_images(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Up to fifty photos into the batch lane, with one call."""
    from functions import classify_images as use_case

    return serve_call(call, use_case.ClassifyImages, use_case.classify_images)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def get_job(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """One of the caller's own jobs."""
    from functions import get_job as use_case

    return serve_call(call, use_case.GetJob, use_case.get_job)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def list_jobs(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """The caller's own jobs, newest first, in pages."""
    from functions import list_jobs as use_case

    return serve_call(call, use_case.ListJobs, use_case.list_jobs)


@https_fn.on_call(memory=options.MemoryOption.GB_1, timeout_sec=120, secrets=OPENAI)
def upgrade_job(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """A queued job into the instant lane, for the difference in price."""
    from functions import upgrade_job as use_case

    return serve_call(call, use_case.UpgradeJob, use_case.upgrade_job)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def cancel_job(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """A queued job that is not wanted any more; its price comes back."""
    from functions import cancel_job as use_case

    return serve_call(call, use_case.CancelJob, use_case.cancel_job)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def get_wallet(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Balance and recent entries; the first call brings the welcome tokens."""
    from functions import get_wallet as use_case

    return serve_call(call, use_case.GetWallet, use_case.get_wallet)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def list_ledger(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """The caller's whole history, newest first, in pages."""
    from functions import list_ledger as use_case

    return serve_call(call, use_case.ListLedger, use_case.list_ledger)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def claim_daily_bonus(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """A few tokens for coming back, once a UTC day."""
    from functions import claim_daily_bonus as use_case

    return serve_call(call, use_case.ClaimDailyBonus, use_case.claim_daily_bonus)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def convert_points(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Lifetime points into tokens, a few a day."""
    from functions import convert_points as use_case

    return serve_call(call, use_case.ConvertPoints, use_case.convert_points)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def record_manual_classification(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """A user says what a thing is, and is rewarded for it."""
    from functions import record_manual_classification as use_case

    return serve_call(call, use_case.RecordManualClassification, use_case.record_manual_classification)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def register_device(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Where to push to, and what the user wants."""
    from functions import register_device as use_case

    return serve_call(call, use_case.RegisterDevice, use_case.register_device)


@scheduler_fn.on_schedule(
    schedule="*/5 * * * *", memory=options.MemoryOption.GB_1, timeout_sec=540, concurrency=1, secrets=OPENAI
)
def submit_batches(event: scheduler_fn.ScheduledEvent) -> None:
    """Queued jobs into OpenAI batches."""
    from functions import submit_batches as use_case

    run_cron(event, use_case.submit_batches)


@scheduler_fn.on_schedule(
    schedule="*/5 * * * *", memory=options.MemoryOption.GB_1, timeout_sec=540, concurrency=1, secrets=OPENAI
)
def poll_batches(event: scheduler_fn.ScheduledEvent) -> None:
    """OpenAI batches that have ended into results, requeues and refunds."""
    from functions import poll_batches as use_case

    run_cron(event, use_case.poll_batches)


@https_fn.on_request(
    memory=options.MemoryOption.MB_512, timeout_sec=60, secrets=[*OPENAI, config.OPENAI_WEBHOOK_SECRET]
)
def openai_webhook(request: Request) -> Response:
    """OpenAI says that a batch has ended, which brings its poll forward."""
    from functions import openai_webhook as use_case

    return serve_webhook(request, use_case.openai_webhook)


@scheduler_fn.on_schedule(schedule="*/10 * * * *", memory=options.MemoryOption.MB_512, timeout_sec=540, concurrency=1)
def recover_jobs(event: scheduler_fn.ScheduledEvent) -> None:
    """Instant calls that never came back: failed and refunded."""
    from functions import recover_jobs as use_case

    run_cron(event, use_case.recover_jobs)


@scheduler_fn.on_schedule(schedule="*/5 * * * *", memory=options.MemoryOption.MB_512, timeout_sec=540, concurrency=1)
def refresh_credits(event: scheduler_fn.ScheduledEvent) -> None:
    """Everybody's allowance, at everybody's own minute."""
    from functions import refresh_credits as use_case

    run_cron(event, use_case.refresh_credits, event.job_name)


@scheduler_fn.on_schedule(
    schedule="*/15 * * * *",
    memory=options.MemoryOption.MB_512,
    timeout_sec=540,
    concurrency=1,
    secrets=[config.ALERT_WEBHOOK_SECRET],
)
def guard_budget(event: scheduler_fn.ScheduledEvent) -> None:
    """What was spent against what may be; modes, alerts, the new day."""
    from functions import guard_budget as use_case

    run_cron(event, use_case.guard_budget)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def admin_stats(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """What operators see."""
    from functions import admin_stats as use_case

    return serve_call(call, use_case.AdminStats, use_case.admin_stats, admin=True)


@https_fn.on_call(memory=options.MemoryOption.MB_512, timeout_sec=60)
def admin_set_config(call: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Operators change the runtime config."""
    from functions import admin_set_config as use_case

    return serve_call(call, use_case.AdminSetConfig, use_case.admin_set_config, admin=True)
