"""One history: run it, then check what it leaves."""

from collections import Counter
from dataclasses import dataclass, field

from scripts.simulation.actions import perform
from scripts.simulation.checks import examine
from scripts.simulation.drain import come_back, erase, settle
from scripts.simulation.faults import Fault
from scripts.simulation.history import Action, History
from scripts.simulation.interleaving import OverrunError
from scripts.simulation.invariants import Violation
from scripts.simulation.providers import drawn_batch_trouble, drawn_trouble
from scripts.simulation.world import World


@dataclass
class Result:
    """The result of a history."""

    seed: int
    violations: list[Violation]
    steps: int
    struck: list[Fault]
    fingerprint: str
    covered: Counter[str] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)


def run(history: History, only: frozenset[tuple[str, int]] | None = None) -> Result:
    """Run a history, with all drawn faults or only those of a list, and check what it leaves."""
    world = World(history, only)
    with world.in_force():
        world.deploy(history.config)
        for weakness in history.weaknesses:
            world.openai.faults.add(**weakness)
        of_openai, of_anthropic = drawn_trouble(history.seed)
        for trouble in of_openai:
            world.openai.faults.add(**trouble)
        for trouble in (*of_anthropic, *drawn_batch_trouble(history.seed)):
            world.anthropic.faults.add(**trouble)
        violations = _play(world)
    struck = list(world.struck)
    world.openai.stop()
    world.anthropic.stop()
    return Result(history.seed, violations, world.steps, struck, world.fingerprint(), covered(world), world.trace)


def _play(world: World) -> list[Violation]:
    history = world.history
    first = history.start.timestamp()

    def happen(action: Action) -> None:
        world.openai.tick()
        perform(action, world)

    for action in history.actions:
        world.interleaving.at(first + action.at, lambda action=action: happen(action))  # type: ignore[misc]
    try:
        world.interleaving.run(first + (history.actions[-1].at if history.actions else 0.0) + 60.0)
        drained = settle(world)
        violations = examine(world)
        come_back(world)
        violations += [each for each in examine(world) if each not in violations]
        violations += erase(world)
    except OverrunError as error:
        return [Violation("lost_jobs", f"never drained: {error}")]
    if not drained and not violations:
        violations.append(Violation("lost_jobs", "never drained"))
    return violations


def covered(world: World) -> Counter[str]:
    """Count what was reached: faults by call, ends of jobs and calls, what the functions reported."""
    found: Counter[str] = Counter()
    for fault in world.struck:
        found[f"fault {fault.kind} at {fault.name}"] += 1
    for outcome in world.outcomes:
        reason = getattr(outcome.error, "reason", "") if outcome.how == "refused" else ""
        found[f"call {outcome.what} {outcome.how} {reason}".rstrip()] += 1
    for path, fields in world.documents().items():
        kind = path.split("/")[0]
        if kind == "aiJobs":
            found[f"job {fields['mode']} {fields['status']} {(fields['error'] or {}).get('code', '')}".rstrip()] += 1
        if kind == "cacheChecks":
            found[f"check {fields['status']}, the same: {fields['cache']['same']}"] += 1
        if kind == "batches":
            found[f"batch {fields['state']}"] += 1
        if kind in {"alerts", "deadLetters"}:
            found[f"{kind} {fields['kind']}"] += 1
    for event, times in world.events.items():
        found[f"event {event}"] += times
    return found
