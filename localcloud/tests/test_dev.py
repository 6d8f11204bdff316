"""`make dev`: the program a developer runs, as a process of its own."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.serving import free_port, listen

ROOT = Path(__file__).parents[2]
PARTS = ("functions", "firestore", "storage", "auth", "openai", "control")
LAST_LINE = "Ctrl-C stops everything."


@dataclass
class Dev:
    """A running `make dev`: the ports it was given, and what it has printed."""

    process: "subprocess.Popen[str]"
    ports: dict[str, int]
    printed: str = ""

    def wait_until_it_runs(self) -> None:
        """Read all that it prints when it starts."""
        assert self.process.stdout is not None
        while LAST_LINE not in self.printed:
            line = self.process.stdout.readline()
            if not line:
                pytest.fail(f"{self.printed}\n{self.process.communicate()[1]}")
            self.printed += line

    def line(self, start: str) -> str:
        """Return the printed line that starts with `start`."""
        return next(line.strip() for line in self.printed.splitlines() if line.strip().startswith(start))

    def control(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Press one of the buttons."""
        content = None if body is None else json.dumps(body)
        return httpx.request(method, f"http://127.0.0.1:{self.ports['control']}{path}", content=content, timeout=120)


@contextmanager
def running(folder: Path) -> Iterator[Dev]:
    """Start it on free ports, with its temporary files under `folder`."""
    ports = {part: free_port() for part in PARTS}
    with started(*(word for part in PARTS for word in (f"--{part}-port", str(ports[part]))), folder=folder) as process:
        dev = Dev(process, ports)
        dev.wait_until_it_runs()
        yield dev


@contextmanager
def started(*options: str, folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the program. Whatever becomes of the test, it has ended in the end, and its pipes are closed."""
    hidden = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FIRESTORE")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "scripts.dev", *options],
        cwd=ROOT,
        env=inherited | environment | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """A running `make dev`."""
    with running(tmp_path_factory.mktemp("dev")) as dev:
        yield dev
        dev.process.send_signal(signal.SIGINT)
        dev.process.communicate(timeout=120)


def test_the_curl_line_works_as_pasted(dev: Dev) -> None:
    """The printed line, given to a shell as it is, shows a fresh user's wallet."""
    command = next(line.strip() for line in dev.printed.splitlines() if "get_wallet" in line and "curl" in line)

    answer = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)  # noqa: S603

    assert json.loads(answer.stdout)["result"]["balance"] == 10


def test_it_says_which_firestore_it_uses_and_why(dev: Dev) -> None:
    """The table names the Firestore and the reason for it."""
    assert f"127.0.0.1:{dev.ports['firestore']} (embedded: the default" in dev.printed


def test_the_ports_asked_for_are_taken(dev: Dev) -> None:
    """Each part listens where it was told to."""
    for port in dev.ports.values():
        socket.create_connection(("127.0.0.1", port), timeout=60).close()


def test_the_exports_point_a_client_at_the_cloud(dev: Dev) -> None:
    """The printed environment is ready for a shell."""
    assert dev.line("export FIRESTORE_EMULATOR_HOST") == (
        f"export FIRESTORE_EMULATOR_HOST=127.0.0.1:{dev.ports['firestore']}"
    )
    config = shlex.split(dev.line("export FIREBASE_CONFIG"))[1].partition("=")[2]
    assert json.loads(config)["projectId"] == "demo-ecolane"


def test_advance_moves_the_clock_and_fires_cron(dev: Dev) -> None:
    """An hour forward fires the five-minute functions twelve times and tells what failed: nothing."""
    before = datetime.fromisoformat(dev.control("GET", "/status").json()["now"])

    moved: dict[str, Any] = dev.control("POST", "/advance", {"minutes": 60}).json()

    assert moved["fired"]["submit_batches"] == 12
    assert moved["failed"] == []
    assert datetime.fromisoformat(moved["now"]) >= before + timedelta(minutes=60)


def test_fire_runs_one_scheduled_function(dev: Dev) -> None:
    """A function fired by name answers with its status."""
    fired = dev.control("POST", "/fire", {"name": "submit_batches"}).json()

    assert (fired["name"], fired["status"]) == ("submit_batches", 200)


def test_status_shows_what_runs(dev: Dev) -> None:
    """The status names schedules, functions, Firestore and who answers for OpenAI."""
    status = dev.control("GET", "/status").json()

    assert status["schedules"]["poll_batches"] == "*/5 * * * *"
    assert "classify_image" in status["functions"]
    assert status["firestore"]["kind"] == "embedded"
    assert status["openai"] == "stand-in"
    assert status["nextTick"] > status["now"]


@pytest.mark.parametrize(
    ("method", "path", "body", "hint"),
    [
        ("POST", "/advance", {"minutes": -5}, "minutes"),
        ("POST", "/advance", {"minutes": "ten"}, "minutes"),
        ("POST", "/advance", {"minutes": True}, "minutes"),
        ("POST", "/advance", {"minutes": 1e9}, "at most"),
        ("POST", "/advance", [1], "JSON object"),
        ("POST", "/fire", {"name": "nope"}, "submit_batches"),
        ("POST", "/fire", {"name": ["submit_batches"]}, "submit_batches"),
    ],
)
def test_bad_input_is_a_clear_400(dev: Dev, method: str, path: str, body: object, hint: str) -> None:
    """A wrong body is refused with what was expected, and moves nothing."""
    answer = dev.control(method, path, body)

    assert answer.status_code == 400
    assert hint in answer.json()["error"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(tmp_path: Path, stop: signal.Signals) -> None:
    """Ctrl-C and a kill end it with status 0, no port held, no temporary file kept."""
    with running(tmp_path) as dev:
        dev.process.send_signal(stop)
        _, errors = dev.process.communicate(timeout=120)

    assert dev.process.returncode == 0
    assert errors.splitlines() == ["stopped"]
    assert list(tmp_path.iterdir()) == []
    for port in dev.ports.values():
        assert free_port(port) == port


def test_an_unknown_firestore_is_one_line(tmp_path: Path) -> None:
    """A Firestore that is none ends it with one line, which lists those there are, and status 2."""
    with started(folder=tmp_path, FIRESTORE="mongo") as process:
        printed, errors = process.communicate(timeout=120)

    assert (process.returncode, printed) == (2, "")
    assert errors == "make dev: there is no Firestore 'mongo'; FIRESTORE can be auto, embedded, official\n"


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    """A port that was asked for and is in use ends it with one line that names the port."""
    with listen() as taken, started("--auth-port", str(taken.getsockname()[1]), folder=tmp_path) as process:
        port = taken.getsockname()[1]
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 2
    assert errors == f"make dev: port {port} is in use by another program\n"
