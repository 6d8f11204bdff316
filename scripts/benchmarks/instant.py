"""64 users at once in the instant lane, over HTTP, while the provider takes 200 ms: what do we add to that?

Everything is real but Google and OpenAI: four instances of `classify_image` under the functions framework with 16
callers each, as Cloud Run would start for 64; ID tokens, Storage, Firestore, settled holds. Each user has a wallet and
calls again once answered. Users, instances and provider have a process each; Firestore and Storage share one.

All share this machine's cores, which production does not. So further figures say how much of it is the machine: who
computes how long for a call, also for one with a phone's photo of 12 megapixels, what one user alone adds, the same
calls without the 200 ms, and a function that answers at once. Firestore and Storage are near, which they are not in
production: how many calls to them does one user's call wait for, and what is added if each takes 10 ms longer? At last
one instance has 16 callers and a slower provider, with 16 threads and with four: callers who wait for a thread wait
inside the instance, where no other one can take them.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

from functions.deploy.params import CALLERS_AT_ONCE
from localcloud.cloud import LocalCloud
from scripts.benchmarks.calls import UNLIMITED
from scripts.benchmarks.processes import ROOT, python, server
from scripts.drawings import drawn_photos, phone_photo
from scripts.ecolane_cloud import ecolane_cloud
from scripts.functions_alone import Served, answered, cpu_seconds, served

ECHO = Path(__file__).with_name("echo_function.py")

USERS = 64
UPSTREAM_MS = 200
REQUESTS = 20_000
PARTS = 5
"""The largest instance's memory is read after each. It grows at first: arenas of 16 threads, connections, caches."""

WARM_UP_PER_USER = 5
COMPARED_REQUESTS = 2_000

ALONE_REQUESTS = 100
FAR_MS = 10  # for a call to Firestore or Storage, where they are not on this machine

LARGE_USERS = 16
LARGE_REQUESTS = 320

QUEUE_UPSTREAM_MS = 1_000  # longer than the machine needs, to see callers wait for a thread
QUEUE_REQUESTS = 160
FEW_THREADS = 4  # what the framework starts by itself for one core

UNBOUNDED = {
    "tokens": {"welcome": 1_000, "balanceCap": 100_000, "instantPrice": 1},
    "plans": {"free": UNLIMITED},
    "budget": {
        "dailyLimitMicros": 10_000_000_000,
        "monthlyLimitMicros": 100_000_000_000,
        "perUserDailyMicros": 10_000_000_000,
    },
}
"""Limits, prices and budget as an operator may set them, out of the way of a user who never stops."""


@dataclass(frozen=True)
class Measured:
    """What a crowd has seen: for how many seconds, how many milliseconds each answer took, and what went wrong."""

    seconds: float
    milliseconds: list[float]
    others: Counter[str]

    def __add__(self, later: "Measured") -> "Measured":
        """Return it together with what the same crowd has seen after that."""
        milliseconds = self.milliseconds + later.milliseconds
        return Measured(self.seconds + later.seconds, milliseconds, self.others + later.others)

    @property
    def rps(self) -> float:
        return len(self.milliseconds) / self.seconds

    @property
    def p50(self) -> float:
        """Within how many milliseconds half of the calls were answered."""
        return quantiles(self.milliseconds, n=100)[49]

    @property
    def p99(self) -> float:
        """Within how many milliseconds 99 in 100 were."""
        return quantiles(self.milliseconds, n=100)[98]


def run(requests: int = REQUESTS) -> dict[str, Any]:
    """Return the promised figures, `rss_mb` after each part, who computed how much, and the machine's part."""
    with ecolane_cloud(firestore="embedded") as cloud:
        users = signed_up(cloud)
        figures = _main(cloud, users, requests)
        with lane(cloud, users, latency_ms=0, instances=4) as (crowd, _):
            figures |= _named("without_upstream", crowd(COMPARED_REQUESTS))
        with lane(cloud, users[:1], UPSTREAM_MS, instances=1) as (crowd, _):
            alone = crowd(ALONE_REQUESTS)
            with distant(cloud, FAR_MS) as calls:
                far = crowd(ALONE_REQUESTS)
                figures |= {"round_trips_per_call": round(calls() / ALONE_REQUESTS, 1)}
            figures |= {
                "one_user_added_ms_p50": round(alone.p50 - UPSTREAM_MS, 1),
                f"one_user_added_ms_p50_at_{FAR_MS}ms": round(far.p50 - UPSTREAM_MS, 1),
            }
        large = signed_up(cloud, [phone_photo()], LARGE_USERS)
        with lane(cloud, large, UPSTREAM_MS, instances=1) as (crowd, servers):
            computed = servers.cpu_seconds()["functions"]
            crowd(LARGE_REQUESTS)
            seconds = servers.cpu_seconds()["functions"] - computed
            figures |= {"cpu_ms_per_call_12mp": round(seconds * 1000 / LARGE_REQUESTS, 1)}
        for threads in (FEW_THREADS, CALLERS_AT_ONCE):
            few = users[:CALLERS_AT_ONCE]
            with lane(cloud, few, QUEUE_UPSTREAM_MS, instances=1, threads=threads) as (crowd, _):
                figures |= _named(f"one_instance_{threads}_threads", crowd(QUEUE_REQUESTS))
    with _instances("echo", {}, 4, ECHO) as instances:
        figures |= _named("echo", _crowd(_spread([{"headers": {}, "data": {}}] * USERS, instances), COMPARED_REQUESTS))
    return figures


