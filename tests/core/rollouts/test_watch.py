"""The watch over a flag: what it sees of growing counters, and what it makes of them."""

from datetime import UTC, datetime, timedelta

import pytest

from functions.core.rollouts.arms import Arm
from functions.core.rollouts.counts import ArmCounts, total
from functions.core.rollouts.evidence import Verdict
from functions.core.rollouts.flags import Cohort, FlagRules, Metric
from functions.core.rollouts.watch import Watch, advances_to, looked

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TODAY, YESTERDAY = "2026-11-29", "2026-11-28"
RULES = FlagRules(cohort=Cohort.TEST)


def counts(calls: int, failed: int = 0, micros: int = 100, bucket: int = 5) -> ArmCounts:
    """Return counters of calls that took as long as a bucket says, and cost so much each."""
    return ArmCounts(started=calls, ended=calls, failed=failed, micros=calls * micros, ms={str(bucket): calls})


class Rolling:
    """A flag that is rolled out: its counters of today, looked at once a minute."""

    def __init__(self, rules: FlagRules = RULES) -> None:
        self.rules, self.now = rules, NOON
        self.arms = {"new": ArmCounts(), "old": ArmCounts()}
        self.watch: Watch | None = None

    def minute(self, new: ArmCounts | None = None, old: ArmCounts | None = None) -> Watch:
        """Let calls end, and look."""
        self.now += MINUTE
        for arm, more in (("new", new), ("old", old)):
            self.arms[arm] = total([self.arms[arm], more or ArmCounts()])
        self.watch = looked(self.watch, 0, {TODAY: self.arms}, self.rules, self.rules.share, self.now)
        return self.watch


def test_only_what_has_grown_is_evidence() -> None:
    """A second look at the same counters, an older look, and a shard that was made anew prove nothing."""
    rolling = Rolling()
    first = rolling.minute(counts(4, 4), counts(40))
    assert (first.of(Arm.NEW).failed, first.of(Arm.OLD).ended) == (4, 40)
    again = rolling.minute()
    assert again.failing == first.failing
    assert again.totals == first.totals
    assert looked(again, 0, {TODAY: {"new": counts(9, 9)}}, RULES, 10, again.at) is again
    lost = looked(again, 0, {TODAY: {"new": counts(2, 2), "old": counts(40)}}, RULES, 10, again.at + MINUTE)
    assert (lost.failing, lost.totals) == (first.failing, first.totals)
    grown = looked(lost, 0, {TODAY: {"new": counts(3, 3), "old": counts(40)}}, RULES, 10, lost.at + MINUTE)
    assert grown.of(Arm.NEW).failed == 5


def test_days_are_counted_apart() -> None:
    """What ends late counts on its own day; days that are long over are forgotten, with what they came to kept."""
    before = looked(None, 0, {TODAY: {"new": counts(3)}, YESTERDAY: {"new": counts(5)}}, RULES, 10, NOON)
    late = looked(before, 0, {YESTERDAY: {"new": counts(6)}}, RULES, 10, NOON + MINUTE)
    assert late.of(Arm.NEW).ended == 9
    much_later = looked(late, 0, {}, RULES, 10, NOON + timedelta(days=4))
    assert (sorted(much_later.seen), much_later.of(Arm.NEW).ended) == ([TODAY], 9)


def test_another_epoch_begins_anew() -> None:
    """What an earlier one came to says nothing about this one."""
    before = Rolling().minute(counts(4, 4), counts(40))
    assert looked(before, 1, {}, RULES, 10, NOON + MINUTE).totals == {}


def test_a_path_that_fails_alone_is_rolled_back() -> None:
    """And says why. While nobody is left on the old path, the limit alone decides."""
    rolling = Rolling()
    rolling.minute(counts(200, 2), counts(1_800, 18))
    watch = rolling.minute(counts(12, 12), counts(90))
    assert watch.verdict == Verdict.ROLL_BACK
    assert watch.why == (
        "14 of 212 calls on the new path failed, 18 of 1890 on the old one: above 5 %, and worse than the old one"
    )
    alone = Rolling(FlagRules(cohort=Cohort.ALL, holdback_percent=0))
    assert alone.minute(counts(20, 20)).verdict == Verdict.ROLL_BACK


def test_what_fails_on_both_paths_is_on_hold() -> None:
    """Going back would help nobody."""
    rolling = Rolling()
    rolling.minute(counts(200, 2), counts(1_800, 18))
    for _ in range(8):
        watch = rolling.minute(counts(10, 9), counts(90, 81))
    assert (watch.verdict, watch.why.rpartition(": ")[2]) == (
        Verdict.HOLD,
        "both fail, which is the provider's doing or our own",
    )


def test_what_is_worse_within_the_limit_is_on_hold() -> None:
    """4 % beside none is within the limit of 5 %."""
    rolling = Rolling()
    for _ in range(60):
        watch = rolling.minute(counts(100, 4), counts(900))
    assert (watch.verdict, watch.why.rpartition(": ")[2]) == (Verdict.HOLD, "worse than the old one")


