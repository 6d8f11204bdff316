"""Faults on request: what goes wrong, where, how often; deterministic from a seed.

A fault is consulted at one of the points in `KINDS`. It fires there when its selectors match, after `skip` matches,
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

# Kind -> (the point where it is consulted, default endpoint pattern, what it does).
KINDS: dict[str, tuple[str, str, str]] = {
    "rate_limited": ("request", "*", "429 rate_limit_exceeded with `retry-after: retry_after` seconds"),
    "insufficient_quota": ("request", "*", "429 insufficient_quota, which no retry heals"),
    "server_error": ("request", "*", "500"),
    "bad_gateway": ("request", "*", "502 with an HTML body"),
    "unavailable": ("request", "*", "503"),
    "refused": ("request", "*", "`status` with the error code `code`"),
    "error_in_success": ("request", "*", "200 with an error object, its code `status`, in place of choices"),
    "not_found": ("request", "GET /v1/files/*", "404, as for a file that is not there yet"),
    "timeout": ("request", "*", "no answer until the caller gives up, at most `seconds`"),
    "connection_reset": ("request", "*", "connection reset before anything was done"),
    "malformed_json": ("reply", "*", "200 with a body that is cut in the middle"),
    "reply_lost": ("reply", "POST *", "the effect is done, then the connection is reset"),
    "refusal": ("answer", "*", "a refusal instead of content"),
    "cut_answer": ("answer", "*", "half the content with finish_reason length"),
    "fenced_answer": ("answer", "*", "the JSON in a code fence with chatter around it"),
    "empty_choices": ("answer", "*", "no choices at all"),
    "content_filter": ("answer", "*", "400 content_filter, as Azure's filter refuses a prompt"),
    "answer_text": ("answer", "*", "`text` as the content, whatever was asked for"),
    "line_error": ("line", "*", "the line fails with `status` and `code` (into the output file with `in_output`)"),
    "missing_line": ("line", "*", "the line is in neither file"),
    "duplicate_line": ("line", "*", "the line is there twice"),
    "unknown_line": ("line", "*", "one more line with a custom_id that nobody sent"),
    "batch_invalid_line": ("batch", "*", "validation finds line `line` not to be JSON: the batch fails"),
    "batch_token_limit": ("batch", "*", "the batch fails with token_limit_exceeded"),
    "batch_stuck": ("batch", "*", "stays in `state` for `minutes` longer (None: until it expires)"),
    "batch_expires": ("batch", "*", "only `share` of the lines are ever worked off, then the batch expires"),
    "batch_cancelled": ("batch", "*", "OpenAI cancels it after `share` of the lines"),
    "files_late": ("batch", "*", "ended, but its files are not named for `minutes` (None: never)"),
    "batch_minutes": ("batch", "*", "this batch takes `minutes`"),
    **WEBHOOKS,
}


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

    def __init__(self, seed: int, kinds: Mapping[str, tuple[str, str, str]] = KINDS) -> None:
        """Start without faults, of these kinds; dice are thrown from `seed`."""
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
