"""What operators are told: `alerts/{id}`."""

from datetime import datetime

from google.api_core import exceptions

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.query import DESCENDING, Collection
from functions.adapters.firestore.reading import DamagedDocumentError, Found, all_sound, sound
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.writes import guarded_update
from functions.core.shared.alerts import Alert, reopened
from functions.core.shared.records import Fields


class AlertDocuments(Documents):
    """Reads and writes of alerts."""

    def create_alert(self, alert: Alert) -> bool:
        """Store an alert, due to be delivered. False if there is one like it already. One write."""
        try:
            self._client.batch().create(self._alerts.document(alert.alert_id), alert.model_dump(by_alias=True)).commit()
        except exceptions.AlreadyExists:
            return False
        return True

    def open_alert(self, alert: Alert) -> bool:
        """Store an alert, or open the one of its day again; a damaged one is written anew. False if it is open already.
        A write, or two and a read."""
        if self.create_alert(alert):
            return True
        snapshot = self._client.get(self._alerts.document(alert.alert_id))
        try:
            stored = sound(snapshot, _alert)
        except DamagedDocumentError:
            self._client.batch().set(snapshot.path, alert.model_dump(by_alias=True)).commit()
            return True
        fields = reopened(stored, alert, alert.created_at)
        return fields is not None and self.update_alert(stored, snapshot.update_time, fields) is not None

    def open_alerts(self, limit: int) -> Found[tuple[Alert, datetime]]:
        """Read alerts of what holds, as far as is known, with their versions. A read each, one if there are none."""
        found = self._alerts.where("open", "==", True).limit(limit).stream()
        return all_sound(found, lambda each: (_alert(each), each.update_time))

    def recent_alerts(self, limit: int) -> Found[Alert]:
        """Read the newest alerts. A read each, one if there are none."""
        query = self._alerts.order_by("createdAt", DESCENDING).limit(limit)
        return all_sound(query.stream(), _alert)

    def due_alerts(self, now: datetime, limit: int) -> Found[tuple[Alert, datetime]]:
        """Read alerts that are to be delivered, with their versions. A read each, one if there are none."""
        query = self._alerts.where("dueAt", "<=", now).order_by("dueAt").limit(limit)
        found = query.stream()
        return all_sound(found, lambda each: (_alert(each), each.update_time))

    def update_alert(self, alert: Alert, version: datetime, fields: Fields) -> datetime | None:
        """Write these fields if the alert is as it was at `version`. None if somebody was faster."""
        return guarded_update(self._client, self._alerts.document(alert.alert_id), version, fields)

    def mark_alert(self, alert_id: str, fields: Fields) -> bool:
        """Write these fields, False if there is no such alert. One write."""
        try:
            self._client.batch().update(self._alerts.document(alert_id), fields).commit()
        except exceptions.NotFound:
            return False
        return True

    @property
    def _alerts(self) -> Collection:
        return self._client.collection("alerts")


def _alert(snapshot: Snapshot) -> Alert:
    return Alert.model_validate(snapshot.fields)
