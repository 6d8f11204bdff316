"""Perks in a history: what is sold, who buys, and what has to be true of their wallets."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from scripts.simulation.documents import Fields

PRICES = {"priorityDay": 2, "streakSaver": 3}
SAVERS_MAX = 2


def drawn_config(seed: int) -> dict[str, Any]:
    """Return the section of the config: in half of the histories both are sold."""
    return {"shop": PRICES if seed % 2 else {}}


def drawn_actions(seed: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield who buys what, at times twice with one key."""
    dice = Random(f"perks {seed}")  # noqa: S311  (repeatable, not secret)
    for number in range(dice.randrange(6)):
        details = {"user": f"user-{dice.randrange(users)}", "key": f"perk-key-{number}", "perk": dice.choice([*PRICES])}
        for _ in range(dice.choice((1, 2))):
            yield dice.uniform(0, end), "perk", details


def wrong_perks(config: Mapping[str, Any], wallet: Fields, entries: list[Fields]) -> Iterator[str]:
    """Yield what a wallet has and did not buy, or the other way round."""
    bought = [entry for entry in entries if entry["reason"] == "perk"]
    days = [entry for entry in bought if entry["detail"]["perk"] == "priorityDay"]
    for entry in bought:
        if entry["delta"] != -config.get("shop", {}).get(entry["detail"]["perk"], 0):
            yield f"{entry['id']} took {entry['delta']} tokens"
    until = wallet["priorityUntil"]
    if (until is None) != (not days):
        yield f"priority until {until}, of {len(days)} days"
    elif until is not None:
        starts = [entry["ts"] for entry in days]
        if not max(starts) + timedelta(days=1) <= until <= max(starts) + timedelta(days=len(days)):
            yield f"priority until {until}, of days bought at {starts}"
    if wallet["streakSavers"] > min(len(bought) - len(days), SAVERS_MAX):
        yield f"{wallet['streakSavers']} streak savers of {len(bought) - len(days)}"
