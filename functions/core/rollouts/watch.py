"""What the guard has seen of a flag's paths in one epoch, and what it makes of that.

    counters of the days ── what they have grown by ──► a block ──► evidence ──► go on, hold, roll back
                                    └──► totals ──► cost, stage, test

A look at what was seen already changes nothing, nor does a look that is older than the last.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from pydantic import Field

from functions.core.rollouts.ab_testing import AbTest
from functions.core.rollouts.arms import Arm
from functions.core.rollouts.counts import ArmCounts, bucket_of, grown, slower_than, total
from functions.core.rollouts.evidence import Block, Evidence, Verdict, bounds, fires, step, verdict
from functions.core.rollouts.flags import NEXT_COHORT, Cohort, FlagRules, Metric
from functions.core.shared.records import Kept, Open

SLOWEST_PERCENT = 5
"""Of the old path's calls are slow; the new path is slower if more of its calls are, time after time."""

COMPARED_MIN = 200
"""Calls of an arm before its mean cost, or its slowest, say something."""

NOTHING_KNOWN = (0.0, 1.0)
"""The bounds of a rate before its first call."""

SEEN_DAYS = timedelta(days=4)
"""Counters of older days are final: the guard of the budget has closed them."""

DayCounts = Mapping[str, Mapping[str, ArmCounts]]
"""Counters of one epoch, by day and arm."""


class Stage(Kept):
    """The percentage of users on the new path, since when, and how many of its calls had ended before."""

    share: int
    since: datetime
    ended: int = 0


class Watch(Kept):
    """What was seen of an `epoch`, last `at`: the counters by day and arm, their `totals` by arm, between which rates
    each arm fails, what they prove of failures and of slowness, the stage, the test, and the verdict with the reason
    for it. `value` is what the new path takes; of another one nothing of this is known."""

    epoch: int
    at: datetime
    seen: dict[str, dict[str, ArmCounts]] = Field(default_factory=dict)
    totals: dict[str, ArmCounts] = Field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = Field(default_factory=dict)
    failing: Evidence = Evidence()
    slow: Evidence = Evidence()
    stage: Stage
    test: AbTest | None = None
    verdict: Open[Verdict] = Verdict.GO_ON
    why: str = ""
    value: str = ""

    def of(self, arm: str) -> ArmCounts:
        """Return what an arm came to."""
        return self.totals.get(arm, ArmCounts())


def looked(before: Watch | None, epoch: int, found: DayCounts, rules: FlagRules, share: int, now: datetime) -> Watch:
    """Return what is known after a look at the counters, `now`; `share` is the percentage of users on the new path."""
    if before is None or before.epoch != epoch:
        before = Watch(epoch=epoch, at=datetime.min.replace(tzinfo=now.tzinfo), stage=Stage(share=share, since=now))
    if now <= before.at:
        return before
    more = _more(before, found)
    totals = before.totals | {arm: total([before.of(arm), counts]) for arm, counts in more.items()}
    new, old = (more.get(arm, ArmCounts()) for arm in (Arm.NEW, Arm.OLD))
    stage = before.stage
    if stage.share != share:
        stage = Stage(share=share, since=now, ended=before.of(Arm.NEW).ended)
    oldest = (now - SEEN_DAYS).date()
    kept = {day: arms for day, arms in before.seen.items() if date.fromisoformat(day) >= oldest}
    after = before.model_copy(
        update={
            "at": now,
            "seen": kept | {day: dict(arms) for day, arms in found.items()},
            "totals": totals,
            "bounds": {arm: bounds(counts.failed, counts.ended) for arm, counts in totals.items()},
            "failing": step(
                before.failing, Block(new.ended, new.failed, old.ended, old.failed), rules.error_percent_max
            ),
            "slow": _slow(before, new, old),
            "stage": stage,
            "test": _test(before, rules, totals, now),
        }
    )
    judgement = judged(after, rules)
    return after.model_copy(update={"verdict": judgement.verdict, "why": judgement.why})


