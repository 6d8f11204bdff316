"""`admin_rollout`: an operator stops a flag, or starts a stopped one anew, also while `config/runtime` cannot be read.
How far it goes is `admin_set_config`'s."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions import log
from functions.core.rollouts.flags import Flag
from functions.core.rollouts.stops import By, FlagState, Stop, or_unread, with_restart, with_stop
from functions.core.shared.plain_text import cleaned
from functions.core.shared.records import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.rollouts.stops import States
    from functions.core.shared.records import Fields
    from functions.wiring import Deps


class Action(StrEnum):
    """What is to be done with a flag."""

    STOP = "stop"
    RESTART = "restart"


class AdminRollout(Request):
    """The flag, what to do with it, and why, for the record."""

    flag: Annotated[Flag, Field(strict=False)]
    action: Annotated[Action, Field(strict=False)]
    why: Annotated[str, Field(min_length=1, max_length=300)]


def admin_rollout(request: AdminRollout, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the flag's `epoch`, whether it is `stopped`, and whether this call `changed` that. Every process has it
    within 30 seconds. A stop brings everybody onto the old path; a restart counts anew, whatever was counted before."""
    outcome = change_rollout(request.flag, request.action, uid, request.why, deps)
    if outcome["changed"] and outcome["stopped"]:
        epoch, why = outcome["epoch"] - 1, f"{uid}: {cleaned(request.why)}"
        log.error(log.Event.ROLLOUT_STOPPED, flag=request.flag, epoch=epoch, by=By.OPERATOR, why=why)
    return outcome


def change_rollout(flag: Flag, action: Action, by: str, why: str, deps: Deps) -> dict[str, Any]:
    """Stop or restart a flag, with its audit entry. Returns what `admin_rollout` does."""
    now, audit_id, why = deps.clock(), deps.new_id(), cleaned(why)
    stop = Stop(at=now, by=By.OPERATOR, why=f"{by}: {why}")
    found: dict[Flag, FlagState] = {}

    def decide(states: States) -> Mapping[Flag, FlagState]:
        before = found[flag] = or_unread(states[flag], now)
        if action is Action.STOP:
            after = with_stop(before, before.epoch, stop)
        else:
            after = with_restart(before) if before.stopped is not None or states[flag] is None else None
        return {flag: after} if after else {}

    def audit(states: States) -> tuple[str, Fields]:
        was = states[flag]
        before = was.stopped.why if was and was.stopped else None
        after = stop.why if action is Action.STOP else None
        return audit_id, {
            "by": by,
            "at": now,
            "action": f"rollout {action}",
            "why": why,
            "changed": [{"field": f"rollouts.{flag}.stopped", "before": before, "after": after}],
        }

    changed = deps.store.change_flags(decide, audit)
    state = changed.get(flag, found[flag])
    return {"flag": flag, "epoch": state.epoch, "stopped": state.stopped is not None, "changed": bool(changed)}
