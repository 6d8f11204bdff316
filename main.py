"""Ecolane's functions, in the order in which a job lives.

Each loads its use case in its first call: a process of `quote` loads no other, which keeps cold starts short.
"""

from flask import Request, Response

from functions.deploy import params, providers
from functions.deploy.bulk_options import BULK, LISTING
from functions.deploy.options import BATCHES, CALL, ERASER, EXPORT, GUARD, OPERATOR, PHOTO, SWEEP, WEBHOOK, WORKERS
from functions.deploy.shop import params as shop
from functions.edge.callables import Answer, Call, connect_firebase, on_call, serve_call
from functions.edge.crons import Tick, on_schedule, run_cron
from functions.edge.parts import serve_parts
from functions.edge.webhooks import on_webhook, serve_webhook

connect_firebase()
params.provide_threads()


@on_call(**CALL)
def get_home(call: Call) -> Answer:
    """Show what an app's first screen needs: balance, prices, open jobs, messages."""
    from functions.use_cases.jobs.get_home import get_home as use_case

    return serve_parts(call, use_case)


@on_call(**CALL)
def quote(call: Call) -> Answer:
    """Show price and wait of each lane now, balance, queue position and health, and the lane to recommend."""
    from functions.use_cases.jobs.quote import quote as use_case

    return serve_call(call, use_case)


@on_call(**PHOTO, secrets=[providers.OPENAI_API_KEY, providers.ANTHROPIC_API_KEY, providers.AZURE_API_KEY])
def classify_image(call: Call) -> Answer:
    """Charge, then classify now (instant) or queue (batch); idempotent by `requestId`."""
    from functions.use_cases.jobs.classify_image import classify_image as use_case

    return serve_call(call, use_case)


@on_call(**PHOTO)
def classify_images(call: Call) -> Answer:
    """Take up to 50 photos into the batch lane, with one call and one transaction."""
    from functions.use_cases.jobs.classify_images import classify_images as use_case

    return serve_call(call, use_case)


@on_call(**LISTING)
def start_bulk(call: Call) -> Answer:
    """Start a bulk job of up to 10,000 photos, at one price; idempotent by `requestId`."""
    from functions.use_cases.bulk.start_bulk import start_bulk as use_case

    return serve_call(call, use_case)


@on_call(**LISTING)
def get_bulk(call: Call) -> Answer:
    """Show how far one of the caller's own bulk jobs is, with a link to its report."""
    from functions.use_cases.bulk.get_bulk import get_bulk as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def cancel_bulk(call: Call) -> Answer:
    """Cancel a bulk job and refund what has not left the queue."""
    from functions.use_cases.bulk.cancel_bulk import cancel_bulk as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def get_job(call: Call) -> Answer:
    """Show one of the caller's own jobs."""
    from functions.use_cases.jobs.get_job import get_job as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def list_jobs(call: Call) -> Answer:
    """List the caller's own jobs, newest first, in pages, with the fields asked for."""
    from functions.use_cases.jobs.list_jobs import list_jobs as use_case

    return serve_call(call, use_case)


@on_call(**PHOTO, secrets=[providers.OPENAI_API_KEY, providers.ANTHROPIC_API_KEY, providers.AZURE_API_KEY])
def upgrade_job(call: Call) -> Answer:
    """Move a queued job into the instant lane, for the difference in price."""
    from functions.use_cases.jobs.upgrade_job import upgrade_job as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def cancel_job(call: Call) -> Answer:
    """Cancel a queued job and refund its price."""
    from functions.use_cases.jobs.cancel_job import cancel_job as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def report_answer(call: Call) -> Answer:
    """Take a user's word that an answer is wrong: it is not given again, and a cached one's price comes back."""
    from functions.use_cases.jobs.report_answer import report_answer as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def get_wallet(call: Call) -> Answer:
    """Show balance, today's quotas and recent entries; the first call brings the welcome tokens."""
    from functions.use_cases.wallet.get_wallet import get_wallet as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def list_ledger(call: Call) -> Answer:
    """List the caller's whole ledger, newest first, in pages."""
    from functions.use_cases.wallet.list_ledger import list_ledger as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def claim_daily_bonus(call: Call) -> Answer:
    """Grant a few tokens for coming back, once a UTC day."""
    from functions.use_cases.wallet.claim_daily_bonus import claim_daily_bonus as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def convert_points(call: Call) -> Answer:
    """Convert lifetime points into tokens, a few a day."""
    from functions.use_cases.wallet.convert_points import convert_points as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def buy_perk(call: Call) -> Answer:
    """Sell a day of priority, or a day that may be left out of a streak, for tokens."""
    from functions.use_cases.wallet.buy_perk import buy_perk as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def record_manual_classification(call: Call) -> Answer:
    """Reward a user who says what a thing is."""
    from functions.use_cases.wallet.record_manual_classification import record_manual_classification as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def set_leaderboard(call: Call) -> Answer:
    """Take part in the leaderboard under a name, change it, or take part no more."""
    from functions.use_cases.leaderboard.set_leaderboard import set_leaderboard as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def get_leaderboard(call: Call) -> Answer:
    """Show the first hundred of a week, a month or ever, and the caller's rank."""
    from functions.use_cases.leaderboard.get_leaderboard import get_leaderboard as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def save_preset(call: Call) -> Answer:
    """Keep what the user wants for many photos, under a name."""
    from functions.use_cases.wallet.save_preset import save_preset as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def create_team(call: Call) -> Answer:
    """Found a team, whose members spend from one wallet; idempotent by `requestId`."""
    from functions.use_cases.teams.create_team import create_team as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def invite_member(call: Call) -> Answer:
    """Make a code that lets one user into a team; idempotent by `requestId`."""
    from functions.use_cases.teams.invite_member import invite_member as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def join_team(call: Call) -> Answer:
    """Let the caller into a team, by an invite's code."""
    from functions.use_cases.teams.join_team import join_team as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def change_member(call: Call) -> Answer:
    """Change a member's role or monthly limit, or take a member out of a team; leave one."""
    from functions.use_cases.teams.change_member import change_member as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def get_team(call: Call) -> Answer:
    """Show a team's tokens, and its members with what each has spent."""
    from functions.use_cases.teams.get_team import get_team as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def give_tokens(call: Call) -> Answer:
    """Give bought tokens to a member of a team, one's own or the team's, or return them to the team."""
    from functions.use_cases.teams.give_tokens import give_tokens as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def register_device(call: Call) -> Answer:
    """Store where to push to, and the user's preferences."""
    from functions.use_cases.wallet.register_device import register_device as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def unregister_device(call: Call) -> Answer:
    """Sign a user out on a device, which gets no more of their pushes."""
    from functions.use_cases.wallet.unregister_device import unregister_device as use_case

    return serve_call(call, use_case)


