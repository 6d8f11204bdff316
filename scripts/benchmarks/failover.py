"""One provider fails for ten minutes while four instances take ten calls a second: who is answered, and at what price.

The whole product in one process, over both stand-ins, by a simulated clock; calls overlap as they would. The first
provider answers in 0.8 s and the second in 0.9 s, give or take a half. Scenarios:

    refuses   the first says 503 after 0.1 s
    hangs     it takes requests and answers none
    race      200 calls at once lose the first one's answer, with a budget for half of them
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from statistics import quantiles
from typing import Any
from unittest import mock

import httpx2
from openai import OpenAI

from functions import log
from functions.adapters import time_budget
from functions.adapters.providers.watched import WatchedAnthropic, WatchedOpenAI
from functions.adapters.time_budget import arriving
from functions.core.shared.errors import EcolaneError
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.wiring import Deps
from scripts.benchmarks.calls import UNLIMITED
from scripts.drawings import drawn_photos
from scripts.inprocess import InProcessCloud, StillClock
from scripts.simulation.interleaving import Interleaving, Invocation, Process
from scripts.simulation.outside import LibraryTime

INSTANCES, CALLS_A_SECOND, USERS = 4, 10, 500
BEFORE, OUTAGE, AFTER = 30, 600, 130  # seconds
RACING = 200
SECONDS = {"openai": 0.8, "anthropic": 0.9}
REFUSED_SECONDS = 0.1

_NOTES = ("note_outage", "forget_outage", "open_alert", "create_alert")
_CONFIG = {
    "providers": {"order": ["openai", "anthropic"]},
    "tokens": {"welcome": 1_000, "balanceCap": 100_000},
    "plans": {"free": UNLIMITED},
}


def run() -> dict[str, Any]:
    """Return the figures of each scenario; see the module."""
    refuses, hangs = _Scene("refuses"), _Scene("hangs")
    refuses.play()
    hangs.play()
    during, hanging = refuses.during(), hangs.during()
    added = sorted(call.seconds - call.asked.get("anthropic", 0.0) for call in during)
    waited = [call for call in hanging if call.asked.get("openai", 0.0) >= 1]
    return {
        "calls": len(during) + len(hanging),
        "refuses_answered_share": _share(during, lambda call: call.provider is not None),
        "refuses_b_direct_share": _share(during, lambda call: "openai" not in call.asked),
        "refuses_added_p50_ms": round(quantiles(added, n=100)[49] * 1_000),
        "refuses_added_p99_ms": round(quantiles(added, n=100)[98] * 1_000),
        "hangs_answered_share": _share(hanging, lambda call: call.provider is not None),
        "hangs_waiting_calls": len(waited),
        "hangs_waited_after_25_s": sum(call.at >= hangs.began + 25 for call in waited),
        "hangs_longest_wait_s": round(max(call.asked["openai"] for call in waited), 1),
        "hangs_doubtful_micros": hangs.doubtful_micros(),
        "returns_first_answer_s": round(max(each.returned()[0] for each in (refuses, hangs)), 1),
        "returns_all_traffic_s": round(max(each.returned()[1] for each in (refuses, hangs)), 1),
        "asked_twice": refuses.asked_twice() + hangs.asked_twice(),
        "overshoot_micros": _race(),
        "guarded_writes_per_minute": round(max(each.notes for each in (refuses, hangs)) / (OUTAGE / 60), 1),
    }


@dataclass
class _Call:
    """One call: when it came, how long it took, whom it asked for how long, and who answered."""

    at: float
    seconds: float = 0.0
    provider: str | None = None
    asked: dict[str, float] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    answered: list[str] = field(default_factory=list)


class _Network(httpx2.BaseTransport):
    """The way to one provider, which takes its time, and fails as the scene says."""

    def __init__(self, scene: "_Scene", name: str, inner: httpx2.BaseTransport) -> None:
        self._scene, self._name, self._inner = scene, name, inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        scene, began = self._scene, self._scene.interleaving.seconds
        call = scene.current()
        call.requests[self._name] += 1
        try:
            if self._name == "openai" and scene.failing:
                return self._fail(request)
            scene.interleaving.pause(SECONDS[self._name] * scene.dice.uniform(0.5, 1.5))
            response = self._inner.handle_request(request)
            call.answered.append(self._name)
            if scene.losing and self._name == "openai":
                raise httpx2.ReadError("the answer is lost", request=request)
            return response
        finally:
            call.asked[self._name] = scene.interleaving.seconds - began

    def _fail(self, request: httpx2.Request) -> httpx2.Response:
        if self._scene.name == "refuses":
            self._scene.interleaving.pause(REFUSED_SECONDS)
            return httpx2.Response(503, json={"error": {"code": "server_error"}}, request=request)
        self._scene.interleaving.pause(request.extensions["timeout"]["read"])
        raise httpx2.ReadTimeout("no answer", request=request)


class _Scene:
    """Four instances, and what their calls came to."""

    def __init__(self, name: str, config: Mapping[str, Any] = _CONFIG) -> None:
        self.name, self.failing, self.losing = name, False, False
        self.clock = StillClock(datetime(2026, 11, 21, 12, tzinfo=UTC))
        self.interleaving = Interleaving(self.clock)
        self.dice = Random(name)  # noqa: S311  (repeatable, not secret)
        self.cloud = InProcessCloud(clock=self.clock, seed=1)
        self.cloud.configure(dict(config))
        self.calls: list[_Call] = []
        self.notes = 0
        self.began = self.ended = 0.0
        self._photo = next(iter(drawn_photos().values()))
        self._under_way: dict[Invocation, _Call] = {}
        self._processes = [Process(number, self._instance()) for number in range(INSTANCES)]

    def _instance(self) -> Deps:
        cloud, key = self.cloud, {"anthropic_api_key": "stand-in"}
        http = httpx2.Client(transport=_Network(self, "openai", cloud.openai.transport()))
        openai = OpenAI(api_key="stand-in", base_url="http://openai.local/v1", http_client=http)
        other = httpx2.Client(transport=_Network(self, "anthropic", cloud.anthropic.transport()))
        deps = cloud.new_process(key)
        vars(deps)["provider"] = WatchedOpenAI(openai, deps)
        vars(deps)["anthropic"] = WatchedAnthropic(other, cloud.anthropic.base_url, "stand-in", deps)
        for note in _NOTES:
            setattr(deps.store, note, self._counted(getattr(deps.store, note)))
        return deps

    def _counted(self, note: Any) -> Any:
        def counting(*args: Any, **more: Any) -> Any:
            told = note(*args, **more)
            self.notes += told is not False and self.failing
            return told

        return counting

    def current(self) -> _Call:
        invocation = self.interleaving.current()
        assert invocation is not None  # noqa: S101  (only calls ask a provider)
        return self._under_way[invocation]

    def ask(self, at: float, number: int) -> None:
        """Have the call with this number come at this time."""
        uid, process = f"user-{number % USERS}", self._processes[number % INSTANCES]
        invocation, call = Invocation(str(number), "classify", process), _Call(at)

        def body() -> None:
            self._under_way[invocation] = call
            path = self.cloud.upload(uid, f"{number}.jpg", self._photo)
            request = {"requestId": f"request-{number}", "imagePath": path, "mode": "instant", "allowBatch": False}
            try:
                with arriving():
                    answer = classify_image(ClassifyImage.model_validate(request), uid, process.deps)
                call.provider = answer["result"]["provider"]
            except EcolaneError:
                call.provider = None
            call.seconds = self.interleaving.seconds - at
            self.calls.append(call)

        self.interleaving.start(at, invocation, body)

    def play(self) -> None:
        """Play it to its end."""
        start = self.interleaving.seconds
        self.began, self.ended = start + BEFORE, start + BEFORE + OUTAGE
        self.interleaving.at(self.began, lambda: setattr(self, "failing", True))
        self.interleaving.at(self.ended, lambda: setattr(self, "failing", False))
        for number in range((BEFORE + OUTAGE + AFTER) * CALLS_A_SECOND):
            self.ask(start + number / CALLS_A_SECOND, number)
        with by_the_scenes_clock(self):
            self.interleaving.run()

    def during(self) -> list[_Call]:
        """Return the calls that came while the first provider failed."""
        return [call for call in self.calls if self.began <= call.at < self.ended]

    def returned(self) -> tuple[float, float]:
        """Return how long after the outage the first call was answered by the first provider again, and after which
        time all of them were."""
        after = sorted((call for call in self.calls if call.at >= self.ended), key=lambda call: call.at)
        first = next(call.at for call in after if call.provider == "openai")
        last = max((call.at for call in after if call.provider != "openai"), default=self.ended)
        return first - self.ended, last - self.ended

    def asked_twice(self) -> int:
        """Return how many calls asked a provider twice, or a second one after an answer."""
        return sum(max(call.requests.values(), default=0) > 1 or len(call.answered) > 1 for call in self.calls)

    def doubtful_micros(self) -> int:
        """Return what is booked for answers that nobody has seen."""
        jobs = (each.to_dict() or {} for each in self.cloud.client.collection("aiJobs").stream())
        return sum(leg["micros"] for job in jobs for leg in job.get("tried", ()) if leg["came"] == "doubtful")


def _race() -> int:
    """Return by how much at most the day's limit is passed, held or spent, at any moment of the race."""
    limit = 60_000
    budget = {"dailyLimitMicros": limit, "batchOnlyPercent": 100}
    scene = _Scene("race", {**_CONFIG, "budget": budget})
    scene.losing = True
    start, day = scene.interleaving.seconds, scene.clock().date().isoformat()
    for number in range(RACING):
        scene.ask(start + number / 1_000, number)
    used: list[int] = []

    def look() -> None:
        shards = [each.to_dict() or {} for each in scene.cloud.client.collection(f"budget/{day}/shards").stream()]
        used.append(sum(shard["reserved"] + shard["spent"] + shard["excess"] for shard in shards))

    for tenth in range(60):
        scene.interleaving.at(start + tenth / 10, look)
    with by_the_scenes_clock(scene):
        scene.interleaving.run()
    look()
    if not any(call.provider == "anthropic" for call in scene.calls) or all(call.provider for call in scene.calls):
        raise RuntimeError("the budget was for all of them, or for none")
    return max(0, max(used) - limit)


@contextmanager
def by_the_scenes_clock(scene: _Scene) -> Iterator[None]:
    """Have deadlines go by the simulated clock, and thousands of log entries go nowhere."""
    clock = mock.patch.object(time_budget, "monotonic", LibraryTime(scene.interleaving).monotonic)
    with clock, mock.patch.object(log, "log"):
        yield


def _share(calls: list[_Call], of: Callable[[_Call], bool]) -> float:
    share = sum(map(of, calls)) / len(calls)
    return round(share, 4)
