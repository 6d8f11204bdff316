"""How an alert is delivered: by whom, when it is tried again, and when it is given up."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from functions.core.shared.alerts import NEWS, Alert, Channel, Delivery
from functions.core.shared.records import Fields

LEASE = timedelta(minutes=10)
"""How long a guard has for delivering an alert; after that the next one takes it, which died or did not come to it."""

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=10), timedelta(hours=4)
"""Between two attempts by one channel: it doubles."""

ATTEMPTS_MAX = 10
"""By one channel: 10, 20, 40, 80, 160 and four times 240 minutes are a day. Then nobody is listening there."""


def attempted(due: Alert, now: datetime) -> list[Channel]:
    """Return by which channels an alert is to be delivered now."""
    channels = [Channel.WEBHOOK] if due.kind in NEWS else list(Channel)
    if due.attempts == 0:
        return channels
    states = {channel: due.channels.get(channel, Delivery(due_at=now)) for channel in channels}
    return [channel for channel, state in states.items() if state.due_at is not None and state.due_at <= now]


def taken(due: Alert, until: datetime) -> Fields:
    """Return what changes when a guard takes an alert to deliver it."""
    fields = {"dueAt": until, "attempts": due.attempts + 1}
    return fields if due.attempts else {**fields, "channels": {}}


def outcome(due: Alert, reached: Mapping[Channel, bool], now: datetime) -> Fields:
    """Return what changes when an alert has been delivered by these channels, or not."""
    states: dict[str, Delivery] = dict(due.channels) if due.attempts else {}
    for channel, done in reached.items():
        before = states.get(channel, Delivery())
        attempts = before.attempts + 1
        wait = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
        again = None if done or attempts >= ATTEMPTS_MAX else now + wait
        states[channel] = before.model_copy(update={"attempts": attempts, "due_at": again, "done": done})
    left = [state.due_at for state in states.values() if state.due_at is not None]
    channels = {str(channel): state.model_dump(by_alias=True) for channel, state in states.items()}
    return {"channels": channels, "dueAt": min(left, default=None)}
