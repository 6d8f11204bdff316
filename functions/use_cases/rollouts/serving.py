"""What serves a user now: the model, the wording of the prompt and the side of the photo, by the flags as they stand.
An instant call decides when its job is created, a batch when it is sent: a stop would miss what is queued."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

from functions.core.config.provider_rules import AskedInBatches
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from functions.core.model.usage import UnknownPriceError
from functions.core.model.ways import Way
from functions.core.rollouts.arms import Arms, Decision, arms_of, decide, key_of, takes_new
from functions.core.rollouts.flags import Cohort, Flag, FlagRules
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, split

if TYPE_CHECKING:
    from functions.core.batches.batches import Batch
    from functions.core.config.runtime import ImageRules
    from functions.core.jobs.jobs import Job
    from functions.wiring import Deps


@dataclass(frozen=True)
class Served(Way):
    """A way, and the arms that brought it there; the `second` model if the first fails, None for none."""

    arms: Arms = field(default_factory=dict)
    second: str | None = None


def served(uid: str, deps: Deps) -> Served:
    """Return what serves this user now at OpenAI."""
    return _served_by(arms_of(decisions(uid, deps)), deps)


def _served_by(arms: Arms, deps: Deps) -> Served:
    new = {flag: value for flag in Flag if takes_new(arms, flag) and (value := brought(flag, deps)) is not None}
    old = way_in_force(deps.settings.openai_model, deps)
    return Served(
        model=str(new.get(Flag.MODEL, old.model)),
        prompt=str(new.get(Flag.PROMPT, old.prompt)),
        side_max=int(new.get(Flag.SIDE, old.side_max)),
        arms=arms,
    )


def way_in_force(model: str, deps: Deps) -> Way:
    """Return the way that asks this model now, without flags."""
    return Way(model, PROMPT_VERSION, deps.runtime().images.side_max)


def brought(flag: Flag, deps: Deps) -> str | int | None:
    """Return what a flag's new path takes in place of the old one's; None while there is nothing to be taken."""
    match flag:
        case Flag.MODEL:
            return next_model(deps)
        case Flag.PROMPT:
            return PROMPT_NEXT
        case Flag.SIDE:
            return deps.runtime().images.next_side_max


def way_of(batch: Batch, deps: Deps) -> Way:
    """Return the way that a batch's lines go. One of a release that did not say keeps the config's side."""
    return Way(batch.model, batch.prompt_version, batch.side_max or deps.runtime().images.side_max)


def images_of(way: Way, deps: Deps) -> ImageRules:
    """Return how a photo is prepared that goes this way."""
    return deps.runtime().images.model_copy(update={"side_max": way.side_max})


def served_at_once(path: Served, region: str, deps: Deps) -> Served:
    """Return what serves an instant photo of a user on this path, who is in that region: a provider that may, and is
    not known to fail, as the config orders them. OpenAI where no other one can be."""
    models = _in_order(deps.runtime().providers.order, path, deps)
    admitted = [model for model in models if may_serve(model, region, deps)]
    first, second = [*_up(admitted, deps), None, None][:2]
    if first is None or first == path.model:
        return replace(path, second=second)
    return replace(path, model=first, arms=_without_model_flag(path.arms), second=second)


def served_in_batch(uid: str, region: str, closed: Set[Provider], deps: Deps) -> Served | None:
    """Return what serves a queued photo of this user, who is in that region: the first of the config's order that may,
    and is not `closed`; None while all of them are. OpenAI where no other one can be."""
    path = served(uid, deps)
    models = _in_order(deps.runtime().providers.batch_order, path, deps)
    admitted = [model for model in models if may_serve(model, region, deps, batch=True)] or [path.model]
    model = next((each for each in admitted if split(each)[0] not in closed), None)
    if model is None:
        return None
    return path if model == path.model else replace(path, model=model, arms=_without_model_flag(path.arms))


def _in_order(order: Sequence[Provider], path: Served, deps: Deps) -> list[str]:
    return [path.model if each is Provider.OPENAI else deps.settings.model_of(each) for each in order]


def _without_model_flag(arms: Arms) -> Arms:
    """The flag `model` is about OpenAI's: whoever is not asked there first takes neither of its paths."""
    return {key: arm for key, arm in arms.items() if key.partition("@")[0] != Flag.MODEL}


