"""What can happen to an outside call, and to which calls it happens.

Which calls are struck follows from the seed, the invocation and the number of the call, so that a history that is cut
down keeps the faults of what is left; or from a list, when a failure is cut down to the faults that it needs.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Kind(StrEnum):
    """What may happen to a call."""

    CRASH_BEFORE = "crash_before"  # the process dies before the call is made, and with it whatever else runs in it
    CRASH_AFTER = "crash_after"  # it dies when the call has taken effect, before it hears of that
    UNAVAILABLE = "unavailable"  # the call does nothing and fails
    REPLY_LOST = "reply_lost"  # it takes effect and fails
    ABORT = "abort"  # Firestore gives it up for contention: nothing is done, and its transaction is over
    SLOW = "slow"  # its answer takes seconds, within every time limit
    STALL = "stall"  # the process stands still when the answer has come: for minutes or hours, past its leases
    LATE_EFFECT = "late_effect"  # the caller gets a timeout; the call takes effect after that


HAND = "hand"  # how the keys of writes by hand begin
READS = frozenset(
    {"GetDocument", "BatchGetDocuments", "RunQuery", "RunAggregationQuery", "BeginTransaction", "Rollback"}
)
READS_SHARE = 0.3  # a call that changes nothing is struck less often, by this factor
STALL_SECONDS = (70.0, 200.0, 600.0, 1_000.0, 2_000.0, 12_000.0)
"""Past an idle transaction, an instant lease, a function's time, a batch's lease, and much longer."""

LATE_SECONDS = (1.0, 30.0, 200.0)  # how long after its caller's time is up a request still arrives


@dataclass(frozen=True)
class Fault:
    """One fault: at which call of which invocation, and how long it takes, where it takes time."""

    key: str
    call: int
    kind: Kind
    seconds: float = 0.0
    name: str = ""

    def __str__(self) -> str:
        lasting = f" {self.seconds:.0f} s" if self.seconds else ""
        return f"{self.key}, call {self.call} ({self.name}): {self.kind}{lasting}"


@dataclass(frozen=True)
class Focus:
    """One kind of fault that strikes one call of one use case much more often: some faults come in series."""

    what: str
    call: str
    kind: Kind
    rate: float


class FaultPlan:
    """The faults of one history: drawn with a rate, or those of a list and no others."""

    def __init__(self, rate: float, focus: Focus, only: frozenset[tuple[str, int]] | None = None) -> None:
        """`rate` is the share of outside calls that are struck; `only` names the struck ones by key and number."""
        self._rate, self._focus, self._only = rate, focus, only
        self.active = True

    def draw(self, dice: Random, key: str, what: str, number: int, name: str) -> Fault | None:
        """Return the fault of this call of a use case, if any. The dice fall the same for every outcome."""
        kinds, focus = possible(name), self._focus
        kind, chance = dice.choice(kinds), self._rate * (READS_SHARE if name.rpartition(".")[2] in READS else 1.0)
        if (what, name) == (focus.what, focus.call) and focus.kind in kinds:
            kind, chance = focus.kind, focus.rate
        struck = dice.random() < chance
        seconds = {
            Kind.SLOW: dice.uniform(2.0, 9.0),
            Kind.STALL: dice.choice(STALL_SECONDS) * dice.uniform(0.9, 1.2),
            Kind.LATE_EFFECT: dice.choice(LATE_SECONDS) * dice.uniform(0.9, 1.2),
        }.get(kind, 0.0)
        if key.startswith(HAND):
            return None  # what is damaged or repaired by hand is so there and then
        if not self.active or not struck or (self._only is not None and (key, number) not in self._only):
            return None
        return Fault(key, number, kind, seconds, name)


def possible(name: str) -> list[Kind]:
    """Return the faults that a call of this name can have, such as `firestore.Commit`."""
    service, _, call = name.partition(".")
    kinds = [Kind.CRASH_BEFORE, Kind.CRASH_AFTER, Kind.UNAVAILABLE, Kind.REPLY_LOST, Kind.SLOW, Kind.STALL]
    if service == "firestore" and call != "Rollback":
        kinds.append(Kind.ABORT)
    if call in {"Commit", "BatchWrite", "BatchGetDocuments"} or call.startswith("POST"):  # a late read still locks
        kinds.append(Kind.LATE_EFFECT)
    return kinds
