"""How long users still get a new path that fails: four processes on the local Firestore, in moved time, a call on each
path every second, the guard once a minute.

The seconds count from what decides: the call after which the guard would have stopped the path, had it looked; the
seventh failure in a row in one process; or the operator's stop.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random
from typing import Any, Literal

from functions.adapters.arm_breaker import FAILURES_MAX
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError
from functions.core.rollouts.arms import Arm, bucket
from functions.core.rollouts.evidence import Verdict
from functions.core.rollouts.flags import Flag, FlagRules
from functions.core.rollouts.watch import looked
from functions.core.shared.errors import ProviderUnavailable
from functions.core.shared.utc_days import day_of
from functions.use_cases.operations.admin_rollout import Action, change_rollout
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.operations.guard_rollouts import guard_rollouts
from functions.use_cases.rollouts.serving import decisions
from scripts.benchmarks.calls import UNLIMITED, classify
from scripts.inprocess import InProcessCloud

PROCESSES = 4
TICK = 60
GOOD_SECONDS, STOPPED_WITHIN, QUIET = 180, 420, 100
PHASES = (1, 21, 41)
"""Seconds after a look of the guard at which the path begins to fail."""

How = Literal["guard", "process", "operator"]
RATES: Mapping[How, float] = {"guard": 0.4, "process": 1.0, "operator": 0.0}
"""At which share of calls the path fails: for the guard, one at which no process has seven in a row."""

KEY = "model@0"
UIDS = [f"user-{number}" for number in range(60)]
NEW = [uid for uid in UIDS if bucket(Flag.MODEL, "", uid) < 5_000]
OLD = [uid for uid in UIDS if uid not in NEW]
RULES = {"cohort": "large"}
CALLS = 240


def seconds_to_last_new_call() -> dict[str, int]:
    """Return the most seconds, by what stops the path, with a readable config and with a broken one."""
    return {
        name: max(last_new_call(how, phase, broken=broken) for phase in PHASES)
        for how in RATES
        for name, broken in ((how, False), (f"{how}_broken_config", True))
    }


def last_new_call(how: How, phase: int, *, broken: bool) -> int:
    """Return how many seconds after the decision the last call on the new path begins."""
    cloud = _cloud({"model": RULES})
    processes, guard = [cloud.new_process() for _ in range(PROCESSES)], cloud.new_process()
    dice, begins = Random(f"{how} {phase}"), GOOD_SECONDS + phase  # noqa: S311  (repeatable)
    in_a_row, decided, last = [0] * PROCESSES, None, 0
    for second in range(begins + STOPPED_WITHIN):
        cloud.clock.advance(timedelta(seconds=1))
        if second == begins and broken:
            cloud.client.document("config/runtime").update({"tokens": 7, "batch": {"maxJobs": "many"}})
        if second == begins and how == "operator":
            change_rollout(Flag.MODEL, Action.STOP, "ana", "by hand", cloud.new_process())
        number = second % PROCESSES
        cloud.deps = processes[number]
        fails = second >= begins and dice.random() < RATES[how]
        if _calls_on_both(cloud, second, fails=fails):
            last, in_a_row[number] = second, in_a_row[number] + 1 if fails else 0
        if decided is None and second >= begins and _decided(how, in_a_row, cloud):
            decided = second
        if second % TICK == 0:
            guard_rollouts(guard)
        if decided is not None and second > last + QUIET:
            return last - decided
    raise RuntimeError(f"{how}: still on the new path {STOPPED_WITHIN} s after it began to fail")


def _calls_on_both(cloud: InProcessCloud, second: int, *, fails: bool) -> bool:
    """Let a user of either group have a photo classified, which `fails` on the new path. True if that one was taken."""
    old, new = OLD[second % len(OLD)], NEW[second % len(NEW)]
    _call(cloud, old, f"old-{second:05d}", fails=False)
    on_new = decisions(new, cloud.deps)[Flag.MODEL].arm is Arm.NEW
    _call(cloud, new, f"new-{second:05d}", fails=on_new and fails)
    return on_new


def _decided(how: How, in_a_row: Sequence[int], cloud: InProcessCloud) -> bool:
    match how:
        case "guard":
            return _would_stop(cloud)
        case "process":
            return max(in_a_row) == FAILURES_MAX
        case "operator":
            return True


def _would_stop(cloud: InProcessCloud) -> bool:
    """Tell whether the guard would stop the path if it looked now."""
    state = cloud.deps.store.flag_states()[Flag.MODEL]
    if state is None or state.watch is None:
        return False
    day = day_of(cloud.clock())
    found = {day: cloud.deps.store.arm_counts([day])[day].get(KEY, {})}
    rules = FlagRules.model_validate(RULES)
    return looked(state.watch, 0, found, rules, rules.share, cloud.clock()).verdict == Verdict.ROLL_BACK


def _call(cloud: InProcessCloud, uid: str, key: str, *, fails: bool) -> None:
    def strike(call: str, when: str) -> None:
        if fails and (call, when) == ("openai.complete", "before"):
            raise ProviderDownError("it does not answer", Trouble.UNREACHABLE)

    with cloud.interrupting(strike):
        try:
            classify(cloud, uid, key, "instant")
        except ProviderUnavailable:
            if not fails:
                raise


def billed() -> dict[str, float]:
    """Return the reads and writes of an instant call while all flags run."""
    cloud = _cloud({str(flag): RULES for flag in Flag})
    for uid in UIDS:
        _call(cloud, uid, f"first-of-{uid}", fails=False)
    cloud.firestore.bill.reset()
    for number in range(CALLS):
        _call(cloud, UIDS[number % len(UIDS)], f"call-{number:05d}", fails=False)
    totals = cloud.firestore.bill.snapshot()["totals"]
    return {f"{kind}_per_call": round(totals[kind] / CALLS, 3) for kind in ("reads", "writes")}


def _cloud(flags: Mapping[str, Any]) -> InProcessCloud:
    cloud = InProcessCloud(seed=1)
    cloud.configure(
        {
            "tokens": {"welcome": 1_000, "balanceCap": 1_000},
            "plans": {"free": UNLIMITED},
            "budget": {"dailyLimitMicros": 100_000_000},
            "model": {"next": "gpt-5.6-luna"},
            "images": {"nextSideMax": 384},
            "flags": flags,
        }
    )
    guard_budget(cloud.deps)
    return cloud
