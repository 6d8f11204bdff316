"""What must hold at every moment, looked at after every write: the budget is never passed.

A day may be held and spent up to the limit in force. A lowered limit is in force once somebody has reviewed the day
under it: `admin_set_config` does before it returns, and the guard does. So from a change of the config to the next
review of the day, the old limit and the new one are both allowed; nothing else ever is.
"""

from collections import defaultdict
from typing import Any

from scripts.emulators.firestore.store import Database, Scope
from scripts.simulation.documents import decoded
from scripts.simulation.violations import Violation

DAILY_LIMIT_MICROS = 10_000_000
MONTHLY_LIMIT_MICROS = 200_000_000
"""What is in force where the config does not say."""

_SHARDS, _DAYS, _CONFIG = Scope(group="shards"), Scope(collection="budget"), Scope(collection="config")
_WRITES = frozenset({"firestore.Commit", "firestore.BatchWrite"})


class Watch:
    """Looks at one database. `violations` are those found, `configs` all that were ever in force."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.configs: list[dict[str, Any]] = []
        self._seen: dict[Scope, int] = {}
        self._used: dict[str, int] = {}
        self._daily: list[int] = []
        self._monthly: list[int] = []

    def __call__(self, call: str, database: Database) -> None:
        """Look at what this call has changed."""
        if call not in _WRITES:
            return
        if self._changed(_CONFIG, database):
            self._take_config(database)
        if self._changed(_DAYS, database):
            self._daily, self._monthly = self._daily[-1:], self._monthly[-1:]
        if self._changed(_SHARDS, database):
            self._add_up(database)

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

    def _add_up(self, database: Database) -> None:
        used: dict[str, int] = defaultdict(int)
        for path, stored in database.documents(_SHARDS):
            fields = decoded(stored.parse())
            used[path.split("/")[1]] += fields.get("reserved", 0) + fields.get("spent", 0)
        for day, micros in used.items():
            if micros <= self._used.get(day, 0):
                continue
            month = sum(other for name, other in used.items() if name[:7] == day[:7])
            if micros > max(self._daily):
                self._violated(f"{micros} micro-dollars are held and spent on {day}, with a limit of {self._daily}")
            elif month > max(self._monthly):
                self._violated(
                    f"{month} micro-dollars are held and spent in {day[:7]}, with a limit of {self._monthly}"
                )
        self._used = used

    def _violated(self, text: str) -> None:
        self.violations.append(Violation("budget", text))
