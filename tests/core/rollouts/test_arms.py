"""Who takes which path, and why."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from functions.core.rollouts.arms import Arm, Decision, Why, arms_of, bucket, decide, takes_new
from functions.core.rollouts.flags import Cohort, Flag, FlagRules

UIDS = [f"user-{number}" for number in range(100_000)]
ON = FlagRules(cohort=Cohort.LARGE, allow=("ann",), deny=("bob",))


def taken(percent: int, flag: Flag = Flag.MODEL) -> set[str]:
    """Return the users who take the new path at this percentage."""
    rules = FlagRules(cohort=Cohort.TEST, percent=percent)
    return {uid for uid in UIDS[:20_000] if decide(flag, rules, uid).arm is Arm.NEW}


def test_buckets_are_even() -> None:
    """100,000 users fill 100 buckets alike: chi-square below its 0.999 quantile for 99 degrees of freedom, 148.2."""
    for flag in Flag:
        filled = Counter(bucket(flag, "", uid) // 100 for uid in UIDS)
        assert sum((n - 1_000) ** 2 / 1_000 for n in filled.values()) < 148.2
        assert len(filled) == 100


def test_nobody_is_moved_out_when_a_percentage_grows() -> None:
    """Whoever has the new path at 10 % has it at 25, 50 and 100 %, and about so many have."""
    stages = [taken(percent) for percent in (0, 10, 25, 50, 100)]
    assert all(before <= after for before, after in pairwise(stages))
    assert [len(stage) / 200 for stage in stages] == pytest.approx([0, 10, 25, 50, 100], abs=1)


def test_flags_deal_their_users_independently() -> None:
    """Of those with the new model a tenth has the new prompt, as of everybody; another salt deals anew."""
    both = taken(10) & taken(10, Flag.PROMPT)
    assert 0.07 < len(both) / len(taken(10)) < 0.13
    assert bucket(Flag.MODEL, "a", "ann") != bucket(Flag.MODEL, "b", "ann")


@pytest.mark.parametrize(
    ("uid", "how", "arm", "why"),
    [
        ("ann", {}, Arm.LISTED, Why.TARGETING_MATCH),
        ("bob", {}, Arm.OLD, Why.TARGETING_MATCH),
        ("ann", {"stopped": True}, Arm.OLD, Why.DISABLED),
        ("ann", {"ceiling": 0}, Arm.OLD, Why.DISABLED),
        ("ann", {"epoch": None}, Arm.OLD, Why.ERROR),
        ("user-4", {}, Arm.NEW, Why.SPLIT),
        ("user-4", {"ceiling": 20}, Arm.OLD, Why.DEFAULT),
        ("user-4", {"stopped": True}, Arm.OLD, Why.DISABLED),
    ],
)
def test_the_strongest_reason_decides(uid: str, how: dict[str, Any], arm: Arm, why: Why) -> None:
    """A stop beats the ceiling, that a denied user, that an allowed one, and that the percentage."""
    assert bucket(Flag.MODEL, "", "user-4") in range(2_000, 5_000)  # in at 50 %, out at 20 %
    decision = decide(Flag.MODEL, ON, uid, **how)
    assert (decision.arm, decision.why) == (arm, why)


def test_a_denied_user_stays_out_though_allowed() -> None:
    """Deny beats allow."""
    rules = FlagRules(cohort=Cohort.ALL, allow=("bob",), deny=("bob",))
    assert decide(Flag.MODEL, rules, "bob").arm is Arm.OLD


def test_a_flag_that_is_off_is_off_for_everybody() -> None:
    """`off` needs no other field to be emptied; `listed` is for those on the list alone."""
    off = FlagRules(cohort=Cohort.OFF, percent=100, allow=("ann",))
    assert decide(Flag.MODEL, off, "ann") == Decision("model@0", Arm.OLD, Why.DISABLED)
    listed = FlagRules(cohort=Cohort.LISTED, allow=("ann",))
    assert [decide(Flag.MODEL, listed, uid).arm for uid in ("ann", "user-4")] == [Arm.LISTED, Arm.OLD]


def test_a_job_keeps_what_is_compared_and_who_was_named() -> None:
    """A flag that is off, stopped or denied leaves nothing behind; the epoch goes with the arm."""
    listed = FlagRules(cohort=Cohort.LISTED, allow=("ann",))
    decisions = {
        Flag.MODEL: decide(Flag.MODEL, ON, "user-4", epoch=3),
        Flag.PROMPT: decide(Flag.PROMPT, listed, "ann"),
    }
    assert arms_of(decisions) == {"model@3": Arm.NEW, "prompt@0": Arm.LISTED}
    assert arms_of({Flag.MODEL: decide(Flag.MODEL, ON, "bob")}) == {}
    assert arms_of({Flag.MODEL: decide(Flag.MODEL, listed, "user-4")}) == {}
    assert arms_of({Flag.MODEL: decide(Flag.MODEL, FlagRules(cohort=Cohort.TEST), "user-4")}) == {"model@0": Arm.OLD}


def test_a_job_on_the_list_takes_the_new_path() -> None:
    """`new` and `listed` take it; `old`, nothing, another flag's and a newer release's arm do not."""
    assert takes_new({"model@3": "new"}, Flag.MODEL)
    assert takes_new({"model@3": "listed", "prompt@0": "old"}, Flag.MODEL)
    assert not takes_new({"model@3": "shadow", "prompt@0": "new"}, Flag.MODEL)
    assert not takes_new({}, Flag.MODEL)


def test_rules_that_cannot_be_read_are_old() -> None:
    """Nobody takes a new path on a guess."""
    assert decide(Flag.MODEL, None, "ann") == Decision("model@0", Arm.OLD, Why.ERROR)
