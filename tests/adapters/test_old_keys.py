"""A requestId that comes again after its job is gone: jobs are deleted by TTL after 90 days, the ledger stays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.app import photo
from tests.wire import Wire, content, id_token, new_wire

PATH = "users/ann/uploads/can.jpg"
OUTLIVED = {"reason": "KEY_REUSED", "field": "requestId"}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions in front of a fresh cloud, and a photo."""
    with new_wire(monkeypatch) as wire:
        wire.cloud.upload("ann", "can.jpg", photo(32))
        yield wire


def call(wire: Wire, name: str, **data: Any) -> Any:
    """Call a function as ann. Returns the answer, or the refusal with its details."""
    told = content(wire.call(name, data, id_token("ann")))
    return told.get("result", told.get("error"))


def order(number: int) -> dict[str, str]:
    """Return a photo's order under the key of this number."""
    return {"requestId": f"request-{number}", "imagePath": PATH}


def outlive(wire: Wire) -> None:
    """Let 91 days pass and TTL do its work."""
    wire.cloud.clock.advance(timedelta(days=91))
    for job in wire.cloud.client.collection("aiJobs").list_documents():
        job.delete()


def books(wire: Wire) -> tuple[int, list[str]]:
    """Return the balance and the ids of the ledger."""
    ledger = wire.cloud.client.collection("users", "ann", "ledger")
    wallet = wire.cloud.client.document("users/ann/wallet/main").get().to_dict() or {}
    return wallet["balance"], sorted(entry.id for entry in ledger.stream())


@pytest.mark.parametrize("mode", ["instant", "batch"])
def test_an_old_key_is_refused_and_nothing_is_charged(wire: Wire, mode: str) -> None:
    """Every time, in either lane, and not as a defect of ours: the app is told to take a new key."""
    call(wire, "classify_image", **order(1), mode=mode)
    outlive(wire)
    call(wire, "get_wallet")  # what has come due meanwhile is credited
    before = books(wire)
    for again in ("instant", "batch"):
        refusal = call(wire, "classify_image", **order(1), mode=again)
        assert refusal["details"] == OUTLIVED
        assert "Use a new requestId" in refusal["message"]
    assert books(wire) == before
    assert call(wire, "classify_image", **order(2), mode=mode)["balance"] < before[0]


def test_the_other_photos_of_the_call_are_unharmed(wire: Wire) -> None:
    """Of a new photo, an old key, a known one and another old key, each gets its own answer."""
    call(wire, "classify_images", images=[order(1), order(2)])
    outlive(wire)
    (known,) = call(wire, "classify_images", images=[order(3)])["results"]
    before = books(wire)[0]
    answer = call(wire, "classify_images", images=[order(4), order(1), order(3), order(2), order(5)])
    new, first, same, second, newer = answer["results"]
    assert [first["error"]["reason"], second["error"]["reason"]] == ["KEY_REUSED"] * 2
    assert [first["error"]["field"], second["error"]["field"]] == ["requestId"] * 2
    assert same["job"]["jobId"] == known["job"]["jobId"]
    assert [new["job"]["status"], newer["job"]["status"]] == ["queued"] * 2
    assert answer["balance"] == books(wire)[0] == before - 2


def test_an_old_key_of_another_kind_is_answered_from_the_ledger(wire: Wire) -> None:
    """A conversion and a classification of the user's own have no job: their entries are kept, and answer for ever."""
    wire.cloud.configure({"tokens": {"pointsPerClassification": 1_000}})
    call(wire, "classify_image", **order(1), mode="batch")
    manual = {"requestId": "manual-one", "deviceId": "device-1", "itemName": "Can", "category": "Dry Waste"}
    first = [
        call(wire, "convert_points", requestId="convert-one", points=100),
        call(wire, "record_manual_classification", **manual),
    ]
    outlive(wire)
    before = books(wire)
    again = [
        call(wire, "convert_points", requestId="convert-one", points=100),
        call(wire, "record_manual_classification", **manual),
    ]
    assert again == first
    assert books(wire) == before


def test_a_job_that_is_gone_can_be_neither_upgraded_nor_cancelled(wire: Wire) -> None:
    """It is not found, as if it had never been."""
    job_id = call(wire, "classify_image", **order(1), mode="batch")["jobId"]
    outlive(wire)
    for name in ("get_job", "upgrade_job", "cancel_job"):
        assert call(wire, name, jobId=job_id)["details"] == {"reason": "JOB_NOT_FOUND"}
