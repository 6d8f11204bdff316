"""What the guard counts of the cache, for the operators' page and command."""

from datetime import timedelta

from functions.core.cache.report import Report
from functions.core.jobs.disputes import DisputeReason
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import UNLIMITED, classify, stored

ON = {"cache": {"exact": "on", "near": "shadow"}, "tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}


def counted(cloud: InProcessCloud) -> Report:
    """Let the guard count, and return what it has stored."""
    guard_budget(cloud.deps)
    return Report.model_validate(stored(cloud, "stats/cacheReport")["report"])


def test_the_guard_counts_hits_and_what_users_dispute() -> None:
    """By lane and tier; answers and disputes by model, prompt and category, in both lanes."""
    cloud = InProcessCloud(seed=1)
    cloud.configure(ON)
    guard_budget(cloud.deps)
    classify(cloud, "one")
    hit = classify(cloud, "two")
    classify(cloud, "three", "batch")
    report_answer(ReportAnswer(jobId=hit["jobId"], reason=DisputeReason.OTHER), "ann", cloud.deps)
    classify(cloud, "four", "batch", fresh=True)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    found = counted(cloud)
    assert [(each.lane, each.photos, each.exact, each.near, each.would) for each in found.lanes] == [
        ("instant", 2, 1, 0, 0),
        ("batch", 2, 1, 0, 0),
    ]
    (disputed,) = found.disputed
    assert (disputed.answers, disputed.disputed, disputed.category) == (2, 1, hit["result"]["category"])
    assert found.saved_micros > 0
    assert counted(cloud) == found.model_copy(update={"at": cloud.clock()})


def test_what_would_have_been_is_counted_in_shadow() -> None:
    """And yesterday once more after midnight, as far as it is in flight."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({**ON, "cache": {"exact": "shadow"}})
    guard_budget(cloud.deps)
    classify(cloud, "one")
    classify(cloud, "two")
    cloud.clock.advance(timedelta(days=1))
    found = counted(cloud)
    assert [(each.day, each.photos, each.hits, each.would) for each in found.days] == [
        ("2026-11-21", 2, 0, 1),
        ("2026-11-22", 0, 0, 0),
    ]


def test_while_the_cache_is_off_nothing_is_counted() -> None:
    """Not a read."""
    cloud = InProcessCloud(seed=1)
    guard_budget(cloud.deps)
    classify(cloud, "one")
    guard_budget(cloud.deps)
    assert stored(cloud, "stats/cacheReport") == {}
