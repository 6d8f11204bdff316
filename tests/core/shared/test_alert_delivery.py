"""Each channel gets an alert by itself, and is given up by itself."""

from functions.core.shared.alert_delivery import ATTEMPTS_MAX, FIRST_WAIT, attempted, outcome, taken
from functions.core.shared.alerts import Alert, AlertKind, Channel, alert
from tests.builders import NOW


def test_each_channel_is_tried_by_itself() -> None:
    """What one of them has got is not sent there again; the other is tried after 10, 20, 40 minutes, and given up."""
    due = alert(AlertKind.DRIFT, "Off.", NOW)
    assert attempted(due, NOW) == list(Channel)
    assert taken(due, NOW) == {"dueAt": NOW, "attempts": 1, "channels": {}}
    now, waits = NOW, []
    reached = {Channel.WEBHOOK: False, Channel.PUSH: True}
    for _ in range(ATTEMPTS_MAX):
        fields = outcome(due, reached, now)
        due = Alert.model_validate({**due.model_dump(by_alias=True), **fields, "attempts": due.attempts + 1})
        assert attempted(due, now) == []
        if due.due_at is not None:
            assert not due.delivered
            waits.append((due.due_at - now) / FIRST_WAIT)
            now = due.due_at
            assert attempted(due, now) == [Channel.WEBHOOK]
            assert "channels" not in taken(due, now)
        reached = {Channel.WEBHOOK: False}
    assert waits == [1, 2, 4, 8, 16, 24, 24, 24, 24]
    assert (due.due_at, due.delivered) == (None, False)
    assert alert(AlertKind.DRIFT, "Off.", NOW).model_copy(update={"due_at": None}).delivered


def test_news_goes_to_the_webhook_alone() -> None:
    """Nobody's telephone rings for it; a webhook that was down is tried again."""
    due = alert(AlertKind.DAY_CLOSED, "Closed.", NOW)
    assert attempted(due, NOW) == [Channel.WEBHOOK]
    failed = outcome(due, {Channel.WEBHOOK: False}, NOW)
    due = Alert.model_validate({**due.model_dump(by_alias=True), **failed, "attempts": 1})
    assert attempted(due, NOW + FIRST_WAIT) == [Channel.WEBHOOK]
