"""The drain after a history: no more faults, no more users, only the crons, until nothing is left to do.

Processes that stand still wake up, webhooks that are late arrive. Then all users come back once, as they would.
"""

from datetime import timedelta
from typing import Any

from functions.use_cases.operations.guard_rollouts import guard_rollouts
from functions.use_cases.privacy.erase_accounts import erase_accounts
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.simulation.actions import perform
from scripts.simulation.documents import Documents
from scripts.simulation.history import CRONS, Action
from scripts.simulation.invariants import Violation
from scripts.simulation.leaving import is_left, traces
from scripts.simulation.world import World

TICK = timedelta(minutes=5)
TICKS_BETWEEN_MAX = 12  # while nothing changes, up to an hour is left out at a time
DRAIN_WITHIN = timedelta(days=6)
"""A closed budget opens at midnight, a job waits 26 hours, OpenAI is given 28 for a batch, and a job that its batch has
lost sight of has a lease of four days."""

GUARD_EVERY_TICKS = 6

TICKS_DOUBLED = 5
"""Scheduler delivers a tick twice now and then; here as long as what runs have left half done is taken up."""


def settle(world: World) -> bool:
    """Let the crons run until nothing is left to do. False if that never comes."""
    world.plan.active = False
    world.outages.clear()
    world.openai.faults.clear()
    world.anthropic.faults.clear()
    for path in sorted(world.damaged):
        world.repair(path)
    world.interleaving.run(world.interleaving.seconds + 60.0)
    end, tick, pause, before = world.clock() + DRAIN_WITHIN, 0, 1, ""
    while world.clock() < end:
        now = world.clock()
        since_tick = timedelta(seconds=now.timestamp() % TICK.total_seconds())
        world.interleaving.run((now + pause * TICK - since_tick).timestamp())
        world.openai.tick()
        for cron in (*CRONS, "bulk"):
            if cron != "guard" or tick % GUARD_EVERY_TICKS == 0:
                _run_cron(cron, tick, world, times=2 if tick < TICKS_DOUBLED and cron in {"submit", "poll"} else 1)
        tick += 1
        state = _open(world)
        if not state and world.interleaving.idle():
            return True
        pause = 1 if repr(state) != before else min(2 * pause, TICKS_BETWEEN_MAX)
        before = repr(state)
    return False


def _run_cron(cron: str, tick: int, world: World, times: int) -> None:
    details = {"worker": "all"} if cron == "refresh" else {}
    action = Action(-1, 0.0, cron, details)
    for number in range(times):
        perform(action, world, key=f"drain{tick}-{cron}-{number}")
    world.interleaving.run(world.interleaving.seconds + 20.0)


def come_back(world: World) -> None:
    """Let every user look at the wallet once more, and the guard of the rollouts see the end."""
    world.begin("last-look", "guard_rollouts", guard_rollouts)
    for path in sorted(world.documents()):
        parts = path.split("/")
        if parts[0] == "users" and parts[2:] == ["wallet", "main"]:
            uid = parts[1]
            world.begin(f"back-{uid}", "look", lambda deps, uid=uid: get_wallet(GetWallet(), uid, deps))  # type: ignore[misc]
    world.interleaving.run()


def erase(world: World) -> list[Violation]:
    """Have those who left erased, by two runs with hours between, and return what still names them, or does not add up
    any more."""
    before = world.documents()
    uids = {path.split("/")[1] for path, fields in before.items() if is_left(path, fields)}
    if not uids:
        return []
    for number in range(3):
        world.begin(f"erase-{number}", "erase", erase_accounts)
        world.interleaving.run(world.interleaving.seconds + 4 * 3_600.0)
    after = world.documents()
    wrong = list(traces(after, uids, world.files.objects))
    for name, (was, now) in {
        each: (_spent(before, each), _spent(after, each)) for each in ("aiJobs", "budget")
    }.items():
        if was != now:
            wrong.append(f"erasing users has changed the cost in {name} from {was} to {now} micro-dollars")
    return [Violation("leaving", each) for each in wrong]


def _spent(documents: Documents, kind: str) -> int:
    fields = "costMicros" if kind == "aiJobs" else "spent"
    return sum(each[fields] for path, each in documents.items() if path.split("/")[0] == kind)


def _open(world: World) -> list[tuple[str, Any]]:
    """Return what is not finished: jobs, batches, alerts that are due, as path and state."""
    found = []
    for path, fields in world.documents("aiJobs", "batches", "bulkJobs", "alerts").items():
        kind = path.partition("/")[0]
        if (kind == "aiJobs" and fields["status"] not in {"done", "failed", "cancelled"}) or (
            kind == "batches" and fields["state"] not in {"done", "failed"}
        ):
            found.append((path, fields.get("status") or fields.get("state")))
        if kind == "bulkJobs" and fields["completedAt"] is None:
            found.append((path, (fields["state"], fields["taken"], fields["waiting"])))
        if kind == "alerts" and fields["dueAt"] is not None:
            found.append((path, fields["attempts"]))
    return sorted(found)
