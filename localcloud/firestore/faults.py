"""Faults on request: calls that fail, are slow, or take effect without the client hearing of it.

A rule picks calls by RPC name and by the paths they touch, skips some, and strikes a number of times, each with a
probability drawn from a generator of its own seed, so that a run can be repeated exactly. Two conditions last:

    faults.add("delay", delay_ms=10, count=None)        every call takes 10 ms longer
    faults.add("write_rate", per_second=1, burst=5)     no document takes more writes than that, see `write_rate`
"""

import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .errors import FirestoreError, aborted
from .locks import CONTENTION
from .write_rate import WriteRate

KINDS = ("abort", "delay", "unavailable", "reply_lost")


@dataclass(slots=True)
class FaultRule:
    """One fault.

    Attributes:
        kind: `abort` (ABORTED, nothing done), `delay` (done after `delay_ms`), `unavailable` (UNAVAILABLE, nothing
            done) or `reply_lost` (done, but the client gets UNAVAILABLE).
        rpc: the RPC's name with `*` and `?` as wildcards, such as `Commit`.
        path: a pattern for a document's or collection's path under the database; `*` spans slashes. One match will do.
        count: how often to strike; None for ever.
        skip: how many matching calls to let pass first.
        probability: of striking when its turn has come.
        delay_ms: for `delay`.
        seed: for the generator behind `probability`.
    """

    kind: str
    rpc: str = "*"
    path: str = "*"
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    delay_ms: int = 0
    seed: int = 0
    struck: int = 0
    _chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'kind is one of {", ".join(KINDS)}, write_rate, not "{self.kind}"')
        if not 0 <= self.probability <= 1:
            raise ValueError("probability lies between 0 and 1")
        if self.delay_ms < 0 or self.skip < 0 or (self.count is not None and self.count < 0):
            raise ValueError("delay_ms, skip and count are not negative")
        self._chance = random.Random(self.seed)  # noqa: S311 - repeatable on purpose

    def strikes(self, rpc: str, paths: Iterable[str]) -> bool:
        """Tell whether the rule hits this call, and count it."""
        if self.count is not None and self.struck >= self.count:
            return False
        if not fnmatchcase(rpc, self.rpc) or not (
            self.path == "*" or any(fnmatchcase(path, self.path) for path in paths)
        ):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self._chance.random() >= self.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The rules in force. Thread-safe.

    Args:
        seconds: the running time that rates of writes are measured in.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._mutex = threading.Lock()
        self._rules: list[FaultRule | WriteRate] = []
        self._seconds = seconds

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, kind: str, **options: Any) -> Any:
        """Add a rule and return it; it counts what it does.

        Args:
            kind: `write_rate` for a `WriteRate`, else that of a `FaultRule`.
            options: the rule's other attributes.

        Raises:
            ValueError: an attribute is unknown or out of range.
        """
        try:
            rule = WriteRate(**options) if kind == "write_rate" else FaultRule(kind, **options)
        except TypeError as error:
            raise ValueError(f"not a fault rule: {error}") from error
        with self._mutex:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Remove all rules."""
        with self._mutex:
            self._rules.clear()

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the rules as JSON."""
        with self._mutex:
            return [
                {key: value for key, value in asdict(rule).items() if not key.startswith("_")} for rule in self._rules
            ]

    def strike(self, rpc: str, paths: Iterable[str]) -> list[FaultRule]:
        """Return the rules that hit a call: all matching delays and the first other one."""
        touched = list(paths)
        hits: list[FaultRule] = []
        with self._mutex:
            for rule in self._rules:
                if isinstance(rule, WriteRate):
                    continue
                decided = any(hit.kind != "delay" for hit in hits)
                if (rule.kind == "delay" or not decided) and rule.strikes(rpc, touched):
                    hits.append(rule)
        return hits

    @contextmanager
    def writing(self, paths: Collection[str]) -> Iterator[None]:
        """Wait until the limits let these documents be written; what fails inside has not counted as a write.

        Raises:
            FirestoreError: ABORTED, after the longest wait.
        """
        seconds, admitted = self._take_turn(paths)
        if seconds:  # of nothing to wait for, a busy machine would make milliseconds
            time.sleep(seconds)
        if not admitted:
            raise aborted(CONTENTION)
        try:
            yield
        except FirestoreError:
            with self._mutex:
                for limit in self._limits():
                    limit.give_back(paths)
            raise

    def _take_turn(self, paths: Collection[str]) -> tuple[float, bool]:
        """Return how long to wait, and whether a turn was taken that comes then."""
        with self._mutex:
            now = self._seconds()
            waits = [(limit, max(0.0, limit.wait(paths, now))) for limit in self._limits()]
            refusing = [limit for limit, seconds in waits if seconds * 1000 > limit.wait_ms_max]
            for limit in refusing:
                limit.aborted += 1
            if refusing:
                return min(limit.wait_ms_max for limit in refusing) / 1000, False
            for limit, seconds in waits:
                limit.take(paths, now)
                limit.delayed += seconds > 0
            return max((seconds for _, seconds in waits), default=0.0), True

    def _limits(self) -> list[WriteRate]:
        return [rule for rule in self._rules if isinstance(rule, WriteRate)]