def may_serve(model: str, region: str, deps: Deps, *, batch: bool = False) -> bool:
    """Whether a photo from this region may go to a model's provider now, in one lane."""
    provider = split(model)[0]
    if provider is Provider.OPENAI:
        return True
    allowed = deps.runtime().providers.may_see(provider, region)
    return allowed and deps.settings.reaches(provider) and _has_price(model, deps, batch=batch)


def _up(models: list[str], deps: Deps) -> list[str]:
    """Leave out who is known to fail, unless they all are."""
    return [model for model in models if not deps.asked(model).shut(split(model)[1])] or models


def first_model(deps: Deps, lane: Lane = Lane.INSTANT) -> str:
    """Return the model that is asked first in a lane, of the config's order, as far as this deploy can; without flags,
    wherever a photo is from."""
    rules, batch = deps.runtime().providers, lane is Lane.BATCH
    order = [deps.settings.model_of(each) for each in (rules.batch_order if batch else rules.order)]
    return next((model for model in order if can_ask(model, deps, batch=batch)), deps.settings.openai_model)


def can_ask(model: str, deps: Deps, *, batch: bool) -> bool:
    """Whether this deploy can ask a model in a lane: it has the provider's key, and the model a price."""
    provider = split(model)[0]
    takes = not batch or provider in get_args(AskedInBatches)
    return takes and deps.settings.reaches(provider) and _has_price(model, deps, batch=batch)


def other_models(deps: Deps, *, batch: bool) -> list[str]:
    """Return the models beside OpenAI's that the config may have asked in a lane."""
    rules = deps.runtime().providers
    order = rules.batch_order if batch else rules.order
    named = [deps.settings.model_of(each) for each in order if each is not Provider.OPENAI]
    return [model for model in named if _has_price(model, deps, batch=batch)]


def _has_price(model: str, deps: Deps, *, batch: bool) -> bool:
    try:
        deps.model_price(model, batch=batch)
    except UnknownPriceError:
        return False
    return True


def held_for(job: Job, deps: Deps) -> Served:
    """Return what a charged job is served by: what its hold was made for, whatever the flags say by now."""
    path = _served_by(job.arms, deps)
    if job.hold is None:
        return replace(path, model=deps.settings.openai_model)
    return replace(path, model=job.hold.model, second=job.hold.second.model if job.hold.second else None)


def decisions(uid: str, deps: Deps) -> dict[Flag, Decision]:
    """Return each flag's decision for this user, at most as old as the config."""
    found = {}
    for flag in Flag:
        state = deps.current.get().rollouts[flag]
        epoch = state.epoch if state else None
        stopped = state is not None and (state.stopped is not None or deps.arms.stopped(key_of(flag, state.epoch)))
        ceiling = deps.settings.flag_ceilings[flag]
        found[flag] = decide(flag, rules_in_force(flag, deps), uid, ceiling=ceiling, epoch=epoch, stopped=stopped)
    return found


def models_asked(deps: Deps) -> set[str]:
    """Return every model of OpenAI's that may be asked now."""
    return {deps.settings.openai_model, *([str(brought(Flag.MODEL, deps))] if _is_on(Flag.MODEL, deps) else [])}


def side_asked_max(deps: Deps) -> int:
    """Return the longest side that a photo may be sent with now, whichever path it takes: it costs most."""
    side = deps.runtime().images.side_max
    return max(side, int(brought(Flag.SIDE, deps) or 0)) if _is_on(Flag.SIDE, deps) else side


def _is_on(flag: Flag, deps: Deps) -> bool:
    rules = rules_in_force(flag, deps)
    return rules is not None and rules.cohort is not Cohort.OFF


def next_model(deps: Deps) -> str | None:
    """Return the model that `model.next` names; None if it names none, or one without a price in both lanes."""
    model = deps.runtime().model.next
    return priced(model, deps) if model else None


def priced(model: str, deps: Deps) -> str | None:
    """Return a model of OpenAI's, None if it has no price in both lanes: what it costs could not be held. Another
    provider's has no batches here."""
    if split(model)[0] is not Provider.OPENAI:
        return None
    try:
        for batch in (False, True):
            deps.model_price(model, batch=batch)
    except UnknownPriceError:
        return None
    return model


def rules_in_force(flag: Flag, deps: Deps) -> FlagRules | None:
    """Return a flag's rules; None for those that nothing can be done by."""
    rules = deps.current.get().flags[flag]
    lacking = rules is not None and rules.cohort is not Cohort.OFF and brought(flag, deps) is None
    return None if lacking else rules
