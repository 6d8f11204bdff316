"""Hits that are asked again in the batch lane: which, at whose cost, and what is learnt of them."""

from datetime import timedelta
from typing import Any

import pytest

from functions.adapters.firestore import checks
from functions.core.cache.lookup import Tier
from functions.core.cache.state import CacheState, Family, Label
from functions.core.jobs.disputes import DisputeReason
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.list_jobs import ListJobs, list_jobs
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.builders import NOW
from tests.steps import UNLIMITED, classify, held, job, listed, statement, stored, ticks, wallet

CONFIG: dict[str, Any] = {"cache": {"exact": "on"}, "tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}
SETTLED = timedelta(minutes=10)
"""After this nothing that is under way can be older than what the guard looks at."""


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud whose cache is on, in which a photo was answered and is sent again."""
    cloud = InProcessCloud(seed=1)
    cloud.configure(CONFIG)
    classify(cloud, "one")
    return cloud


def chosen(cloud: InProcessCloud) -> int:
    """Let the guard look at the hits that there are, and return how many it has chosen."""
    cloud.clock.advance(SETTLED)
    return guard_budget(cloud.deps)["checks"]


def believed(cloud: InProcessCloud) -> Family:
    """Return what is believed of the only family."""
    (family,) = CacheState.model_validate(stored(cloud, "stats/cache")).families.values()
    return family


def checked(cloud: InProcessCloud) -> dict[str, Any]:
    """Let the batch lane ask, and the guard learn of it. Returns the check."""
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    cloud.clock.advance(SETTLED)
    guard_budget(cloud.deps)
    (check,) = listed(cloud, "cacheChecks").values()
    return check


def test_a_hit_is_asked_again_in_the_batch_lane(cloud: InProcessCloud) -> None:
    """The user has the answer long before; the check costs them nothing, and is none of their jobs."""
    hit = classify(cloud, "two")
    before = wallet(cloud), statement(cloud)
    assert chosen(cloud) == 1
    assert chosen(cloud) == 0
    check = checked(cloud)
    assert (check["status"], check["tokensCost"], check["cache"]["of"]) == ("done", 0, hit["jobId"])
    assert (check["cache"]["same"], check["costMicros"] > 0) == (True, True)
    assert (believed(cloud).exact_checked, believed(cloud).exact_wrong) == (1, 0)
    assert (wallet(cloud), statement(cloud)) == before
    assert job(cloud, hit["jobId"])["cache"]["served"]
    jobs = list_jobs(ListJobs(), "ann", cloud.deps)["jobs"]
    assert (len(jobs), held(cloud)) == (2, 0)
    tally = listed(cloud, "budget/2026-11-21/shards").values()
    counted = [counts for shard in tally for counts in shard["tally"].get("batch", {}).values()]
    assert [(counts["checked"], "done" in counts) for counts in counted] == [(1, False)]


def test_an_answer_that_the_model_does_not_give_again_counts_as_wrong(cloud: InProcessCloud) -> None:
    """By what it says of disposal."""
    first = next(iter(listed(cloud, "aiJobs")))
    cloud.client.document(f"aiJobs/{first}").update({"result.category": "Non-Waste"})
    classify(cloud, "two")
    assert chosen(cloud) == 1
    assert checked(cloud)["cache"]["same"] is False
    assert (believed(cloud).exact_checked, believed(cloud).exact_wrong) == (1, 1)


def test_a_check_waits_for_the_model_that_its_hit_is_from(cloud: InProcessCloud) -> None:
    """Another one's answer would say nothing."""
    classify(cloud, "two")
    assert chosen(cloud) == 1
    cloud.restart({"openai_model": "gpt-5.6-luna"})
    assert checked(cloud)["status"] == "queued"
    cloud.restart({"openai_model": "gpt-6-luna"})
    assert (checked(cloud)["cache"]["same"], believed(cloud).exact_checked) == (True, 1)


def test_a_disputed_hit_is_asked_about_as_any_other(cloud: InProcessCloud) -> None:
    """Its user disagrees with the model; whether the cache did is for the model to say."""
    hit = classify(cloud, "two")
    report_answer(ReportAnswer(jobId=hit["jobId"], reason=DisputeReason.OTHER), "ann", cloud.deps)
    assert chosen(cloud) == 1
    assert (checked(cloud)["cache"]["same"], believed(cloud).exact_wrong) == (True, 0)


def test_checks_take_the_places_that_no_photo_takes(cloud: InProcessCloud) -> None:
    """They are last in the queue, do not lengthen it, and are not sent once the cache is off."""
    cloud.configure({**CONFIG, "batch": {"jobsPerBatch": 2, "batchesPerRun": 1}})
    for key in ("two", "three"):
        classify(cloud, key)
    assert chosen(cloud) == 2
    for number in range(3):
        classify(cloud, f"new-{number}", "batch", fresh=True)
    assert stored(cloud, "stats/queue").get("queued", 0) == 0
    first, second = (submit_batches(cloud.deps) for _ in range(2))
    assert [(run["queued"], run["jobs"], run["checks"]) for run in (first, second)] == [(3, 2, 0), (1, 2, 1)]
    assert stored(cloud, "stats/queue")["queued"] == 0
    cloud.configure({**CONFIG, "cache": {}})
    assert submit_batches(cloud.deps)["checks"] == 0
    cloud.configure(CONFIG)
    assert submit_batches(cloud.deps)["checks"] == 1


def test_a_check_that_fails_pays_nobody_back(cloud: InProcessCloud) -> None:
    """Its photo is gone, or the model refuses it: nothing was paid, and nothing is learnt."""
    classify(cloud, "two")
    assert chosen(cloud) == 1
    before = wallet(cloud), statement(cloud)
    del cloud.files.objects["users/ann/uploads/two.jpg"]
    check = checked(cloud)
    assert (check["status"], check["error"]["code"], check["cache"]["same"]) == ("failed", "IMAGE_NOT_FOUND", None)
    assert (wallet(cloud), statement(cloud)) == before


def test_a_batch_that_is_given_back_gives_its_checks_back(cloud: InProcessCloud) -> None:
    """As its jobs: the next run sends them."""
    classify(cloud, "two")
    assert chosen(cloud) == 1
    cloud.openai.faults.add(kind="server_error", endpoint="*", count=1)
    submit_batches(cloud.deps)
    (check,) = listed(cloud, "cacheChecks").values()
    assert (check["status"], check["batchId"]) == ("queued", None)
    ticks(cloud, timedelta(hours=2))
    assert checked(cloud)["cache"]["same"] is True


def test_in_shadow_the_batch_lane_labels_too(cloud: InProcessCloud) -> None:
    """What the cache would have answered is compared with what the batch brings, at no call of its own."""
    cloud.configure({**CONFIG, "cache": {"exact": "shadow"}})
    queued = classify(cloud, "two", "batch")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    assert job(cloud, queued["jobId"])["cache"]["same"] is True
    cloud.clock.advance(SETTLED)
    assert guard_budget(cloud.deps)["labels"] == 1
    assert listed(cloud, "cacheChecks") == {}


def test_labels_of_one_moment_are_folded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that has to leave some out begins the next one after those that it takes; one moment too full is cut."""
    monkeypatch.setattr(checks, "LABELS_MAX", 3)
    labels = [Label("f", Tier.NEAR, 3, right=True, at=NOW + timedelta(seconds=second)) for second in (1, 2, 3, 3)]
    assert checks.whole_times(labels) == labels[:2]
    assert checks.whole_times(labels[:3]) == labels[:3]
    assert checks.whole_times([labels[3]] * 4) == [labels[3]] * 3
