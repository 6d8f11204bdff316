"""What serves a user now: the model and the wording of the prompt, by the flags as they stand. An instant call decides
when its job is created, a batch when it is sent: a stop would miss what is queued."""

from __future__ import annotations

import traceback
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

from functions import log
from functions.adapters.arm_breaker import FAILURES_MAX
from functions.core.config.provider_rules import AskedInBatches
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from functions.core.model.usage import UnknownPriceError
from functions.core.rollouts.arms import USERS_MIN, Arms, Decision, arms_of, decide, key_of, takes_new
from functions.core.rollouts.flags import Cohort, Flag, FlagRules
from functions.core.rollouts.stops import By, Stop
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, split

if TYPE_CHECKING:
    from functions.core.jobs.jobs import Job
    from functions.wiring import Deps


@dataclass(frozen=True)
class Served:
    """The `model` that is asked and the version of its `prompt`, and the arms that brought it there; the `second` model
    if that fails, None for none; the longest side of a photo, None for the config's."""

    model: str
    prompt: str = PROMPT_VERSION
    arms: Arms = field(default_factory=dict)
    second: str | None = None
    side_max: int | None = None


def served(uid: str, deps: Deps) -> Served:
    """Return what serves this user now at OpenAI."""
    arms = arms_of(decisions(uid, deps))
    new_model = next_model(deps) if takes_new(arms, Flag.MODEL) else None
    return Served(new_model or deps.settings.openai_model, _prompt(arms), arms)


def served_at_once(uid: str, region: str, deps: Deps) -> Served:
    """Return what serves an instant photo of this user, who is in that region: a provider that may, and is not known to
    fail, as the config orders them. OpenAI where no other one can be."""
    path = served(uid, deps)
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
    if job.hold is None:
        return Served(deps.settings.openai_model, _prompt(job.arms), job.arms)
    second = job.hold.second.model if job.hold.second else None
    return Served(job.hold.model, _prompt(job.arms), job.arms, second)


def _prompt(arms: Arms) -> str:
    return PROMPT_NEXT if takes_new(arms, Flag.PROMPT) else PROMPT_VERSION


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


def note_outcome(arms: Arms, uid: str, deps: Deps, *, failed: bool) -> None:
    """Note how a call has ended on its paths. What fails for this process while the old path works is stopped for
    everybody: see `adapters.arm_breaker`. A stop that cannot be written is tried again with the next call."""
    for key in deps.arms.note(arms, uid, failed=failed):
        try:
            _stop(key, deps)
        except Exception:  # noqa: BLE001  (whatever it is, this process has stopped, and the call has ended as it has)
            log.warning(log.Event.STOP_UNRECORDED, flag=key, stack_trace=traceback.format_exc())
        else:
            deps.arms.told(key)


def _stop(key: str, deps: Deps) -> None:
    name, epoch = key.split("@")
    why = f"{FAILURES_MAX} calls in a row failed for at least {USERS_MIN} users, while the old path worked"
    stop = Stop(at=deps.clock(), by=By.PROCESS, why=why)
    if deps.store.stop_flag(Flag(name), int(epoch), stop):
        log.error(log.Event.ROLLOUT_STOPPED, flag=name, epoch=int(epoch), by=stop.by, why=why)


def models_asked(deps: Deps) -> set[str]:
    """Return every model of OpenAI's that may be asked now."""
    rules = rules_in_force(Flag.MODEL, deps)
    new = next_model(deps) if rules is not None and rules.cohort is not Cohort.OFF else None
    return {deps.settings.openai_model, new or deps.settings.openai_model}


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
    lacking = flag is Flag.MODEL and rules is not None and rules.cohort is not Cohort.OFF and next_model(deps) is None
    return None if lacking else rules