def test_what_is_slower_is_on_hold_and_not_rolled_back() -> None:
    """More of its calls are beyond the old path's slowest; before 200 old calls, nobody knows what slow is."""
    rolling = Rolling()
    assert rolling.minute(counts(50, bucket=8), counts(199)).slow.limit_percent == 0
    for _ in range(10):
        watch = rolling.minute(counts(20, bucket=7), counts(180, bucket=5))
    assert (watch.verdict, watch.why) == (
        Verdict.HOLD,
        "more calls of the new path are slow than the 5 % of the old",
    )


def test_what_is_dearer_is_on_hold() -> None:
    """By more than the rules allow, after 200 calls of each."""
    rolling = Rolling()
    assert rolling.minute(counts(199, micros=151), counts(900)).verdict == Verdict.GO_ON
    watch = rolling.minute(counts(1, micros=151))
    assert (watch.verdict, watch.why) == (
        Verdict.HOLD,
        "a call on the new path costs 151 micro-dollars, on the old one 100",
    )
    rolling.rules = FlagRules(cohort=Cohort.TEST, dearer_percent_max=51)
    assert rolling.minute().verdict == Verdict.GO_ON


AUTOMATIC = FlagRules(cohort=Cohort.TEST, auto_advance=True)


def after_a_stage(rules: FlagRules = AUTOMATIC, hours: int = 24, new: int = 1_000, failed: int = 5) -> Rolling:
    """Return a flag after a stage with so many new calls, and nine times as many old ones."""
    rolling = Rolling(rules)
    rolling.minute()
    rolling.now += timedelta(hours=hours) - MINUTE
    rolling.minute(counts(new, failed), counts(9 * new, 45))
    return rolling


def stage(rolling: Rolling) -> Cohort | None:
    """Return the stage that begins by itself."""
    assert rolling.watch is not None
    return advances_to(rolling.watch, rolling.rules, rolling.now)


def test_a_good_stage_is_followed_by_the_next() -> None:
    """After its hours and calls, if the new path is proven to be no worse."""
    assert stage(after_a_stage()) is Cohort.SMALL
    assert stage(after_a_stage(FlagRules(cohort=Cohort.LARGE, auto_advance=True))) is Cohort.ALL


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        (RULES, {}),
        (FlagRules(cohort=Cohort.ALL, auto_advance=True), {}),
        (FlagRules(cohort=Cohort.TEST, percent=12, auto_advance=True), {}),
        (FlagRules(cohort=Cohort.TEST, auto_advance=True, test_metric=Metric.FAILED), {}),
        (AUTOMATIC, {"hours": 23}),
        (AUTOMATIC, {"new": 199, "failed": 0}),
        (AUTOMATIC, {"new": 200, "failed": 7}),
    ],
    ids=["by hand", "the last", "a percentage", "a test", "early", "few calls", "no proof"],
)
def test_otherwise_nothing_begins_by_itself(rules: FlagRules, more: dict[str, int]) -> None:
    """What is not proven is not shipped."""
    assert stage(after_a_stage(rules, **more)) is None


def test_a_stage_counts_its_own_calls() -> None:
    """Calls of the stage before are evidence, but no calls of this one; a ceiling of the deploy is a stage of its own,
    after which nothing follows."""
    rolling = after_a_stage()
    rolling.rules = rolling.rules.model_copy(update={"cohort": Cohort.SMALL})
    watch = rolling.minute()
    assert (watch.stage.share, watch.stage.since, watch.stage.ended) == (25, rolling.now, 1_000)
    rolling.now += timedelta(hours=25)
    assert stage(rolling) is None
    rolling.minute(counts(200), counts(600))
    assert stage(rolling) is Cohort.LARGE
    capped = looked(rolling.watch, 0, {}, rolling.rules, 20, rolling.now + MINUTE)
    assert advances_to(capped, rolling.rules, rolling.now + timedelta(hours=48)) is None


def test_a_test_counts_from_its_own_beginning() -> None:
    """What was there before it does not; what comes after its sample does not either."""
    rolling = Rolling()
    rolling.minute(counts(300, 30), counts(300, 3))
    rolling.rules = FlagRules(cohort=Cohort.LARGE, test_metric=Metric.FAILED, test_calls=100)
    begun = rolling.minute()
    assert begun.test is not None
    assert begun.test.since == rolling.now
    assert rolling.minute(counts(100, 1), counts(99)).test == begun.test
    done = rolling.minute(counts(1), counts(1)).test
    assert done is not None
    assert done.result is not None
    assert (done.result.new.calls, done.result.old.calls) == (101, 100)
    assert rolling.minute(counts(50, 50), counts(1)).test == done
    rolling.rules = FlagRules(cohort=Cohort.LARGE)
    assert rolling.minute().test is None


def test_a_test_of_slowness_begins_when_slow_is_known() -> None:
    """By 200 calls on the old path."""
    rolling = Rolling(FlagRules(cohort=Cohort.LARGE, test_metric=Metric.SLOW, test_calls=100))
    assert rolling.minute(counts(200), counts(200, bucket=4)).test is None
    test = rolling.minute(counts(1), counts(1)).test
    assert test is not None
    assert test.slow_from == 4
