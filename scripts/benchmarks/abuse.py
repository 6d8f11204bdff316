"""One day of a small service: a hundred honest people, and accounts that want to do harm. What is left for whom?

Every hostile account tries all day, in both lanes, with photos that the model refuses or talks about without end. It
waits as long as a refusal says. Honest people come at all hours with a photo for now and some for later. Budget, limits
and tokens are the defaults. Besides: the most that a harmful file takes, and what strangers' and honest calls read.
"""

import io
import os
import random
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout, suppress
from datetime import datetime, timedelta
from itertools import product
from multiprocessing import get_context
from typing import Any

from google.cloud.firestore import FieldFilter
from PIL import Image
from werkzeug.test import Client

from functions import wiring
from functions.core.jobs.idempotency import job_id_for
from functions.core.shared.errors import DailyLimit, EcolaneError, InsufficientTokens
from functions.core.shared.utc_days import day_of
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from localcloud.functions import load
from scripts.benchmarks import instantcost
from scripts.benchmarks.calls import PHOTO, classify
from scripts.ecolane_cloud import PROJECT
from scripts.functions_alone import MAIN
from scripts.inprocess import InProcessCloud

HOSTILE = (5, 50, 500)
HONEST = 100
STEP = timedelta(minutes=5)
RETRY = timedelta(minutes=30)  # how often accounts without tokens look whether they have some again
EVENING = timedelta(hours=18)
WAIT = timedelta(hours=26)  # a batch photo of the last minute is answered within this
READS_BEFORE = 2.0  # what an instant call read before anything of this was done
MARK = "0"  # jobs of hostile accounts begin with it, so that the provider's stand-in recognises their lines in a batch
PREPARE = """
import resource, sys, time
from functions.adapters.images import prepare
from functions.core.shared.errors import InvalidImage
from functions.core.config.runtime import ImageRules

data, rules = sys.stdin.buffer.read(), ImageRules()
def peak():
    return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
memory, began = peak(), cpu()
try:
    prepare(data, rules.side_max, rules.jpeg_quality)
    outcome = "taken"
except InvalidImage as problem:
    outcome = problem.details["problem"]
print(cpu() - began, peak() - memory, outcome)
"""


def run() -> dict[str, Any]:
    """Return the figures of a day with 500 hostile accounts, and of those with fewer in `by_accounts`."""
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        lived = processes.map(_quiet_day, reversed(HOSTILE))  # the longest first
        days = dict(sorted(zip(map(str, reversed(HOSTILE)), lived, strict=True), key=lambda each: int(each[0])))
    files = {name: _prepared(data) for name, data in files_that_harm().items()}
    worst = days[str(HOSTILE[-1])]
    return {
        "hostile_accounts": HOSTILE[-1],
        **worst,
        "cpu_s_per_file_max": max(cpu for cpu, _, _ in files.values()),
        "rss_mb_per_file_max": max(memory for _, memory, _ in files.values()),
        "anonymous_reads": anonymous_reads(),
        "honest_reads_added": round(instantcost.run()["reads_per_call"] - READS_BEFORE, 3),
        "by_accounts": days,
        "by_file": {
            name: {"cpu_s": round(cpu, 2), "rss_mb": round(memory), "outcome": outcome}
            for name, (cpu, memory, outcome) in files.items()
        },
    }


