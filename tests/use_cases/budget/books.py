"""The books of the budget as its tests read and write them."""

from typing import Any

import pytest

from functions.adapters.providers import openai as adapter
from functions.core.model.dialects.openai import read_completion
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import classify, job, listed, today

BIG = 1_000_000_000
MIDNIGHT = "2026-11-22T00:00:00Z"


def configure(cloud: InProcessCloud, **budget: Any) -> None:
    """Set the budget's rules, as an operator does in the document."""
    tokens = {"welcome": 200}
    plan = {"instantPerDay": 1_000, "batchPerDay": 1_000, "manualPerDay": 5, "callsPerMinute": 1_000, "priority": 0}
    cloud.configure({"tokens": tokens, "plans": {"free": plan}, "budget": budget})


def books(cloud: InProcessCloud, day: str | None = None) -> tuple[int, int, int]:
    """Return limit, reserved and spent of a day, over its shards."""
    shards = cloud.deps.store.budget_shards(day or today(cloud)).values()
    return sum(s.limit for s in shards), sum(s.reserved for s in shards), sum(s.spent for s in shards)


def batch_hold(cloud: InProcessCloud) -> Any:
    """Return what is held for the only batch there is."""
    (batch,) = listed(cloud, "batches").values()
    return batch["hold"]


def held_for_a_call(cloud: InProcessCloud) -> int:
    """Return what is held for one instant call of the tests' photo."""
    probe = InProcessCloud(seed=1)
    configure(probe)
    return int(job(probe, classify(probe, "probe"))["hold"]["lineMicros"])


def reporting(monkeypatch: pytest.MonkeyPatch, input_tokens: int, output_tokens: int = 200) -> None:
    """Let the provider report so many tokens for every answer."""
    read = read_completion
    usage = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens}
    monkeypatch.setattr(adapter, "read_completion", lambda body: read({**body, "usage": usage}))


def add_cost(cloud: InProcessCloud, micros: int) -> None:
    """Make a day's first shard say that this much is spent, as it is after many calls."""
    day = today(cloud)
    guard_budget(cloud.deps)
    hold = {"day": day, "lane": "batch", "model": "m", "parts": {}, "micros": 0, "settled": micros, "lineMicros": 1}
    state = {"state": "done", "createdAt": cloud.clock(), "dueAt": cloud.clock(), "model": "m", "hold": hold}
    cloud.client.document(f"batches/spent-{micros}").set(state)
    cloud.client.document(f"budget/{day}/shards/0").update({"spent": micros})
