"""Runs a command for as long as its own standard input stays open, then ends the command and everything it has started.

The parent holds the other end of that pipe. However the parent goes, even killed, the pipe closes and nothing is left
behind. Run as a script, so that it needs nothing but the standard library: `python guardian.py COMMAND...`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_SECONDS = 5.0


def main(command: list[str]) -> int:
    """Run `command` in a process group of its own and return its exit code."""
    child = subprocess.Popen(  # noqa: S603 - running what it is given is its purpose
        command, stdin=subprocess.DEVNULL, start_new_session=True
    )
    threading.Thread(target=_end_with_parent, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_parent(child: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    for strength in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(child.pid, strength)
        with contextlib.suppress(subprocess.TimeoutExpired):  # asked nicely first, then not
            child.wait(GRACE_SECONDS)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