class Day:
    """A cloud and its users."""

    def __init__(self, hostile: int) -> None:
        self.cloud = InProcessCloud(seed=1)
        self.cloud.clock.now = self.cloud.clock.now.replace(hour=0)
        self.cloud.openai.faults.add(kind="refusal", endpoint="*", custom_id=f"{MARK}*", count=None, probability=0.5)
        self.cloud.openai.faults.add(kind="cut_answer", endpoint="*", custom_id=f"{MARK}*", count=None)
        self.hostile = [f"eve-{number}" for number in range(hostile)]
        self.honest = [f"ann-{number}" for number in range(HONEST)]
        self.asked: list[str] = []
        self._numbers = dict.fromkeys([*self.hostile, *self.honest], 0)
        self._shut: dict[tuple[str, str], datetime] = {}
        self._price: dict[tuple[str, str], int] = {}

    def ask(self, uid: str, lane: str) -> None:
        """Have a photo classified. Raises EcolaneError if it is refused, or the answer is none."""
        marked = uid in self._numbers and uid.startswith("eve")
        while True:
            self._numbers[uid] += 1
            key = f"request-{self._numbers[uid]}"
            if job_id_for(uid, key).startswith(MARK) == marked:
                break
        fault = (
            self.cloud.openai.faults.add(kind="cut_answer", endpoint="POST /v1/chat/completions") if marked else None
        )
        try:
            answer = classify(self.cloud, uid, key, lane)
        finally:
            if fault is not None:
                self.cloud.openai.faults.remove(fault)
        if not marked:
            self.asked.append(answer["jobId"])

    def honest_visit(self, uid: str) -> None:
        """Have a photo classified now and two later. What is refused is not answered, and counted as that."""
        for lane in ("instant", "batch", "batch"):
            with suppress(EcolaneError):
                self.ask(uid, lane)

    def harm(self) -> None:
        self._open_lanes()
        now = self.cloud.clock()
        for key in product(self.hostile, ("instant", "batch")):
            if key not in self._price and self._shut.get(key, now) <= now:
                self._harm(*key)

    def _harm(self, uid: str, lane: str) -> None:
        try:
            self.ask(uid, lane)
        except DailyLimit as refusal:
            self._shut[uid, lane] = datetime.fromisoformat(str(refusal.details["resetsAt"]))
        except InsufficientTokens as refusal:
            self._price[uid, lane] = int(str(refusal.details["price"]))
        except EcolaneError:  # an answer that was paid for and is none: again at the next tick
            return

    def _open_lanes(self) -> None:
        """Let those try again whose wallet says, as every app sees it, that they have tokens again, or credits due."""
        if self.cloud.clock().minute % (RETRY // timedelta(minutes=1)) or not self._price:
            return
        wallets = [
            self.cloud.client.document(f"users/{uid}/wallet/main") for uid in sorted({uid for uid, _ in self._price})
        ]
        found = self.cloud.client.get_all(wallets, field_paths=["balance", "nextRefreshAt"])
        seen = {wallet.reference.path.split("/")[1]: wallet.to_dict() or {} for wallet in found}
        self._price = {
            (uid, lane): price
            for (uid, lane), price in self._price.items()
            if seen[uid]["balance"] < price and seen[uid]["nextRefreshAt"] > self.cloud.clock()
        }

    def tick(self) -> None:
        """Let the crons run, and five minutes pass."""
        now = self.cloud.clock()
        self.cloud.openai.tick()
        submit_batches(self.cloud.deps)
        poll_batches(self.cloud.deps)
        if now.minute % 10 == 0:
            recover_jobs(self.cloud.deps)
        if now.minute % 15 == 0:
            guard_budget(self.cloud.deps)
        self.cloud.clock.advance(STEP)


def day(hostile: int) -> dict[str, float]:
    """Live through a day. Returns the share of honest photos that were answered, of the budget that is left at 18:00,
    and what a hostile account has cost, in micro-dollars."""
    dice, service = random.Random(hostile), Day(hostile)  # noqa: S311  (who comes when)
    clock = service.cloud.clock
    start, left = clock.now, 1.0
    visits = sorted((dice.random() * timedelta(days=1), uid) for uid in service.honest)
    while clock.now - start < timedelta(days=1) + WAIT:
        since = clock.now - start
        if since < timedelta(days=1):
            service.harm()
        while visits and visits[0][0] <= since:
            service.honest_visit(visits.pop(0)[1])
        if since == EVENING:
            left = _left(service.cloud)
        service.tick()
    return {
        "honest_answered_share": round(_answered(service) / (3 * HONEST), 4),
        "budget_left_at_18h_share": round(left, 4),
        "hostile_cost_micros_per_account": round(_cost(service) / hostile),
    }


def _quiet_day(hostile: int) -> dict[str, float]:
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123  (a device)
        return day(hostile)


def _left(cloud: InProcessCloud) -> float:
    shards = cloud.client.collection("budget", day_of(cloud.clock()), "shards").stream()
    used: int = sum(shard["reserved"] + shard["spent"] for shard in (each.to_dict() or {} for each in shards))
    return 1 - used / cloud.deps.runtime().budget.daily_limit_micros


def _answered(service: Day) -> int:
    found = service.cloud.deps.store.get_jobs(service.asked)
    return sum(stored.job.status == "done" for stored in found.values())


def _cost(service: Day) -> int:
    total = 0
    for uid in service.hostile:
        jobs = service.cloud.client.collection("aiJobs").where(filter=FieldFilter("uid", "==", uid)).stream()
        total += sum(int((job.to_dict() or {})["costMicros"]) for job in jobs)
    return total


def anonymous_reads() -> int:
    """Return how many reads a call to each function costs that carries no token, or a bad one."""
    cloud, before = InProcessCloud(seed=1), wiring.deps
    cloud.firestore.bill.reset()
    dispatcher = load(MAIN, PROJECT, "us-central1")
    wiring.deps = lambda: cloud.deps  # type: ignore[assignment]  # what each call asks for first
    try:
        client = Client(dispatcher)
        for trigger in dispatcher.triggers:
            for headers in ({}, {"Authorization": "Bearer junk"}):
                client.post(f"/{PROJECT}/us-central1/{trigger['name']}", json={"data": {}}, headers=headers)
    finally:
        wiring.deps = before
    return int(cloud.firestore.bill.snapshot()["totals"]["reads"])


def files_that_harm() -> dict[str, bytes]:
    """Return files of up to 10 MB that cost as much as possible to open."""
    grey = io.BytesIO()
    Image.new("L", (64, 64), 128).save(grey, "JPEG")
    jpeg = grey.getvalue()
    progressive, large, webp, lossless = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.effect_noise((4_032, 3_024), 40).convert("RGBA").save(webp, "WEBP", quality=60)
    noise = Image.effect_noise((2_000, 1_500), 60).convert("RGB")
    noise.resize((6_000, 4_500), Image.Resampling.NEAREST).save(progressive, "JPEG", quality=60, progressive=True)
    noise.resize((5_000, 4_000), Image.Resampling.NEAREST).save(lossless, "WEBP", lossless=True, method=0)
    Image.effect_noise((600, 450), 80).resize((12_000, 9_000)).convert("RGB").save(large, "JPEG", quality=40)
    exif = b"\xff\xe1" + struct.pack(">H", 18) + b"Exif\0\0" + bytes(10)
    empty = b"\xff\xe5\0\x02"
    profile = b"icc\0\0" + zlib.compress(bytes(2**20), 9)
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    picture = _chunk(b"IDAT", zlib.compress(bytes(64 * 193), 9)) + _chunk(b"IEND", b"")
    rows = zlib.compressobj(9)
    packed = b"".join(rows.compress(bytes(4 * 5_000 + 1)) for _ in range(4_000)) + rows.flush()
    wide = _chunk(b"IHDR", struct.pack(">IIBBBBB", 5_000, 4_000, 8, 6, 0, 0, 0)) + _chunk(b"IDAT", packed)
    return {
        "half a million EXIF segments": jpeg[:2] + exif * 495_000 + jpeg[2:],
        "2.6 million empty segments": jpeg[:2] + empty * 2_600_000 + jpeg[2:],
        "1,900 profiles of a megabyte": b"\x89PNG\r\n\x1a\n" + header + _chunk(b"iCCP", profile) * 1_900 + picture,
        "20 megapixels of nothing": b"\x89PNG\r\n\x1a\n" + wide + _chunk(b"IEND", b""),
        "27 megapixels, progressive": progressive.getvalue(),
        "12 megapixels, WebP": webp.getvalue(),
        "20 megapixels, WebP without loss": lossless.getvalue(),
        "108 megapixels": large.getvalue(),
        "a phone's photo": PHOTO,
    }


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _prepared(data: bytes) -> tuple[float, float, str]:
    """Prepare a file in a process of its own. Returns CPU seconds, megabytes, and what came of it."""
    command = [sys.executable, "-c", PREPARE]
    ran = subprocess.run(command, input=data, capture_output=True, check=True, cwd=MAIN.parent, env=os.environ)  # noqa: S603  (ours)
    cpu, memory, outcome = ran.stdout.decode().split()
    return round(float(cpu), 3), round(float(memory), 1), outcome
