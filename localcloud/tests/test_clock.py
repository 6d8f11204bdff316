"""The moved clock: one time for several processes."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.clock import MovableClock


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[MovableClock]:
    """A clock of its own."""
    clock = MovableClock(tmp_path / "clock")
    yield clock
    clock.close()


def near(one: datetime, other: datetime) -> bool:
    """Tell whether two times are the same but for the time the test takes."""
    return abs(one - other) < timedelta(seconds=1)


def test_a_new_clock_shows_the_machine_s_time(clock: MovableClock) -> None:
    """Before it is moved, the clock shows the machine's time, aware and in UTC."""
    assert near(clock(), datetime.now(UTC))
    assert clock().tzinfo is UTC
    assert clock.offset == timedelta(0)


def test_it_moves_forward_and_goes_on(clock: MovableClock) -> None:
    """A moved clock runs on from where it was moved to."""
    clock.advance(timedelta(hours=4))

    assert near(clock(), datetime.now(UTC) + timedelta(hours=4))
    assert clock() <= clock()


def test_it_does_not_go_back(clock: MovableClock) -> None:
    """Moving into the past is refused, and changes nothing."""
    before = clock.offset

    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(clock() - timedelta(minutes=1))

    assert clock.offset == before


def test_every_process_sees_it_move(clock: MovableClock) -> None:
    """Another process that opened the same file sees a move made after that, at once."""
    program = (
        "import sys; from pathlib import Path; from localcloud.clock import MovableClock\n"
        "clock = MovableClock(Path(sys.argv[1])); print('open', flush=True)\n"
        "input(); print(clock.offset.total_seconds())"
    )
    command = [sys.executable, "-c", program, str(clock.path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:  # noqa: S603
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        clock.advance(timedelta(days=2))
        shown, _ = other.communicate("\n")

    assert float(shown) == pytest.approx(clock.offset.total_seconds())


def test_its_file_goes_with_it(tmp_path: Path) -> None:
    """Closing removes the file, also the temporary one of a clock that was given none."""
    given, own = MovableClock(tmp_path / "clock"), MovableClock()
    assert given.path.exists()
    assert own.path.exists()

    given.close()
    own.close()

    assert not given.path.exists()
    assert not own.path.exists()
