"""`make test-install`: the local cloud as another project gets it, in an environment of its own. Needs PyPI."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path

import httpx
import pytest

from localcloud.serving import free_port

PACKAGE = Path(__file__).parents[2] / "localcloud"
OLD_PIP = "pip==23.0.1"
"""Debian 12's."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the package, pytest and nothing else, installed by an old pip."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    for words in ([OLD_PIP], [str(PACKAGE), "pytest"]):
        command = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *words]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603
        if ran.returncode and re.search(r"No matching distribution|Connection|Temporary failure", ran.stderr):
            pytest.skip(f"PyPI does not give {words[0]}: {ran.stderr.splitlines()[-1]}")
        assert ran.returncode == 0, ran.stderr
    return python


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A project that nobody here knows: a callable and a cron, which write to Firestore."""
    return shutil.copytree(PACKAGE / "docs" / "example", tmp_path / "example")


def alone(**more: str) -> dict[str, str]:
    """Return an environment in which nothing leads to this repository or to a real service."""
    hidden = re.compile(r"PYTHONPATH|VIRTUAL_ENV|OPENAI_.*|FIRESTORE.*|GOOGLE_.*")
    return {name: value for name, value in os.environ.items() if not hidden.fullmatch(name)} | more


def test_our_own_pip_builds_it_too(tmp_path: Path) -> None:
    """A new pip makes a wheel of the folder, of code alone, and leaves nothing behind in it."""
    before = {path for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts}
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(tmp_path), str(PACKAGE)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)  # noqa: S603
    if "No matching distribution" in ran.stderr:
        pytest.skip(f"PyPI does not give hatchling: {ran.stderr.splitlines()[-1]}")

    (wheel,) = tmp_path.glob("localcloud-*.whl")
    shutil.unpack_archive(wheel, tmp_path, "zip")
    installed = [path for path in (tmp_path / "localcloud").rglob("*") if path.is_file()]
    assert {path.suffix for path in installed} == {".py", ".typed"}
    assert not {"tests", "docs"} & {path.name for path in (tmp_path / "localcloud").iterdir()}
    assert {path for path in PACKAGE.rglob("*") if "__pycache__" not in path.parts} == before


def test_the_command_runs_the_project(python: Path, example: Path) -> None:
    """The project is up: its callable answers, an hour of cron passes, and Ctrl-C ends it."""
    ports = [word for part in ("functions", "control") for word in (f"--{part}-port", str(free_port()))]
    words = ["-m", "localcloud", "up", "--clock-hook", "main:use_clock", *ports]
    with subprocess.Popen(  # noqa: S603
        [str(python), *words], cwd=example, env=alone(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            printed = ""
            while "Ctrl-C" not in printed and (line := process.stdout.readline()):
                printed += line
            assert "Ctrl-C" in printed, process.communicate()
            functions, control = (f"http://127.0.0.1:{port}" for port in ports[1::2])
            call = httpx.post(f"{functions}/demo-local/us-central1/greet", json={"data": {"name": "Ada"}}, timeout=60)
            moved = httpx.post(f"{control}/advance", content=json.dumps({"minutes": 60}), timeout=60)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()

    assert call.json() == {"result": {"text": "Hello Ada", "times": 1}}
    assert (moved.json()["fired"], moved.json()["failed"]) == ({"forget": 1}, [])
    assert (process.returncode, errors) == (0, "stopped\n")


def test_pytest_has_the_fixtures(python: Path, example: Path) -> None:
    """The plugin is there without a word: the project's own tests pass."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(  # noqa: S603
        command, cwd=example, env=alone(), capture_output=True, text=True, check=False, timeout=600
    )

    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr
