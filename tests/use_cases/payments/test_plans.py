"""What plans allow, as their users meet it: photos a month, features, photos without tokens, and the plan that is
named to them."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.errors import DailyLimit, EcolaneError
from functions.core.wallet.refusals import MonthlyLimit, PlanRequired
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images
from functions.use_cases.jobs.get_home import GetHome, get_home
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import InProcessCloud
from scripts.shop_in_process import Shop
from tests.steps import PHOTO, classify, wallet

PRO = {"plan": "pro", "product": "pro_month", "minor": 899, "currency": "usd"}


def ruled(shop: Shop, **plans: dict[str, Any]) -> InProcessCloud:
    """Have plans with these rules beside their usual ones. Returns the shop's cloud."""
    usual = RuntimeConfig().plans
    rules = {name: {**usual.of(name).as_json(), **each} for name, each in plans.items()}
    shop.cloud.configure({"billing": shop.billing, "plans": rules})
    return shop.cloud


def refused(cloud: InProcessCloud, key: str, mode: str = "batch") -> EcolaneError:
    """Have a photo refused. Returns why."""
    with pytest.raises(EcolaneError) as error:
        classify(cloud, key, mode)
    return error.value


def several(cloud: InProcessCloud, keys: str) -> list[dict[str, Any]]:
    """Hand in a photo for each letter, in one call. Returns the results."""
    images = [{"requestId": f"request-{key}", "imagePath": cloud.upload("ann", f"{key}.jpg", PHOTO)} for key in keys]
    found: list[dict[str, Any]] = classify_images(ClassifyImages.model_validate({"images": images}), "ann", cloud.deps)[
        "results"
    ]
    return found


def billed(cloud: InProcessCloud) -> tuple[int, int]:
    """Return the reads and writes since it was last asked."""
    totals = cloud.firestore.bill.reset()["totals"]
    return totals["reads"], totals["writes"]


def test_a_month_has_its_photos_at_no_read_or_write_more(shop: Shop) -> None:
    """Of both lanes together; a cancelled one does not count, and the first of the month begins anew."""
    cloud = ruled(shop, free={"photosPerMonth": 3})
    shop.buy()
    classify(cloud, "opens-the-day")
    billed(cloud)
    classify(cloud, "one")
    assert billed(cloud) == (2, 6)
    queued = classify(cloud, "two", "batch")
    cancel_job(CancelJob.model_validate({"jobId": queued["jobId"]}), "ann", cloud.deps)
    classify(cloud, "three", "batch")
    error = refused(cloud, "four")
    assert isinstance(error, MonthlyLimit)
    assert (error.details["limit"], error.details["resetsAt"]) == (3, "2026-12-01T00:00:00Z")
    assert get_wallet(GetWallet(), "ann", cloud.deps)["month"] == {"used": 3, "limit": 3}
    cloud.clock.advance(timedelta(days=10))
    assert classify(cloud, "december", "batch")["status"] == "queued"


def test_a_refusal_names_the_plan_that_helps_once_a_day(shop: Shop) -> None:
    """Plus has no photo more; pro has. It is found by trying, noted by one write, and is bought then."""
    cloud = ruled(shop, free={"photosPerMonth": 0}, plus={"photosPerMonth": 0})
    billed(cloud)
    assert refused(cloud, "one").details["plans"] == [PRO]
    assert billed(cloud)[1] == 1
    assert "plans" not in refused(cloud, "two").details
    assert billed(cloud)[1] == 0
    cloud.clock.advance(timedelta(days=1))
    assert [result["error"].get("plans") for result in several(cloud, "abc")] == [[PRO], None, None]
    shop.buy("pro_month")
    assert classify(cloud, "three", "batch")["status"] == "queued"


def test_two_calls_at_once_name_a_plan_once(shop: Shop) -> None:
    """Which of them may is decided where the day is noted; a wallet that is not there is told nothing."""
    cloud = ruled(shop, free={"photosPerMonth": 0})
    day = f"{cloud.clock():%Y-%m-%d}"
    assert [cloud.deps.store.claim_prompt(uid, day) for uid in ("ann", "ann", "nobody")] == [True, False, False]


def test_nothing_is_offered_where_nothing_is_sold() -> None:
    """The refusal is as it was, and costs no write."""
    cloud = ruled(Shop(sellOn=[]).visited(), free={"instantPerDay": 0})
    billed(cloud)
    error = refused(cloud, "one", "instant")
    assert isinstance(error, DailyLimit)
    assert set(error.details) == {"limit", "resetsAt"}
    assert billed(cloud)[1] == 0


def test_a_feature_takes_a_plan_that_has_it(shop: Shop) -> None:
    """Several photos in one call, and upgrades: refused before anything is charged, taken one by one."""
    cloud = ruled(shop, free={"features": []})
    errors = [result["error"] for result in several(cloud, "ab")]
    assert [(each["reason"], each["feature"], each["plan"]) for each in errors] == [
        ("PLAN_REQUIRED", "bulk", "plus")
    ] * 2
    queued = classify(cloud, "a", "batch")
    with pytest.raises(PlanRequired) as wanted:
        upgrade_job(UpgradeJob.model_validate({"jobId": queued["jobId"]}), "ann", cloud.deps)
    assert (wanted.value.details["feature"], wallet(cloud)["balance"]) == ("upgrade", 9)
    shop.buy("plus_month")
    assert upgrade_job(UpgradeJob.model_validate({"jobId": queued["jobId"]}), "ann", cloud.deps)["tokensCost"] == 5
    assert [result["job"]["tokensCost"] for result in several(cloud, "cd")] == [1, 1]


def test_an_unlimited_plan_takes_no_tokens_up_to_what_it_may_cost(shop: Shop) -> None:
    """In both lanes and for an upgrade, with a balance of nothing; fair use is what the photos of a day cost."""
    cloud = ruled(shop)
    cloud.client.document("users/ann/wallet/main").update({"plan": "business", "balance": 0, "totalEarned": 0})
    assert get_home(GetHome.model_validate({"parts": ["quote"]}), "ann", cloud.deps)["quote"]()["unlimited"] is True
    codes = [each["code"] for each in get_home(GetHome(), "ann", cloud.deps)["messages"]()]
    assert "noTokens" not in codes
    assert classify(cloud, "one")["tokensCost"] == 0
    queued = classify(cloud, "two", "batch")
    assert upgrade_job(UpgradeJob.model_validate({"jobId": queued["jobId"]}), "ann", cloud.deps)["tokensCost"] == 0
    assert (wallet(cloud)["balance"], wallet(cloud)["today"]["instant"]) == (0, 2)
    ruled(shop, business={"microsPerDay": 1})
    cloud.clock.advance(timedelta(seconds=31))
    assert isinstance(refused(cloud, "three"), DailyLimit)
