"""Greetings, as the app and Cloud Scheduler meet them."""

from datetime import timedelta

from google.cloud.firestore import Client

from localcloud.cloud import LocalCloud
from localcloud.cron import CronClock
from localcloud.openai import OpenAIStandIn


def test_greetings_are_counted(localcloud: LocalCloud, firestore: Client) -> None:
    """Two calls are two greetings."""
    user = localcloud.sign_up()
    for _ in range(2):
        answer = localcloud.call("greet", {"name": "Ada"}, user.id_token)

    assert answer == {"text": "Hello Ada", "times": 2}
    assert firestore.document("greetings/Ada").get().get("times") == 2


def test_greetings_are_forgotten_after_a_day(localcloud: LocalCloud, firestore: Client, cron_clock: CronClock) -> None:
    """The documents of the test before are gone; two days of cron pass in a moment."""
    localcloud.call("greet", {"name": "Bob"})
    assert [document.id for document in firestore.collection("greetings").stream()] == ["Bob"]

    ticks = cron_clock.advance(timedelta(days=2))

    assert len(ticks) == 48
    assert all(tick.ok for tick in ticks)
    assert not firestore.document("greetings/Bob").get().exists


def test_no_model_is_asked(localcloud: LocalCloud, openai_standin: OpenAIStandIn) -> None:
    """A greeting costs a write and a read, and no request to OpenAI."""
    before = localcloud.firestore.embedded.bill.snapshot()["totals"]
    localcloud.call("greet", {"name": "Eve"})
    after = localcloud.firestore.embedded.bill.snapshot()["totals"]

    assert {kind: after[kind] - before[kind] for kind in after} == {"reads": 1, "writes": 1, "deletes": 0}
    assert dict(openai_standin.requests) == {}
