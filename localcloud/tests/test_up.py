"""`localcloud up`: the program a developer runs in a project's folder, as a process of its own."""

import json
import os
import random
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import localcloud
from localcloud.project import FirebaseProject, read_project
from localcloud.serving import PortTakenError, free_port, listen

ROOT = Path(__file__).resolve().parents[2]  # the folder that localcloud is imported from
START = [sys.executable, "-m", "localcloud", "up"]
WIRED = [
    "--clock-hook",
    "sample_clock:install",
    "--openai-webhook",
    "inspect",
    "--anthropic",
    "--azure",
    "photos=gpt-6-luna",
]
PARTS = ("functions", "firestore", "storage", "auth", "openai", "anthropic", "azure", "control")
LAST_LINE = "Ctrl-C stops everything."


@dataclass
class Up:
    """A running `localcloud up`: the ports it was given, and what it has printed."""

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


def quiet_port() -> int:
    """Return a free port that nobody gets who takes any, as clients beside us do: Linux deals those from 32768 on."""
    while True:
        with suppress(PortTakenError):
            return free_port(random.randrange(20_000, 32_000))  # noqa: S311  (no secret)


@contextmanager
def running(sample: Path, folder: Path) -> Iterator[Up]:
    """Start it for the sample on free ports, with its temporary files under `folder`."""
    ports = {part: quiet_port() for part in PARTS}
    words = (word for part in PARTS for word in (f"--{part}-port", str(ports[part])))
    with started(sample, *WIRED, *words, folder=folder) as process:
        up = Up(process, ports)
        up.wait_until_it_runs()
        yield up


@contextmanager
def started(sample: Path, *options: str, folder: Path, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the program in the sample's folder. Whatever becomes of the test, it ends, and its pipes are closed."""
    hidden = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FIRESTORE")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    with subprocess.Popen(  # noqa: S603
        [*START, *options],
        cwd=sample,
        env=inherited | environment | {"TMPDIR": str(folder), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


EMPTY_FILE = Path(localcloud.__file__).with_name("py.typed")


@pytest.fixture(scope="module")
def up(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running `localcloud up`."""
    with running(sample, tmp_path_factory.mktemp("up")) as up:
        yield up
        up.process.send_signal(signal.SIGINT)
        up.process.communicate(timeout=120)


def test_a_function_answers_in_the_moved_time(up: Up) -> None:
    """The address printed is a function's, which lives by the clock that the buttons move."""
    url = up.line("│ Functions").split()[3].removesuffix("NAME")
    up.control("POST", "/advance", {"minutes": 60})

    now = datetime.fromisoformat(httpx.get(f"{url}inspect").json()["now"])

    assert now - datetime.now(UTC) > timedelta(minutes=59)


def test_it_says_which_firestore_it_uses_and_why(up: Up) -> None:
    """The table names the Firestore and the reason for it."""
    assert f"127.0.0.1:{up.ports['firestore']} (embedded: the default" in up.printed


def test_the_ports_asked_for_are_taken(up: Up) -> None:
    """Each part listens where it was told to."""
    for port in up.ports.values():
        socket.create_connection(("127.0.0.1", port), timeout=60).close()


def test_the_exports_point_a_client_at_the_cloud(up: Up) -> None:
    """The printed environment is ready for a shell."""
    assert up.line("export FIRESTORE_EMULATOR_HOST") == (
        f"export FIRESTORE_EMULATOR_HOST=127.0.0.1:{up.ports['firestore']}"
    )
    config = shlex.split(up.line("export FIREBASE_CONFIG"))[1].partition("=")[2]
    assert json.loads(config)["projectId"] == "demo-local"


def test_advance_moves_the_clock_and_fires_cron(up: Up) -> None:
    """An hour forward fires what is due every five minutes twelve times and tells what failed: nothing."""
    before = datetime.fromisoformat(up.control("GET", "/status").json()["now"])

    moved: dict[str, Any] = up.control("POST", "/advance", {"minutes": 60}).json()

    assert moved["fired"]["every_five"] == 12
    assert moved["failed"] == []
    assert datetime.fromisoformat(moved["now"]) >= before + timedelta(minutes=60)


def test_fire_runs_one_scheduled_function(up: Up) -> None:
    """A function fired by name answers with its status."""
    fired = up.control("POST", "/fire", {"name": "every_five"}).json()

    assert (fired["name"], fired["status"]) == ("every_five", 200)


def test_status_shows_what_runs(up: Up) -> None:
    """The status names schedules, functions, Firestore and who answers for OpenAI, Anthropic and Azure."""
    status = up.control("GET", "/status").json()

    assert status["schedules"]["every_five"] == "*/5 * * * *"
    assert "echo" in status["functions"]
    assert status["firestore"]["kind"] == "embedded"
    assert [status[each] for each in ("openai", "anthropic", "azure")] == ["stand-in"] * 3
    assert f"http://127.0.0.1:{up.ports['anthropic']} (stand-in)" in up.printed
    assert f"http://127.0.0.1:{up.ports['azure']}/openai/v1 (stand-in)" in up.printed
    assert status["nextTick"] > status["now"]


@pytest.mark.parametrize(
    ("method", "path", "body", "hint"),
    [
        ("POST", "/advance", {"minutes": -5}, "minutes"),
        ("POST", "/advance", {"minutes": "ten"}, "minutes"),
        ("POST", "/advance", {"minutes": True}, "minutes"),
        ("POST", "/advance", {"minutes": 1e9}, "at most"),
        ("POST", "/advance", [1], "JSON object"),
        ("POST", "/fire", {"name": "nope"}, "every_five"),
        ("POST", "/fire", {"name": ["every_five"]}, "every_five"),
    ],
)
def test_bad_input_is_a_clear_400(up: Up, method: str, path: str, body: object, hint: str) -> None:
    """A wrong body is refused with what was expected, and moves nothing."""
    answer = up.control(method, path, body)

    assert answer.status_code == 400
    assert hint in answer.json()["error"]


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(sample: Path, tmp_path: Path, stop: signal.Signals) -> None:
    """Ctrl-C and a kill end it with status 0, no port held, no temporary file kept."""
    with running(sample, tmp_path) as up:
        up.process.send_signal(stop)
        _, errors = up.process.communicate(timeout=120)

    assert up.process.returncode == 0
    assert errors.splitlines() == ["stopped"]
    assert list(tmp_path.iterdir()) == []
    for port in up.ports.values():
        assert free_port(port) == port


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--firestore", "mongo"], "there is no Firestore 'mongo'; FIRESTORE can be auto, embedded, official"),
        (["--answers", "nowhere:answers"], "nowhere:answers: No module named 'nowhere'"),
        (
            ["--storage-rules", str(EMPTY_FILE)],
            f"{EMPTY_FILE}:1:1: the file must begin with rules_version = '2'; other versions are not supported",
        ),
        (
            ["--rules", str(EMPTY_FILE)],
            f"{EMPTY_FILE}:1:1: the file must begin with rules_version = '2'; other versions are not supported",
        ),
    ],
)
def test_what_is_not_there_is_one_line(sample: Path, tmp_path: Path, options: list[str], message: str) -> None:
    """What cannot be had ends it with status 2 and one line that says so."""
    with started(sample, *options, folder=tmp_path) as process:
        printed, errors = process.communicate(timeout=120)

    assert (process.returncode, printed) == (2, "")
    assert errors == f"localcloud up: {message}\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "{}/firebase.json is missing: start where it is, or make one by firebase init"),
        ({"firebase.json": "{"}, "{}/firebase.json is no JSON: Expecting property name"),
        ({"firebase.json": "{}"}, "{}/functions/main.py is missing (the functions)"),
        (
            {"firebase.json": '{"functions": [{"runtime": "nodejs22"}]}'},
            "{}/firebase.json: the functions' runtime is nodejs22, and this serves Python",
        ),
        (
            {"firebase.json": '{"functions": {"source": "."}, "firestore": {"indexes": "i.json"}}', "main.py": ""},
            "{}/i.json is missing (named in firebase.json)",
        ),
    ],
    ids=["nothing", "no JSON", "no functions", "no Python", "no indexes"],
)
def test_what_a_project_lacks_is_one_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """A folder that is no project ends it with status 2 and one line that names the file."""
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with started(tmp_path, folder=tmp_path) as process:
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 2
    assert errors.startswith(f"localcloud up: {message.format(tmp_path)}")
    assert errors.count("\n") == 1


