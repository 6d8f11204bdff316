"""`make dev SUITE=official`: Google's emulators around this product, where Node and the Firebase CLI are installed."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from localcloud.serving import free_port
from scripts import firebase_cli

ROOT = Path(__file__).parents[2]
PARTS = ("functions", "firestore", "storage", "auth", "openai", "control")
TRIES = 10
LAST_LINE = "Ctrl-C stops everything."


@pytest.fixture
def dev(tmp_path: Path) -> Iterator["tuple[subprocess.Popen[str], str, dict[str, int]]"]:
    """The running program, what it has printed, and its ports."""
    missing = firebase_cli.whats_missing()
    if missing is None and not firebase_cli.CLI.exists():
        missing = "the Firebase CLI is not installed: npm ci --ignore-scripts --prefix tests/client"
    if missing is not None:
        pytest.skip(missing)
    ports = {part: free_port() for part in PARTS}
    options = [word for part, port in ports.items() for word in (f"--{part}-port", str(port))]
    hidden = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FIRESTORE")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "scripts.dev", "--verbose", "--suite", "official", *options],
        cwd=ROOT,
        env=inherited | {"TMPDIR": str(tmp_path), "COLUMNS": "300"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            printed = ""
            while LAST_LINE not in printed:
                line = process.stdout.readline()
                if not line:
                    pytest.fail(f"{printed}\n{process.communicate()[1]}")
                printed += line
            yield process, printed, ports
        finally:
            process.kill()


def test_googles_emulators_serve_this_product(
    dev: "tuple[subprocess.Popen[str], str, dict[str, int]]", tmp_path: Path
) -> None:
    """Each part is said with who serves it, a wallet is shown, a cron runs, and Ctrl-C leaves nothing behind."""
    process, printed, ports = dev
    lines = {words[1].strip(): words[2] for line in printed.splitlines() if len(words := line.split("│")) > 2}
    assert "Google's emulator, firebase-tools" in lines["Functions"]
    assert "Google's emulator" in lines["Auth"]
    assert ("official: " in lines["Firestore"]) or ("embedded: " in lines["Firestore"])
    assert "ours" in lines["Crons"]

    (curl,) = [line for line in printed.splitlines() if "/get_wallet " in line]
    for _ in range(TRIES):  # on a busy machine Java's first answers come later than a function waits for
        answer = json.loads(subprocess.run(shlex.split(curl), capture_output=True, text=True, check=True).stdout)  # noqa: S603
        if answer.get("error", {}).get("status") != "UNAVAILABLE":
            break
    assert answer["result"]["balance"] == 10

    control = f"http://127.0.0.1:{ports['control']}"
    fired = httpx.post(f"{control}/fire", json={"name": "submit_batches"}, timeout=120).json()
    assert (fired["name"], fired["status"]) == ("submit_batches", 200)
    moved = httpx.post(f"{control}/advance", json={"minutes": 5})
    assert (moved.status_code, "keeps the machine's time" in moved.json()["error"]) == (400, True)

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors.splitlines()[-1]) == (0, "stopped")
    assert list(tmp_path.iterdir()) == []
    assert [free_port(port) for port in ports.values()] == list(ports.values())
