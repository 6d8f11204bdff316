"""What would save money: each change with its arithmetic, range and risk, and all of them together.

A saving is a share of what is spent, so that several are multiplied and never add up to more than the cost. What saves
nothing is said as well. How far earlier promises were kept corrects later ones: see `core.insights.measured`.

    apply    one click, with undo, and measured afterwards
    trial    answers may change: to be tried on recent photos first, then as `apply`
    deploy   not a setting
    nothing  no saving, and why; or one whose size nobody can know yet
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from functions.core.cache.certification import interval
from functions.core.config.runtime import CacheMode, RuntimeConfig
from functions.core.insights.day_notes import NotedDay
from functions.core.insights.no_savings import allowance, batch_size, off_peak, prompt_cache, waiting
from functions.core.insights.projection import Assumptions, photo_costs
from functions.core.insights.saving_kinds import Again, Costs, Kind, Saving, Savings, saving
from functions.core.insights.what_if import PHOTO_SIZE
from functions.core.model.prompts import PROMPT_VERSION
from functions.core.model.usage import ModelPrice
from functions.core.rollouts.flags import Cohort
from functions.core.shared.lanes import Lane
from functions.core.wallet.token_prices import prices_now

MOVED_SHARE = 0.1
"""Of instant photos, if they cost a token more: a guess, until such a change has been measured."""
MOVED_RANGE = (0.0, 3.0)
SIDES = (1_024, 768, 512, 384, 256)
FORMULA_RANGE = (0.85, 1.15)
"""An estimate of input tokens is within 15 % of the bill: `core.budget.estimates`."""
SHORTER = 0.7
RISK = 0.1
"""That the share of photos that come again lies outside its interval."""
ATTEMPTS_RANGE = (0.0, 2.0)
"""Times a half of what is asked again: how much of that is a last attempt is not counted."""


@dataclass(frozen=True)
class Models:
    """The `model` that is asked, and the `prices` by lane of all that could be."""

    model: str
    prices: Mapping[str, Mapping[str, ModelPrice]]


def savings(
    costs: Costs,
    days: Sequence[NotedDay],
    config: RuntimeConfig,
    models: Models,
    kept: Mapping[str, float],
    again: Again | None = None,
) -> Savings | None:
    """Return what would save money, None while nothing is spent. `kept` is how much of what was promised of a kind has
    come about, `again` what the cache has counted in shadow mode."""
    if costs.whole <= 0:
        return None
    given = _assumed(days, models)
    found = [
        _lane_share(costs, config),
        _image_side(costs, config, given),
        _answer_length(costs, config, given),
        _model(costs, config, given, models),
        _attempts(costs, days, config),
        _cache(costs, days, config, again),
        batch_size(costs, config),
        waiting(costs),
        allowance(costs, days, config),
        prompt_cache(days),
        off_peak(),
    ]
    listed = sorted((_corrected(each, kept) for each in found if each), key=lambda each: -each.share)
    left = math.prod(1 - each.share for each in listed if each.way != "nothing")
    together = round(1 - left, 4)
    return Savings(cost=costs.cost, list=tuple(listed), together=together, model=models.model, prompt=PROMPT_VERSION)


def _corrected(found: Saving, kept: Mapping[str, float]) -> Saving:
    times = kept.get(found.kind, 1.0)
    return found.model_copy(
        update={name: round(min(max(times * getattr(found, name), 0.0), 1.0), 4) for name in ("share", "low", "high")}
    )


def _assumed(days: Sequence[NotedDay], models: Models) -> Assumptions:
    ended = sum(sum(each.ended.values()) for each in days)
    output = sum(each.tokens.get("output", 0) for each in days)
    prices = models.prices[models.model]
    return Assumptions(models.model, prices, PHOTO_SIZE, round(output / max(ended, 1)), {}, 0, 0)


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


def _relative(
    costs: Costs, before: tuple[RuntimeConfig, Assumptions], after: tuple[RuntimeConfig, Assumptions]
) -> tuple[float, str]:
    """Return the share of the cost that a photo saves, as much in each lane as `photo_costs` has it, and how. Of one
    model the difference counts, which is known better than what all of a request costs; of two what they cost both."""
    (old, _), (new, _) = photo_costs(*before), photo_costs(*after)
    alike = before[1].model == after[1].model
    saved = sum(
        costs.photos[lane] * (old[lane] - new[lane]) * (1 if alike else costs.photo_micros[lane] / old[lane])
        for lane in Lane
        if old[lane]
    )
    lanes = ", ".join(f"{lane}: {old[lane]} -> {new[lane]} µ$ a photo" for lane in Lane)
    return saved / costs.whole, lanes


def _image_side(costs: Costs, config: RuntimeConfig, given: Assumptions) -> Saving | None:
    smaller = next((side for side in SIDES if side < config.images.side_max), None)
    if smaller is None:
        return None
    images = config.images.model_copy(update={"side_max": smaller})
    share, how = _relative(costs, (config, given), (config.model_copy(update={"images": images}), given))
    arithmetic = f"images.sideMax {config.images.side_max} -> {smaller}; {how}"
    risk = "Small things may no longer be recognised: compare answers first."
    if share <= 0:
        return None
    found = saving(Kind.IMAGE_SIDE, "trial", share, FORMULA_RANGE, arithmetic, risk)
    return found.model_copy(update={"changes": {"images": {"sideMax": smaller}}})


def _answer_length(costs: Costs, config: RuntimeConfig, given: Assumptions) -> Saving | None:
    shorter = replace(given, answer_tokens=round(SHORTER * given.answer_tokens))
    share, how = _relative(costs, (config, given), (config, shorter))
    arithmetic = f"{given.answer_tokens} -> {shorter.answer_tokens} tokens an answer; {how}"
    risk = "The app shows less: the fields of an answer are a contract with it."
    return saving(Kind.ANSWER_LENGTH, "deploy", share, (1.0, 1.0), arithmetic, risk) if share > 0 else None


def _model(costs: Costs, config: RuntimeConfig, given: Assumptions, models: Models) -> Saving | None:
    shares = {
        name: _relative(costs, (config, given), (config, replace(given, model=name, prices=prices)))
        for name, prices in models.prices.items()
        if name != models.model
    }
    name = max(shares, key=lambda each: shares[each][0], default=None)
    if name is None or shares[name][0] <= 0:
        return None
    if config.model.next and config.flags.model.cohort is not Cohort.OFF:
        return None  # one is on its way, this or another
    share, how = shares[name]
    risk = "Answers may be worse: it is rolled out by the flag model, which is compared and taken back by itself."
    found = saving(Kind.MODEL, "trial", share, FORMULA_RANGE, f"{models.model} -> {name}; {how}", risk)
    staged = {"cohort": Cohort.TEST.value, "autoAdvance": True}
    return found.model_copy(update={"changes": {"model": {"next": name}, "flags": {"model": staged}}})


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
