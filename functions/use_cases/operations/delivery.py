"""Delivering alerts to operators: once to the log, and by each channel until it has got it or is given up."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from functions import log
from functions.core.shared.alert_delivery import LEASE, attempted, outcome, taken
from functions.core.shared.alerts import NEWS, Alert, Channel
from functions.use_cases.shared.pushes import remove_tokens
from functions.use_cases.shared.set_aside import postpone_damaged

if TYPE_CHECKING:
    from datetime import datetime

    from functions.wiring import Deps

ALERTS_PER_RUN = 20


def deliver_due(deps: Deps, until: datetime) -> int:
    """Deliver due alerts until this time. Returns how many have reached all their receivers. A damaged one is set
    aside."""
    due = deps.store.due_alerts(deps.clock(), ALERTS_PER_RUN)
    delivered = sum(_deliver(found, version, deps) for found, version in due if deps.clock() <= until)
    postpone_damaged(deps, due.damaged, "dueAt")
    return delivered


def _deliver(due: Alert, version: datetime, deps: Deps) -> bool:
    """Deliver an alert by the channels whose time it is. False if one of them has to be tried again."""
    first, channels = due.attempts == 0, attempted(due, deps.clock())
    ours = deps.store.update_alert(due, version, taken(due, deps.clock() + LEASE))
    if ours is None:
        return False  # another guard delivers it
    if first and due.kind in NEWS:
        pass  # plan_ahead's own entry says that it has closed days
    elif first and due.over_at is None:
        log.alert(log.Event.OPERATOR_ALERT, kind=due.kind, day=due.day, text=due.told)
    elif first:
        log.info(log.Event.OPERATOR_ALERT_OVER, kind=due.kind, day=due.day, text=due.told)
    reached = {channel: _reaches(channel, due, deps) for channel in channels}
    deps.store.update_alert(due, ours, outcome(due, reached, deps.clock()))
    return all(reached.values())


def _reaches(channel: Channel, due: Alert, deps: Deps) -> bool:
    try:
        if channel is Channel.WEBHOOK:
            deps.alerting.send(due)
        else:
            _push(due, deps)
    except Exception:  # noqa: BLE001  (whatever it is, it is tried again, and the next one gets its turn)
        trace = traceback.format_exc()
        log.error(log.Event.ALERT_UNDELIVERED, kind=due.kind, day=due.day, channel=channel, stack_trace=trace)
        return False
    return True


def _push(due: Alert, deps: Deps) -> None:
    uids = dict.fromkeys([*due.uids, *deps.runtime().budget.alert_uids])
    targets = [(uid, token) for uid in uids for token in deps.store.push_tokens_of(uid)]
    if targets:
        remove_tokens(deps.messaging.alert(targets, str(due.kind), due.day, due.told).dead, deps)
