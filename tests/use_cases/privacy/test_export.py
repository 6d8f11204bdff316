"""All that is held of a user, for the user."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.wallet.refusals import AccountDeleted
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.privacy.export_account import ExportAccount, export_account
from scripts.inprocess import InProcessCloud
from tests.steps import classify, enqueue, listed, register, statement


@pytest.fixture
def cloud() -> InProcessCloud:
    """Two users, each with a device, photos in both lanes, and a photo that was never sent."""
    cloud = InProcessCloud(seed=1)
    for uid in ("ann", "bob"):
        register(cloud, uid, f"token-of-{uid}")
        classify(cloud, f"now-{uid}", uid=uid)
        enqueue(cloud, uid, 3)
        cloud.upload(uid, "never-sent.jpg", b"photo")
    return cloud


def pages(cloud: InProcessCloud, limit: int, uid: str = "ann") -> list[dict[str, Any]]:
    """Return all pages."""
    found = [export_account(ExportAccount(limit=limit), uid, cloud.deps)]
    while cursor := found[-1]["nextCursor"]:
        found.append(export_account(ExportAccount(limit=limit, cursor=cursor), uid, cloud.deps))
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_it_is_all_there_and_once(cloud: InProcessCloud, limit: int) -> None:
    """However long the pages are."""
    found: dict[str, list[dict[str, Any]]] = {}
    for page in pages(cloud, limit):
        assert len(page["items"]) <= limit or page["kind"] == "photos"
        found.setdefault(page["kind"], []).extend(page["items"])
    assert list(found) == ["account", "entries", "jobs", "bulks", "photos"]
    (account,) = found["account"]
    assert [device["pushToken"] for device in account["profile"]["devices"].values()] == ["token-of-ann"]
    assert account["tokens"]["balance"] == sum(entry["delta"] for entry in found["entries"])
    assert [entry["entryId"] for entry in reversed(found["entries"])] == [name for name, _, _ in statement(cloud)]
    own = {name: each for name, each in listed(cloud, "aiJobs").items() if each["uid"] == "ann"}
    assert sorted(job["jobId"] for job in found["jobs"]) == sorted(own)
    assert {job["result"]["itemName"] for job in found["jobs"] if job["result"]} == {"Leaves or cuttings"}
    assert sorted(each["imagePath"] for each in found["photos"]) == sorted(
        path for path in cloud.files.objects if path.startswith("users/ann/")
    )


def test_bulk_jobs_come_in_pages_too(cloud: InProcessCloud) -> None:
    """The newest first, without our machinery."""
    for key in ("bulk-one", "bulk-two", "bulk-three"):
        request = {"requestId": key, "images": [cloud.upload("eve", "can.jpg", b"photo")]}
        start_bulk(StartBulk.model_validate(request), "eve", cloud.deps)
        cloud.clock.advance(timedelta(seconds=1))
    found = [each for page in pages(cloud, 2, "eve") if page["kind"] == "bulks" for each in page["items"]]
    assert len({each["bulkId"] for each in found}) == len(found) == 3
    assert not found[0].keys() & {"listed", "dueAt", "moves"}


def test_nothing_of_others_is_in_it_and_nothing_of_our_machinery(cloud: InProcessCloud) -> None:
    """Neither of Bob, nor how a job was worked off."""
    text = str(pages(cloud, 100))
    assert "bob" not in text
    assert "openedBy" not in text
    assert "hold" not in text


def test_whoever_has_nothing_gets_empty_pages() -> None:
    """And no wallet by asking."""
    cloud = InProcessCloud(seed=1)
    kinds = [(page["kind"], len(page["items"])) for page in pages(cloud, 100, "new")]
    assert kinds == [("account", 1), ("entries", 0), ("jobs", 0), ("bulks", 0), ("photos", 0)]
    assert listed(cloud, "users/new/wallet") == {}


def test_after_leaving_there_is_nothing_to_export(cloud: InProcessCloud) -> None:
    """The account page says so."""
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    with pytest.raises(AccountDeleted):
        pages(cloud, 100)
