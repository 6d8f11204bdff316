"""What a batch carries: a line for each of its jobs, kept in Storage until each of them has ended."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from functions.core.cache.notes import CacheNote


@dataclass(frozen=True, slots=True)
class BatchMember:
    """One line of a batch's list of jobs: what the collector must know of a job without reading its document again.

    `updated_at` is the time of the claim's write, the precondition of the collector's: a second collector, or a second
    line for the same job, changes nothing. `notify` are push tokens; of a photo that a team pays for nobody knows them
    when it is taken, and they are `looked_up`. `cache` has the kept answer that this one is compared with. A plain
    object with slots, since 50,000 are held at once: models take three times the memory.
    """

    job_id: str
    uid: str
    image_path: str
    region: str
    language: str
    tokens_cost: int
    attempts: int
    cost_micros: int
    created_at: datetime
    updated_at: datetime
    notify: tuple[str, ...] = ()
    looked_up: bool = False
    image_digest: str | None = None
    cache: CacheNote | None = None

    def to_line(self) -> bytes:
        """Return the line that the member is stored as, newline included."""
        return _MEMBER.dump_json(self) + b"\n"

    @staticmethod
    def from_line(line: bytes) -> "BatchMember":
        """Return the member that is stored in a line."""
        return _MEMBER.validate_json(line)


_MEMBER = TypeAdapter(BatchMember)


class BatchManifest:
    """The jobs of a batch that have not been accounted for, in the order of the input file.

    They are kept as stored lines: 50,000 take a few megabytes, far less than objects. A collector that runs out of time
    stores `to_lines` again: the jobs that are left, and in `ended` the outcomes of the others.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Take the lines of a batch's list of jobs."""
        self.ended: dict[str, int] = {}
        self.damaged = 0
        self._lines: dict[str, bytes] = {}
        order: list[str | None] = []
        for line in map(bytes.strip, lines):
            if line.startswith(_ENDED):
                self.ended = _COUNTS.validate_json(line.removeprefix(_ENDED))
                continue
            job_id = self._job_in(line)
            order.append(job_id)
            if job_id is not None:
                self._lines[job_id] = line
        self._order = tuple(order)

    def _job_in(self, line: bytes) -> str | None:
        """Return the job that a line is about. `damaged` counts the lines that cannot be read."""
        if not line:
            return None
        try:
            return BatchMember.from_line(line).job_id
        except ValidationError:
            self.damaged += 1
            return None

    def to_lines(self, ended: Mapping[str, int]) -> Iterator[bytes]:
        """Yield the stored lines: an empty one for a removed job, so that line numbers stay, and last the outcomes."""
        for job_id in self._order:
            yield self._lines.get(job_id or "", b"") + b"\n"
        yield _ENDED + _COUNTS.dump_json(dict(ended)) + b"\n"

    def job_ids(self) -> Iterator[str]:
        """Return the jobs that are left."""
        yield from self._lines

    def take(self, job_id: str) -> BatchMember | None:
        """Return a job and strike it off. None if it is not on the roll, or was taken before."""
        line = self._lines.pop(job_id, None)
        return None if line is None else BatchMember.from_line(line)

    def put_back(self, member: BatchMember) -> None:
        """Put a job that was taken on the roll again: it has not ended."""
        self._lines[member.job_id] = member.to_line().strip()

    def take_line(self, number: int) -> BatchMember | None:
        """Return the job in a line of the input file, counted from 1, and strike it off."""
        return self.take(self._order[number - 1] or "") if 1 <= number <= len(self._order) else None

    def take_rest(self) -> Iterator[BatchMember]:
        """Return the jobs that are left, one after the other."""
        for job_id in self._order:
            member = self.take(job_id or "")
            if member is not None:
                yield member


TALLY = "tally."
"""Begins the names of counts that are the day's tally's: see `core.budget.tally`."""


def in_tally(count: Mapping[str, int]) -> Counter[str]:
    """Return these counts of a tally as they stand among a batch's outcomes."""
    return Counter({TALLY + name: n for name, n in count.items()})


def outcomes_and_tally(ended: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many jobs of a batch have ended how, and what its day's tally is to count."""
    outcomes = {name: n for name, n in ended.items() if not name.startswith(TALLY)}
    return outcomes, {name.removeprefix(TALLY): n for name, n in ended.items() if name.startswith(TALLY)}


_ENDED = b"#"
_COUNTS = TypeAdapter(dict[str, int])
