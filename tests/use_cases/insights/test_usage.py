"""What the guard notes of a day is what the day's jobs and ledgers say, in both lanes and through failures."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.tally import Tally, total
from functions.core.shared.errors import PhotoRefused, ProviderUnavailable
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from scripts.inprocess import InProcessCloud
from tests.steps import classify, enqueue, listed, stored, ticks, today
from tests.use_cases.budget.books import configure

MODEL = "gpt-6-luna"
HOUR = timedelta(hours=1)


def a_cloud() -> InProcessCloud:
    """Return a cloud with tokens and budget enough."""
    cloud = InProcessCloud(seed=1)
    configure(cloud)
    guard_budget(cloud.deps)
    return cloud


def noted(cloud: InProcessCloud, day: str | None = None) -> tuple[Tally, dict[str, Any]]:
    """Return the sum of a day's slots, and the document."""
    usage = stored(cloud, f"usage/{day or today(cloud)}")
    return total(slot["tally"] for slot in usage["slots"]), usage


def refused(cloud: InProcessCloud, kind: str, **more: Any) -> None:
    """Let the next instant call fail at the provider."""
    cloud.openai.faults.add(kind=kind, endpoint="POST /v1/chat/completions", **more)


def test_the_slots_add_up_to_the_days_jobs() -> None:
    """Two lanes, an upgrade, a cancellation, a failure with a bill and one without: photos, tokens and cost."""
    cloud = a_cloud()
    classify(cloud, "one")
    waiting = enqueue(cloud, "bob", 4)
    upgrade_job(UpgradeJob.model_validate({"jobId": waiting[0]}), "bob", cloud.deps)
    cancel_job(CancelJob.model_validate({"jobId": waiting[1]}), "bob", cloud.deps)
    for kind in ("server_error", "refusal"):
        refused(cloud, kind)
        with pytest.raises((ProviderUnavailable, PhotoRefused)):
            classify(cloud, kind, uid="eve")
    guard_budget(cloud.deps)
    day = today(cloud)
    ticks(cloud, 5 * HOUR)
    guard_budget(cloud.deps)
    found, usage = noted(cloud, day)
    jobs = listed(cloud, "aiJobs").values()
    for lane in ("instant", "batch"):
        counters, mine = found[lane][MODEL], [job for job in jobs if job["mode"] == lane]
        ended = Counter(job["status"] for job in mine)
        assert counters.get("done", 0) == ended["done"] > 0
        failed = Counter(f"failed:{job['error']['code']}" for job in mine if job["status"] == "failed")
        assert {name: n for name, n in counters.items() if name.startswith("failed:")} == failed
        assert counters.get("micros", 0) == sum(job["costMicros"] for job in mine)
        assert counters["input"] == sum(job["usage"]["inputTokens"] for job in mine if job["usage"])
        assert counters["output"] == sum(job["usage"]["outputTokens"] for job in mine if job["usage"])
    assert found["instant"][MODEL]["started"] == 4
    asked = Counter(job["requestedMode"] for job in jobs)
    came = Counter[str]()
    for slot in usage["slots"]:
        came.update(slot["arrivals"])
    assert came == asked == {"instant": 3, "batch": 4}


def test_a_wait_is_counted_in_its_own_lane() -> None:
    """Instant photos within seconds, batch photos after hours; an upgraded one, which has waited elsewhere, not."""
    cloud = a_cloud()
    classify(cloud, "one")
    upgraded, _ = enqueue(cloud, "bob", 2)
    cloud.clock.advance(timedelta(minutes=30))
    upgrade_job(UpgradeJob.model_validate({"jobId": upgraded}), "bob", cloud.deps)
    day = today(cloud)
    ticks(cloud, 5 * HOUR)
    guard_budget(cloud.deps)
    found, _ = noted(cloud, day)
    waits = {
        lane: {name: n for name, n in models[MODEL].items() if name.startswith("wait:")}
        for lane, models in found.items()
    }
    assert waits["instant"] == {"wait:0": 1}
    ((bucket, n),) = waits["batch"].items()
    assert n == 1
    assert 60 * 30 < 2 ** (int(bucket.removeprefix("wait:")) / 2) < 5 * 3_600 * 1.42


