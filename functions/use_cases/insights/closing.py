"""Telling whoever does the accounts that a day's costs are final."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.insights.day_notes import closed_days
from functions.core.shared.alerts import AlertKind, alert

if TYPE_CHECKING:
    from datetime import date

    from functions.core.insights.day_notes import DayNotes
    from functions.wiring import Deps


def tell_of_closed_days(notes: DayNotes, after: str, today: date, deps: Deps) -> str:
    """Leave a message for the webhook of each day that is final since the one `after`, once, which the guard delivers
    and signs. Returns the last of them. A write each."""
    last = after
    for last, noted in closed_days(notes, after, today).items():
        photos, micros = sum(noted.ended.values()), sum(noted.micros.values())
        text = f"{last} is closed: {photos} photos, ${micros / 1_000_000:.6f}."
        data = {"photos": noted.ended, "micros": noted.micros, "totalMicros": micros}
        message = alert(AlertKind.DAY_CLOSED, text, deps.clock())
        deps.store.create_alert(message.model_copy(update={"day": last, "data": data}))
    return last
