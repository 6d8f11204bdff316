"""What an app's first screen needs, in one call."""

from collections.abc import Iterator
from typing import Any

import pytest

from scripts.inprocess import InProcessCloud
from tests.steps import classify, enqueue, statement
from tests.wire import Wire, content, id_token, new_wire

ALL = {"balance", "quote", "jobs", "purchases", "messages"}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions over HTTP."""
    with new_wire(monkeypatch, InProcessCloud(seed=1)) as wire:
        yield wire


def home(wire: Wire, **data: Any) -> dict[str, Any]:
    """Return what the first screen shows."""
    shown: dict[str, Any] = content(wire.call("get_home", data, id_token("ann")))["result"]
    return shown


def other(wire: Wire, name: str) -> Any:
    """Return what another call shows."""
    return content(wire.call(name, {}, id_token("ann")))["result"]


def test_it_shows_what_the_other_calls_show(wire: Wire) -> None:
    """Of jobs those that are not over; the first call opens the wallet."""
    first = home(wire)
    assert (set(first), first["balance"]["balance"], first["jobs"]) == (ALL, 10, [])
    classify(wire.cloud, "now")
    waiting = enqueue(wire.cloud, "ann", 2)
    shown = home(wire)
    assert (shown["balance"], shown["quote"]) == (other(wire, "get_wallet"), other(wire, "quote"))
    assert shown["purchases"] == other(wire, "get_billing")
    assert sorted(each["jobId"] for each in shown["jobs"]) == sorted(waiting)


def test_parts_can_be_chosen(wire: Wire) -> None:
    """One that there is not is refused."""
    assert set(home(wire, parts=["messages", "balance"])) == {"messages", "balance"}
    refused = content(wire.call("get_home", {"parts": ["secrets"]}, id_token("ann")))
    assert refused["error"]["details"]["field"] == "parts.0"


def test_the_wallet_is_read_once(wire: Wire) -> None:
    """A read for it, one for the payer, and one for the jobs."""
    home(wire)
    wire.cloud.firestore.bill.reset()
    home(wire)
    assert wire.cloud.firestore.bill.reset()["totals"]["reads"] == 3


def test_messages_say_what_the_user_can_do(wire: Wire) -> None:
    """The most important first; nothing where all is well."""
    assert [each["code"] for each in home(wire)["messages"]] == ["bonusWaits"]
    content(wire.call("claim_daily_bonus", {"deviceId": "device-one"}, id_token("ann")))
    assert home(wire)["messages"] == []
    enqueue(wire.cloud, "ann", 12)
    wire.cloud.configure({"instant": {"open": False}})
    assert [each["code"] for each in home(wire)["messages"]] == ["instantClosed", "noTokens"]
    wire.cloud.configure({"budget": {"overrideMode": "closed", "overrideUntil": "2026-11-21T20:00:00Z"}})
    paused = home(wire)["messages"][0]
    assert paused["code"] == "paused"
    assert paused["until"] is not None


def test_a_part_that_fails_is_an_error_in_its_place(wire: Wire) -> None:
    """With the reason that its own call would have; the others are shown."""
    home(wire)
    wire.cloud.firestore.faults.add("unavailable", rpc="RunQuery", count=None)
    shown = home(wire)
    assert shown["jobs"]["error"]["details"]["reason"] == "STORE_UNAVAILABLE"
    assert shown["balance"]["balance"] == 10


def test_damage_costs_the_parts_that_need_what_is_damaged(wire: Wire) -> None:
    """And is reported as ever."""
    home(wire)
    waiting = enqueue(wire.cloud, "ann")
    wire.cloud.client.document("users/ann/wallet/main").update({"balance": "ten"})
    shown = home(wire)
    hurt = {name: part["error"]["details"]["reason"] for name, part in shown.items() if "error" in part}
    assert hurt == dict.fromkeys(["balance", "quote", "purchases", "messages"], "DATA_DAMAGED")
    assert [each["jobId"] for each in shown["jobs"]] == waiting
    assert len(statement(wire.cloud)) == 2
