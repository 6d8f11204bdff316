"""The cron clock, firing the sample's scheduled functions over HTTP."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from localcloud.clock import MovableClock
from localcloud.cron import CronClock, CronFaults, Tick
from localcloud.functions_process import FunctionsProcess, Trigger

REGION = "europe-west1"
Maker = Callable[..., CronClock]


@pytest.fixture
def make(functions: FunctionsProcess, clock: MovableClock) -> Iterator[Maker]:
    """Build cron clocks for the sample functions from the clock's time on; stopped at the end."""
    made = []

    def build(**options: object) -> CronClock:
        triggers = options.pop("triggers", functions.triggers())
        made.append(CronClock(clock, triggers, functions.function_url, REGION, **options))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for cron in made:
        cron.stop()


def seen_since(functions: FunctionsProcess, start: int) -> list[list[str]]:
    """Return what the scheduled functions noted, from the `start`th note on."""
    notes: list[list[str]] = httpx.get(functions.function_url("inspect")).json()["seen"]
    return notes[start:]


def test_four_hours_hold_forty_eight_five_minute_ticks(make: Maker, clock: MovableClock) -> None:
    """Moving by four hours fires */5 48 times and */10 24 times, each at its own time, in order."""
    before = clock()

    ticks = make().advance(timedelta(hours=4))

    fives = [tick for tick in ticks if tick.name == "every_five"]
    assert len(fives) == 48
    assert len([tick for tick in ticks if tick.name == "every_ten"]) == 24
    assert all(tick.ok for tick in ticks)
    assert [tick.schedule_time for tick in ticks] == sorted(tick.schedule_time for tick in ticks)
    assert all(tick.schedule_time.minute % 5 == 0 and tick.schedule_time.second == 0 for tick in fives)
    assert timedelta(0) <= clock() - before - timedelta(hours=4) < timedelta(seconds=10)


def test_functions_due_at_once_fire_in_the_order_of_main(make: Maker) -> None:
    """Of two functions due at the same minute, the one that stands first in main.py fires first."""
    ticks = make().advance(timedelta(hours=1))

    together = [(tick.schedule_time, tick.name) for tick in ticks if tick.schedule_time.minute % 10 == 0]
    assert [name for _, name in together] == ["every_five", "every_ten"] * 6


def test_a_tick_carries_scheduler_s_headers(make: Maker, functions: FunctionsProcess) -> None:
    """The function learns job name and schedule time, as from Cloud Scheduler."""
    before = len(seen_since(functions, 0))

    tick = make().fire("every_five", datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC))

    assert tick.ok
    name, job, schedule_time, _ = seen_since(functions, before)[0]
    assert (name, job) == ("every_five", f"firebase-schedule-every_five-{REGION}")
    assert schedule_time == "2031-05-06T07:08:09+00:00"


def test_the_clock_shows_the_due_time_while_a_function_runs(make: Maker, functions: FunctionsProcess) -> None:
    """Inside the function the moved time is the schedule's, not the end of the advance."""
    before = len(seen_since(functions, 0))

    make().advance(timedelta(hours=2))

    for _, _, schedule_time, now in seen_since(functions, before):
        late = datetime.fromisoformat(now) - datetime.fromisoformat(schedule_time)
        assert timedelta(0) <= late < timedelta(seconds=10)


def test_advances_add_up(make: Maker) -> None:
    """Twelve steps of five minutes fire what one step of an hour fires: nothing falls between them."""
    cron = make()

    ticks = [tick for _ in range(12) for tick in cron.advance(timedelta(minutes=5))]

    assert len([tick for tick in ticks if tick.name == "every_five"]) == 12
    assert len({tick.schedule_time for tick in ticks if tick.name == "every_five"}) == 12


def test_the_other_parts_move_along(make: Maker, clock: MovableClock) -> None:
    """What else lives by the clock is told after each move, before the functions that may look at it."""
    steps: list[datetime] = []

    ticks = make(on_step=lambda: steps.append(clock())).advance(timedelta(minutes=30))

    assert len(steps) == len(ticks) + 1
    assert steps[0] >= ticks[0].schedule_time


def test_a_failed_tick_is_reported_with_status_and_body(make: Maker) -> None:
    """A function that fails shows in the result and in the report, with what it answered."""
    reported: list[Tick] = []

    tick = make(on_failure=reported.append).fire("broken")

    assert (tick.status, tick.body, tick.ok) == (500, "the store is on fire", False)
    assert reported == [tick]
    assert "broken" in str(tick)
    assert "status 500: the store is on fire" in str(tick)


