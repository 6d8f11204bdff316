"""`guard_rollouts`: what it reads, what it stops and holds, and which stage begins by itself."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from functions.core.rollouts.counts import ArmCounts, total
from functions.core.rollouts.flags import Flag, ceilings
from functions.use_cases.operations.admin_rollout import Action, change_rollout
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.operations.guard_rollouts import guard_rollouts
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, job, stored, today
from tests.use_cases.rollouts.test_serving import HALF, NEW, NEXT, NOW_ASKED, OLD, broken, failing, model_of, roll

MINUTE = timedelta(minutes=1)


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, in which half of the users have the new model."""
    cloud = InProcessCloud(seed=1)
    roll(cloud, model=HALF)
    return cloud


def look(cloud: InProcessCloud) -> dict[str, int]:
    """Let a minute pass, and the guard look."""
    cloud.clock.advance(MINUTE)
    return guard_rollouts(cloud.deps)


def count(cloud: InProcessCloud, shard: int = 0, **arms: ArmCounts) -> None:
    """Add counters to a shard of today, as calls do."""
    guard_budget(cloud.deps)
    ref = cloud.client.document(f"budget/{today(cloud)}/shards/{shard}")
    before = (ref.get().to_dict() or {}).get("rollouts", {}).get("model@0", {})
    after = {arm: total([ArmCounts.model_validate(before.get(arm, {})), more]) for arm, more in arms.items()}
    fields = {f"rollouts.`model@0`.{arm}": each.model_dump(by_alias=True) for arm, each in after.items()}
    ref.update(fields)


def calls(ended: int, failed: int = 0, micros: int = 100) -> ArmCounts:
    """Return the counters of these calls."""
    return ArmCounts(started=ended, ended=ended, failed=failed, micros=ended * micros, ms={"5": ended})


def watch(cloud: InProcessCloud) -> Mapping[str, Any]:
    """Return what is stored of the model's flag."""
    found: Mapping[str, Any] = stored(cloud, "stats/rollouts")["model"]["watch"]
    return found


def failed_jobs(cloud: InProcessCloud, users: int) -> None:
    """Let calls of so many users fail on the new path."""
    for number in range(users):
        with broken(NEXT):
            failing(cloud, NEW[number], f"failing-{number}")


def billed(cloud: InProcessCloud) -> tuple[int, int]:
    """Let a minute pass, and the guard look. Returns the reads and writes that it takes."""
    cloud.clock.advance(MINUTE)
    cloud.firestore.bill.reset()
    guard_rollouts(cloud.deps)
    totals = cloud.firestore.bill.snapshot()["totals"]
    return totals["reads"], totals["writes"]


def stop(cloud: InProcessCloud) -> None:
    """Stop the flag by hand."""
    change_rollout(Flag.MODEL, Action.STOP, "ana", "by hand", cloud.deps)


def test_while_nothing_rolls_it_reads_the_config_and_no_more(cloud: InProcessCloud) -> None:
    """Three documents, and no write but the cron's own."""
    roll(cloud)
    assert billed(cloud) == (3, 0)
    assert look(cloud) == {"running": 0, "stopped": 0, "hold": 0, "advanced": 0}


def test_a_look_reads_the_shards_and_writes_once(cloud: InProcessCloud) -> None:
    """Four documents of config, today's eight shards, the state in its transaction. Without news it writes nothing."""
    count(cloud, new=calls(5), old=calls(5))
    assert billed(cloud) == (13, 1)
    assert billed(cloud) == (12, 0)


def test_another_value_is_judged_by_its_own_calls(cloud: InProcessCloud) -> None:
    """What an earlier model, or side, has come to proves nothing of the next: it begins an epoch, as a restart does."""
    count(cloud, new=calls(300, micros=200), old=calls(300))
    look(cloud)
    assert watch(cloud)["verdict"] == "hold"
    roll(cloud, "gpt-5-nano", model=HALF)
    look(cloud)
    assert stored(cloud, "stats/rollouts")["model"]["epoch"] == 1
    cloud.clock.advance(MINUTE)
    answer = classify(cloud, "another", uid=NEW[0])
    assert (answer["result"]["model"], job(cloud, answer)["arms"]) == ("gpt-5-nano", {"model@1": "new"})
    look(cloud)
    assert (watch(cloud)["verdict"], watch(cloud)["value"]) == ("go_on", "gpt-5-nano")
    assert {arm: each["ended"] for arm, each in watch(cloud)["totals"].items()} == {"new": 1}


