"""What must hold at every moment, checked after every write: the budget is never passed, nor what members of a team may
spend.

A day may be held and spent up to the limit in force. A lowered limit is in force once the day was reviewed under it: by
`admin_set_config` before it returns, or by the guard. Until then the old and the new one are both allowed; nothing else
ever is. A month's limit is in force with the review of its last day.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from localcloud.firestore.store import Database, Scope
from scripts.simulation.documents import decoded
from scripts.simulation.teams import TeamBooks

# What is in force where the config does not say.
DAILY_LIMIT_MICROS, MONTHLY_LIMIT_MICROS = 10_000_000, 200_000_000

_SHARDS, _DAYS, _CONFIG = Scope(group="shards"), Scope(collection="budget"), Scope(collection="config")
_WALLETS, _REMOVALS = Scope(group="wallet"), Scope(collection="removals")
_WRITES = frozenset({"firestore.Commit", "firestore.BatchWrite"})


@dataclass(frozen=True)
class Violation:
    """Which promise is broken (`lost_jobs`, `budget` ...), and how."""

    kind: str
    text: str


class Invariants:
    """Checks one database. `violations` are those found, `configs` all that were ever in force."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.configs: list[dict[str, Any]] = []
        self._teams = TeamBooks()
        self._seen: dict[Scope, int] = {}
        self._used: dict[str, int] = {}
        self._amounts: dict[tuple[str, str], int] = {}  # of shards, as they were last sound
        self._daily: list[int] = []
        self._monthly: list[int] = []
        self._reviews: dict[str, int] = {}
        self._reviewed_under: dict[str, int] = {}  # which of the configs

    def __call__(self, call: str, database: Database) -> None:
        """Check what this call has changed."""
        if call not in _WRITES:
            return
        if self._changed(_CONFIG, database):
            self._take_config(database)
        if self._changed(_DAYS, database):
            self._take_reviews(database)
        if self._changed(_SHARDS, database):
            self._add_up(database)
        if self._changed(_WALLETS, database):
            self.violations += [Violation("teams", wrong) for wrong in self._teams.changed(database)]
        if self._changed(_REMOVALS, database):
            self.violations += [Violation("teams", wrong) for wrong in self._teams.removals_changed(database)]

    def _changed(self, scope: Scope, database: Database) -> bool:
        before, now = self._seen.get(scope, 0), database.changed(scope)
        self._seen[scope] = now
        return now > before

    def _take_config(self, database: Database) -> None:
        stored = database.get("config/runtime")
        config = decoded(stored.parse()) if stored else {}
        rules = config.get("budget", {})
        self.configs.append(config)
        self._daily.append(rules.get("dailyLimitMicros", DAILY_LIMIT_MICROS))
        self._monthly.append(rules.get("monthlyLimitMicros", MONTHLY_LIMIT_MICROS))

    def _take_reviews(self, database: Database) -> None:
        for path, stored in database.documents(_DAYS):
            day, reviews = path.split("/")[1], decoded(stored.parse()).get("rounds", 0)
            if reviews > self._reviews.get(day, 0):
                self._reviews[day], self._reviewed_under[day] = reviews, len(self.configs) - 1

    def _add_up(self, database: Database) -> None:
        used: dict[str, int] = defaultdict(int)
        for path, stored in database.documents(_SHARDS):
            fields = decoded(stored.parse())
            for name in ("reserved", "spent"):
                amount = fields.get(name, 0)
                if isinstance(amount, int):
                    self._amounts[path, name] = amount
                # A damaged one is still held, or spent: what comes to light as it is mended is nothing new.
                used[path.split("/")[1]] += self._amounts.get((path, name), 0)
        for day, micros in used.items():
            if micros <= self._used.get(day, 0):
                continue
            days = [name for name in used if name[:7] == day[:7]]
            month = sum(used[name] for name in days)
            daily, monthly = self._since(day, self._daily), self._since(max(days), self._monthly)
            if micros > max(daily):
                self._violated(f"{micros} micro-dollars are held and spent on {day}, with a limit of {daily}")
            elif month > max(monthly):
                self._violated(f"{month} micro-dollars are held and spent in {day[:7]}, with a limit of {monthly}")
        self._used = used

    def _since(self, day: str, limits: list[int]) -> list[int]:
        """Return the limits that were in force since a day's last review, the one that it was reviewed under first."""
        return limits[self._reviewed_under.get(day, 0) :]

    def _violated(self, text: str) -> None:
        self.violations.append(Violation("budget", text))
