"""The functions server seen from the local cloud: started as a process of its own, waited for, stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from localcloud.project import PROJECT, REGION
from localcloud.serving import HOST, free_port, unhurried

_IMPORTED_FROM = Path(__file__).resolve().parents[1]
_START_SECONDS_MAX = 20  # on a machine that has nothing else to do
_STOP_SECONDS_MAX = 10
_LOG_LINES_SHOWN = 30


class FunctionsStartError(RuntimeError):
    """The functions server ended, or stayed silent. The message ends with its last log lines."""


@dataclass(frozen=True)
class Trigger:
    """One function and what sets it off. `schedule` (unix-cron) and `time_zone` belong to scheduled ones."""

    name: str
    kind: str  # callable, https or schedule
    schedule: str | None = None
    time_zone: str = "UTC"


class FunctionsProcess:
    """One functions server: `processes` instances behind one port."""

    def __init__(
        self,
        source: Path,
        environment: Mapping[str, str],
        log: Path,
        clock_hook: str | None = None,
        project: str = PROJECT,
        region: str = REGION,
        port: int = 0,
        processes: int = 1,
    ) -> None:
        """Prepare a server for the functions of `source`; what it prints goes to the file `log`.

        `environment` is added to this process's own. `clock_hook` (module:function) is called in the server with the
        clock whose file LOCALCLOUD_CLOCK in it names; without a hook the functions keep the machine's time.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        self.port = free_port(port)
        self.url = f"http://{HOST}:{self.port}"
        self.log = log
        self._prefix = f"{self.url}/{project}/{region}"
        self._command = [sys.executable, "-m", "localcloud.functions", "--stop-with-parent"]
        self._command += ["--source", str(source), "--project", project, "--region", region]
        self._command += ["--port", str(self.port), "--processes", str(processes)]
        if clock_hook is not None:
            self._command += ["--clock-hook", clock_hook]
        # The folder of main.py comes first, as in production; ours after it, for this very module.
        paths = [str(source.parent), str(_IMPORTED_FROM), os.environ.get("PYTHONPATH", "")]
        self._environment = {
            **os.environ,
            **environment,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
        }
        self._directory = source.parent
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            FunctionsStartError: it does not come up; nothing is left running.
        """
        with self.log.open("ab") as log:
            # Its own session, or Ctrl-C in the terminal would stop it before the parts that still call it.
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and arguments
                self._command,
                cwd=self._directory,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_healthy(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Let the calls under way end, then the server; kill it if it takes longer than ten seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def kill(self) -> None:
        """End the server and its workers at once, whatever they are at: a crash. `start` begins anew."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a group of its own, see `start`
        self.stop()

    def function_url(self, name: str) -> str:
        """Return the address of a function, as the Firebase emulator would have it."""
        return f"{self._prefix}/{name}"

    def triggers(self) -> list[Trigger]:
        """Return every function of main.py, in its order there."""
        answer = httpx.get(f"{self.url}/__/functions", timeout=unhurried(_START_SECONDS_MAX))
        answer.raise_for_status()
        return [
            Trigger(row["name"], row["trigger"], row.get("schedule"), row.get("timeZone", "UTC"))
            for row in answer.json()["functions"]
        ]

    def last_log_lines(self, count: int = _LOG_LINES_SHOWN) -> str:
        """Return the end of what the server printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        with httpx.Client(timeout=1) as client:
            while (waited := time.monotonic() - began) < unhurried(_START_SECONDS_MAX):
                if process.poll() is not None:
                    raise FunctionsStartError(self._story(f"ended with status {process.returncode}"))
                try:
                    client.get(f"{self.url}/__/healthz").raise_for_status()
                except httpx.TransportError:  # not listening yet
                    time.sleep(0.02)
                else:
                    return
        raise FunctionsStartError(self._story(f"did not answer within {waited:.0f} s"))

    def _story(self, what_happened: str) -> str:
        return f"the functions server {what_happened}; its last lines:\n{self.last_log_lines()}"