@on_call(**EXPORT)
def export_account(call: Call) -> Answer:
    """Show all that we hold of the caller, in pages."""
    from functions.use_cases.privacy.export_account import export_account as use_case

    return serve_call(call, use_case)


@on_call(**CALL)
def delete_account(call: Call) -> Answer:
    """Close the caller's account: nothing works any more, and what names the user is erased."""
    from functions.use_cases.privacy.delete_account import delete_account as use_case

    return serve_call(call, use_case)


@on_call(sells=True, **CALL)
def get_billing(call: Call) -> Answer:
    """Show what is sold, the plan that is paid for, bought tokens, and what a photo costs."""
    from functions.use_cases.payments.get_billing import get_billing as use_case

    return serve_call(call, use_case)


@on_call(sells=True, **CALL, secrets=[shop.STRIPE_API_KEY])
def start_checkout(call: Call) -> Answer:
    """Open the page on which a pack or a plan is paid, on the web; idempotent by `requestId`."""
    from functions.use_cases.payments.start_checkout import start_checkout as use_case

    return serve_call(call, use_case)


@on_call(sells=True, **CALL, secrets=[shop.STRIPE_API_KEY])
def set_pay_per_use(call: Call) -> Answer:
    """Let packs be bought by themselves, with a saved card and up to the caller's own cap of a month, or no more."""
    from functions.use_cases.payments.set_pay_per_use import set_pay_per_use as use_case

    return serve_call(call, use_case)


@on_call(sells=True, **CALL, secrets=[shop.STRIPE_API_KEY])
def open_billing_portal(call: Call) -> Answer:
    """Open the page on which a plan is changed or cancelled: at Stripe, or at the store that sold it."""
    from functions.use_cases.payments.open_billing_portal import open_billing_portal as use_case

    return serve_call(call, use_case)


@on_call(sells=True, **CALL, secrets=[shop.STRIPE_API_KEY, shop.REVENUECAT_API_KEY])
def sync_purchases(call: Call) -> Answer:
    """Credit at once what the caller has just bought, in a store or by a checkout."""
    from functions.use_cases.payments.sync_purchases import sync_purchases as use_case

    return serve_call(call, use_case)


@on_webhook(sells=True, **WEBHOOK, secrets=[shop.STRIPE_API_KEY, shop.STRIPE_WEBHOOK_SECRET])
def stripe_webhook(request: Request) -> Response:
    """Look at what Stripe says has changed."""
    from functions.use_cases.payments.stripe_webhook import stripe_webhook as use_case

    return serve_webhook(request, use_case)


@on_webhook(sells=True, **WEBHOOK, secrets=[shop.REVENUECAT_API_KEY, shop.REVENUECAT_WEBHOOK_SECRET])
def revenuecat_webhook(request: Request) -> Response:
    """Look at the purchases of whom RevenueCat says that they have changed."""
    from functions.use_cases.payments.revenuecat_webhook import revenuecat_webhook as use_case

    return serve_webhook(request, use_case)


