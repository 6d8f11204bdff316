"""Holding money back before it is spent, for everything that calls the provider. A hold that finds its shard full looks
at a few others; the first caller of a day opens its shards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeVar

from functions import log
from functions.core.budget.estimates import input_tokens, input_tokens_max, jpeg_size, most_micros, raised
from functions.core.budget.holds import (
    CostCeiling,
    Hold,
    Mode,
    NoRoom,
    SecondLeg,
    batch_hold,
    call_hold,
    exhausted,
)
from functions.core.budget.shards import BATCH_LOOKS, CALL_LOOKS, Shard, shard_names
from functions.core.budget.state import doubted, lifting, mode_now
from functions.core.model.usage import UnknownPriceError
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.errors import BudgetExhausted, InstantClosed, RateLimited
from functions.core.shared.utc_days import day_bounds, day_of
from functions.core.wallet.quotas import ActualSpend, RecountNeeded
from functions.use_cases.budget.days import call_micros, line_micros, looks_for_room, model_micros
from functions.use_cases.rollouts.serving import served_at_once

if TYPE_CHECKING:
    from datetime import datetime

    from functions.core.batches.batches import Batch
    from functions.core.budget.anomalies import UsageAnomalies
    from functions.core.jobs.jobs import Job
    from functions.core.model.usage import ModelPrice
    from functions.core.model.ways import Way
    from functions.core.shared.errors import EcolaneError
    from functions.use_cases.rollouts.serving import Served
    from functions.wiring import Deps

T = TypeVar("T")

RECOUNTS_MAX = 2
"""How often a call adds up its user's day before it gives way to other calls of the same user."""

SHARD_TRIES = 4
"""How often a hold looks for another shard, before a race for the last of the budget is given up."""


def mode(deps: Deps) -> Mode:
    """Return what may be spent now. A hint, at most 30 s old; what holds is whether there is room for a hold."""
    return mode_now(deps.budget(), deps.runtime().budget, deps.clock())


def instant_closed_because(deps: Deps) -> Literal["OPERATOR", "BUDGET"] | None:
    """Return why the instant lane is closed; None while it is open."""
    if not deps.runtime().instant.open:
        return "OPERATOR"
    return None if mode(deps) is Mode.NORMAL else "BUDGET"


def instant_closed(because: str, deps: Deps) -> EcolaneError:
    """Return the error for a call that wants the instant lane and nothing else."""
    if because == "BUDGET":
        return exhausted(reopens_at(deps))
    return InstantClosed("The instant lane is closed now. Take the batch lane, or try again later.")


def reopens_at(deps: Deps) -> datetime:
    """Return when there is budget again."""
    return lifting(deps.runtime().budget, deps.budget(), deps.clock())


def instant_ceiling(job: Job, photo: bytes, path: Served, deps: Deps) -> CostCeiling:
    """Return what covers an instant call about this photo, which was prepared for its user's `path`, of each model that
    may be asked: a hold on a shard that chance picks, of as many as the day had when this process last looked."""
    path, size = served_at_once(path, job.region, deps), jpeg_size(photo)
    (shard,) = shard_names(int(deps.new_id(), 16), deps.budget().shard_count, 1)
    micros, percent = _photo_micros(path, job, size, deps)
    second = None
    if path.second is not None:
        second_micros, second_percent = _photo_micros(replace(path, model=path.second), job, size, deps)
        second = SecondLeg(model=path.second, micros=second_micros, percent=second_percent)
    hold = call_hold(day_of(deps.clock()), shard, path.model, micros, percent, second)
    return CostCeiling(hold.micros, hold, arms=path.arms)


def _photo_micros(way: Way, job: Job, size: tuple[int, int] | None, deps: Deps) -> tuple[int, int]:
    """Return the most that the answer about a photo can cost, asked this way, and how many percent of its estimate that
    is."""
    model, side = way.model, way.side_max
    tokens = input_tokens(model, job.region, job.language, size) if size else input_tokens_max(model, side)
    percent = deps.budget().hold_percent(model)
    return raised(most_micros(tokens, deps.price_to_hold(model)), percent), percent


def least_ceiling(deps: Deps) -> CostCeiling:
    """Return what covers a photo at the least, for one of the batch lane or one that nobody has seen yet: no hold."""
    return CostCeiling(line_micros(deps))


def known_batch_price(batch: Batch, deps: Deps) -> ModelPrice | None:
    """Return the batch price of the model that a batch was sent to, on the day it was built, as it was held; None if
    nobody knows it any more."""
    try:
        return deps.model_price(batch.model, batch=True, at=batch.created_at)
    except UnknownPriceError:
        return None