def _main(cloud: LocalCloud, users: list[dict[str, Any]], requests: int) -> dict[str, Any]:
    with lane(cloud, users, UPSTREAM_MS, instances=4) as (crowd, servers):
        memory, computed = [rss_mb(servers.functions)], servers.cpu_seconds()
        parts = []
        for number in range(PARTS):
            parts.append(crowd(requests // PARTS + (number < requests % PARTS)))
            memory.append(rss_mb(servers.functions))
        found = sum(parts[1:], parts[0])
        cpu = {
            f"cpu_ms_per_call_{name}": round((seconds - computed[name]) * 1000 / requests, 1)
            for name, seconds in servers.cpu_seconds().items()
        }
    return {
        "rps": round(found.rps, 1),
        "added_ms_p50": round(found.p50 - UPSTREAM_MS, 1),
        "added_ms_p99": round(found.p99 - UPSTREAM_MS, 1),
        "errors": found.others.total(),
        "concurrency": USERS,
        "requests": requests,
        "rss_mb": [round(each, 1) for each in memory],
        **cpu,
        "machine_load": round(os.getloadavg()[0], 1),
        **({"errors_seen": dict(found.others)} if found.others else {}),
    }


def _named(name: str, found: Measured) -> dict[str, float]:
    return {f"{name}_rps": round(found.rps, 1), f"{name}_ms_p50": round(found.p50), f"{name}_ms_p99": round(found.p99)}


class Servers(NamedTuple):
    """Who computes: the instances, the provider, and this process, which has Firestore and Storage."""

    functions: list[Served]
    provider: int

    def cpu_seconds(self) -> dict[str, float]:
        return {
            "functions": sum(each.cpu_seconds() for each in self.functions),
            "firestore_and_storage": cpu_seconds(os.getpid()),
            "provider": cpu_seconds(self.provider),
        }


@contextmanager
def lane(
    cloud: LocalCloud, users: list[dict[str, Any]], latency_ms: int, instances: int, threads: int = CALLERS_AT_ONCE
) -> Iterator[tuple[Callable[[int], Measured], Servers]]:
    """Serve `classify_image` with a provider that takes so long. Yields a function that lets the users, who are warm,
    make so many calls, and the servers."""
    answers = ("--answers", "scripts.sample_answers:answers")
    with server("localcloud.openai", "--latency-ms", latency_ms, *answers) as (provider, printed):
        environment = {
            "OPENAI_BASE_URL": printed["OPENAI_BASE_URL"],
            "OPENAI_API_KEY": "stand-in",
            "BENCH_THREADS": str(threads),
        }
        with _instances("classify_image", {**cloud.environment, **environment}, instances, ECHO) as served_by:
            spread = _spread(users, served_by)
            _crowd(spread, WARM_UP_PER_USER * len(users))
            yield (lambda calls: _crowd(spread, calls)), Servers(served_by, provider)


@contextmanager
def distant(cloud: LocalCloud, milliseconds: int) -> Iterator[Callable[[], int]]:
    """Let each call to Firestore and Storage take so much longer. Yields a function that tells how many there were."""
    delayed = cloud.firestore.embedded.faults.add("delay", delay_ms=milliseconds, count=None)
    before = cloud.storage.requests
    cloud.storage.delay(milliseconds / 1000)
    try:
        yield lambda: delayed.struck + cloud.storage.requests - before
    finally:
        cloud.storage.delay(0)
        cloud.firestore.embedded.faults.clear()


def signed_up(
    cloud: LocalCloud, photos: list[bytes] | None = None, number_of_users: int = USERS
) -> list[dict[str, Any]]:
    """Sign users up, each with one of these photos, or a drawn one, in a project whose limits are out of the way."""
    cloud.firestore_client().document("config/runtime").set(UNBOUNDED)
    bucket, photos = cloud.storage_client().bucket(cloud.bucket), photos or list(drawn_photos().values())
    users = []
    for number in range(number_of_users):
        user = cloud.sign_up()
        path = f"users/{user.uid}/uploads/photo.jpg"
        bucket.blob(path).upload_from_string(photos[number % len(photos)], content_type="image/jpeg")
        data = {"imagePath": path, "mode": "instant", "allowBatch": False}
        users.append({"headers": {"Authorization": f"Bearer {user.id_token}"}, "data": data})
    return users


def _spread(users: list[dict[str, Any]], instances: list[Served]) -> list[dict[str, Any]]:
    """Send each user to an instance, as Cloud Run does: no more to any than it serves at once."""
    return [{**user, "url": instances[number % len(instances)].url} for number, user in enumerate(users)]


def _crowd(users: list[dict[str, Any]], calls: int) -> Measured:
    plan = json.dumps({"calls": calls, "users": users})
    found = python("-m", "scripts.benchmarks.users", given=plan)
    if len(found["milliseconds"]) < calls / 2:
        raise RuntimeError(f"most calls failed: {found['others']}")
    return Measured(found["seconds"], found["milliseconds"], Counter(found["others"]))


@contextmanager
def _instances(
    name: str, environment: Mapping[str, str], count: int, source: Path = ROOT / "main.py"
) -> Iterator[list[Served]]:
    """Start instances of a function, and wait until they answer."""
    with ExitStack() as stack:
        instances = [stack.enter_context(served(name, environment, source)) for _ in range(count)]
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda each: answered(each, {"data": {}}, {}), instances))
        yield instances


def rss_mb(instances: list[Served]) -> float:
    """Return the memory of the largest instance."""
    return max(instance.rss_mb() for instance in instances)
