"""Achievements in a history: which there are, and what has to be true of them at the end, by the ledgers alone."""

from collections.abc import Iterator, Mapping
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


def wrong_achievements(config: Mapping[str, Any], wallet: Fields, entries: list[Fields]) -> Iterator[str]:
    """Yield the achievements of a ledger that came too early, late, or never, or that its wallet does not know."""
    got = {entry["ref"]: entry["ts"] for entry in entries if entry["reason"] == "achieve"}
    if sorted(wallet["achieved"]) != sorted(got):
        yield f"the wallet has achieved {wallet['achieved']}, the ledger {sorted(got)}"
    rules = config.get("achievements", {"open": False})
    for rule in rules["rules"] if rules["open"] else ():
        reached = _reached(rule, entries, config["tokens"]["pointsPerClassification"])
        if got.get(rule["name"]) != reached:
            yield f"{rule['name']} was reached at {reached}, and came at {got.get(rule['name'])}"
    if not rules["open"] and got:
        yield f"there are no achievements, and {sorted(got)} came"


def _reached(rule: Mapping[str, Any], entries: list[Fields], points_a_photo: int) -> Any:
    """Return when the counter was first at what it takes, at the end of a write; None if it never was. A bulk job's
    entry has the points of all its photos."""
    counted = 0
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        if rule["counter"] == "points":
            counted += entry["points"]
        else:
            counted += entry["reason"] == COUNTED_BY[rule["counter"]]
            if (entry["reason"], rule["counter"]) == ("bulk", "scans"):
                counted += entry["points"] // points_a_photo
        if counted >= rule["atLeast"] and (following is None or following["ts"] != entry["ts"]):
            return entry["ts"]
    return None
