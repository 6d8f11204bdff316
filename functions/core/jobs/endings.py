"""How a job ends that does not end with a result: its refund and its end are one decision, for one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from functions.core.budget.holds import CostCeiling
from functions.core.config.plans import Feature
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.checks import is_check
from functions.core.jobs.jobs import BY_THE_PHOTO, Failure, Job, JobError, Status, counted_on
from functions.core.jobs.legs import Tried
from functions.core.jobs.transitions import failed, upgraded
from functions.core.model.usage import Usage
from functions.core.refresh.refresh import credit_due
from functions.core.shared.errors import EcolaneError, JobNotFound, JobNotUpgradable
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields
from functions.core.wallet.accounts import Account, bought_part, refund
from functions.core.wallet.accounts import upgrade as pay_upgrade
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.prompts import prompted
from functions.core.wallet.quotas import (
    RecountNeeded,
    add_cost,
    count_failure,
    recounted,
    require_feature,
    return_quota,
    use_quota,
)
from functions.core.wallet.token_prices import Prices, require_within


class Settled(NamedTuple):
    """The account to write, None if there is none any more, and the job's fields."""

    account: Account | None
    fields: Fields


Decision = Callable[[Wallet | None, Job], Settled | None]
"""Looks at a wallet and a job as they are now. None: this job is not, or no longer, the caller's to end."""

UpgradeDecision = Callable[[Wallet | None, Job], Settled | RecountNeeded | None]
"""The same for an upgrade. None: it is in the instant lane already."""


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade is bought at, by which invocation, and how long that may take."""

    prices: Prices
    tokens_max: int | None
    opened_by: str
    lease_until: datetime
    ceiling: CostCeiling


def refunding(
    held: Callable[[Job], bool],
    error: JobError,
    cost_micros: int,
    now: datetime,
    usage: Usage | None = None,
    tried: Sequence[Tried] = (),
) -> Decision:
    """Return the decision to fail and refund a job that is processing and `held` by the caller. `cost_micros` is all
    that was spent on it, `tried` by provider, and `usage` the last attempt's: the operator still owes the provider for
    a refunded photo, a few times a day."""
    ended = failed(error, cost_micros, now, usage, tried)

    def decide(wallet: Wallet | None, job: Job) -> Settled | None:
        if job.status is not Status.PROCESSING or not held(job):
            return None
        if wallet is not None and not is_check(job.job_id) and error.code in BY_THE_PHOTO and cost_micros:
            return paid_for_nothing(Account(wallet), job, ended, now)
        return Settled(_refunded(wallet, job, now), ended)

    return decide


def paid_for_nothing(account: Account, job: Job, ended: Fields, now: datetime) -> Settled:
    """End a job in this way that the operator has paid for, and that came to nothing for what its photo shows: it is
    refunded the first few times of a day."""
    account, comes_back = count_failure(account, now)
    if comes_back:
        account = refund(account, job.job_id, job.tokens_cost, now, points=job.points, bought=job.tokens_bought)
        return Settled(account, ended)
    return Settled(account, {**ended, "chargeStands": True})


def giving_up(now: datetime) -> Decision:
    """Return the decision to fail and refund a job that has waited in the queue for too long."""
    error = JobError(code=Failure.WAITED_TOO_LONG, message="The photo could not be classified in time.")

    def decide(wallet: Wallet | None, job: Job) -> Settled | None:
        if job.status is not Status.QUEUED:
            return None
        return Settled(_refunded(wallet, job, now), failed(error, job.cost_micros, now))

    return decide


def upgrading(uid: str, runtime: RuntimeConfig, now: datetime, upgrade: Upgrade) -> UpgradeDecision:
    """Return the decision to take the user's queued job into the instant lane for the price difference, after the
    credit due. A job that is in the instant lane already stays as it is.

    Raises:
        JobNotFound: it is somebody else's.
        JobNotUpgradable: it has left the queue; detail `status`.
        RateLimited, DailyLimit, MonthlyLimit, PlanRequired, PriceChanged, InsufficientTokens: nothing is changed.
    """
    most = upgrade.ceiling.micros

    def decide(wallet: Wallet | None, job: Job) -> Settled | RecountNeeded | None:
        require_owner(job, uid)
        if job.mode is Lane.INSTANT:
            return None
        if wallet is None:
            raise JobNotUpgradable("Only a queued job can be upgraded.", status=job.status)
        difference = upgrade_price(job, upgrade.prices, upgrade.tokens_max)
        cap = runtime.plans.micros_per_day(wallet.plan, runtime.budget.per_user_daily_micros)
        counted = recounted(credit_due(wallet, uid, runtime, now), most, cap, now, upgrade.ceiling.recount)
        if isinstance(counted, RecountNeeded):
            return counted
        admit = partial(_admitted, job=job, difference=difference, most=most, runtime=runtime, now=now)
        try:
            account = admit(counted)
        except EcolaneError as error:
            raise prompted(error, counted, runtime, now, admit) from None
        ceiling = upgrade.ceiling
        fields = upgraded(
            upgrade.opened_by,
            job.tokens_cost - account.new_entries[-1].delta,
            upgrade.lease_until,
            job.attempts,
            ceiling.hold,
            ceiling.arms,
            tokens_bought=job.tokens_bought + bought_part(account),
        )
        return Settled(account, fields)

    return decide


def _admitted(account: Account, job: Job, difference: int, most: int, runtime: RuntimeConfig, now: datetime) -> Account:
    """Return the account after an upgrade, at what its plan takes. Raises what it is refused with."""
    name = account.wallet.plan
    plan, cap = runtime.plans.of(name), runtime.plans.micros_per_day(name, runtime.budget.per_user_daily_micros)
    require_feature(Feature.UPGRADE, name, runtime.plans)
    account = return_quota(add_cost(account, most, cap, now), Lane.BATCH, counted_on(job), now)
    account = use_quota(account, Lane.INSTANT, plan, now)
    return pay_upgrade(account, job.job_id, 0 if plan.unlimited else difference, now)


def upgrade_price(job: Job, prices: Prices, tokens_max: int | None) -> int:
    """Return the price difference to the instant lane, in tokens. Raises JobNotUpgradable if the job has left the queue
    (detail `status`), PriceChanged if it is more than the caller wants to pay."""
    if job.status is not Status.QUEUED or job.mode is not Lane.BATCH:
        raise JobNotUpgradable("Only a queued job can be upgraded.", status=job.status)
    difference = max(prices.instant - job.tokens_cost, 0)
    require_within(difference, tokens_max, prices)
    return difference


def require_owner(job: Job | None, uid: str) -> Job:
    """Return the caller's job. Raises JobNotFound for none and for somebody else's alike."""
    if job is None or job.uid != uid:
        raise JobNotFound("You have no job with this jobId.")
    return job


def _refunded(wallet: Wallet | None, job: Job, now: datetime) -> Account | None:
    """Give the price and the day's quota back. A user who was erased, ledger and all, gets no new wallet: a refund
    would be the first thing kept of them again. Nobody has paid for a check."""
    if wallet is None or is_check(job.job_id):
        return None
    account = refund(Account(wallet), job.job_id, job.tokens_cost, now, points=job.points, bought=job.tokens_bought)
    return return_quota(account, job.mode, counted_on(job), now)
