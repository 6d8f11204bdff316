"""The functions' processes are killed and started again, over and over, while people use them.

Nothing is played here: SIGKILL, to the server and its workers, with calls and runs of crons in flight. Users do what
the app does: they repeat a call that was not answered, with the same requestId. Then the crons go on alone.
"""

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from openai import OpenAI

from localcloud.callables import CallableError, call
from localcloud.cloud import LocalCloud, SignedIn
from localcloud.firestore import Timing
from localcloud.serving import unhurried
from scripts.ecolane_cloud import ecolane_cloud
from tests.app import App, photo

USERS = 12
KILLS = 4
ANSWERS_A_LIFE = 15
LIFE_SECONDS_MAX = 15.0
"""The processes live until they have answered so often, and are in the middle of more."""

GIVEN_UP_AFTER_SECONDS = 60.0
FINAL = {"done", "failed", "cancelled"}
PLAN = {"instantPerDay": 10_000, "batchPerDay": 10_000, "manualPerDay": 5, "callsPerMinute": 10_000, "priority": 0}
NOTHING = {"kind": "add", "amount": 0, "every": "day"}


@pytest.fixture
def cloud() -> Iterator[LocalCloud]:
    """A cloud of one's own, whose model takes a while, and where locks of the dead go after two seconds."""
    with ecolane_cloud(firestore="embedded", standin={"latency_ms": 300, "batch_minutes": 10}) as cloud:
        # Firestore's own minute would be most of this test.
        cloud.firestore.embedded.engine.timing = Timing(idle_seconds=2.0)
        cloud.firestore_client().document("config/runtime").set(
            {
                "tokens": {"welcome": 1_000, "balanceCap": 10_000},
                "plans": {"free": PLAN},
                "refresh": {"allowances": {"free": NOTHING}},
                "batch": {"jobsPerBatch": 10},
            }
        )
        yield cloud


@dataclass
class Use:
    """What the users have seen: calls that nobody answered, refusals, and the jobs that were acknowledged."""

    stop: threading.Event = field(default_factory=threading.Event)
    unanswered: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def use(cloud: LocalCloud, user: SignedIn, path: str, number: int, seen: Use) -> None:
    """Classify photo after photo, in both lanes, until it is enough."""
    with httpx.Client(timeout=30) as http:
        lane = number
        while not seen.stop.is_set():
            lane += 1
            data = {"requestId": uuid.uuid4().hex, "imagePath": path, "mode": "instant" if lane % 2 else "batch"}
            until_acknowledged(http, cloud.url("classify_image"), data, user, seen)


def until_acknowledged(http: httpx.Client, url: str, data: dict[str, str], user: SignedIn, seen: Use) -> None:
    """Repeat one call with its requestId until it is answered."""
    began = time.monotonic()
    while time.monotonic() - began < unhurried(GIVEN_UP_AFTER_SECONDS):
        try:
            job = call(http, url, data, user.id_token)
        except httpx.TransportError as error:
            seen.unanswered[type(error).__name__] += 1
        except CallableError as error:
            if error.status != 503:
                seen.refused.append(str(error))
                return
            seen.unanswered[error.details["reason"]] += 1
        else:
            seen.acknowledged[job["jobId"]] = job
            return
        time.sleep(0.1)
    seen.refused.append(f"not answered within {GIVEN_UP_AFTER_SECONDS} s")


def fire_crons(cloud: LocalCloud, seen: Use) -> None:
    """Let the crons of the batch lane run all the while, so that they die in the middle as well."""
    while not seen.stop.is_set():
        for name in ("submit_batches", "poll_batches", "recover_jobs"):
            cloud.cron.fire(name)
        seen.stop.wait(0.3)


