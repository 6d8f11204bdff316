"""How calls have ended on their flags' paths, and the stop of a path that fails for a process."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.arm_breaker import FAILURES_MAX
from functions.core.rollouts.arms import USERS_MIN
from functions.core.rollouts.flags import Flag
from functions.core.rollouts.stops import By, Stop

if TYPE_CHECKING:
    from functions.core.rollouts.arms import Arms
    from functions.wiring import Deps


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
