"""An order: one photo on its way in, in the lane that it can have now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints

from functions.core.budget.holds import Mode
from functions.core.jobs.jobs import Job, job_view
from functions.core.jobs.opening import Asked, batch_job, instant_job
from functions.core.jobs.queue_stats import expected_wait_minutes
from functions.core.jobs.uploads import PATH_CHARACTERS_MAX
from functions.core.shared.errors import EcolaneError
from functions.core.shared.lanes import Lane
from functions.core.shared.locales import LanguageTag, Region
from functions.core.shared.records import Request, TeamId
from functions.core.wallet.token_prices import prices_now
from functions.use_cases.budget.spending import instant_closed, instant_closed_because, mode, reopens_at
from functions.use_cases.rollouts.serving import Served, served

if TYPE_CHECKING:
    from functions.core.cache.entries import Entry
    from functions.core.cache.fingerprints import Fingerprint
    from functions.wiring import Deps

ImagePath = Annotated[str, StringConstraints(min_length=1, max_length=PATH_CHARACTERS_MAX)]


class Options(Request):
    """What the user wants besides: where and in which language, the most that a photo may cost, in tokens, whether the
    model is to be asked about a photo that was sent before, too, and which team pays; the user does if none is named,
    and never in a team's place."""

    region: Region | None = None
    language: LanguageTag | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    fresh: bool = False
    payer: TeamId | None = None


@dataclass
class Order:
    """One photo on its way in: what was asked for, the job that it becomes, the `path` of its user, which it is
    prepared for, and what came of it.

    Afterwards either `error` is set, or `job` is the job as stored; `version` only if this call charged for it, and
    `closed_because` if it was wanted in the instant lane.

    What is `looked_up` is then `known` by its fingerprint. Either the job is done by an earlier answer, or `entry` is
    what will find it. `unless_known` is what it is refused with if it is not answered that way. A file that the user
    has sent before, or that is `same_as` the one of another order of the call, is not paid for twice: `twin` is the job
    that is to answer it, and `replayed` says that it has a job of its own all the same, from an earlier call.
    """

    asked: Asked
    job: Job
    path: Served
    allow_batch: bool
    closed_because: str | None = None
    looked_up: bool = False
    known: Fingerprint | None = None
    entry: Entry | None = None
    unless_known: EcolaneError | None = None
    error: EcolaneError | None = None
    photo: bytes = b""
    version: datetime | None = None
    replayed: bool = False
    same_as: Order | None = None
    twin: Job | None = None

    @property
    def waiting(self) -> bool:
        """Whether nothing has come of it yet."""
        return self.error is None and self.version is None and not (self.replayed or self.named)

    @property
    def named(self) -> bool:
        """Whether another job is to answer it."""
        return (self.same_as or self.twin) is not None and not self.replayed

    def view(self) -> dict[str, Any]:
        """Return what the app is shown of the job that answers it."""
        return {**job_view(self.twin), "alreadySent": True} if self.twin and self.named else job_view(self.job)


def new_order(asked: Asked, deps: Deps, *, allow_batch: bool = True) -> Order:
    """Return an order that nothing was done for yet. A closed instant lane makes it a batch one, if that is allowed."""
    path, closed = served(asked.uid, deps), instant_closed_because(deps) if asked.lane is Lane.INSTANT else None
    if asked.lane is Lane.INSTANT and closed is None:
        runtime = deps.runtime()
        price = prices_now(runtime.tokens, deps.queue().queued).instant
        return Order(asked, instant_job(asked, price, runtime), path, allow_batch)
    order = Order(asked, _batch_job(asked, deps), path, allow_batch, closed)
    if closed and not allow_batch:
        order.unless_known = instant_closed(closed, deps)
    return order


def move_to_batch(order: Order, deps: Deps) -> None:
    """Serve an instant order that the budget has no room for by the batch lane."""
    order.job = _batch_job(order.asked, deps).model_copy(update={"image_digest": order.job.image_digest})
    order.closed_because = "BUDGET"


def wait_minutes(deps: Deps) -> int:
    """Return the wait of a batch photo handed in now: with both lanes closed, the time until they open, plus the usual
    one."""
    pause = reopens_at(deps) - deps.clock() if mode(deps) is Mode.CLOSED else timedelta(0)
    return -(-pause // timedelta(minutes=1)) + expected_wait_minutes(deps.queue(), deps.runtime().batch)


def _batch_job(asked: Asked, deps: Deps) -> Job:
    runtime = deps.runtime()
    price = prices_now(runtime.tokens, deps.queue().queued).batch
    return batch_job(asked, price, timedelta(minutes=wait_minutes(deps)), runtime)
