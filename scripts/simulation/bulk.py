"""Bulk jobs in a history, and what has to be true of each: its list, its jobs, its tokens and its report agree."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from io import StringIO
from random import Random
from typing import Any

from scripts.simulation.documents import Fields
from scripts.simulation.teams import payer_of

FINAL = {"done", "failed", "cancelled"}
RUNS = 12


def drawn_config(seed: int) -> dict[str, Any]:
    """Draw what a bulk job for any time costs, and how soon one that waits is given up."""
    dice = Random(f"bulk config {seed}")  # noqa: S311  (repeatable, not secret)
    return {"bulk": {"daysMax": 1, "anyTimePercent": dice.choice((100, 50, 30)), "fillPercent": 100}}


def drawn_actions(seed: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield bulk jobs that are started, at times by an app that has lost its patience, and cancelled; photos that go
    meanwhile; and runs, now and then two at once."""
    dice = Random(f"bulk {seed}")  # noqa: S311
    if seed % 2:
        return
    for number in range(dice.choice((1, 1, 2, 3))):
        user, at = f"user-{dice.randrange(users)}", dice.uniform(0.0, end)
        details = {"user": user, "key": f"bulk-key-{number}", "photos": dice.choice((1, 2, 5, 9, 60))}
        details["any_time"] = dice.random() < 0.4
        for _ in range(dice.choice((1, 1, 2, 3))):
            yield at, "start_bulk", details
            at += dice.choice((0.0, 0.05, 40.0))
        if dice.random() < 0.3:
            yield at, "remove_photo", {"user": user, "key": f"bulk-key-{number}-0"}
        for _ in range(dice.choice((0, 0, 1, 2))):
            yield at + dice.choice((0.05, 10.0, 400.0, 20_000.0)), "cancel_bulk", {"user": user, "key": details["key"]}
    for _ in range(RUNS):
        at = dice.uniform(0.0, end)
        for _ in range(dice.choice((1, 1, 2))):
            yield at, "bulk", {}
            at += dice.choice((0.0, 0.05, 3.0))


def bulk_id_of(user: str, key: str) -> str:
    """Return the id that a bulk job has to have."""
    return hashlib.sha256(f"bulk\n{user}\n{key}".encode()).hexdigest()[:32]


def job_key(job: Fields) -> str:
    """Return the key that a job of a bulk job is under."""
    return f"{job['bulkId']}/{job['imagePath']}"


def wrong_bulks(
    bulks: Mapping[str, Fields],
    jobs: Mapping[str, Fields],
    ledgers: Mapping[str, list[Fields]],
    files: Mapping[str, bytes],
    left: set[str],
) -> Iterator[str]:
    """Yield what is wrong with bulk jobs at rest; of users, or teams, that `left` nobody counts the tokens."""
    for bulk_id, bulk in bulks.items():
        name, of = f"bulk {bulk_id}", {key: job for key, job in jobs.items() if job["bulkId"] == bulk_id}
        if bulk["completedAt"] is None or bulk["state"] not in FINAL:
            yield f"{name} is {bulk['state']} for ever"
            continue
        if payer_of(bulk) in left:
            continue
        folder = f"bulks/{bulk['uid']}/{bulk_id}"
        listed = files[f"{folder}/{bulk['listed']}.txt"].decode().split("\n")
        if sorted(job["imagePath"] for job in of.values()) != sorted(listed[: bulk["taken"]]):
            yield f"{name} has taken {bulk['taken']} photos on, and has jobs of {len(of)}"
        if len(listed) != bulk["count"] or (bulk["taken"] < bulk["count"] and not bulk["refunds"]):
            yield f"{name} has taken {bulk['taken']} of {bulk['count']} photos on, and gave nothing back"
        statuses = Counter(job["status"] for job in of.values())
        if any(statuses[status] != bulk[status] for status in FINAL):
            yield f"{name} counts {[(status, bulk[status]) for status in FINAL]}, and has {statuses}"
        yield from _wrong_report(name, bulk, statuses, files.get(f"{folder}/report.csv"))
        yield from _wrong_tokens(name, bulk_id, of, ledgers.get(payer_of(bulk), []))


def _wrong_report(name: str, bulk: Fields, statuses: Counter[str], report: bytes | None) -> Iterator[str]:
    rows = Counter(row["status"] for row in csv.DictReader(StringIO((report or b"").decode())))
    if rows != +Counter({**statuses, "not_taken": bulk["count"] - bulk["taken"]}):
        yield f"{name} has {statuses}, and its report says {rows}"


def _wrong_tokens(name: str, bulk_id: str, jobs: Mapping[str, Fields], entries: list[Fields]) -> Iterator[str]:
    """What the bulk job has cost is what its kept jobs cost: no more, no less, and so with points."""
    about = [
        entry
        for entry in entries
        if (entry["ref"] or "").partition(":")[0] == bulk_id or (entry["ref"] in jobs and entry["reason"] != "achieve")
    ]
    charges = [entry for entry in about if entry["id"] == f"bulk:{bulk_id}"]
    kept = [job for job in jobs.values() if job["status"] == "done" or job["chargeStands"]]
    paid, points = -sum(entry["delta"] for entry in about), sum(entry["points"] for entry in about)
    if len(charges) != 1 or paid != sum(job["tokensCost"] for job in kept):
        yield f"{name} was charged {len(charges)} times, and cost {paid} for {[job['tokensCost'] for job in kept]}"
    if points != sum(job["points"] for job in kept):
        yield f"{name} has brought {points} points for {len(kept)} photos"