def test_a_project_says_what_it_is(tmp_path: Path) -> None:
    """The id is that of .firebaserc; functions, rules, indexes and ports are those of firebase.json."""
    (tmp_path / ".firebaserc").write_text('{"projects": {"default": "demo-mine"}}')
    named = {
        "functions": [{"source": "backend", "runtime": "python312"}],
        "firestore": {"rules": "f.rules", "indexes": "i.json"},
        "storage": [{"rules": "s.rules"}],
        "emulators": {"functions": {"port": 5002}, "ui": {"enabled": False}, "singleProjectMode": True},
    }
    (tmp_path / "backend").mkdir()
    for name in ("backend/main.py", "f.rules", "i.json", "s.rules"):
        (tmp_path / name).touch()
    (tmp_path / "firebase.json").write_text(json.dumps(named))

    assert read_project(tmp_path) == FirebaseProject(
        "demo-mine",
        tmp_path / "backend/main.py",
        tmp_path / "i.json",
        tmp_path / "f.rules",
        tmp_path / "s.rules",
        None,
        {"functions": 5002},
    )


@pytest.mark.parametrize(("words", "status"), [([], 2), (["down"], 2), (["--help"], 0)])
def test_the_command_says_what_there_is(words: list[str], status: int) -> None:
    """Without a command that there is, the usage is printed."""
    ran = subprocess.run([*START[:-1], *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603

    assert ran.returncode == status
    assert "localcloud up" in (ran.stdout if status == 0 else ran.stderr)


def test_a_taken_port_is_one_line(sample: Path, tmp_path: Path) -> None:
    """A port that was asked for and is in use ends it with one line that names the port."""
    with listen() as taken:
        port = taken.getsockname()[1]
        with started(sample, "--auth-port", str(port), folder=tmp_path) as process:
            _, errors = process.communicate(timeout=120)

    assert process.returncode == 2
    assert errors == f"localcloud up: port {port} is in use by another program\n"
