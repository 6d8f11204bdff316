"""Faults on request: what goes wrong, where, how often; deterministic from a seed.

A fault is consulted at the point that its kind has. It fires there when its selectors match, after `skip` matches,
with `probability`, at most `count` times (None: without end).
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

HANG_SECONDS_MAX = 900.0

WEBHOOKS: dict[str, tuple[str, str, str]] = {
    "webhook_lost": ("webhook", "*", "the event is never delivered"),
    "webhook_duplicated": ("webhook", "*", "the event is delivered twice"),
    "webhook_delayed": ("webhook", "*", "the event is delivered `minutes` late"),
    "webhook_reordered": ("webhook", "*", "the event is delivered after the next one"),
}
"""Of every stand-in that sends events; `endpoint` selects by their type."""


@dataclass
class Fault:
    """One fault as it was asked for, and how often it has matched and fired."""

    kind: str
    id: str = ""
    endpoint: str = (
        "*"  # pattern on "POST /v1/chat/completions"; for batches, lines and events on "BATCH /v1/..." (docs/openai.md)
    )
    custom_id: str = "*"  # pattern, for lines and the answers in them
    count: int | None = 1
    skip: int = 0
    probability: float = 1.0
    # What the kind needs; each has a default that does something sensible.
    retry_after: float = 1.0
    seconds: float = 60.0
    status: int = 500
    code: str | None = None
    in_output: bool = False
    text: str = "I cannot say."
    state: str = "in_progress"
    minutes: float | None = None
    share: float = 0.5
    line: int = 1
    matched: int = 0
    fired: int = 0
    dice: random.Random = field(default_factory=random.Random, repr=False)

    def public(self) -> dict[str, Any]:
        """Return the fault as JSON for the admin endpoint."""
        return {name: value for name, value in asdict(self).items() if name != "dice"}


class Faults:
    """The faults that are waiting to happen. Safe to use from several threads."""

    def __init__(self, seed: int, kinds: Mapping[str, tuple[str, str, str]]) -> None:
        """Start without faults; dice are thrown from `seed`.

        `kinds`: each kind's point where it is consulted, its default endpoint pattern, and what it does.
        """
        self._seed, self._kinds = seed, kinds
        self._faults: list[Fault] = []
        self._added = 0
        self._lock = threading.Lock()

    def add(self, kind: str, **selectors: Any) -> str:
        """Add a fault and return its id. `selectors` are the fields of Fault.

        Raises:
            ValueError: an unknown kind or selector, or a value out of range.
        """
        if kind not in self._kinds:
            raise ValueError(f"unknown fault {kind!r}: one of {', '.join(self._kinds)}")
        settable = set(Fault.__dataclass_fields__) - {"kind", "id", "matched", "fired", "dice"}
        if unknown := sorted(set(selectors) - settable):
            raise ValueError(f"unknown selector {unknown[0]!r}: one of {', '.join(sorted(settable))}")
        fault = Fault(kind=kind, **{"endpoint": self._kinds[kind][1], **selectors})
        if not 0 <= fault.probability <= 1 or not 0 <= fault.share <= 1:
            raise ValueError("probability and share lie between 0 and 1")
        if not 0 < fault.seconds <= HANG_SECONDS_MAX:
            raise ValueError(f"seconds lie between 0 and {HANG_SECONDS_MAX:.0f}")
        if fault.state not in {"validating", "in_progress", "finalizing"}:
            raise ValueError("a batch gets stuck in validating, in_progress or finalizing")
        with self._lock:
            self._added += 1
            fault.id = f"fault_{self._added}"
            fault.dice = random.Random(f"{self._seed}:{self._added}")  # noqa: S311 - repeatable, not secret
            self._faults.append(fault)
        return fault.id

    def remove(self, fault_id: str) -> bool:
        """Remove one fault; False when there is none of that id."""
        with self._lock:
            before = len(self._faults)
            self._faults = [fault for fault in self._faults if fault.id != fault_id]
            return len(self._faults) < before

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults = []

    def list(self) -> list[dict[str, Any]]:
        """Return all faults with their counters."""
        with self._lock:
            return [fault.public() for fault in self._faults]

    def strike(self, point: str, endpoint: str, custom_id: str = "") -> Fault | None:
        """Return the first fault that fires at this point, or None."""
        return next(iter(self.strike_all(point, endpoint, custom_id, first_only=True)), None)

    def strike_all(
        self, point: str, endpoint: str, custom_id: str = "", *, first_only: bool = False
    ) -> tuple[Fault, ...]:
        """Return every fault that fires at this point."""
        if not self._faults:  # the common case takes no lock
            return ()
        struck = []
        with self._lock:
            for fault in self._faults:
                if self._kinds[fault.kind][0] == point and _fires(fault, endpoint, custom_id):
                    struck.append(fault)
                    if first_only:
                        break
        return tuple(struck)


def _fires(fault: Fault, endpoint: str, custom_id: str) -> bool:
    if not fnmatchcase(endpoint, fault.endpoint) or not fnmatchcase(custom_id, fault.custom_id):
        return False
    if fault.count is not None and fault.fired >= fault.count:
        return False
    fault.matched += 1
    if fault.matched <= fault.skip or fault.dice.random() >= fault.probability:
        return False
    fault.fired += 1
    return True