def test_what_it_knows_is_the_sum_of_the_shards(cloud: InProcessCloud) -> None:
    """However often it looked, and from whichever shard."""
    for number, uid in enumerate([*NEW[:4], *OLD[:3]]):
        classify(cloud, f"photo-{number}", uid=uid)
        look(cloud)
    totals = {arm: ArmCounts.model_validate(each) for arm, each in watch(cloud)["totals"].items()}
    assert (totals["new"].ended, totals["old"].ended) == (4, 3)
    shards = cloud.deps.store.arm_counts([today(cloud)])[today(cloud)]["model@0"]
    assert totals == shards


def test_a_path_that_fails_is_stopped_for_everybody(cloud: InProcessCloud) -> None:
    """With an alert, in the look after the one that proves it; another process is on the old path 30 s later."""
    count(cloud, new=calls(300, 3), old=calls(300, 3))
    look(cloud)
    failed_jobs(cloud, 3)
    count(cloud, 1, new=calls(15, 15), old=calls(30))
    assert look(cloud) == {"running": 1, "stopped": 1, "hold": 0, "advanced": 0}
    state = stored(cloud, "stats/rollouts")["model"]
    assert (state["epoch"], state["stopped"]["by"]) == (1, "detector")
    (told,) = alerts(cloud, "rollout_stopped").values()
    assert told["text"].startswith(
        "The flag model was stopped: 21 of 318 calls on the new path failed, 3 of 330 on the old"
    )
    cloud.clock.advance(timedelta(seconds=31))
    assert model_of(cloud, NEW[0], "afterwards") == NOW_ASKED
    assert look(cloud)["running"] == 0


def test_one_users_failures_hold_it(cloud: InProcessCloud) -> None:
    """Whoever tries again and again proves nothing; nor do photos that nobody could classify."""
    count(cloud, new=calls(300, 3), old=calls(300, 3))
    look(cloud)
    failed_jobs(cloud, 2)
    count(cloud, 1, new=calls(15, 15), old=calls(30))
    assert look(cloud) == {"running": 1, "stopped": 0, "hold": 1, "advanced": 0}
    assert watch(cloud)["why"].endswith("but the calls that failed were those of fewer users than it takes to judge")
    with broken(NEXT):
        failing(cloud, NEW[2], "the-third")
    assert look(cloud)["stopped"] == 1


def test_batches_tell_whose_lines_failed(cloud: InProcessCloud) -> None:
    """A job of a batch has no arms of its own: its batch has."""
    count(cloud, new=calls(300, 3), old=calls(300, 3))
    look(cloud)
    cloud.client.document("batches/sick").set({"arms": {"model@0": "new"}})
    for number in range(3):
        job = {"status": "failed", "uid": NEW[number], "batchId": "sick", "error": {"code": "ANSWER_UNUSABLE"}}
        cloud.client.document(f"aiJobs/{number}").set(job)
    assert cloud.deps.store.failed_users("model@0") == set(NEW[:3])
    for path, fields in (("aiJobs/2", {"error.code": "INVALID_IMAGE"}), ("aiJobs/1", {"error": None})):
        cloud.client.document(path).update(fields)
    assert cloud.deps.store.failed_users("model@0") == {NEW[0]}, "a damaged one proves nothing, and stops nothing"


