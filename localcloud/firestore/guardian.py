"""Runs a command for as long as its own standard input stays open, then ends the command and everything it has started.

The parent holds the other end of that pipe. However the parent goes, even killed, the pipe closes and nothing is left
behind. Ctrl-C in a terminal, or the SIGTERM of `timeout`, reaches the parent and the guardian alike: the parent decides
when to stop, the guardian goes on until it does. Run as a script, so that it needs nothing but the standard library:
`python guardian.py COMMAND...`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.02
_ONE_AT_A_TIME = threading.Lock()


def main(command: list[str]) -> int:
    """Run `command` in a process group of its own and return its exit code."""
    for key in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # not SIG_IGN, which the command would inherit
        signal.signal(key, lambda *_: None)
    child = subprocess.Popen(  # noqa: S603 - running what it is given is its purpose
        command, stdin=subprocess.DEVNULL, start_new_session=True
    )
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    code = child.wait()
    _end_group(child.pid)  # what it has started may outlive it
    return code


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    # Not through sys.stdin, whose lock a thread must not hold when Python ends. Nobody writes: this waits for the end.
    os.read(sys.stdin.fileno(), 1)
    _end_group(child.pid)


def _end_group(group: int) -> None:
    """Ask every process of the group to end, and kill those that have not after a grace."""
    with _ONE_AT_A_TIME, contextlib.suppress(ProcessLookupError):  # raised as soon as nobody is left
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
