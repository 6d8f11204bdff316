"""What would save money: each change with its arithmetic, range and risk, and all of them together.

A saving is a share of what is spent, so that several are multiplied and never add up to more than the cost. What saves
nothing is said as well. How far earlier promises were kept corrects later ones: see `core.insights.measured`.

    apply    one click, with undo, and measured afterwards
    trial    answers may change: to be tried on recent photos first, then as `apply`
    nothing  no saving, and why; or one whose size nobody can know yet
"""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from functions.core.cache.certification import interval
from functions.core.config.runtime import CacheMode, RuntimeConfig
from functions.core.insights.answer_savings import (
    Models,
    answer_length,
    as_tried,
    given_of,
    image_side,
    model,
    provider,
)
from functions.core.insights.day_notes import NotedDay
from functions.core.insights.no_savings import allowance, batch_size, off_peak, prompt_cache, waiting
from functions.core.insights.saving_kinds import Again, Costs, Kind, Saving, Savings, saving
from functions.core.jobs.trials import Trial
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from functions.core.shared.lanes import Lane
from functions.core.wallet.token_prices import prices_now

MOVED_SHARE = 0.1
"""Of instant photos, if they cost a token more: a guess, until such a change has been measured."""
MOVED_RANGE = (0.0, 3.0)
RISK = 0.1
"""That the share of photos that come again lies outside its interval."""
ATTEMPTS_RANGE = (0.0, 2.0)
"""Times a half of what is asked again: how much of that is a last attempt is not counted."""


@dataclass(frozen=True)
class Known:
    """What is known of such changes: how much of what was promised of a kind was `kept`, what the cache has counted in
    shadow mode, None for nothing, and what was `tried`, by kind; and which flags are `stopped`: nothing begins by one
    until an operator has restarted it."""

    kept: Mapping[str, float] = field(default_factory=dict)
    again: Again | None = None
    tried: Mapping[str, Trial] = field(default_factory=dict)
    stopped: Set[str] = frozenset()


UNKNOWN = Known()


def savings(
    costs: Costs,
    days: Sequence[NotedDay],
    config: RuntimeConfig,
    models: Models,
    known: Known = UNKNOWN,
) -> Savings | None:
    """Return what would save money, None while nothing is spent."""
    if costs.whole <= 0:
        return None
    given = given_of(days, models)
    answers = [
        image_side(costs, config, given),
        answer_length(costs, config, given),
        model(costs, config, given, models),
        provider(costs, config, given, models),
    ]
    found = [
        _lane_share(costs, config),
        *(as_tried(each, known.tried, costs, models) for each in answers if each and _can_begin(each, known.stopped)),
        _attempts(costs, days, config),
        _cache(costs, days, config, known.again),
        batch_size(costs, config),
        waiting(costs),
        allowance(costs, days, config),
        prompt_cache(days),
        off_peak(),
    ]
    listed = sorted((_corrected(each, known.kept) for each in found if each), key=lambda each: -each.share)
    left = math.prod(1 - each.share for each in listed if each.way != "nothing")
    return Savings(
        cost=costs.cost,
        list=tuple(listed),
        together=round(1 - left, 4),
        model=models.asked[Lane.INSTANT],
        side_max=config.images.side_max,
        prompt=PROMPT_VERSION,
        prompt_next=PROMPT_NEXT,
    )


def _can_begin(found: Saving, stopped: Set[str]) -> bool:
    return not stopped & (found.changes or {}).get("flags", {}).keys()


def _corrected(found: Saving, kept: Mapping[str, float]) -> Saving:
    times = kept.get(found.kind, 1.0)
    return found.model_copy(
        update={name: round(min(max(times * getattr(found, name), 0.0), 1.0), 4) for name in ("share", "low", "high")}
    )


def _lane_share(costs: Costs, config: RuntimeConfig) -> Saving | None:
    apart = costs.photo_micros[Lane.INSTANT] - costs.photo_micros[Lane.BATCH]
    share = MOVED_SHARE * costs.photos[Lane.INSTANT] * apart / costs.whole
    price = prices_now(config.tokens, 0).instant
    if share <= 0 or price >= config.tokens.balance_cap:
        return None
    moved = f"{MOVED_SHARE:.0%} of {costs.photos[Lane.INSTANT]:,.0f} instant photos x {apart:.0f} µ$"
    risk = "Users wait longer, or send fewer photos. How many change the lane nobody knows before it is measured."
    found = saving(Kind.LANE_SHARE, "apply", share, MOVED_RANGE, f"{moved} / {costs.whole:,.0f} µ$", risk)
    return found.model_copy(update={"changes": {"tokens": {"instantPrice": price + 1}}})


def _attempts(costs: Costs, days: Sequence[NotedDay], config: RuntimeConfig) -> Saving | None:
    retried, ended = sum(each.retried for each in days), sum(each.ended.get(Lane.BATCH, 0) for each in days)
    fewer = config.batch.attempts_max - 1
    if not retried or not ended or fewer < 1:
        return None
    share = retried / ended * costs.photos[Lane.BATCH] * costs.photo_micros[Lane.BATCH] / costs.whole
    arithmetic = f"{retried} of {ended:,} batch photos were asked again; at most so many times one photo's cost"
    risk = "Photos that the last attempt would have answered are refunded."
    found = saving(Kind.ATTEMPTS, "apply", min(share, 1.0) / 2, ATTEMPTS_RANGE, arithmetic, risk)
    return found.model_copy(update={"changes": {"batch": {"attemptsMax": fewer}}})


def _cache(costs: Costs, days: Sequence[NotedDay], config: RuntimeConfig, again: Again | None) -> Saving:
    done, answered = sum(each.done for each in days), sum(each.answered for each in days)
    if config.cache.exact is CacheMode.ON:
        arithmetic = f"{max(done - answered, 0):,} of {done:,} answered photos cost nothing, since the cache knew them"
        return saving(Kind.CACHE, "nothing", 0.0, (0.0, 0.0), f"It is on already: {arithmetic}.", "")
    if config.cache.exact is CacheMode.SHADOW:
        return _cache_on(costs, again or Again({}, {}))
    why = "How many photos come again is not known: in shadow mode the cache counts what it would have answered."
    found = saving(Kind.CACHE, "apply", 0.0, (0.0, 0.0), why, "None: users notice nothing.")
    return found.model_copy(update={"changes": {"cache": {"exact": CacheMode.SHADOW.value}}})


def _cache_on(costs: Costs, again: Again) -> Saving:
    """Answer the same file from the cache: the share of photos that come again, at what one costs in its lane."""
    photos, known = sum(again.photos.values()), sum(again.known.values())
    if not known:
        why = f"In shadow mode none of {photos:,} photos came again so far."
        return saving(Kind.CACHE, "nothing", 0.0, (0.0, 0.0), why, "")
    saved = sum(
        costs.photos[lane] * costs.photo_micros[lane] * again.known.get(lane, 0) / again.photos[lane]
        for lane in Lane
        if again.photos.get(lane)
    )
    ends = interval(known, photos, RISK)
    arithmetic = f"{known:,} of {photos:,} photos were the same file again, each at what a photo of its lane costs"
    risk = "The first answer stays, right or wrong, until its user disputes it."
    share, times = saved / costs.whole, photos / known
    found = saving(Kind.CACHE, "apply", share, (ends[0] * times, ends[1] * times), arithmetic, risk)
    return found.model_copy(update={"changes": {"cache": {"exact": CacheMode.ON.value}}})
