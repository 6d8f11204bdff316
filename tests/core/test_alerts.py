"""What operators are told."""

from datetime import timedelta

from functions.core.alerts import AlertKind, alert
from tests.builders import NOW


def test_an_alert_is_one_a_day_and_kind() -> None:
    """Two guards that find the same make the same document; it is due at once and goes after three months."""
    told = alert(AlertKind.DRIFT, "The shards were off.", NOW)
    assert told.alert_id == alert(AlertKind.DRIFT, "Off, they were.", NOW + timedelta(hours=1)).alert_id
    assert told.alert_id == "drift-2026-11-21"
    assert alert(AlertKind.DRIFT, "", NOW + timedelta(days=1)).alert_id != told.alert_id
    assert (told.due_at, told.expire_at - NOW) == (NOW, timedelta(days=90))