def next_try(
    ceiling: CostCeiling, uid: str, short: NoRoom | RecountNeeded, deps: Deps
) -> CostCeiling | BudgetExhausted | RateLimited:
    """Return what covers the next try of a call, or why there is none: no shard has room, or others were faster too
    often."""
    if isinstance(short, RecountNeeded):
        if ceiling.recounts == RECOUNTS_MAX:
            return RateLimited("Too many photos at once. Wait a second.", retryAfter=1)
        return _with_actual_spend(ceiling, uid, short, deps)
    hold = _other_hold(ceiling.hold, short, deps) if ceiling.hold and ceiling.shards_tried < SHARD_TRIES else None
    if hold is None:
        return exhausted(reopens_at(deps))
    return replace(ceiling, micros=hold.micros, hold=hold, shards_tried=ceiling.shards_tried + 1)


def _other_hold(hold: Hold, full: NoRoom, deps: Deps) -> Hold | None:
    """Return the hold on another shard, without its second leg if there is room for the first alone; None if none of
    those that are looked at has even that."""
    day, alone = day_of(deps.clock()), None
    for shards in looks_for_room(day, CALL_LOOKS, deps, surely_open=not full.unopened):
        for name, shard in shards.items():
            if shard.room >= hold.micros:
                return hold.model_copy(update={"day": day, "parts": {name: hold.micros}})
            if shard.room >= hold.line_micros:
                alone = hold.model_copy(update={"day": day, "parts": {name: 0}}).alone
    return alone


def _with_actual_spend(ceiling: CostCeiling, uid: str, needed: RecountNeeded, deps: Deps) -> CostCeiling:
    """Add up the actual spend of a user's day, with open photos at their upper bound. Three reads or a few more, only
    for users whose upper bounds leave no room."""
    since, until = day_bounds(needed.day)
    # In this order: what is settled in between is counted twice, the other way round it would not be counted at all.
    still_open = deps.store.count_open_jobs(uid, needed.day)
    settled = deps.store.user_micros(uid, since, until)
    spend = ActualSpend(needed.day, needed.counted_micros, settled + still_open * call_micros(deps))
    return replace(ceiling, recount=spend, recounts=ceiling.recounts + 1)


def look_ahead(
    decide: Callable[[CostCeiling], T | RecountNeeded], ceiling: CostCeiling, uid: str, deps: Deps
) -> T | RecountNeeded:
    """Decide about a wallet as it was seen, for which the actual spend is added up once at the most."""
    decided = decide(ceiling)
    return decide(_with_actual_spend(ceiling, uid, decided, deps)) if isinstance(decided, RecountNeeded) else decided


def hold_for_batch(lines: int, way: Way, deps: Deps) -> tuple[Hold, int]:
    """Return a hold for a batch of at most so many lines that go this way, and for how many of them there is room; on
    the first shards that have enough, of those that are looked at."""
    day, shards, model = day_of(deps.clock()), dict[str, Shard](), way.model
    most = model_micros(model, way.side_max, deps, batch=True)
    hold, affordable = batch_hold(day, model, most, lines, shards)
    for found in looks_for_room(day, BATCH_LOOKS, deps):
        shards |= found
        hold, affordable = batch_hold(day, model, most, lines, shards)
        if affordable == lines:
            break
    return hold.model_copy(update={"percent": deps.budget().hold_percent(model)}), affordable


def report_doubts(anomalies: UsageAnomalies, deps: Deps) -> None:
    """Notify operators of answers without a plausible cost, and raise the next holds if some cost more than theirs."""
    if not anomalies:
        return
    counts = {"unreported": anomalies.unreported, "absurd": anomalies.absurd, "percent": anomalies.percent}
    log.error(log.Event.USAGE_DOUBTED, jobId=anomalies.job_id, model=anomalies.model, **counts)
    now = deps.clock()
    if anomalies.unreported or anomalies.absurd:
        text = "An answer did not say believably what it cost; the most that it can have cost is booked."
        deps.store.create_alert(alert(AlertKind.USAGE_UNREPORTED, text, now))
    if not (anomalies.absurd or anomalies.percent):
        return
    state = deps.store.change_budget_state(lambda stored: doubted(stored, anomalies, now))
    if anomalies.percent:
        text = f"An answer cost {anomalies.percent} % of its estimate: that much is held for each from now on."
        deps.store.create_alert(alert(AlertKind.ESTIMATE_EXCEEDED, text, now))
    if state.closed_by_doubt(deps.runtime().budget, now):
        more = f"{state.absurd_micros / 1e6:,.2f} dollars more than is booked for them"
        text = f"If what {state.absurd} answers today said is true, they cost {more}: nothing more is sent today."
        deps.store.create_alert(alert(AlertKind.USAGE_ABSURD, text, now))
