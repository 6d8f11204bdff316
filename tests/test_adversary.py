"""A provider that wants to do harm, in every lane: each job ends and is paid for or refunded once; books balance."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from functions import log
from functions.core.shared.errors import EcolaneError
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.wiring import Deps
from localcloud.firestore.store import EVERYWHERE, Database
from scripts.inprocess import InProcessCloud
from scripts.simulation import checks
from scripts.simulation.actions import job_id_of
from scripts.simulation.documents import Documents, decoded, written
from scripts.simulation.invariants import Invariants
from scripts.simulation.world import World
from tests.adversary import MARK, Adversary
from tests.app import photo

SEEDS = int(os.environ.get("SIEGES", "4"))
LINE_BYTES_MAX = 8_000
"""Of a log entry; the longest have a traceback."""

USERS = ("ann", "bob", "eve")
TICK = timedelta(minutes=20)
HARM, REST = timedelta(hours=12), timedelta(days=6)
CONFIG: dict[str, Any] = {
    "tokens": {"welcome": 100},
    "plans": {
        "free": {"instantPerDay": 20, "batchPerDay": 100, "manualPerDay": 5, "callsPerMinute": 60, "priority": 0}
    },
    "batch": {"jobsPerBatch": 4},
    "budget": {"dailyLimitMicros": 40_000, "monthlyLimitMicros": 10_000_000},
}
CRONS: tuple[Callable[[Deps], Any], ...] = (submit_batches, poll_batches, recover_jobs, guard_budget)

CHECKS = (
    checks.jobs_end_once,
    checks.limits_hold,
    checks.plans_hold,
    checks.tokens_are_conserved,
    checks.wallets_balance,
    checks.budget_is_settled,
    checks.storage_is_tidy,
    checks.documents_fit,
    checks.devices_are_one_users,
)
"""Of the simulation those that do not take the provider's word for anything."""

CRASHES = {log.Event.CALL_CRASHED, log.Event.CRON_CRASHED, log.Event.BATCH_CRASHED, log.Event.ITEM_SET_ASIDE}