def test_a_sick_provider_holds_it_and_operators_are_told(cloud: InProcessCloud) -> None:
    """Both paths fail. The guard of the budget tells of it, and when it is over."""
    count(cloud, new=calls(300, 3), old=calls(300, 3))
    look(cloud)
    for _ in range(6):
        count(cloud, new=calls(10, 9), old=calls(10, 9))
        assert look(cloud)["stopped"] == 0
    assert watch(cloud)["verdict"] == "hold"
    guard_budget(cloud.deps)
    (told,) = alerts(cloud, "rollout_held").values()
    assert told["open"]
    assert told["text"].startswith("On hold: model: ")
    roll(cloud)
    stop(cloud)
    guard_budget(cloud.deps)
    assert not next(iter(alerts(cloud, "rollout_held").values()))["open"]


def test_the_next_stage_begins_by_itself_where_it_may(cloud: InProcessCloud) -> None:
    """After its hours and calls, on record; then the stage counts anew. Not under a ceiling, and not twice."""
    roll(cloud, model={"cohort": "test", "autoAdvance": True})
    look(cloud)
    count(cloud, new=calls(1_000, 5), old=calls(9_000, 45))
    assert look(cloud)["advanced"] == 0
    cloud.clock.advance(timedelta(hours=24))
    assert look(cloud)["advanced"] == 1
    assert stored(cloud, "config/runtime")["flags"]["model"]["cohort"] == "small"
    (entry,) = cloud.client.collection("config", "runtime", "audit").get()
    assert (entry.get("by"), entry.get("changed")) == (
        "guard_rollouts",
        [{"field": "flags.model.cohort", "before": "test", "after": "small"}],
    )
    assert look(cloud)["advanced"] == 0
    assert watch(cloud)["stage"]["share"] == 25


def test_an_operator_is_faster_than_a_stage(cloud: InProcessCloud) -> None:
    """Whatever has been set meanwhile stays."""
    roll(cloud, model={"cohort": "test", "autoAdvance": True})
    look(cloud)
    count(cloud, new=calls(1_000, 5), old=calls(9_000, 45))
    look(cloud)
    cloud.clock.advance(timedelta(hours=24))
    cloud.deps.current.get()
    cloud.client.document("config/runtime").update({"flags.model.cohort": "off"})
    assert guard_rollouts(cloud.deps)["advanced"] == 0
    assert stored(cloud, "config/runtime")["flags"]["model"]["cohort"] == "off"


def test_under_a_ceiling_it_counts_what_the_ceiling_lets_through(cloud: InProcessCloud) -> None:
    """A ceiling of 20 % is a stage of 20 %."""
    cloud.deps = cloud.new_process({"flag_ceilings": ceilings("model=20")})
    look(cloud)
    assert watch(cloud)["stage"]["share"] == 20


def test_a_second_guard_changes_nothing(cloud: InProcessCloud) -> None:
    """Scheduler delivers at least once: of two runs at a moment, one stores its look."""
    count(cloud, new=calls(5, 1), old=calls(5))
    other = cloud.new_process()
    cloud.clock.advance(MINUTE)
    other.current.get()
    cloud.deps.current.get()
    guard_rollouts(cloud.deps)
    once = stored(cloud, "stats/rollouts")
    guard_rollouts(other)
    assert stored(cloud, "stats/rollouts") == once


def test_a_stop_meanwhile_is_not_undone(cloud: InProcessCloud) -> None:
    """A guard that has read the state before it was stopped stores nothing."""
    count(cloud, new=calls(5, 1), old=calls(5))
    cloud.clock.advance(MINUTE)
    cloud.deps.current.get()
    stop(cloud)
    before = stored(cloud, "stats/rollouts")
    guard_rollouts(cloud.deps)
    assert stored(cloud, "stats/rollouts") == before


def test_yesterdays_batches_count_when_they_end(cloud: InProcessCloud) -> None:
    """Their money is on the day on which they were sent, which is looked at every five minutes."""
    count(cloud, new=calls(5), old=calls(5))
    look(cloud)
    day = today(cloud)
    cloud.clock.advance(timedelta(days=1))
    ref = cloud.client.document(f"budget/{day}/shards/0")
    ref.update({"rollouts.`model@0`.new.ended": 8})
    for _ in range(5):
        look(cloud)
    assert watch(cloud)["totals"]["new"]["ended"] == 8
