"""What was decided about running flags: stops; and what their guard has seen. One document of its own, so that a stop
works whatever has become of `config/runtime`.

Each flag stands alone in it: what cannot be read of one makes that one old, and leaves the others as they are.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from functions.core.rollouts.evidence import Verdict
from functions.core.rollouts.flags import Flag
from functions.core.rollouts.watch import Watch
from functions.core.shared.alerts import Alert, AlertKind, alert
from functions.core.shared.damage import DamagedDocument
from functions.core.shared.records import Kept, Open, problems


class By(StrEnum):
    """Who stopped a flag: the detector, a process that saw it fail, or an operator."""

    DETECTOR = "detector"
    PROCESS = "process"
    OPERATOR = "operator"


class Stop(Kept):
    """When a flag was stopped, by whom, and why, in words for operators."""

    at: datetime
    by: Open[By]
    why: str


class FlagState(Kept):
    """One flag in `stats/rollouts`. A stop and a restart each begin the next `epoch`, so that what an earlier one
    counted says nothing about this one. `watch` is of the epoch that runs, or ran last."""

    epoch: int = Field(default=0, ge=0)
    stopped: Stop | None = None
    watch: Watch | None = None


def with_stop(state: FlagState, epoch: int, stop: Stop) -> FlagState | None:
    """Return the state after a stop of what ran in this epoch; None if that was stopped, or begun anew, already."""
    if state.stopped is not None or state.epoch != epoch:
        return None
    return state.model_copy(update={"epoch": epoch + 1, "stopped": stop})


def with_restart(state: FlagState) -> FlagState:
    """Return the state with the flag running anew, or from now on: nothing of what was counted or stopped before."""
    return state.model_copy(update={"epoch": state.epoch + 1, "stopped": None, "watch": None})


def bringing(state: FlagState, value: str) -> FlagState:
    """Return the state of a flag whose new path takes this `value`: begun anew if it took another one before, which has
    proven nothing of this one."""
    other = state.watch is not None and state.watch.value not in {"", value}
    return with_restart(state) if other else state


def or_unread(state: FlagState | None, now: datetime) -> FlagState:
    """Return a state; in place of one that cannot be read, one whose epoch no flag has reached: the seconds since
    1970."""
    return state or FlagState(epoch=int(now.timestamp()))


def in_test(state: FlagState | None) -> bool:
    """Tell whether a test is on without a result: until it has one, nobody is shown what the paths came to. A stop ends
    it."""
    test = state.watch.test if state and state.watch and state.stopped is None else None
    return test is not None and test.result is None


def held_because(state: FlagState | None) -> str:
    """Return why a flag that runs is on hold; nothing if it is not."""
    watch = state.watch if state and state.stopped is None else None
    if watch is None or watch.verdict != Verdict.HOLD:
        return ""
    return "the reason has figures of its test, and is shown after it" if in_test(state) else watch.why


def stop_alert(flag: str, epoch: int, stop: Stop) -> Alert:
    """Return what operators are told of the stop of what ran in this epoch."""
    told = alert(AlertKind.ROLLOUT_STOPPED, f"The flag {flag} was stopped: {stop.why}.", stop.at)
    return told.model_copy(update={"key": f"{flag}-{epoch}"})


States = Mapping[Flag, FlagState | None]
"""Every flag's state; None for one that cannot be read, which is old until somebody has mended it."""


def read_states(stored: Mapping[str, Any], path: str) -> tuple[States, tuple[DamagedDocument, ...]]:
    """Return what the stored document says of each flag, and what cannot be read of it. Flags of a newer release are
    passed over."""
    states: dict[Flag, FlagState | None] = {}
    damaged: tuple[DamagedDocument, ...] = ()
    for flag in Flag:
        try:
            states[flag] = FlagState.model_validate(stored.get(flag, {}))
        except ValidationError as error:
            states[flag] = None
            damaged += tuple(
                DamagedDocument(path, f"{flag}.{field}" if field else flag.value, why) for field, why in problems(error)
            )
    return states, damaged