def _more(before: Watch, found: DayCounts) -> dict[str, ArmCounts]:
    days = [(before.seen.get(day, {}), arms) for day, arms in found.items()]
    arms = {arm for _, of_day in days for arm in of_day}
    return {arm: total(grown(seen.get(arm, ArmCounts()), now[arm]) for seen, now in days if arm in now) for arm in arms}


def _slow(before: Watch, new: ArmCounts, old: ArmCounts) -> Evidence:
    """Bet on slowness, once it is known what is slow: by the old path's calls before this look, which keeps it fair."""
    bucket = _slow_from(before)
    if bucket is None:
        return before.slow
    slow = Block(sum(new.ms.values()), slower_than(new, bucket), sum(old.ms.values()), slower_than(old, bucket))
    return step(before.slow, slow, SLOWEST_PERCENT)


def _slow_from(watch: Watch) -> int | None:
    old = watch.of(Arm.OLD)
    return bucket_of(old, 1 - SLOWEST_PERCENT / 100) if sum(old.ms.values()) >= COMPARED_MIN else None


def _test(before: Watch, rules: FlagRules, totals: dict[str, ArmCounts], now: datetime) -> AbTest | None:
    if rules.test_metric is None:
        return None
    test = before.test
    if test is None or (test.metric, test.calls) != (rules.test_metric, rules.test_calls):
        slow_from = _slow_from(before)
        if rules.test_metric is Metric.SLOW and slow_from is None:
            return None  # it begins when there are enough old calls to say what is slow
        return AbTest(metric=rules.test_metric, calls=rules.test_calls, since=now, first=totals, slow_from=slow_from)
    return test.seen(totals)


class Judgement(NamedTuple):
    """A verdict, and the reason for it in words for operators."""

    verdict: Verdict
    why: str


def judged(watch: Watch, rules: FlagRules) -> Judgement:
    """Judge the new path by all that was seen: only failures take it back; what is slower or dearer is held."""
    old, new = watch.of(Arm.OLD), watch.of(Arm.NEW)
    found = verdict(watch.failing, compared=watch.stage.share < 100)
    failures = f"{new.failed} of {new.ended} calls on the new path failed, {old.failed} of {old.ended} on the old one"
    if found is Verdict.ROLL_BACK:
        return Judgement(found, f"{failures}: above {rules.error_percent_max} %, and worse than the old one")
    if found is Verdict.HOLD:
        both = fires(watch.failing.above)
        more = "both fail, which is the provider's doing or our own" if both else "worse than the old one"
        return Judgement(found, f"{failures}: {more}")
    if fires(watch.slow.worse):
        return Judgement(Verdict.HOLD, f"more calls of the new path are slow than the {SLOWEST_PERCENT} % of the old")
    if min(old.ended, new.ended) >= COMPARED_MIN:
        old_mean, new_mean = old.micros / old.ended, new.micros / new.ended
        if new_mean > old_mean * (1 + rules.dearer_percent_max / 100):
            dearer = f"a call on the new path costs {new_mean:.0f} micro-dollars, on the old one {old_mean:.0f}"
            return Judgement(Verdict.HOLD, dearer)
    return Judgement(Verdict.GO_ON, "")


def advances_to(watch: Watch, rules: FlagRules, now: datetime) -> Cohort | None:
    """Return the stage that begins by itself now, None if none does. It takes the hours and calls of a stage, and proof
    that the new path fails no more often than the limit above the old one: no data is no proof."""
    following = NEXT_COHORT.get(rules.cohort) if rules.percent is None else None
    calls = watch.of(Arm.NEW).ended - watch.stage.ended
    waited = now - watch.stage.since >= timedelta(hours=rules.hours_per_stage)
    ready = rules.auto_advance and watch.verdict == Verdict.GO_ON and waited and calls >= rules.calls_per_stage_min
    if following is None or not ready or watch.test is not None or watch.stage.share != rules.share:
        return None
    worst = watch.bounds[Arm.NEW][1] - watch.bounds.get(Arm.OLD, NOTHING_KNOWN)[0]
    return following if worst < rules.error_percent_max / 100 else None
