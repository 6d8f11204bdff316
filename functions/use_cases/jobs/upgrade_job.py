"""`upgrade_job`: a queued job that is wanted now after all, for the difference in price."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.budget.holds import Hold, NoRoomError
from functions.core.jobs.endings import Decision, Upgrade, require_owner, upgrade_price, upgrading
from functions.core.jobs.jobs import job_view
from functions.core.jobs.uploads import unchanged
from functions.core.shared.errors import JobNotFound
from functions.core.shared.lanes import Lane
from functions.core.shared.records import JobId, Request
from functions.core.wallet.quotas import ActualSpend
from functions.core.wallet.token_prices import prices_now
from functions.use_cases.budget.spending import (
    instant_closed,
    instant_closed_because,
    instant_hold,
    least_hold,
    with_hold,
)
from functions.use_cases.jobs.admission import admitted
from functions.use_cases.jobs.instant_lane import classify_now

if TYPE_CHECKING:
    from functions.adapters.firestore import StoredJob
    from functions.wiring import Deps


class UpgradeJob(Request):
    """Which job, and the most that the difference may cost, in tokens."""

    job_id: JobId
    max_tokens: Annotated[int, Field(ge=0, le=1_000_000)] | None = None


def upgrade_job(request: UpgradeJob, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the job as JSON, with its result. Upgrading it again returns it as it is by then.

    Raises:
        JobNotFound, JobNotUpgradable: about the job; nothing is changed.
        ImageNotFound, InvalidImage: the photo was removed or replaced; the job stays queued.
        InstantClosed, BudgetExhausted, PriceChanged, RateLimited, DailyLimit, InsufficientTokens: nothing is changed.
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
        hold=least_hold(deps),
    )
    upgrade_price(job, upgrade.prices, upgrade.tokens_max)

    def decision(hold: Hold, recount: ActualSpend | None) -> Decision:
        return upgrading(uid, runtime, now, replace(upgrade, hold=hold, recount=recount))

    with admitted(uid, lambda wallet, recount: decision(upgrade.hold, recount)(wallet, job), deps):
        upload = unchanged(deps.files.read_photo(job.image_path), job.image_digest)
        photo = deps.prepare_photo(upload, runtime.images)

        def buy(hold: Hold, recount: ActualSpend | None) -> StoredJob | None:
            return deps.store.settle_job(
                request.job_id,
                uid,
                decision(hold, recount),
                took_effect=lambda job: job.opened_by == upgrade.opened_by,
            )

        try:
            stored = with_hold(instant_hold(job, photo, deps), uid, buy, deps)
        except NoRoomError as full:
            raise instant_closed("BUDGET", deps) from full
    if stored is None:
        raise JobNotFound("You have no job with this jobId.")
    if stored.job.opened_by != upgrade.opened_by:
        return job_view(stored.job)
    return job_view(classify_now(stored.job, photo, stored.version, deps))