def test_kills_lose_nothing_and_charge_nothing_twice(cloud: LocalCloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was acknowledged is there in the end and has one outcome, whatever was in flight ends by itself, every
    wallet is the sum of its ledger, every job was paid for once or not at all, and no money is held any more."""
    users = [cloud.sign_up() for _ in range(USERS)]
    paths = [App(cloud, user).upload(photo(64)) for user in users]
    seen = Use()
    with ThreadPoolExecutor(USERS + 1) as pool:
        crons = pool.submit(fire_crons, cloud, seen)
        uses = [
            pool.submit(use, cloud, *pair, number, seen) for number, pair in enumerate(zip(users, paths, strict=True))
        ]
        for _ in range(KILLS):
            let_live(seen)
            cloud.crash_functions()
        let_live(seen)
        seen.stop.set()
        for each in [crons, *uses]:
            each.result()
    capsys.readouterr()  # ticks that died on the way
    assert seen.refused == []
    assert sum(seen.unanswered.values()) >= KILLS, "nobody was interrupted"
    settle(cloud)
    examine(cloud, users, seen)


def let_live(seen: Use) -> None:
    """Wait until the processes have answered a few times."""
    enough, began = len(seen.acknowledged) + ANSWERS_A_LIFE, time.monotonic()
    while len(seen.acknowledged) < enough and time.monotonic() - began < unhurried(LIFE_SECONDS_MAX):
        time.sleep(0.02)


def documents(cloud: LocalCloud, collection: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a collection."""
    return {each.id: each.to_dict() or {} for each in cloud.firestore_client().collection(collection).stream()}


def settle(cloud: LocalCloud) -> None:
    """Let the crons go on until everything is at rest, two hours at most."""
    for _ in range(24):
        failed = [tick for tick in cloud.advance(timedelta(minutes=5)) if not tick.ok]
        assert failed == []
        at_rest = all(job["status"] in FINAL for job in documents(cloud, "aiJobs").values())
        if at_rest and all(batch["state"] in {"done", "failed"} for batch in documents(cloud, "batches").values()):
            return
    raise AssertionError("never quiet")


def examine(cloud: LocalCloud, users: list[SignedIn], seen: Use) -> None:
    """Check what must be true of a system at rest."""
    jobs = documents(cloud, "aiJobs")
    assert set(seen.acknowledged) == set(jobs), "an acknowledged job is gone, or a job was never acknowledged"
    shown = {job_id: job for job_id, job in seen.acknowledged.items() if job["status"] == "done"}
    assert all(jobs[job_id]["status"] == "done" for job_id in shown), "a result that was shown was taken back"
    paid: Counter[str] = Counter()
    for user in users:
        entries = documents(cloud, f"users/{user.uid}/ledger").values()
        wallet = cloud.firestore_client().document(f"users/{user.uid}/wallet/main").get().to_dict() or {}
        assert wallet["balance"] == sum(entry["delta"] for entry in entries)
        assert sorted(entry["seq"] for entry in entries) == list(range(1, len(entries) + 1))
        for entry in entries:
            if entry["reason"] in {"charge", "refund"}:
                paid[entry["ref"]] -= entry["delta"]
    assert set(paid) == set(jobs)
    for job_id, job in jobs.items():
        assert paid[job_id] == (job["tokensCost"] if job["status"] == "done" else 0)
        assert (job["result"] is not None) == (job["status"] == "done")
    batches = documents(cloud, "batches")
    holds = [holder["hold"] for holder in (*jobs.values(), *batches.values()) if holder["hold"]]
    assert all(hold["micros"] == 0 and not hold["parts"] for hold in holds), "money is still held for somebody"
    shards = [shard.to_dict() or {} for shard in cloud.firestore_client().collection_group("shards").stream()]
    assert sum(shard["reserved"] for shard in shards) == 0
    assert sum(shard["spent"] for shard in shards) == sum(hold["settled"] for hold in holds)
    with OpenAI(api_key="stand-in", base_url=cloud.openai_base_url) as openai:
        sent = Counter((batch.metadata or {})["batchId"] for batch in openai.batches.list(limit=100))
    assert set(sent.values()) <= {1}, "a batch was submitted twice"
