"""A limit on the writes a second to each document, as production has one: a token bucket per document.

Production names no exact figure. For years Google recommended at most one write a second to a document, sustained; its
documentation now says that latency rises first and that errors follow ("Updates to a single document",
https://firebase.google.com/docs/firestore/best-practices), and names ABORTED with "too much contention" as what too
many updates to one entity lead to (https://cloud.google.com/datastore/docs/troubleshooting). So does this limit:

    within the burst                            the write goes ahead at once
    beyond it                                   the write waits for its turn: latency rises
    if its turn is more than wait_ms_max away   the write waits for wait_ms_max in vain and is ABORTED

A transaction keeps its locks while its commit waits, so that those who want the same document wait, too. An error
comes after a wait and not at once, as with locks: clients repeat an aborted transaction without a pause. A write that
is refused, or fails for another reason, takes no turn. RESOURCE_EXHAUSTED is not among the answers: production keeps
it for quotas.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

DOCUMENTS_MAX = 10_000  # beyond so many buckets, those that are full again are dropped


@dataclass(slots=True)
class WriteRate:
    """One limit. Each commit takes one token from each document it writes, whatever it does to it.

    Attributes:
        path: a pattern for the documents' paths; `*` spans slashes. Each document has a bucket of its own.
        per_second: the rate that can be sustained.
        burst: how many writes an idle document takes at once.
        wait_ms_max: how long a write may wait for its turn.
        delayed: how many calls have waited.
        aborted: how many calls were refused.
    """

    path: str = "*"
    per_second: float = 1.0
    burst: int = 5
    wait_ms_max: int = 10_000
    kind: str = field(default="write_rate", init=False)
    delayed: int = field(default=0, init=False)
    aborted: int = field(default=0, init=False)
    # When each document's bucket will be full again, in the limit's own running time.
    _full_at: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1 or self.wait_ms_max < 0:
            raise ValueError("per_second and burst are above zero, wait_ms_max is not negative")

    def limited(self, paths: Collection[str]) -> list[str]:
        """Return those of `paths` that the limit is about."""
        return [path for path in paths if fnmatchcase(path, self.path)]

    def wait(self, paths: Collection[str], now: float) -> float:
        """Return in how many seconds a write of all these documents can have its turn."""
        spare = (self.burst - 1) / self.per_second
        return max(
            (self._full_at[path] - now - spare for path in self.limited(paths) if path in self._full_at), default=0.0
        )

    def take(self, paths: Collection[str], now: float) -> None:
        """Take a token from each document; a bucket may go below zero by what `wait` has said."""
        if len(self._full_at) > DOCUMENTS_MAX:
            self._full_at = {path: full_at for path, full_at in self._full_at.items() if full_at > now}
        for path in self.limited(paths):
            self._full_at[path] = max(now, self._full_at.get(path, now)) + 1 / self.per_second

    def give_back(self, paths: Collection[str]) -> None:
        """Undo one `take`: the write has failed."""
        for path in self.limited(paths):
            if path in self._full_at:
                self._full_at[path] -= 1 / self.per_second