def test_users_are_counted_once_a_day_by_the_age_of_their_wallet() -> None:
    """New on the first day, back after one and after seven; photos beyond the first, refunds, cancellations and other
    contacts change nothing."""
    cloud = a_cloud()
    visits = {}
    for days in (0, 1, 6):
        cloud.clock.advance(timedelta(days=days))
        for uid in ("ann", "bob") if days != 6 else ("ann",):
            claim_daily_bonus(ClaimDailyBonus.model_validate({"deviceId": f"device-of-{uid}"}), uid, cloud.deps)
            (first,) = enqueue(cloud, uid)
            cancel_job(CancelJob.model_validate({"jobId": first}), uid, cloud.deps)
            enqueue(cloud, uid, 2)
        claim_daily_bonus(ClaimDailyBonus.model_validate({"deviceId": "device-of-joe"}), "joe", cloud.deps)
        cloud.clock.advance(HOUR)  # the rows are counted once an hour
        guard_budget(cloud.deps)
        visits[days] = noted(cloud)[1]["rows"]["visits"]
    assert visits == {
        0: {"all": 2, "0": 2, "1": 0, "7": 0, "28": 0},
        1: {"all": 2, "0": 0, "1": 2, "7": 0, "28": 0},
        6: {"all": 1, "0": 0, "1": 0, "7": 1, "28": 0},
    }


def test_users_of_a_plan_are_counted_with_their_photos_tokens_and_returns() -> None:
    """Who had a photo the day before has come again, whatever else they did first; a plan that nobody has is left out,
    and a cancelled photo was asked for. Nothing of it takes a read or a write more of a call."""
    cloud = a_cloud()
    claim_daily_bonus(ClaimDailyBonus.model_validate({"deviceId": "device-of-bob"}), "bob", cloud.deps)
    cloud.client.document("users/bob/wallet/main").update({"plan": "plus"})
    for days in (0, 1):
        cloud.clock.advance(timedelta(days=days))
        for uid in ("ann", "bob") if days == 0 else ("bob",):
            claim_daily_bonus(ClaimDailyBonus.model_validate({"deviceId": f"device-of-{uid}"}), uid, cloud.deps)
            first, *_ = enqueue(cloud, uid, 3)
            cancel_job(CancelJob.model_validate({"jobId": first}), uid, cloud.deps)
    cloud.clock.advance(HOUR)
    guard_budget(cloud.deps)
    assert noted(cloud)[1]["rows"]["plans"] == {"plus": {"photos": 3, "tokens": 3, "users": 1, "again": 1}}


def test_tokens_are_summed_by_why_they_came_and_went() -> None:
    """The day's rows say what all ledgers say."""
    cloud = a_cloud()
    classify(cloud, "one")
    enqueue(cloud, "bob", 3)
    claim_daily_bonus(ClaimDailyBonus.model_validate({"deviceId": "device-of-ann"}), "ann", cloud.deps)
    cloud.clock.advance(HOUR)
    guard_budget(cloud.deps)
    rows = noted(cloud)[1]["rows"]
    entries = [each.to_dict() or {} for each in cloud.client.collection_group("ledger").stream()]
    by_reason = Counter[str]()
    for entry in entries:
        by_reason[entry["reason"]] += entry["delta"]
    assert {reason: n for reason, n in rows["tokens"].items() if n} == {k: n for k, n in by_reason.items() if n}
    assert rows["tokens"]["charge"] == -8
    assert {status: n for status, n in rows["jobs"].items() if n} == {"done": 1, "queued": 3}


def test_what_ends_tomorrow_is_noted_on_the_day_that_paid_for_it() -> None:
    """A batch that is held late in the evening and collected in the morning: its day's slots and book agree."""
    cloud = a_cloud()
    cloud.clock.advance(timedelta(hours=11, minutes=30))
    day = today(cloud)
    enqueue(cloud, "bob", 3)
    ticks(cloud, 6 * HOUR)
    guard_budget(cloud.deps)
    assert today(cloud) > day
    found, usage = noted(cloud, day)
    assert found["batch"][MODEL]["done"] == 3
    book = stored(cloud, f"budget/{day}")
    assert found["batch"][MODEL]["micros"] == book["costs"]["batch"][MODEL]
    assert usage["rounds"] == book["rounds"]
