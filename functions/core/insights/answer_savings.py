"""Changes that save money and may change answers: smaller photos, shorter answers, another model, another provider.

Each is reckoned from what a request costs before and after it, and tried on recent photos before it is offered. What a
trial has measured takes the place of what was reckoned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.day_notes import NotedDay
from functions.core.insights.projection import Assumptions, photo_costs
from functions.core.insights.saving_kinds import Costs, Kind, Saving, saving
from functions.core.insights.what_if import PHOTO_SIZE
from functions.core.jobs.trials import Trial
from functions.core.model.image_tokens import undated
from functions.core.model.usage import ModelPrice
from functions.core.rollouts.flags import Cohort
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import LABELS, Provider, split

SIDES = (1_024, 768, 512, 384, 256)
FORMULA_RANGE = (0.85, 1.15)
"""An estimate of input tokens is within 15 % of the bill: `core.budget.estimates`."""
SHORTER = 0.7
SHORTER_RANGE = (0.0, 1.5)
"""Times three tenths of an answer: a wording can fail to shorten it."""
STAGED: Mapping[str, object] = {"cohort": Cohort.TEST.value, "autoAdvance": True}
"""A flag in its first stage, which goes on by itself and is taken back by itself."""

ORDERS: Mapping[Lane, str] = {Lane.INSTANT: "order", Lane.BATCH: "batchOrder"}
"""The field of `providers` that says who is asked first in a lane."""


@dataclass(frozen=True)
class Models:
    """The model that is `asked` first, by lane; the `prices` by lane of each model that could be, in the lanes in which
    it could; and the model of each of the `providers` that this deploy can ask."""

    asked: Mapping[Lane, str]
    prices: Mapping[str, Mapping[str, ModelPrice]]
    providers: Mapping[Provider, str]


Given = Mapping[Lane, Assumptions]
"""What is asked in each lane."""


def given_of(days: Sequence[NotedDay], models: Models) -> Given:
    """Return what is asked now, with answers as long as those of these days."""
    ended = sum(sum(each.ended.values()) for each in days)
    output = sum(each.tokens.get("output", 0) for each in days)
    tokens = round(output / max(ended, 1))
    return {lane: _asking(models.asked[lane], lane, models, tokens) for lane in Lane}


def _asking(model: str, lane: Lane, models: Models, answer_tokens: int) -> Assumptions:
    return Assumptions(model, {lane: models.prices[model][lane]}, PHOTO_SIZE, answer_tokens, {}, 0, 0)


def _apart(
    costs: Costs, before: tuple[RuntimeConfig, Given], after: tuple[RuntimeConfig, Given]
) -> tuple[dict[Lane, float], str]:
    """Return the share of the cost that a photo saves, by lane, and how. Of one model the difference counts, which is
    known better than what all of a request costs; of two what they cost both."""
    shares, texts = {}, []
    for lane, old_given in before[1].items():
        new_given = after[1][lane]
        old = photo_costs(before[0], old_given)[0][lane]
        new = photo_costs(after[0], new_given)[0][lane]
        times = 1 if old_given.model == new_given.model else costs.photo_micros[lane] / max(old, 1)
        shares[lane] = costs.photos[lane] * (old - new) * times / costs.whole
        texts.append(f"{lane}: {old} -> {new} µ$ a photo")
    return shares, ", ".join(texts)


def image_side(costs: Costs, config: RuntimeConfig, given: Given) -> Saving | None:
    """Send photos in the next smaller size, unless another size is on its way."""
    smaller = next((side for side in SIDES if side < config.images.side_max), None)
    if smaller is None or config.flags.side.cohort is not Cohort.OFF:
        return None
    images = config.images.model_copy(update={"side_max": smaller})
    shares, how = _apart(costs, (config, given), (config.model_copy(update={"images": images}), given))
    arithmetic = f"{config.images.side_max} -> {smaller} pixels a side; {how}"
    risk = "Small things may no longer be recognised: it is rolled out by the flag side, which is taken back by itself."
    if sum(shares.values()) <= 0:
        return None
    found = saving(Kind.IMAGE_SIDE, "trial", sum(shares.values()), FORMULA_RANGE, arithmetic, risk)
    return found.model_copy(update={"changes": {"images": {"nextSideMax": smaller}, "flags": {"side": STAGED}}})


def answer_length(costs: Costs, config: RuntimeConfig, given: Given) -> Saving | None:
    """Ask for shorter texts, in the next wording of the prompt, unless that is on its way."""
    shorter = {lane: replace(each, answer_tokens=round(SHORTER * each.answer_tokens)) for lane, each in given.items()}
    shares, how = _apart(costs, (config, given), (config, shorter))
    if sum(shares.values()) <= 0 or config.flags.prompt.cohort is not Cohort.OFF:
        return None
    tokens = [each[Lane.BATCH].answer_tokens for each in (given, shorter)]
    arithmetic = f"{tokens[0]} -> {tokens[1]} tokens an answer; {how}. How many it takes nobody knows before a trial"
    risk = (
        "Texts say less, in the same fields: the flag prompt compares both wordings, and takes this one back by itself."
    )
    found = saving(Kind.ANSWER_LENGTH, "trial", sum(shares.values()), SHORTER_RANGE, arithmetic, risk)
    return found.model_copy(update={"changes": {"flags": {"prompt": STAGED}}})


def _comparable(models: Models) -> list[Lane]:
    """Return the lanes that ask the instant lane's model, at whatever provider: a trial is held against its answers."""
    return [lane for lane in Lane if _alike(models.asked[lane], models.asked[Lane.INSTANT])]