def test_a_failure_is_printed_unless_told_otherwise(make: Maker, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody has to ask for the report: it goes to standard error."""
    make().fire("broken")

    assert "status 500: the store is on fire" in capsys.readouterr().err


def test_functions_that_do_not_answer_are_reported(clock: MovableClock) -> None:
    """With nothing listening, the tick fails with status 0 and the reason, and the clock goes on."""
    reported: list[Tick] = []
    gone = Trigger("gone", "schedule", "* * * * *")
    cron = CronClock(clock, [gone], lambda _: "http://127.0.0.1:9/gone", on_failure=reported.append)

    ticks = cron.advance(timedelta(minutes=3))
    cron.stop()

    assert [tick.status for tick in ticks] == [0, 0, 0]
    assert "ConnectError" in ticks[0].body
    assert reported == ticks


def test_only_scheduled_functions_can_be_fired(make: Maker) -> None:
    """Firing a name that has no schedule is an error that lists those that have one."""
    with pytest.raises(LookupError, match="every_five, every_ten, broken"):
        make().fire("echo")


def test_duplicates_repeat_the_schedule_time(make: Maker) -> None:
    """With every tick doubled, each schedule time comes twice, the second marked as the duplicate."""
    ticks = make(faults=CronFaults(duplicate_share=1.0)).advance(timedelta(hours=1))

    fives = [tick for tick in ticks if tick.name == "every_five"]
    assert len(fives) == 24
    assert len([tick for tick in fives if tick.duplicate]) == 12
    assert len({tick.schedule_time for tick in fives}) == 12


def test_late_ticks_keep_their_schedule_time(make: Maker) -> None:
    """A late tick is delivered minutes after the time its header names, in order of delivery."""
    faults = CronFaults(late_share=1.0, late_max=timedelta(minutes=4))

    ticks = make(faults=faults).advance(timedelta(hours=2))

    delays = [tick.delivered_at - tick.schedule_time for tick in ticks]
    assert max(delays) > timedelta(minutes=1)
    assert max(delays) < timedelta(minutes=4, seconds=10)
    assert [tick.delivered_at for tick in ticks] == sorted(tick.delivered_at for tick in ticks)


def test_the_same_seed_draws_the_same_faults(make: Maker) -> None:
    """Two clocks with one seed double the same ticks; another seed doubles others."""

    def doubled(seed: int) -> list[int]:
        ticks = make(faults=CronFaults(duplicate_share=0.3, seed=seed)).advance(timedelta(hours=2))
        return [n for n, tick in enumerate(ticks) if tick.duplicate]

    assert doubled(7) == doubled(7) != doubled(8)


def test_a_time_zone_is_respected(clock: MovableClock) -> None:
    """A daily schedule of a place fires at that place's hour."""
    noon = Trigger("noon", "schedule", "0 12 * * *", "Asia/Tokyo")
    cron = CronClock(clock, [noon], lambda _: "http://127.0.0.1:9/noon", on_failure=lambda _: None)

    due = cron.next_due()
    cron.stop()

    assert due is not None
    assert (due.hour, due.minute, due.tzinfo) == (3, 0, UTC)


@pytest.mark.parametrize("schedule", ["every 5 minutes", "*/5 * * *", "0 */5 * * * *", "61 * * * *", "* * * * FOO"])
def test_what_is_no_unix_cron_is_refused(clock: MovableClock, schedule: str) -> None:
    """Only the five-field syntax, the one whose headers are sure, is taken; the error names function and schedule."""
    with pytest.raises(ValueError, match=r"wrong: .* is no unix-cron expression"):
        CronClock(clock, [Trigger("wrong", "schedule", schedule)], str)


def test_time_does_not_go_back(make: Maker) -> None:
    """A negative step is refused."""
    with pytest.raises(ValueError, match="does not go back"):
        make().advance(timedelta(minutes=-1))


def test_in_real_time_a_due_tick_fires_by_itself(make: Maker, functions: FunctionsProcess, clock: MovableClock) -> None:
    """Started, the cron clock fires what falls due without being asked, also when only the clock was moved."""
    cron = make(triggers=[Trigger("every_five", "schedule", "*/5 * * * *")])
    before = len(seen_since(functions, 0))
    cron.start()
    due = cron.next_due()
    assert due is not None

    clock.move_to(due)

    deadline = time.monotonic() + 60
    while not seen_since(functions, before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert datetime.fromisoformat(seen_since(functions, before)[0][2]) == due


def test_without_schedules_the_clock_just_moves(clock: MovableClock) -> None:
    """A cloud without scheduled functions can be moved too."""
    cron = CronClock(clock, [Trigger("echo", "callable")], str)
    before = clock()

    assert cron.advance(timedelta(hours=1)) == []
    cron.stop()

    assert clock() - before >= timedelta(hours=1)
    assert cron.next_due() is None


def test_no_thread_is_left(make: Maker, tmp_path: Path) -> None:
    """Stopping ends the thread that fires in real time."""
    cron = make()
    cron.start()

    cron.stop()

    assert cron._thread is not None  # noqa: SLF001
    assert not cron._thread.is_alive()  # noqa: SLF001
