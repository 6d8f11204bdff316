"""The guardian of foreign programs: nothing that they start outlives them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GUARDIAN = Path(__file__).resolve().parents[2] / "localcloud" / "firestore" / "guardian.py"


def guarded(script: str) -> subprocess.Popen[str]:
    """Run a shell script under the guardian."""
    command = [sys.executable, str(GUARDIAN), "sh", "-c", script]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603


def is_running(pid: int) -> bool:
    """Tell whether there is such a process, and it has not merely not been waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def first_pid(guardian: subprocess.Popen[str]) -> int:
    """Read the process id that the script prints."""
    assert guardian.stdout is not None
    return int(guardian.stdout.readline())


@pytest.mark.parametrize("ignores", ["", "trap '' TERM;"])
def test_what_a_program_leaves_behind_is_ended(ignores: str) -> None:
    """A program that ends by itself takes its children along, those that do not listen included; its code is kept."""
    guardian = guarded(f"({ignores} exec sleep 60 >/dev/null) & echo $!; exit 3")
    with guardian:
        child = first_pid(guardian)
        assert guardian.wait(60) == 3
    assert not is_running(child)


def test_a_program_ends_with_its_parent() -> None:
    """The pipe to the parent closes, and the program and its children end."""
    guardian = guarded("sleep 60 >/dev/null & echo $!; exec sleep 60")
    with guardian:
        child = first_pid(guardian)
        assert is_running(child)
        assert guardian.stdin is not None
        guardian.stdin.close()
        deadline = time.monotonic() + 60
        while guardian.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert guardian.returncode is not None
    assert not is_running(child)


@pytest.mark.parametrize("key", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_whoever_signals_everybody_leaves_nothing_behind(key: signal.Signals) -> None:
    """Ctrl-C, a closed terminal or `timeout` reaches the guardian too: the program stays until the parent lets go."""
    guardian = guarded("trap '' INT HUP; sleep 60 >/dev/null & echo $!; wait")
    with guardian:
        child = first_pid(guardian)
        guardian.send_signal(key)
        with pytest.raises(subprocess.TimeoutExpired):
            guardian.wait(0.5)
        assert guardian.stdin is not None
        guardian.stdin.close()
        guardian.wait(60)
    assert not is_running(child)