def _alike(model: str, other: str) -> bool:
    return undated(split(model)[1]) == undated(split(other)[1])


def _own(models: Models) -> list[Lane]:
    """Return the lanes in which another model of OpenAI's would be asked."""
    return [lane for lane in _comparable(models) if split(models.asked[lane])[0] is Provider.OPENAI]


def model(costs: Costs, config: RuntimeConfig, given: Given, models: Models) -> Saving | None:
    """Ask the model of OpenAI's that costs least, where one of OpenAI's is asked first."""
    if config.model.next and config.flags.model.cohort is not Cohort.OFF:
        return None  # one is on its way, this or another
    own = {lane: given[lane] for lane in _own(models)}
    asked = models.providers[Provider.OPENAI]
    tokens = given[Lane.BATCH].answer_tokens
    found = {
        name: _apart(costs, (config, own), (config, {lane: _asking(name, lane, models, tokens) for lane in own}))
        for name, prices in models.prices.items()
        if name != asked and split(name)[0] is Provider.OPENAI and set(prices) == set(Lane)
    }
    name = max(found, key=lambda each: sum(found[each][0].values()), default=None)
    if name is None or sum(found[name][0].values()) <= 0:
        return None
    shares, how = found[name]
    risk = "Answers may be worse: it is rolled out by the flag model, which is compared and taken back by itself."
    arithmetic = f"{asked} -> {name}; {how}"
    result = saving(Kind.MODEL, "trial", sum(shares.values()), FORMULA_RANGE, arithmetic, risk)
    return result.model_copy(update={"changes": {"model": {"next": name}, "flags": {"model": STAGED}}})


def provider(costs: Costs, config: RuntimeConfig, given: Given, models: Models) -> Saving | None:
    """Ask another provider first, in each lane in which it costs less."""
    found: dict[Provider, tuple[dict[Lane, float], str]] = {}
    for each, name in models.providers.items():
        tokens = given[Lane.BATCH].answer_tokens
        lanes = [lane for lane in _comparable(models) if lane in models.prices[name] and models.asked[lane] != name]
        before = {lane: given[lane] for lane in lanes}
        after = {lane: _asking(name, lane, models, tokens) for lane in lanes}
        cheaper = [lane for lane, share in _apart(costs, (config, before), (config, after))[0].items() if share > 0]
        if cheaper:
            kept = [{lane: of[lane] for lane in cheaper} for of in (before, after)]
            found[each] = _apart(costs, (config, kept[0]), (config, kept[1]))
    best = max(found, key=lambda each: sum(found[each][0].values()), default=None)
    if best is None:
        return None
    shares, how = found[best]
    name = models.providers[best]
    some = config.providers.regions_of(best) is not None
    alike = all(_alike(models.asked[lane], name) for lane in shares)
    risk = f"{LABELS[best]} gets the photos: whether it may, its contract and your users' regions say."
    risk += " Its model is the same." if alike else " Its answers may be worse."
    arithmetic = f"{', '.join(sorted({models.asked[lane] for lane in shares}))} -> {name}; {how}"
    if some:
        arithmetic += f". Only photos from the regions of providers.{best}Regions go there, however many these are"
    ends = (0.0, FORMULA_RANGE[1]) if some else FORMULA_RANGE
    result = saving(Kind.PROVIDER, "apply" if alike else "trial", sum(shares.values()), ends, arithmetic, risk)
    orders = {lane: config.providers.order if lane is Lane.INSTANT else config.providers.batch_order for lane in shares}
    changed = {
        ORDERS[lane]: [best, *(each for each in order if each is not best)][:2] for lane, order in orders.items()
    }
    return result.model_copy(update={"changes": {"providers": changed}})


def as_tried(found: Saving, tried: Mapping[str, Trial], costs: Costs, models: Models) -> Saving:
    """Return a saving with the share that a trial of it has measured, in place of the one that was reckoned."""
    of = trial.found if (trial := tried.get(found.kind)) and trial.changes == found.changes else None
    if of is None or not of.answered or not of.before.micros or found.way != "trial":
        return found
    old, new = (round(each.micros / of.answered) for each in (of.before, of.after))
    lanes = _changed(found, models)
    part = sum(costs.photos[lane] * costs.photo_micros[lane] for lane in lanes) / costs.whole
    share = (1 - of.after.micros / of.before.micros) * part
    how = f"In a trial {of.answered} photos cost {old} -> {new} µ$ each at the price of batches"
    if share <= 0:
        return saving(Kind(found.kind), "nothing", 0.0, (0.0, 0.0), f"{how}. Reckoned was: {found.arithmetic}", "")
    ends = {"low": FORMULA_RANGE[0] * share, "high": FORMULA_RANGE[1] * share}
    return found.model_copy(update={"share": share, **ends, "arithmetic": f"{how}; reckoned was {found.arithmetic}"})


def _changed(found: Saving, models: Models) -> list[Lane]:
    """Return the lanes that a saving changes."""
    if found.kind == Kind.MODEL:
        return _own(models)
    orders = (found.changes or {}).get("providers")
    return [lane for lane in Lane if orders is None or ORDERS[lane] in orders]
