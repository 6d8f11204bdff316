"""Building and collecting one batch file, without the store: lines a second, and what memory grows by.

It is offered 50,000 jobs and takes as many as OpenAI's limit for a file lets in: nearly all with links, about 10,000
with photos. Each size has a process of its own. Photos come prepared from memory; files go to disk; the rest is ours.
"""

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from functions.adapters.firestore.config import RuntimeDocuments
from functions.core.batches.batches import Batch, BatchState
from functions.core.batches.manifest import BatchManifest, BatchMember
from functions.core.batches.reports import ProviderBatch, ProviderState
from functions.core.budget.state import BudgetState
from functions.core.jobs.queue_stats import QueueStats
from functions.core.rollouts.flags import read_flags
from functions.core.rollouts.stops import read_states
from functions.deploy.params import Settings
from functions.use_cases.batches import batch_files
from functions.use_cases.batches.collector import Collector
from functions.wiring import Deps
from scripts.benchmarks.processes import python, rss_mb
from scripts.inprocess import replaced, unprepared
from scripts.sample_answers import answers

SMALL, LARGE = 1_000, 50_000
MODEL = "gpt-6-luna"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PHOTO = bytes(12_000)  # the size of a prepared photo of the demo


def run() -> dict[str, Any]:
    """Return speeds and lines of a full file, and its growth over 1,000 lines, the worse of links and photos."""
    figures: dict[str, Any] = {"lines": 0}
    growth = []
    for mode in ("links", "inline"):
        small, large = (python("-m", "scripts.benchmarks.batchfile", lines, mode) for lines in (SMALL, LARGE))
        growth.append(large["rss_mb"] - small["rss_mb"])
        figures[f"lines_{mode}"] = round(large["lines"])
        figures[f"build_lines_per_s_{mode}"] = round(large["build_lines_per_s"])
        figures[f"collect_lines_per_s_{mode}"] = round(large["collect_lines_per_s"])
        figures[f"rss_growth_mb_{mode}"] = round(growth[-1], 1)
    for name, worst in (("lines", max), ("build_lines_per_s", min), ("collect_lines_per_s", min)):
        figures[name] = worst(figures[f"{name}_links"], figures[f"{name}_inline"])
    figures["rss_growth_mb_1k_to_50k"] = round(max(growth), 1)
    return figures


class DiskFiles:
    """Storage's part, on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read_photo(self, _path: str) -> bytes:
        return PHOTO

    def put_photo(self, batch_id: str, job_id: str, _jpeg: bytes) -> str:
        """Return a link as long as a signed one."""
        path = f"bucket/batches/{batch_id}/photos/{job_id}.jpg"
        return f"https://storage.googleapis.com/{path}?X-Goog-Signature={'0' * 512}"

    def write_input(self, batch_id: str) -> IO[bytes]:
        return (self._folder / f"{batch_id}.input").open("wb")

    def write_manifest(self, batch_id: str) -> IO[bytes]:
        return (self._folder / f"{batch_id}.roll").open("wb")

    def read_manifest(self, batch_id: str) -> BatchManifest:
        with (self._folder / f"{batch_id}.roll").open("rb") as file:
            return BatchManifest(file)

    def delete_batch_files(self, batch_id: str) -> None:
        for path in self._folder.glob(f"{batch_id}.*"):
            path.unlink()


class _NoStore:
    """Firestore's part: has a config, and takes every write."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self.written = 0

    def runtime_documents(self) -> RuntimeDocuments:
        return RuntimeDocuments(self._config, QueueStats(), BudgetState(), read_flags(None), read_states({}, "")[0])

    def update_jobs(self, changes: Sequence[Any]) -> list[datetime]:
        self.written += len(changes)
        return [NOW] * len(changes)

    def jobs_of_ids(self, job_ids: Sequence[str]) -> dict[str, Any]:
        del job_ids  # no write was refused
        return {}


class Answers:
    """OpenAI's part: answers every line, in an order of its own."""

    def __init__(self, lines: int) -> None:
        answer = {**answers(None), "explanation": "A clear plastic bottle with a blue cap. " * 4}
        self._lines = lines
        self._body = {
            "choices": [{"finish_reason": "stop", "message": {"content": json.dumps(answer)}}],
            "usage": {"prompt_tokens": 1_000, "completion_tokens": 200},
        }

    def read_lines(self, _file_id: str, _run_seconds: float) -> Iterator[dict[str, Any]]:
        return map(self.line, reversed(range(self._lines)))

    def line(self, number: int) -> dict[str, Any]:
        line = {"custom_id": job_id_of(number), "response": {"status_code": 200, "body": self._body}, "error": None}
        return dict(json.loads(json.dumps(line)))  # as it comes off the wire


def job_id_of(number: int) -> str:
    return f"{number:032x}"


def member(number: int, uid: str, created_at: datetime, claimed_at: datetime) -> BatchMember:
    """Return a line's job as the list of a batch's jobs has it."""
    return BatchMember(
        job_id=job_id_of(number),
        uid=uid,
        image_path=f"users/{uid}/uploads/photo.jpg",
        region="US",
        language="en",
        tokens_cost=1,
        attempts=1,
        cost_micros=0,
        created_at=created_at,
        updated_at=claimed_at,
    )


def _measure(lines: int, mode: str) -> dict[str, float]:
    """Build and collect one file, and return the speeds and the most memory that this process has had."""
    with tempfile.TemporaryDirectory() as folder:
        deps = Deps(Settings("project", "bucket", MODEL, "http://openai.local", "key"), lambda: NOW)
        store = _NoStore({"batch": {"signedUrls": mode == "links"}})
        replaced(deps, files=DiskFiles(Path(folder)), store=store, prepare_photo=unprepared)
        counts: Counter[str] = Counter()
        leased = NOW + timedelta(minutes=15)
        batch = Batch(batch_id="batch", state=BatchState.BUILDING, created_at=NOW, due_at=leased, model=MODEL)
        members = [member(number, f"user-{number:028}", NOW, NOW) for number in range(lines)]
        started = time.perf_counter()
        sent = batch_files.write_files(deps, batch, members, leased, counts)
        built = time.perf_counter()
        replaced(deps, provider=Answers(sent))
        collector = Collector(deps, batch, until=NOW + timedelta(minutes=6))
        collector.collect(ProviderBatch("batch_1", ProviderState.COMPLETED, "file_1"))
        collected = time.perf_counter()
    if not 0 < sent == collector.ended["done"]:
        raise RuntimeError(f"{sent} of {lines} lines were built and {collector.ended['done']} collected")
    return {
        "lines": sent,
        "build_lines_per_s": sent / (built - started),
        "collect_lines_per_s": sent / (collected - built),
        "rss_mb": rss_mb(),
    }


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), sys.argv[2])))
