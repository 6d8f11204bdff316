"""Flags in a history: the stages, stops and slips that it draws, and what has to be true of its calls at the end.

Buckets, arms and failures are written down here once more, apart from the code that is checked.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

from functions.core.rollouts.flags import Flag
from functions.use_cases.operations.admin_rollout import Action, change_rollout
from functions.wiring import Deps
from scripts.simulation.documents import Documents, Fields
from scripts.simulation.providers import HAIKU

ASKED, NEXT = "gpt-6-luna", "gpt-5.6-luna"
SIDES = {False: 512, True: 384}
PROMPTS = {False: "2026-11-28", True: "2026-11-30"}
PERCENTS = {"off": 0, "listed": 0, "test": 10, "small": 25, "large": 50, "all": 95}

SEEN_AFTER = timedelta(seconds=61)
"""A process knows a stop after 30 s, or a minute while another thread looks."""

BY_THE_PATH = {"PROVIDER_UNAVAILABLE", "ANSWER_UNUSABLE", "BATCH_EXPIRED", "BATCH_FAILED", "LINE_MISSING"}


def drawn_config(seed: int) -> dict[str, Any]:
    """Return the sections that a history begins with: most of the time something is rolled out."""
    dice = Random(f"flags {seed}")  # noqa: S311  (repeatable, not secret)
    rules = {name: {"cohort": dice.choice((*PERCENTS, "large", "large")), "allow": ["user-0"]} for name in Flag}
    return {"model": {"next": NEXT}, "images": {"nextSideMax": SIDES[True]}, "flags": rules}


def drawn_actions(seed: int, end: float) -> Iterator[tuple[float, str, dict[str, Any]]]:
    """Yield when, what and with which details: stages, stops and restarts, rules or states that cannot be read, looks
    of the guard, and recommendations that are tried."""
    tries = Random(f"trials {seed}")  # noqa: S311  (repeatable, not secret)
    for _ in range(tries.randrange(3)):
        kind, changes = tries.choice((("itself", {}), ("image_side", {"images": {"nextSideMax": 384}})))
        yield tries.uniform(end / 2, end), "try", {"kind": kind, "changes": changes}
    dice = Random(f"stages {seed}")  # noqa: S311  (as above)
    for _ in range(dice.randrange(12)):
        yield dice.uniform(0, end), "guard_rollouts", {}
    for _ in range(dice.randrange(5)):
        flag, at = str(dice.choice(list(Flag))), dice.uniform(0, end)
        match dice.choice(("stage", "stage", "stop", "stop", "restart", "slip")):
            case "stage":
                yield at, "configure", {"changes": {"flags": {flag: {"cohort": dice.choice(list(PERCENTS))}}}}
            case "stop" | "restart" as action:
                yield at, "decide_flag", {"flag": flag, "action": action}
            case _:
                yield at, "spoil_flag", {"flag": flag, "path": dice.choice(("config/runtime", "stats/rollouts"))}


def decide_flag(flag: str, action: str, deps: Deps) -> None:
    """Stop or restart a flag by hand."""
    change_rollout(Flag(flag), Action(action), "operator", "by hand", deps)


def spoiled(flag: str, path: str) -> dict[str, Any]:
    """Return the fields of a document after a slip of the hand in what it says of a flag."""
    return {f"flags.{flag}.cohort": "everybody"} if path == "config/runtime" else {f"{flag}.epoch": "many"}


def wrong_ways(jobs: Mapping[str, Fields], batches: Mapping[str, Fields], documents: Documents) -> Iterator[str]:
    """Yield each job and batch that went another way than its arms, or than its user's bucket, or after a stop."""
    told = [each for path, each in documents.items() if path.startswith("alerts/rollout_stopped-")]
    # What was stopped, and the epoch that the stop began, in which nothing runs: a restart begins another.
    stops = {
        f"{flag}@{int(epoch) + more}": each["createdAt"]
        for each in told
        for flag, _, epoch in [each["key"].partition("-")]
        for more in (0, 1)
    }
    for name, job in jobs.items():
        if job["mode"] == "batch" and job["result"] and (batch := batches.get(job["batchId"] or "")):
            asked = batch["model"], job["result"]["promptVersion"], job["result"]["sideMax"]
            yield from (f"job {name}: {wrong}" for wrong in _wrong_way(batch["arms"], *asked))
        if job["mode"] != "instant" or not job["hold"]:
            continue
        result = job["result"] or {}
        asked = job["hold"]["model"], result.get("promptVersion"), result.get("sideMax")
        yield from (f"job {name}: {wrong}" for wrong in _wrong_way(job["arms"], *asked))
        for key, arm in job["arms"].items():
            flag = key.partition("@")[0]
            if arm == "new" and _bucket(flag, job["uid"]) >= 9_500:
                yield f"job {name} took the new {flag}, which 95 % have at most"
            if (arm == "listed") != (job["uid"] == "user-0"):
                yield f"job {name} of {job['uid']} is {arm}, and user-0 alone was named"
            yield from _after_stop(f"job {name}", key, job["createdAt"], stops)
    for name, batch in batches.items():
        side = batch["sideMax"] if batch["arms"] else None  # without arms it may be a trial's, of another side
        asked = batch["model"], batch["promptVersion"], side
        yield from (f"batch {name}: {wrong}" for wrong in _wrong_way(batch["arms"], *asked))
        for key in batch["arms"]:
            # A run decides about all that it has read, and sends one batch after the other.
            decided = batch["createdAt"] - timedelta(minutes=9)
            yield from _after_stop(f"batch {name}", key, decided, stops)


