"""A wallet that cannot be read: its user is told clearly, operators too, and nobody else notices."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.core.shared.utc_days import day_of
from functions.use_cases.refresh.refresh_credits import refresh_credits
from tests.app import photo
from tests.wire import Wire, content, id_token, new_wire

DAMAGES: dict[str, dict[str, Any]] = {
    "a negative balance": {"balance": -3},
    "not a number": {"balance": float("nan")},
    "half a token": {"totalSpent": 1.5},
    "more than anybody can have": {"balance": 2**62},
    "a time as text without its zone": {"contactAt": "2026-11-21T12:00:00"},
    "a text for a time": {"createdAt": "yesterday"},
    "counters gone wrong": {"today": {"instant": "many"}},
    "a day that is none": {"bonusDay": "Saturday"},
    "a period that is none": {"refreshedPeriod": "2026-13"},
    "an entry without its fields": {"recent": [{"delta": 1}]},
}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions over HTTP, with two users who have wallets."""
    with new_wire(monkeypatch) as wire:
        for user in ("ann", "bob"):
            assert wire.call("get_wallet", {}, id_token(user)).status_code == 200
        yield wire


def requests(wire: Wire) -> dict[str, dict[str, Any]]:
    """Return a request to each function that needs a wallet."""
    path = wire.cloud.upload("ann", "p.jpg", photo(64))
    return {
        "get_wallet": {},
        "quote": {},
        "claim_daily_bonus": {"deviceId": "phone-of-ann"},
        "classify_image": {"requestId": uuid.uuid4().hex, "imagePath": path, "mode": "batch"},
        "classify_images": {"images": [{"requestId": uuid.uuid4().hex, "imagePath": path}]},
        "register_device": {"deviceId": "phone-of-ann", "pushToken": "t" * 20, "platform": "ios"},
    }


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_the_user_is_told_that_it_is_known(wire: Wire, damage: dict[str, Any]) -> None:
    """A refusal of its own in every call, which does not look like one to repeat; operators hear of path and field;
    nothing is written into the wallet, and the user beside is served."""
    wallet = wire.cloud.client.document("users/ann/wallet/main")
    wallet.update(damage)
    before = wallet.get().update_time
    for name, data in requests(wire).items():
        error = content(wire.call(name, data, id_token("ann")))["error"]
        assert (error["status"], error["details"]) == ("DATA_LOSS", {"reason": "DATA_DAMAGED"}), name
    assert wallet.get().update_time == before
    told = wire.cloud.client.document(f"alerts/document_damaged-{day_of(wire.cloud.clock())}").get().get("text")
    assert told.startswith(f"users/ann/wallet/main: {next(iter(damage))}")
    assert content(wire.call("get_wallet", {}, id_token("bob")))["result"]["balance"] == 10


def test_a_damaged_wallet_is_given_up_with_path_and_field_and_holds_up_nobody(wire: Wire) -> None:
    """The refresh tries it four times and leaves a dead letter; everybody else of its page is credited."""
    cloud = wire.cloud
    cloud.client.document("users/ann/wallet/main").update({"balance": "ten"})
    for number in range(5):
        wire.call("get_wallet", {}, id_token(f"user-{number}"))
    cloud.configure({"refresh": {"allowances": {"free": {"kind": "add", "amount": 5, "every": "day"}}}})
    cloud.clock.advance(timedelta(days=2))
    for _ in range(6):
        refresh_credits(cloud.deps)
        cloud.clock.advance(timedelta(minutes=5))
    (letter,) = [each.to_dict() or {} for each in cloud.client.collection("deadLetters").stream()]
    assert (letter["path"], letter["reason"].partition(":")[0]) == ("users/ann/wallet/main", "balance")
    for number in range(5):
        assert (cloud.client.document(f"users/user-{number}/wallet/main").get().to_dict() or {})["balance"] == 20
