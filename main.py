"""Ecolane's functions, in the order in which a job lives. A use case is loaded when it is first named: in its call."""

from firebase_functions import https_fn
from flask import Request, Response

import functions
from functions import config
from functions.boundary import Answer, Call, Tick, connect_firebase, run_cron, serve_call, serve_webhook
from functions.capacity import BATCHES, CALL, GUARD, OPERATOR, PHOTO, SWEEP, WEBHOOK, WORKERS
from functions.triggers import on_call, on_schedule

connect_firebase()
config.provide_threads()


@on_call(**CALL)
def quote(call: Call) -> Answer:  # what each lane costs now and how long it takes, and which one suits the caller
    return serve_call(call, functions.quote.quote)


@on_call(**PHOTO, secrets=[config.OPENAI_API_KEY])
def classify_image(call: Call) -> Answer:  # charge, then classify now (instant) or queue (batch)
    return serve_call(call, functions.classify_image.classify_image)


@on_call(**PHOTO)
def classify_images(call: Call) -> Answer:  # up to fifty photos into the batch lane, with one call
    return serve_call(call, functions.classify_images.classify_images)


@on_call(**CALL)
def get_job(call: Call) -> Answer:  # one of the caller's own jobs
    return serve_call(call, functions.get_job.get_job)


@on_call(**CALL)
def list_jobs(call: Call) -> Answer:  # the caller's own jobs, newest first, in pages
    return serve_call(call, functions.list_jobs.list_jobs)


@on_call(**PHOTO, secrets=[config.OPENAI_API_KEY])
def upgrade_job(call: Call) -> Answer:  # a queued job into the instant lane, for the difference in price
    return serve_call(call, functions.upgrade_job.upgrade_job)


@on_call(**CALL)
def cancel_job(call: Call) -> Answer:  # a queued job that is not wanted any more; its price comes back
    return serve_call(call, functions.cancel_job.cancel_job)


@on_call(**CALL)
def get_wallet(call: Call) -> Answer:  # balance and recent entries; the first call brings the welcome tokens
    return serve_call(call, functions.get_wallet.get_wallet)


@on_call(**CALL)
def list_ledger(call: Call) -> Answer:  # the caller's whole history, newest first, in pages
    return serve_call(call, functions.list_ledger.list_ledger)


@on_call(**CALL)
def claim_daily_bonus(call: Call) -> Answer:  # a few tokens for coming back, once a UTC day
    return serve_call(call, functions.claim_daily_bonus.claim_daily_bonus)


@on_call(**CALL)
def convert_points(call: Call) -> Answer:  # lifetime points into tokens, a few a day
    return serve_call(call, functions.convert_points.convert_points)


@on_call(**CALL)
def record_manual_classification(call: Call) -> Answer:  # a user says what a thing is, and is rewarded for it
    return serve_call(call, functions.record_manual_classification.record_manual_classification)


@on_call(**CALL)
def register_device(call: Call) -> Answer:  # where to push to, and what the user wants
    return serve_call(call, functions.register_device.register_device)


@on_call(**CALL)
def unregister_device(call: Call) -> Answer:  # a user signs out on a device, which gets no more pushes of theirs
    return serve_call(call, functions.unregister_device.unregister_device)


@on_schedule(schedule="*/5 * * * *", **BATCHES, secrets=[config.OPENAI_API_KEY])
def submit_batches(tick: Tick) -> None:  # queued jobs into OpenAI batches
    run_cron(tick, functions.submit_batches.submit_batches)


@on_schedule(schedule="*/5 * * * *", **BATCHES, secrets=[config.OPENAI_API_KEY])
def poll_batches(tick: Tick) -> None:  # OpenAI batches that have ended into results, requeues and refunds
    run_cron(tick, functions.poll_batches.poll_batches)


@https_fn.on_request(**WEBHOOK, secrets=[config.OPENAI_WEBHOOK_SECRET])
def openai_webhook(request: Request) -> Response:  # OpenAI says that a batch has ended, which brings its poll forward
    return serve_webhook(request, functions.openai_webhook.openai_webhook)


@on_schedule(schedule="*/10 * * * *", **SWEEP)
def recover_jobs(tick: Tick) -> None:  # instant calls that never came back: failed and refunded
    run_cron(tick, functions.recover_jobs.recover_jobs)


@on_schedule(schedule="*/5 * * * *", **WORKERS)
def refresh_credits(tick: Tick) -> None:  # everybody's allowance, at everybody's own minute
    run_cron(tick, functions.refresh_credits.refresh_credits, tick.job_name)


@on_schedule(schedule="*/15 * * * *", **GUARD, secrets=[config.ALERT_WEBHOOK_SECRET])
def guard_budget(tick: Tick) -> None:  # what was spent against what may be; modes, alerts, the new day
    run_cron(tick, functions.guard_budget.guard_budget)


@on_call(operators="read", **OPERATOR)
def admin_stats(call: Call) -> Answer:  # what operators see
    return serve_call(call, functions.admin_stats.admin_stats)


@on_call(operators="write", **OPERATOR)
def admin_set_config(call: Call) -> Answer:  # operators change the runtime config
    return serve_call(call, functions.admin_set_config.admin_set_config)
