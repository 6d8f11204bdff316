"""Achievements in a history: which there are, and what has to be true of them at the end, by the ledgers alone."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from random import Random
from typing import Any

from scripts.simulation.documents import Fields

_STEPS = {"scans": (2, 3, 5), "points": (20, 300), "corrections": (1, 2)}
COUNTED_BY = {"scans": "charge", "corrections": "manual"}


def drawn_config(seed: int) -> dict[str, Any]:
    """Return the section of the config: two histories of three have achievements."""
    dice = Random(f"achievements {seed}")  # noqa: S311  (repeatable, not secret)
    rules = [
        {"name": f"{counter}_{step}", "counter": counter, "atLeast": step, "tokens": dice.choice((0, 2))}
        for counter, steps in _STEPS.items()
        for step in steps
    ]
    return {"achievements": {"open": seed % 3 != 0, "rules": rules}}


def wrong_achievements(
    config: Mapping[str, Any],
    wallet: Fields,
    entries: list[Fields],
    jobs: Mapping[str, Fields],
    written: Mapping[str, int],
) -> Iterator[str]:
    """Yield the achievements of a ledger that came too early, late, or never, or that its wallet does not know. `jobs`
    are those that the user has paid for; `written` is when a job, or an entry of this ledger, came, by its id."""
    got = {entry["ref"]: entry["ts"] for entry in entries if entry["reason"] == "achieve"}
    if sorted(wallet["achieved"]) != sorted(got):
        yield f"the wallet has achieved {wallet['achieved']}, the ledger {sorted(got)}"
    rules = config.get("achievements", {"open": False})
    for rule in rules["rules"] if rules["open"] else ():
        reached = _reached(rule, _counts(rule["counter"], entries, jobs, written))
        if got.get(rule["name"]) != reached:
            yield f"{rule['name']} was reached at {reached}, and came at {got.get(rule['name'])}"
    if not rules["open"] and got:
        yield f"there are no achievements, and {sorted(got)} came"


def _counts(
    counter: str, entries: list[Fields], jobs: Mapping[str, Fields], written: Mapping[str, int]
) -> list[tuple[int, Any, int]]:
    """Return by which write, and at what time, a counter went up or down, and by how much, as they were written: times
    may cross. A photo of a bulk job counts from its page on; one that is paid back no more."""
    if counter == "points":
        return [(written[entry["id"]], entry["ts"], entry["points"]) for entry in entries]
    bulk = {job_id: job for job_id, job in jobs.items() if job["bulkId"]} if counter == "scans" else {}
    taken_on = {job_id: job for job_id, job in bulk.items() if job["completedAt"] != job["createdAt"]}
    found = [(written[entry["id"]], entry["ts"], _change(counter, entry, bulk, taken_on)) for entry in entries]
    return sorted([*found, *((written[job_id], job["createdAt"], 1) for job_id, job in taken_on.items())])


def _change(counter: str, entry: Fields, bulk: Mapping[str, Fields], taken_on: Mapping[str, Fields]) -> int:
    if entry["reason"] == COUNTED_BY[counter]:
        return 1
    if counter != "scans" or entry["reason"] != "refund":
        return 0
    of, colon, _ = entry["ref"].partition(":")
    if not colon:
        return -(of not in bulk or of in taken_on)
    back = (job for job in taken_on.values() if job["status"] == "cancelled" and not job["chargeStands"])
    ended = (job for job in back if job["bulkId"] == of)
    return -sum(bool(job["completedAt"] == entry["ts"]) for job in ended)


def _reached(rule: Mapping[str, Any], counts: list[tuple[int, Any, int]]) -> Any:
    """Return when the counter was first at what it takes, at the end of a write; None if it never was."""
    counted = 0
    for _, write in groupby(counts, key=lambda each: each[0]):
        changes = [(at, change) for _, at, change in write]
        counted += sum(change for _, change in changes)
        if counted >= rule["atLeast"]:
            return changes[0][0]
    return None