class Siege:
    """Users, crons, and the adversary, for a while; then an honest provider until all is quiet."""

    def __init__(self, seed: int, share: float = 0.6) -> None:
        self.cloud = InProcessCloud(seed=seed, batch_minutes=40.0)
        self.dice = Random(f"siege {seed}")  # noqa: S311  (repeatable, not secret)
        self.adversary = Adversary(self.cloud.openai.transport(), seed, self.cloud.clock, share)
        self.cloud.restart(openai=self.adversary.client())
        self.invariants = Invariants()
        self.cloud.interrupt = lambda call, when: self.invariants(call, self.database) if when == "after" else None
        self.answers: list[str] = []
        self.uploads: dict[str, bytes] = {}
        self.cloud.configure(CONFIG)
        self._keys = 0

    @property
    def database(self) -> Database:
        (session,) = self.cloud.firestore.engine.sessions.values()
        return session.database

    def documents(self) -> Documents:
        """Return every document there is."""
        return {path: decoded(stored.parse()) for path, stored in self.database.documents(EVERYWHERE)}

    def written(self) -> dict[str, int]:
        """Return in which order they came."""
        return written(self.database)

    def ask(self, act: Callable[[], Any]) -> None:
        """Call as an app does, and keep what it is told."""
        try:
            self.answers.append(json.dumps(act()))
        except EcolaneError as error:
            self.answers.append(f"{error.reason} {error.message} {error.details}")

    def classify(self, uid: str, mode: str) -> str:
        """Hand a photo in. Returns its key."""
        self._keys += 1
        key = f"request-{self._keys}"
        path = self.cloud.upload(uid, f"{key}.jpg", photo(16))
        self.uploads[path] = self.cloud.files.objects[path]
        request = ClassifyImage.model_validate({"requestId": key, "imagePath": path, "mode": mode})
        self.ask(lambda: classify_image(request, uid, self.cloud.deps))
        return key

    def tick(self, times: int = 1) -> None:
        """Let some time pass, 20 minutes or more, and the crons run."""
        self.cloud.clock.advance(times * TICK)
        for cron in CRONS:
            cron(self.cloud.deps)
        refresh_credits(self.cloud.deps, "x-worker-1-of-1")

    def suffer(self) -> None:
        """Let the adversary do its worst, while people use both lanes."""
        end, asked = self.cloud.clock() + HARM, list[tuple[str, str]]()
        while self.cloud.clock() < end:
            for _ in range(self.dice.randrange(4)):
                uid = self.dice.choice(USERS)
                asked.append((uid, self.classify(uid, self.dice.choice(("instant", "batch", "batch")))))
            if asked and self.dice.random() < 0.3:
                uid, key = self.dice.choice(asked[-6:])
                job_id = job_id_of(uid, key)
                act = self.dice.choice(
                    (
                        lambda: upgrade_job(UpgradeJob(jobId=job_id), uid, self.cloud.deps),  # noqa: B023  (called at once)
                        lambda: cancel_job(CancelJob(jobId=job_id), uid, self.cloud.deps),  # noqa: B023
                    )
                )
                self.ask(act)
            self.tick()

    def recover(self) -> None:
        """Let the provider be honest until nothing is open."""
        self.adversary.share, end = 0.0, self.cloud.clock() + REST
        while self.cloud.clock() < end and self._open():
            self.tick(times=4)
        guard_budget(self.cloud.deps)

    def _open(self) -> bool:
        states = [(path, fields.get("status"), fields.get("state")) for path, fields in self.documents().items()]
        jobs = any(path.startswith("aiJobs/") and status in {"queued", "processing"} for path, status, _ in states)
        return jobs or any(path.startswith("batches/") and state not in {"done", "failed"} for path, _, state in states)

    def violations(self) -> Iterator[object]:
        """Yield every promise that is broken, as the simulation finds it."""
        yield from self.invariants.violations
        history = SimpleNamespace(actions=(), start=self.cloud.clock.now, config=CONFIG)
        seen = SimpleNamespace(
            documents=self.documents,
            written=self.written,
            billed=(),
            created=(),
            outcomes=(),
            struck=(),
            damaged={},
            history=history,
            invariants=self.invariants,
            files=self.cloud.files,
            uploads=self.uploads,
            clock=self.cloud.clock,
        )
        books = checks.Books(cast("World", seen))
        for check in CHECKS:
            yield from check(books)


def quiet_neighbour(siege: Siege) -> Documents:
    """Have somebody served before the trouble begins. Returns their job and ledger, which nobody is to touch."""
    share, siege.adversary.share = siege.adversary.share, 0.0
    siege.classify("zoe", "instant")
    siege.adversary.share = share
    mine = {path: fields for path, fields in siege.documents().items() if fields.get("uid") == "zoe"}
    ledger = {path: fields for path, fields in siege.documents().items() if path.startswith("users/zoe/ledger/")}
    assert [fields["status"] for fields in mine.values()] == ["done"]
    assert len(ledger) == 2
    return mine | ledger


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_the_provider_does_the_books_balance(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Every job ends and is charged or refunded once, the budget is not passed, and neither logs nor people are told
    a word of the provider's own."""
    siege = Siege(seed)
    before = quiet_neighbour(siege)
    siege.suffer()
    siege.recover()
    written = capfd.readouterr()
    lines = (written.out + written.err).splitlines()
    assert [str(each) for each in siege.violations()] == []
    assert siege.adversary.hosts == {"openai.local"}
    assert [line[:200] for line in lines if len(line) > LINE_BYTES_MAX] == []
    assert [line for line in lines if json.loads(line)["message"] in CRASHES] == []
    assert [line for line in [*lines, *siege.answers] if MARK in line] == []
    documents = siege.documents()
    assert {path: documents[path] for path in before} == before
    assert [path for path, fields in documents.items() if MARK in repr({**fields, "result": None})] == []
