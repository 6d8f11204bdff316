"""The cron clock: what Cloud Scheduler is in production, in real or in moved time.

It calls every scheduled function over HTTP at its cron times, with Scheduler's headers. In moved time it
takes the clock from one due time to the next, so that four hours hold the same ticks they would hold in
production:

    clock     09:58 ──→ 10:00 ─────────→ 10:05 ─────────→ 10:10 ──→ 10:13      advance(15 minutes)
    ticks               submit, poll     submit, poll     submit, poll, recover

Scheduler delivers at least once, at times twice, and late under load. `CronFaults` has it do so here, from a
seed.

Cron expressions are read by cronsim: the small dependency-free library that Healthchecks maintains for this
alone. Its larger neighbour croniter was declared abandoned by its author before others took it on.
"""

import heapq
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
from cronsim import CronSim, CronSimError

from localcloud.clock import MovableClock
from localcloud.functions_process import Trigger

TICK_SECONDS_MAX = 540  # longer than the timeout of any scheduled function
_CRON_FIELDS = 5
_LOOK_SECONDS = 0.2  # how soon real time notices that the clock was moved
_CONCURRENT_TICKS_MAX = 32
_BODY_SHOWN_MAX = 500


@dataclass(frozen=True)
class CronFaults:
    """How unreliable the deliveries are: shares from 0 to 1, all drawn from `seed`.

    A duplicate comes with the schedule time of the first. What is late, duplicates included, is delivered up
    to `late_max` after it was due.
    """

    duplicate_share: float = 0.0
    late_share: float = 0.0
    late_max: timedelta = timedelta(minutes=3)
    seed: int = 0