def _wrong_way(arms: Mapping[str, str], model: str, prompt: str | None, side: int | None) -> Iterator[str]:
    new = {key.partition("@")[0] for key, arm in arms.items() if arm != "old"}
    if side is not None and side != SIDES["side" in new]:
        yield f"arms {arms} sent photos of {side} pixels"
    if model == HAIKU and not any(key.startswith("model@") for key in arms):
        return  # what goes to Anthropic first takes no path of this flag
    if model != (NEXT if "model" in new else ASKED):
        yield f"arms {arms} asked {model}"
    if prompt is not None and prompt != PROMPTS["prompt" in new]:
        yield f"arms {arms} asked in the wording {prompt}"


def _after_stop(what: str, key: str, at: datetime, stops: Mapping[str, datetime]) -> Iterator[str]:
    if key in stops and at > stops[key] + SEEN_AFTER:
        yield f"{what} began {key} at {at}, which was stopped at {stops[key]}"


def _bucket(flag: str, uid: str) -> int:
    return int(hashlib.sha256(f"|{flag}|{uid}".encode()).hexdigest()[:16], 16) % 10_000


def miscounted(
    jobs: Mapping[str, Fields], batches: Mapping[str, Fields], shards: Mapping[str, Mapping[str, Fields]]
) -> Iterator[str]:
    """Yield what the shards count of the arms that their calls do not come to. Of batches only the bounds are known
    here: their jobs may have come back in another one."""
    counted, calls, lines = _counted(shards), _calls(jobs), Counter[tuple[str, str]]()
    for batch in batches.values():
        for key, arm in batch["arms"].items():
            lines[key, arm] += batch["doneCount"] + batch["failedCount"] + batch["requeuedCount"]
    for key, arm in {place[:2] for place in [*counted, *calls]}:
        rest = {name: counted[key, arm, name] - calls[key, arm, name] for name in FIGURES}
        most = lines[key, arm] if arm != "listed" else 0
        if rest["started"] != rest["ended"] or not 0 <= rest["failed"] <= rest["ended"] <= most or rest["micros"] < 0:
            yield f"{key} {arm} is off by {rest}, and its batches had {most} lines"


def misjudged(documents: Documents, shards: Mapping[str, Mapping[str, Fields]]) -> Iterator[str]:
    """Yield what the guard has seen of flags that is not in the shards: more than they count, or not what they counted
    on a day that it has looked at."""
    counted = {day: _counted({day: of_day}) for day, of_day in shards.items()}
    for flag, state in documents.get("stats/rollouts", {}).items():
        watch = (state.get("watch") if isinstance(state["epoch"], int) else None) or NOTHING_SEEN
        for arm, totals in watch["totals"].items():
            key = f"{flag}@{watch['epoch']}"
            for name in FIGURES:
                whole = sum(places[key, arm, name] for places in counted.values())
                seen = {day: arms[arm][name] for day, arms in watch["seen"].items() if arm in arms}
                if not sum(seen.values()) <= totals[name] <= whole:
                    yield f"the guard saw {totals[name]} {name} of {key} {arm}, {seen} by day, and there are {whole}"
                yield from (
                    f"the guard saw {n} {name} of {key} {arm} on {day}, where there are {counted[day][key, arm, name]}"
                    for day, n in seen.items()
                    if n > counted[day][key, arm, name]
                )


NOTHING_SEEN: Fields = {"totals": {}}

FIGURES = ("started", "ended", "failed", "micros")

Places = Counter[tuple[str, str, str]]
"""Counters by a flag's key, arm and figure."""


def _counted(shards: Mapping[str, Mapping[str, Fields]]) -> Places:
    counted = Places()
    for each in (shard["rollouts"] for day in shards.values() for shard in day.values()):
        for key, arm, counts in ((key, arm, counts) for key, arms in each.items() for arm, counts in arms.items()):
            counted.update({(key, arm, name): n for name, n in counts.items() if name in FIGURES})
    return counted


def _calls(jobs: Mapping[str, Fields]) -> Places:
    calls = Places()
    for job in (job for job in jobs.values() if job["mode"] == "instant" and job["hold"]):
        failed = job["status"] == "failed" and job["error"]["code"] in BY_THE_PATH
        failed |= any(leg["came"] != "answered" for leg in job["tried"][:-1])
        figures = (1, 1, int(failed), job["hold"]["settled"])
        for key, arm in job["arms"].items():
            if arm != "listed":
                calls.update({(key, arm, name): n for name, n in zip(FIGURES, figures, strict=True)})
    return calls
