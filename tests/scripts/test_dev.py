"""`make dev`: the program a developer runs, as a process of its own."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.serving import free_port

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


def test_it_is_this_product(dev: Dev) -> None:
    """The functions are those of main.py, in the moved time, with the operators' schedules at hand."""
    status = dev.control("GET", "/status").json()
    assert "classify_image" in status["functions"]
    assert status["schedules"]["poll_batches"] == "*/5 * * * *"
    assert dev.line("export SCHEDULER_SERVICE_ACCOUNT").endswith("=scheduler@demo-ecolane.iam.gserviceaccount.com")
    assert "functions.wiring:install_clock" in dev.printed

    moved: dict[str, Any] = dev.control("POST", "/advance", {"minutes": 60}).json()
    assert moved["fired"]["submit_batches"] == 12
    assert moved["failed"] == []


def test_an_unknown_firestore_is_one_line(tmp_path: Path) -> None:
    """A Firestore that is none ends it with one line, which lists those there are, and status 2."""
    with started(folder=tmp_path, FIRESTORE="mongo") as process:
        printed, errors = process.communicate(timeout=120)

    assert (process.returncode, printed) == (2, "")
    assert errors == "make dev: there is no Firestore 'mongo'; FIRESTORE can be auto, embedded, official\n"
