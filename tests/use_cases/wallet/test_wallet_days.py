"""Days are UTC days: midnight opens a new one, and a clock that goes back opens nothing twice."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.core.model.classification import Category
from functions.core.shared.errors import DailyLimit, ProviderUnavailable
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.use_cases.wallet.record_manual_classification import (
    RecordManualClassification,
    record_manual_classification,
)
from scripts.inprocess import InProcessCloud
from tests.app import photo

LATE = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud one second before midnight."""
    cloud = InProcessCloud(seed=1)
    cloud.clock.now = LATE
    return cloud


def claim(cloud: InProcessCloud) -> dict[str, Any]:
    """Claim Ann's bonus and return its entry."""
    entry: dict[str, Any] = claim_daily_bonus(ClaimDailyBonus(deviceId="device-one"), "ann", cloud.deps)["entry"]
    return entry


def sort_by_hand(cloud: InProcessCloud, key: str) -> None:
    """Record a manual classification of Ann's."""
    request = RecordManualClassification(requestId=key, deviceId="device-one", itemName="Can", category=Category.DRY)
    record_manual_classification(request, "ann", cloud.deps)


def streak(cloud: InProcessCloud) -> int:
    """Return Ann's streak as she sees it."""
    return int(get_wallet(GetWallet(), "ann", cloud.deps)["streakDays"])


def test_a_bonus_on_each_side_of_midnight(cloud: InProcessCloud) -> None:
    """A second before and a second after midnight are two days."""
    assert claim(cloud)["ref"] == "2026-11-21"
    cloud.clock.advance(SECOND)
    assert claim(cloud)["ref"] == "2026-11-22"
    assert streak(cloud) == 2


def test_a_clock_that_goes_back_grants_nothing_twice(cloud: InProcessCloud) -> None:
    """Back before midnight, the day that was claimed answers as it did, and one that was left out stays so."""
    first = claim(cloud)
    cloud.clock.advance(SECOND)
    claim(cloud)
    cloud.clock.advance(-SECOND)
    assert claim(cloud) == first
    cloud.clock.advance(-DAY)
    with pytest.raises(DailyLimit):
        claim(cloud)
    assert get_wallet(GetWallet(), "ann", cloud.deps)["balance"] == 14


def test_daily_limits_begin_anew_at_midnight_and_not_before(cloud: InProcessCloud) -> None:
    """Five manual rewards a day; going back in time brings no further ones."""
    for number in range(5):
        sort_by_hand(cloud, f"before-midnight-{number}")
    with pytest.raises(DailyLimit):
        sort_by_hand(cloud, "before-midnight-5")
    assert get_wallet(GetWallet(), "ann", cloud.deps)["today"]["manual"] == {"used": 5, "limit": 5}
    cloud.clock.advance(SECOND)
    for number in range(5):
        sort_by_hand(cloud, f"after-midnight-{number}")
    cloud.clock.advance(-SECOND)
    with pytest.raises(DailyLimit):
        sort_by_hand(cloud, "before-midnight-again")


@pytest.mark.parametrize("wait", [timedelta(0), SECOND], ids=["before midnight", "after midnight"])
def test_an_upgrade_that_fails_does_not_count_on_its_own_day(cloud: InProcessCloud, wait: timedelta) -> None:
    """An upgrade counts on the day on which it is bought, and its place comes back there when the provider fails; the
    photo was taken in before midnight."""
    path = cloud.upload("ann", "photo.jpg", photo(64))
    request = ClassifyImage.model_validate({"requestId": "upgraded", "imagePath": path, "mode": "batch"})
    job_id = classify_image(request, "ann", cloud.deps)["jobId"]
    cloud.clock.advance(wait)
    cloud.openai.faults.add(kind="server_error")
    with pytest.raises(ProviderUnavailable):
        upgrade_job(UpgradeJob.model_validate({"jobId": job_id}), "ann", cloud.deps)
    today = get_wallet(GetWallet(), "ann", cloud.deps)["today"]
    assert (today["instant"]["used"], today["batch"]["used"]) == (0, 0)


def test_a_week_in_a_row_moves_photos_forward(cloud: InProcessCloud) -> None:
    """A seven-day streak raises the priority of the user's photos, a plan does too."""

    def priority(key: str) -> int:
        path = cloud.upload("ann", "photo.jpg", photo(64))
        request = ClassifyImage.model_validate({"requestId": key, "imagePath": path, "mode": "batch"})
        job_id = classify_image(request, "ann", cloud.deps)["jobId"]
        return int((cloud.client.document(f"aiJobs/{job_id}").get().to_dict() or {})["priority"])

    assert priority("without-streak") == 0
    for _ in range(7):
        claim(cloud)
        cloud.clock.advance(DAY)
    assert priority("with-a-streak") == 1
    cloud.client.document("users/ann/wallet/main").update({"plan": "pro"})
    assert priority("on-the-pro-plan") == 3
    cloud.client.document("users/ann/wallet/main").update({"plan": "no-such-plan"})
    assert priority("on-an-unknown-plan") == 1
