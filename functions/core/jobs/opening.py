"""Opening jobs: what an order becomes in each lane, and which orders of a user are charged. One decision, pure:

    Opened          jobs with their charges, and by job why the others are refused
    RecountNeeded   the day's actual spend has to be added up first

The store, which puts it into a transaction, can find two things more:

    NoRoom          the day's budget has no room for the hold, at least not on this shard
    Replayed        a key is in use already, or the reply to our own commit was lost: what is stored tells which
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from functions.core.budget.holds import CostCeiling, NoRoom
from functions.core.config.plans import Feature
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.idempotency import job_id_for
from functions.core.jobs.jobs import JOB_LIFETIME, Job, Status, shard_of
from functions.core.refresh.refresh import credit_due
from functions.core.shared.errors import EcolaneError
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_of
from functions.core.wallet.accounts import Account, bought_part, charge
from functions.core.wallet.achievements import unlocked
from functions.core.wallet.earning import streak
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.perks import has_priority
from functions.core.wallet.presets import NO_PRESET, Preset
from functions.core.wallet.prompts import prompted
from functions.core.wallet.quotas import RecountNeeded, add_cost, recounted, require_feature, use_quota, visited


@dataclass(frozen=True)
class Asked:
    """One photo as its user asked for it, when, and in which invocation. None stands for the default: that of the named
    `preset`, which `wants` so much, or the config's."""

    uid: str
    request_id: str
    image_path: str
    lane: Lane
    region: str | None
    language: str | None
    opened_by: str
    at: datetime
    payer: str | None = None
    preset: str | None = None
    wants: Preset = NO_PRESET


@dataclass(frozen=True)
class Opened:
    """The account after the charges, the stored jobs, the refusals by job id, and the version that guards the next
    write."""

    account: Account
    jobs: tuple[Job, ...]
    refused: Mapping[str, EcolaneError] = field(default_factory=dict)
    version: datetime | None = None


@dataclass(frozen=True)
class Replayed:
    """A commit failed because one of its documents exists, or its reply was lost. `cause` is the store's error."""

    cause: Exception


Outcome = Opened | Replayed | NoRoom | RecountNeeded


def instant_job(asked: Asked, price: int, runtime: RuntimeConfig) -> Job:
    """Return the job that is classified now, under a lease; it is stored with a hold on the budget."""
    lease_until = asked.at + timedelta(seconds=runtime.instant.lease_seconds)
    own = {"mode": Lane.INSTANT, "status": Status.PROCESSING, "attempts": 1, "lease_until": lease_until}
    return _job(asked, price, runtime, **own)


def batch_job(asked: Asked, price: int, wait: timedelta, runtime: RuntimeConfig) -> Job:
    """Return the job that is queued; its batch has the hold."""
    own = {"mode": Lane.BATCH, "status": Status.QUEUED, "queued_at": asked.at, "estimated_completion": asked.at + wait}
    return _job(asked, price, runtime, **own)


def _job(asked: Asked, price: int, runtime: RuntimeConfig, **own: Any) -> Job:
    job_id = job_id_for(asked.uid, asked.request_id)
    every: dict[str, Any] = {
        "job_id": job_id,
        "uid": asked.uid,
        "payer": asked.payer or asked.wants.payer,
        "image_path": asked.image_path,
        "requested_mode": asked.lane,
        "requested_region": asked.region,
        "requested_language": asked.language,
        "preset": asked.preset,
        "region": asked.region or asked.wants.region or runtime.default_region,
        "language": asked.language or asked.wants.language or runtime.default_language,
        "tokens_cost": price,
        "points": runtime.tokens.points_per_classification,
        "created_at": asked.at,
        "day": day_of(asked.at),
        "shard": shard_of(job_id),
        "estimated_completion": None,
        "opened_by": asked.opened_by,
        "expire_at": asked.at + JOB_LIFETIME,
    }
    return Job(**{**every, **own})


def decide(
    wallet: Wallet | None, jobs: Sequence[Job], ceiling: CostCeiling, runtime: RuntimeConfig
) -> Opened | RecountNeeded:
    """Decide which of one user's jobs are charged, in their order and after the credit due; the balance, and their
    places."""
    now = jobs[0].created_at
    due = credit_due(wallet, jobs[0].uid, runtime, now)
    cap = runtime.plans.micros_per_day(due.wallet.plan, runtime.budget.per_user_daily_micros)
    asking = sum(job.status is not Status.DONE for job in jobs)  # an answer that is there costs nothing again
    account = recounted(due, asking * ceiling.micros, cap, now, ceiling.recount) if asking else due
    if isinstance(account, RecountNeeded):
        return account
    plan = runtime.plans.of(account.wallet.plan)
    faithful = streak(account.wallet, now) >= runtime.tokens.streak_days_for_priority
    changes: dict[str, Any] = {
        "priority": plan.priority + faithful + has_priority(account.wallet, now),
        "notify": account.wallet.push_tokens,
    }
    changes |= {"hold": ceiling.hold, "arms": ceiling.arms}
    opened: list[Job] = []
    refused: dict[str, EcolaneError] = {}
    bulk = len(jobs) > 1
    for job in jobs:
        admit = partial(_admitted, job=job, ceiling=ceiling, runtime=runtime, bulk=bulk)
        try:
            account = admit(account)
        except EcolaneError as error:
            refused[job.job_id] = prompted(error, account, runtime, now, admit)
        else:
            paid = {"tokens_cost": -account.new_entries[-1].delta, "tokens_bought": bought_part(account)}
            account, visit = visited(account, now)
            opened.append(job.model_copy(update={**changes, **paid, **visit}))
    return Opened(unlocked(account, runtime, now) if opened else account, tuple(opened), refused)


def _admitted(account: Account, job: Job, ceiling: CostCeiling, runtime: RuntimeConfig, *, bulk: bool) -> Account:
    """Return the account after a job's charge, at what its plan takes. Raises what it is refused with."""
    name, now = account.wallet.plan, job.created_at
    plan = runtime.plans.of(name)
    account.wallet.require_room(0, now)  # who is in no such team is told that, and not what its plan lacks
    if bulk:
        require_feature(Feature.BULK, name, runtime.plans)
    if job.status is not Status.DONE:
        cap = runtime.plans.micros_per_day(name, runtime.budget.per_user_daily_micros)
        account = add_cost(account, ceiling.micros, cap, now)
    price = 0 if plan.unlimited else job.tokens_cost
    return charge(use_quota(account, Lane(job.mode), plan, now), job.job_id, price, now, points=job.points)
