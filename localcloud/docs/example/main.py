"""A small project: greetings are counted, and forgotten after a day."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from firebase_admin import firestore, initialize_app
from firebase_functions import https_fn, scheduler_fn
from google.cloud.firestore import FieldFilter

initialize_app()


class Time:
    """Where this project asks for the time."""

    now: Callable[[], datetime] = staticmethod(lambda: datetime.now(UTC))


def use_clock(clock: Callable[[], datetime]) -> None:
    """Go by the local cloud's clock, which can be moved: `--clock-hook main:use_clock`."""
    Time.now = staticmethod(clock)


@https_fn.on_call()
def greet(request: https_fn.CallableRequest[Any]) -> dict[str, Any]:
    """Greet somebody, and say how often that has happened."""
    greeting = firestore.client().document(f"greetings/{request.data['name']}")
    greeting.set({"times": firestore.Increment(1), "at": Time.now()}, merge=True)
    return {"text": f"Hello {request.data['name']}", "times": greeting.get().get("times")}


@scheduler_fn.on_schedule(schedule="0 * * * *")
def forget(event: scheduler_fn.ScheduledEvent) -> None:
    """Every hour, forget greetings that are older than a day."""
    del event
    old = FieldFilter("at", "<", Time.now() - timedelta(days=1))
    for greeting in firestore.client().collection("greetings").where(filter=old).limit(100).stream():
        greeting.reference.delete()