@on_schedule(sells=True, schedule="*/15 * * * *", **SWEEP, secrets=[shop.STRIPE_API_KEY, shop.REVENUECAT_API_KEY])
def reconcile_billing(tick: Tick) -> None:
    """Look at what was sold and not heard of, at each payer once a day, and at plans that end."""
    from functions.use_cases.payments.reconcile_billing import reconcile_billing as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="*/5 * * * *", **BULK)
def run_bulk(tick: Tick) -> None:
    """Take photos of bulk jobs on, count their answers, and write their reports."""
    from functions.use_cases.bulk.run_bulk import run_bulk as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="*/5 * * * *", **BATCHES, secrets=[providers.OPENAI_API_KEY, providers.ANTHROPIC_API_KEY])
def submit_batches(tick: Tick) -> None:
    """Send queued jobs in batches to OpenAI or Anthropic."""
    from functions.use_cases.batches.submit_batches import submit_batches as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="*/5 * * * *", **BATCHES, secrets=[providers.OPENAI_API_KEY, providers.ANTHROPIC_API_KEY])
def poll_batches(tick: Tick) -> None:
    """Turn finished batches into results, retries and refunds."""
    from functions.use_cases.batches.poll_batches import poll_batches as use_case

    run_cron(tick, use_case)


@on_webhook(**WEBHOOK, secrets=[params.OPENAI_WEBHOOK_SECRET])
def openai_webhook(request: Request) -> Response:
    """Bring a batch's poll forward when OpenAI says that the batch has ended."""
    from functions.use_cases.batches.openai_webhook import openai_webhook as use_case

    return serve_webhook(request, use_case)


@on_schedule(schedule="*/10 * * * *", **SWEEP)
def recover_jobs(tick: Tick) -> None:
    """Fail and refund instant calls that never came back."""
    from functions.use_cases.jobs.recover_jobs import recover_jobs as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="*/5 * * * *", **WORKERS)
def refresh_credits(tick: Tick) -> None:
    """Credit everybody's daily or monthly allowance, at everybody's own minute."""
    from functions.use_cases.refresh.refresh_credits import refresh_credits as use_case

    run_cron(tick, use_case, tick.job_name)


@on_schedule(schedule="*/15 * * * *", **ERASER)
def erase_accounts(tick: Tick) -> None:
    """Remove sign-ins, photos and words of users who have left."""
    from functions.use_cases.privacy.erase_accounts import erase_accounts as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="*/15 * * * *", **GUARD, secrets=[params.ALERT_WEBHOOK_SECRET])
def guard_budget(tick: Tick) -> None:
    """Review spend against limits: mode, repairs, alerts, the new day."""
    from functions.use_cases.operations.guard_budget import guard_budget as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="*/1 * * * *", **SWEEP)
def guard_rollouts(tick: Tick) -> None:
    """Compare the paths of each flag that is being rolled out, and take back what fails."""
    from functions.use_cases.operations.guard_rollouts import guard_rollouts as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="20 0 * * *", **SWEEP)
def plan_ahead(tick: Tick) -> None:
    """Forecast five weeks of photos and cost, under the limits."""
    from functions.use_cases.insights.plan_ahead import plan_ahead as use_case

    run_cron(tick, use_case)


@on_schedule(schedule="10 * * * *", **SWEEP)
def rank_users(tick: Tick) -> None:
    """Write the leaderboard: the first hundred, and how many users have how many points."""
    from functions.use_cases.leaderboard.rank_users import rank_users as use_case

    run_cron(tick, use_case)


@on_call(operators="read", **OPERATOR)
def admin_stats(call: Call) -> Answer:
    """Show operators budget, queue, batches, crons, refresh, dead letters, alerts and costs."""
    from functions.use_cases.operations.admin_stats import admin_stats as use_case

    return serve_call(call, use_case)


@on_call(operators="read", **OPERATOR)
def admin_days(call: Call) -> Answer:
    """Show operators the last days, and what they would have been under other settings."""
    from functions.use_cases.insights.admin_days import admin_days as use_case

    return serve_call(call, use_case)


@on_call(operators="write", **OPERATOR)
def admin_set_config(call: Call) -> Answer:
    """Change prices, limits and plans, on record."""
    from functions.use_cases.operations.admin_set_config import admin_set_config as use_case

    return serve_call(call, use_case)


@on_call(operators="write", **OPERATOR)
def admin_mark_alert(call: Call) -> Answer:
    """Note whether an alert was of use, or expected."""
    from functions.use_cases.operations.admin_mark_alert import admin_mark_alert as use_case

    return serve_call(call, use_case)


@on_call(operators="write", **OPERATOR)
def admin_try_saving(call: Call) -> Answer:
    """Try a recommendation on recent photos, in one batch, before it is offered."""
    from functions.use_cases.insights.admin_try_saving import admin_try_saving as use_case

    return serve_call(call, use_case)


@on_call(operators="write", **OPERATOR)
def admin_rollout(call: Call) -> Answer:
    """Stop a flag, or start it anew, on record."""
    from functions.use_cases.operations.admin_rollout import admin_rollout as use_case

    return serve_call(call, use_case)
