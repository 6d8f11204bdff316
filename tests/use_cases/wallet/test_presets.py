"""Presets: saved once, used by name, and gone with their user."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.shared.errors import InvalidRequest, KeyReused, PriceChanged
from functions.core.wallet.refusals import AccountDeleted
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.wallet.save_preset import SavePreset, save_preset
from scripts.inprocess import InProcessCloud
from tests.steps import PHOTO, listed, register, stored

PHOTOS = (1, "one"), (2, "two")


@pytest.fixture
def cloud() -> InProcessCloud:
    """A user with two photos."""
    made = InProcessCloud(seed=1)
    for name in ("one", "two"):
        made.upload("ann", f"{name}.jpg", PHOTO)
    return made


def save(cloud: InProcessCloud, name: str = "home", **fields: Any) -> Any:
    """Save a preset."""
    return save_preset(SavePreset.model_validate({"preset": name, **fields}), "ann", cloud.deps)["presets"]


def classify(cloud: InProcessCloud, **more: Any) -> Any:
    """Have a photo classified by a preset."""
    image = {"requestId": "request-1", "imagePath": "users/ann/uploads/one.jpg"}
    return classify_images(ClassifyImages.model_validate({"images": [image], **more}), "ann", cloud.deps)["results"][0]


def test_what_a_call_leaves_open_is_the_presets(cloud: InProcessCloud) -> None:
    """What it says itself counts before."""
    save(cloud, region="DE", language="de", maxTokens=1)
    classify(cloud, preset="home", language="fr")
    (job,) = listed(cloud, "aiJobs").values()
    assert (job["region"], job["language"]) == ("DE", "fr")
    cloud.configure({"tokens": {"batchPrice": 2}})
    cloud.clock.advance(timedelta(minutes=1))
    image = {"requestId": "request-2", "imagePath": "users/ann/uploads/two.jpg"}
    request = ClassifyImages.model_validate({"images": [image], "preset": "home"})
    assert classify_images(request, "ann", cloud.deps)["results"][0]["error"]["reason"] == "PRICE_CHANGED"


def test_a_bulk_job_takes_its_lane_and_its_price_a_photo(cloud: InProcessCloud) -> None:
    """Of all photos together."""
    save(cloud, region="DE", lane="any_time", maxTokens=1)
    request = StartBulk.model_validate({"requestId": "bulk-one", "prefix": "o", "preset": "home"})
    assert start_bulk(request, "ann", cloud.deps)["anyTime"] is True
    (bulk,) = listed(cloud, "bulkJobs").values()
    assert (bulk["region"], bulk["requestedRegion"], bulk["anyTime"]) == ("DE", None, True)
    assert start_bulk(request, "ann", cloud.deps)["bulkId"]  # the same call again
    cloud.configure({"tokens": {"batchPrice": 2}})
    cloud.clock.advance(timedelta(minutes=1))
    with pytest.raises(PriceChanged):
        start_bulk(request.model_copy(update={"request_id": "bulk-two"}), "ann", cloud.deps)


def test_presets_are_beside_what_else_is_known_of_a_user(cloud: InProcessCloud) -> None:
    """Neither takes the other's place."""
    register(cloud, "ann", "token")
    nothing = {"region": None, "language": None, "lane": None, "maxTokens": None, "payer": None}
    assert save(cloud, region="DE") == {"home": {**nothing, "region": "DE"}}
    register(cloud, "ann", "token-two")
    assert save(cloud, "away", language="fr").keys() == {"home", "away"}
    assert stored(cloud, "users/ann")["devices"]
    assert save(cloud, remove=True).keys() == {"away"}


def test_an_unknown_preset_does_nothing(cloud: InProcessCloud) -> None:
    """Nothing is charged."""
    with pytest.raises(InvalidRequest):
        classify(cloud, preset="home")
    assert listed(cloud, "aiJobs") == {}


def test_whoever_has_left_saves_nothing(cloud: InProcessCloud) -> None:
    """Their presets are gone with the profile."""
    save(cloud, region="DE")
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    with pytest.raises(AccountDeleted):
        save(cloud, region="DE")
    assert listed(cloud, "users") == {}


@pytest.mark.parametrize("since", [{"region": "FR", "language": "fr", "lane": "batch"}, {"remove": True}], ids=str)
def test_a_call_that_is_repeated_is_answered_whatever_has_become_of_its_preset(
    cloud: InProcessCloud, since: dict[str, Any]
) -> None:
    """It was a preset of that name: what it said then is what was done. Another one, or none, is another request."""
    save(cloud, region="DE", lane="any_time")
    bulk_request = {"requestId": "bulk-one", "prefix": "o", "preset": "home"}
    job = classify(cloud, preset="home")["job"]["jobId"]
    bulk = start_bulk(StartBulk.model_validate(bulk_request), "ann", cloud.deps)
    save(cloud, **since)
    save(cloud, "away", region="FR")
    assert classify(cloud, preset="home")["job"]["jobId"] == job
    assert start_bulk(StartBulk.model_validate(bulk_request), "ann", cloud.deps) == bulk
    for preset in ("away", None):
        answer = classify(cloud, preset=preset)["error"]
        assert (answer["reason"], answer["field"]) == ("KEY_REUSED", "preset")
        with pytest.raises(KeyReused):
            start_bulk(StartBulk.model_validate({**bulk_request, "preset": preset}), "ann", cloud.deps)
    with pytest.raises(KeyReused):
        start_bulk(StartBulk.model_validate({**bulk_request, "anyTime": False}), "ann", cloud.deps)
    with pytest.raises(KeyReused):
        start_bulk(StartBulk.model_validate({**bulk_request, "region": "DE"}), "ann", cloud.deps)


def test_of_many_photos_those_that_came_before_are_answered_without_their_preset(cloud: InProcessCloud) -> None:
    """The others are refused, each by itself."""
    save(cloud, region="DE")
    first = classify(cloud, preset="home")["job"]["jobId"]
    save(cloud, remove=True)
    images = [{"requestId": f"request-{n}", "imagePath": f"users/ann/uploads/{name}.jpg"} for n, name in PHOTOS]
    request = ClassifyImages.model_validate({"images": images, "preset": "home"})
    known, new = classify_images(request, "ann", cloud.deps)["results"]
    assert known["job"]["jobId"] == first
    assert (new["error"]["reason"], new["error"]["field"]) == ("INVALID_REQUEST", "preset")