@dataclass(frozen=True)
class Tick:
    """One delivery to one function and its answer.

    `status` is HTTP's, or 0 with the reason as `body` if no answer came.
    """

    name: str
    schedule_time: datetime
    delivered_at: datetime
    duplicate: bool
    status: int
    body: str

    @property
    def ok(self) -> bool:
        """Whether the function answered that it did its work."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        """Return one line for a log."""
        told = f": {self.body[:_BODY_SHOWN_MAX]}" if self.body else ""
        return f"{self.name} of {self.schedule_time:%Y-%m-%d %H:%M}: status {self.status}{told}"


@dataclass(order=True)
class _Delivery:
    at: datetime
    order: int  # that of main.py among those due at once
    schedule_time: datetime = field(compare=False)
    trigger: Trigger = field(compare=False)
    first: bool = field(compare=False, default=False)  # not yet drawn whether it is late or comes twice
    duplicate: bool = field(compare=False, default=False)


class CronClock:
    """Fires the scheduled functions among `triggers` whenever `clock` reaches their times."""

    def __init__(
        self,
        clock: MovableClock,
        triggers: Iterable[Trigger],
        url_of: Callable[[str], str],
        region: str = "us-central1",
        faults: CronFaults | None = None,
        on_step: Callable[[], object] = lambda: None,
        on_failure: Callable[[Tick], object] = lambda tick: print(f"cron: {tick}", file=sys.stderr),
    ) -> None:
        """Prepare to fire from the clock's time now on.

        `url_of` gives a function's address. `on_step` is called each time the clock was moved, before
        anything is fired. `on_failure` is told of each tick whose answer is not 2xx.

        Raises:
            ValueError: a schedule is no unix-cron expression.
        """
        self.clock = clock
        self.faults = faults or CronFaults()
        self._url_of = url_of
        self._region = region
        self._on_step = on_step
        self._on_failure = on_failure
        self._random = random.Random(self.faults.seed)  # noqa: S311  # repeatable on purpose
        self._scheduled = {t.name: t for t in triggers if t.schedule is not None}
        self._orders = {name: order for order, name in enumerate(self._scheduled)}
        self._http = httpx.Client(timeout=TICK_SECONDS_MAX)
        self._one_mover = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        now = clock()
        self._due_times = {name: _times(trigger, now) for name, trigger in self._scheduled.items()}
        self._queue: list[_Delivery] = []
        for name in self._scheduled:
            self._queue_next(name)

    @property
    def schedules(self) -> dict[str, str]:
        """The unix-cron expression of each scheduled function."""
        return {name: str(trigger.schedule) for name, trigger in self._scheduled.items()}

    def next_due(self) -> datetime | None:
        """Return when the next tick is delivered, or None without scheduled functions."""
        return self._queue[0].at if self._queue else None

    def advance(self, step: timedelta) -> list[Tick]:
        """Move the clock by `step`, firing what falls due on the way, one after another in order of time.

        Returns the ticks delivered, failed ones included.

        Raises:
            ValueError: `step` is negative.
        """
        if step < timedelta(0):
            raise ValueError(f"the clock does not go back: {step}")
        with self._one_mover:
            target = self.clock() + step
            ticks: list[Tick] = []
            while (due := self._take_due(until=target)) is not None:
                self._move_to(due.at)
                ticks.append(self._deliver(due))
            self._move_to(target)
            return ticks

    def fire(self, name: str, schedule_time: datetime | None = None) -> Tick:
        """Run one scheduled function now; `schedule_time` is what its header says, now unless given.

        Raises:
            LookupError: no scheduled function has that name.
        """
        if name not in self._scheduled:
            raise LookupError(f"{name} is no scheduled function; these are: {', '.join(self._scheduled)}")
        now = self.clock()
        return self._deliver(_Delivery(now, 0, schedule_time or now, self._scheduled[name]))

    def start(self) -> None:
        """Fire in real time, from a thread, until `stop`. A slow function does not hold the others up."""
        self._thread = threading.Thread(target=self._run, name="cron-clock", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fire no more; ticks under way are waited for."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._http.close()

    def _run(self) -> None:
        with ThreadPoolExecutor(_CONCURRENT_TICKS_MAX, "cron-tick") as pool:
            while not self._stopping.wait(_LOOK_SECONDS):
                with self._one_mover:
                    due = self._take_due(until=self.clock())
                    if due is not None:
                        self._on_step()
                    while due is not None:
                        # A fault of ours in the thread must not stay in its future: as a callback's it is logged.
                        pool.submit(self._deliver, due).add_done_callback(Future.result)
                        due = self._take_due(until=self.clock())

    def _move_to(self, moment: datetime) -> None:
        # The functions take real time too, so the clock may have passed the moment by itself.
        if moment > self.clock():
            self.clock.move_to(moment)
        self._on_step()

    def _take_due(self, until: datetime) -> _Delivery | None:
        """Take the next delivery out of the queue, having drawn whether it is late or comes twice."""
        while self._queue and self._queue[0].at <= until:
            delivery = heapq.heappop(self._queue)
            if not delivery.first:
                return delivery
            self._queue_next(delivery.trigger.name)
            for duplicate in self._copies():
                at = delivery.at + self._delay()
                copy = replace(delivery, at=at, first=False, duplicate=duplicate)
                heapq.heappush(self._queue, copy)
        return None

    def _queue_next(self, name: str) -> None:
        due = next(self._due_times[name]).astimezone(UTC)
        heapq.heappush(self._queue, _Delivery(due, self._orders[name], due, self._scheduled[name], first=True))

    def _copies(self) -> list[bool]:
        return [False, True] if self._random.random() < self.faults.duplicate_share else [False]

    def _delay(self) -> timedelta:
        late = self._random.random() < self.faults.late_share
        return self.faults.late_max * self._random.random() if late else timedelta(0)

    def _deliver(self, delivery: _Delivery) -> Tick:
        name, delivered_at = delivery.trigger.name, self.clock()
        headers = {
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": f"firebase-schedule-{name}-{self._region}",
            "X-CloudScheduler-ScheduleTime": f"{delivery.schedule_time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        try:
            answer = self._http.post(self._url_of(name), headers=headers)
        except httpx.TransportError as error:
            status, body = 0, f"{type(error).__name__}: {error}"
        else:
            status, body = answer.status_code, answer.text
        tick = Tick(name, delivery.schedule_time, delivered_at, delivery.duplicate, status, body)
        if not tick.ok:
            self._on_failure(tick)
        return tick


def _times(trigger: Trigger, after: datetime) -> Iterator[datetime]:
    """Return the times of a schedule in its own time zone, later than `after`."""
    expression = str(trigger.schedule)
    # Five fields: cronsim alone would take a sixth for seconds, which Scheduler does not know.
    if len(expression.split()) != _CRON_FIELDS:
        raise ValueError(f"{trigger.name}: {expression!r} is no unix-cron expression of {_CRON_FIELDS} fields")
    try:
        return CronSim(expression, after.astimezone(ZoneInfo(trigger.time_zone)))
    except CronSimError as error:
        raise ValueError(f"{trigger.name}: {expression!r} is no unix-cron expression: {error}") from error
