"""`guard_rollouts`: once a minute, what the two paths of each running flag came to, held against each other.

    add up the arms' counters ► a verdict for each flag ► store it, and stop what fails ► begin the next stage

While nothing rolls it reads the config, and no more. It may die anywhere and run twice at once: a look is stored if
nobody else has looked since the state was read, in the commit that stops.
"""

from __future__ import annotations

import traceback
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.core.rollouts.arms import USERS_MIN, key_of
from functions.core.rollouts.evidence import Verdict
from functions.core.rollouts.flags import Cohort, Flag
from functions.core.rollouts.stops import By, FlagState, Stop, bringing, with_stop
from functions.core.rollouts.watch import advances_to, looked
from functions.core.shared.errors import InvalidRequest, SettingsChanged
from functions.core.shared.utc_days import day_of
from functions.use_cases.operations.config_changes import change_config
from functions.use_cases.rollouts.serving import brought, rules_in_force

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from functions.core.rollouts.counts import Counts
    from functions.core.rollouts.flags import FlagRules
    from functions.core.rollouts.stops import States
    from functions.core.rollouts.watch import Watch
    from functions.wiring import Deps

BY = "guard_rollouts"
"""Who begins a stage, for the audit."""

EARLIER_DAYS = 2
"""What is held on a day may end two days later, when a batch has taken all of its time."""

EARLIER_EVERY = 5
"""Minutes between two looks at those days: batches are collected as often."""


def guard_rollouts(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts of flags that are `running`, and of those that were `stopped`, are on `hold`, or have
    `advanced`."""
    now, current = deps.clock(), deps.current.get()
    rules = {flag: rules for flag in Flag if (rules := rules_in_force(flag, deps)) and rules.cohort is not Cohort.OFF}
    states = {flag: state for flag in rules if (state := current.rollouts[flag]) and state.stopped is None}
    counts = Counter(running=len(states), stopped=0, hold=0, advanced=0)
    if not states:
        return dict(counts)
    found = deps.store.arm_counts(_days(now))
    after = {flag: _after(flag, state, rules[flag], found, now, deps) for flag, state in states.items()}
    changed = {flag: state for flag, state in after.items() if state != states[flag]}
    if changed:
        _store(changed, states, deps)
    for flag, state in after.items():
        counts["stopped"] += state.stopped is not None
        counts["hold"] += state.watch is not None and state.watch.verdict == Verdict.HOLD
        if state.stopped is None and state.watch is not None:
            counts["advanced"] += _advanced(flag, state.watch, rules[flag], now, deps)
    return dict(counts)


def _days(now: datetime) -> Sequence[str]:
    earlier = EARLIER_DAYS if now.minute % EARLIER_EVERY == 0 else 0
    return [day_of(now - timedelta(days=ago)) for ago in range(earlier + 1)]


def _after(
    flag: Flag, state: FlagState, rules: FlagRules, found: Mapping[str, Counts], now: datetime, deps: Deps
) -> FlagState:
    """Return a flag's state after this look: the same if nothing has changed. Another value begins another epoch."""
    value = str(brought(flag, deps))
    if (anew := bringing(state, value)) is not state:
        return anew
    key = key_of(flag, state.epoch)
    days = {day: counts[key] for day, counts in found.items() if key in counts}
    share = min(rules.share, deps.settings.flag_ceilings[flag])
    watch = looked(state.watch, state.epoch, days, rules, share, now).model_copy(update={"value": value})
    fails = watch.verdict == Verdict.ROLL_BACK
    if fails and len(deps.store.failed_users(key)) < USERS_MIN:
        why = f"{watch.why}; but the calls that failed were those of fewer users than it takes to judge"
        watch, fails = watch.model_copy(update={"verdict": Verdict.HOLD, "why": why}), False
    if state.watch is not None and state.watch.model_copy(update={"at": now}) == watch:
        return state
    after = state.model_copy(update={"watch": watch})
    stop = Stop(at=now, by=By.DETECTOR, why=watch.why)
    return (with_stop(after, after.epoch, stop) or after) if fails else after


def _store(changed: Mapping[Flag, FlagState], seen: Mapping[Flag, FlagState], deps: Deps) -> None:
    """Store what has changed of the flags that are as they were seen."""

    def decide(states: States) -> Mapping[Flag, FlagState]:
        return {flag: state for flag, state in changed.items() if states[flag] == seen[flag]}

    for flag, state in deps.store.change_flags(decide).items():
        if state.stopped is not None:
            why = state.stopped.why
            log.error(log.Event.ROLLOUT_STOPPED, flag=flag, epoch=seen[flag].epoch, by=By.DETECTOR, why=why)


def _advanced(flag: Flag, watch: Watch, rules: FlagRules, now: datetime, deps: Deps) -> bool:
    """Begin a flag's next stage, if it begins by itself now, unless an operator was faster."""
    following = advances_to(watch, rules, now)
    if following is None:
        return False
    field = f"flags.{flag}.cohort"
    try:
        outcome = change_config({"flags": {flag: {"cohort": following}}}, BY, deps, {field: rules.cohort})
    except (InvalidRequest, SettingsChanged):
        log.warning(log.Event.STAGE_REFUSED, flag=flag, stage=following, stack_trace=traceback.format_exc())
        return False
    log.warning(log.Event.CONFIG_CHANGED, by=BY, changed=outcome["changed"])
    return True
