"""Perks in a history: what is sold, who buys, and what has to be true of their wallets."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
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
    if seed % 2 and dice.random() < 0.5:
        yield from faithful(seed, end, users)


def faithful(seed: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield a user who buys streak savers, and comes for the bonus on most days."""
    dice = Random(f"faithful {seed}")  # noqa: S311
    user = f"user-{dice.randrange(users)}"
    for number in range(dice.choice((1, 2, 2, 3))):
        yield dice.uniform(0, end / 2), "perk", {"user": user, "key": f"saver-key-{number}", "perk": "streakSaver"}
    for day in range(int(end // 86_400) + 1):
        if dice.random() < 0.65:
            yield min(day * 86_400.0 + dice.uniform(0, 3_600), end), "bonus", {"user": user, "device": f"device-{user}"}


def wrong_perks(config: Mapping[str, Any], wallet: Fields, entries: list[Fields]) -> Iterator[str]:
    """Yield what a wallet has and did not buy, or the other way round, and what a streak has cost: entry by entry."""
    until, savers, streak, last = None, 0, 0, date.min
    for entry in entries:
        if entry["reason"] == "perk":
            perk = entry["detail"]["perk"]
            if entry["delta"] != -config.get("shop", {}).get(perk, 0):
                yield f"{entry['id']} took {entry['delta']} tokens"
            if perk == "priorityDay":
                until = max(until or entry["ts"], entry["ts"]) + timedelta(days=1)
            else:
                savers += 1
                if savers > SAVERS_MAX:
                    yield f"{entry['id']} is one streak saver too many"
        elif entry["reason"] == "bonus":
            day = date.fromisoformat(entry["ref"])
            missed = max((day - last).days - 1, 0)
            saved = streak if missed <= savers else 0
            streak, savers, last = saved + 1, savers - (missed if saved else 0), day
    kept = wallet["priorityUntil"], wallet["streakSavers"], wallet["streakDays"]
    if kept != (until, savers, streak):
        yield f"priority, streak savers and streak are {kept}, not {(until, savers, streak)}"
