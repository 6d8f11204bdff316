"""`upgrade_job`: a queued job that is wanted now after all, for the difference in price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.adapters.firestore import StoredJob
from functions.core.budget.holds import CostCeiling
from functions.core.jobs.endings import Upgrade, UpgradeDecision, require_owner, upgrade_price, upgrading
from functions.core.jobs.jobs import Job, job_view
from functions.core.jobs.uploads import unchanged
from functions.core.shared.errors import EcolaneError, JobNotFound
from functions.core.shared.lanes import Lane
from functions.core.shared.records import JobId, Request
from functions.core.wallet.token_prices import prices_now
from functions.use_cases.budget.spending import (
    instant_ceiling,
    instant_closed,
    instant_closed_because,
    least_ceiling,
    next_try,
)
from functions.use_cases.jobs.admission import admitted
from functions.use_cases.jobs.instant_lane import classify_now
from functions.use_cases.rollouts.serving import images_of, served

if TYPE_CHECKING:
    from functions.wiring import Deps


class UpgradeJob(Request):
    """Which job, and the most that the difference may cost, in tokens."""

    job_id: JobId
    max_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


def upgrade_job(request: UpgradeJob, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON, with its result. Upgrading it again returns it as it is by then. Whoever has paid for the
    job pays the difference.

    Raises:
        JobNotFound, JobNotUpgradable: about the job; nothing is changed.
        ImageNotFound, InvalidImage: the photo was removed or replaced; the job stays queued.
        InstantClosed, BudgetExhausted, PriceChanged, AccountBlocked, PlanRequired, RateLimited, DailyLimit,
            MonthlyLimit, InsufficientTokens: nothing is changed.
        TeamNotFound, MemberLimit: the team that pays for the job does not pay for this.
        PhotoRefused: the model is against this photo; all that was paid for the job is refunded.
        ProviderUnavailable: the provider failed; all that was paid for the job is refunded.
    """
    runtime, now = deps.runtime(), deps.clock()
    found = deps.store.get_job(request.job_id)
    job = require_owner(found.job if found else None, uid)
    if job.mode is Lane.INSTANT:
        return job_view(job)
    closed = instant_closed_because(deps)
    if closed is not None:
        raise instant_closed(closed, deps)
    upgrade = Upgrade(
        prices=prices_now(runtime.tokens, deps.queue().queued),
        tokens_max=request.max_tokens,
        opened_by=deps.new_id(),
        lease_until=now + timedelta(seconds=runtime.instant.lease_seconds),
        ceiling=least_ceiling(deps),
    )
    upgrade_price(job, upgrade.prices, upgrade.tokens_max)

    def decision(ceiling: CostCeiling) -> UpgradeDecision:
        return upgrading(uid, runtime, now, replace(upgrade, ceiling=ceiling))

    with admitted(uid, job.payer, lambda wallet, ceiling: decision(ceiling)(wallet, job), deps):
        upload = unchanged(deps.files.read_photo(job.image_path), job.image_digest)
        path = served(uid, deps)
        photo = deps.prepare_photo(upload, images_of(path, deps))
        stored = _buy(job, instant_ceiling(job, photo, path, deps), decision, upgrade.opened_by, deps)
    if stored.job.opened_by != upgrade.opened_by:
        return job_view(stored.job)
    return job_view(classify_now(stored.job, photo, stored.version, deps))


def _buy(
    job: Job, ceiling: CostCeiling, decision: Callable[[CostCeiling], UpgradeDecision], opened_by: str, deps: Deps
) -> StoredJob:
    while True:
        match deps.store.upgrade_job(job.job_id, job.uid, decision(ceiling), opened_by):
            case StoredJob() as stored:
                return stored
            case None:
                raise JobNotFound("You have no job with this jobId.")
            case short:
                tried = next_try(ceiling, job.uid, short, deps)
                if isinstance(tried, EcolaneError):
                    raise tried
                ceiling = tried
