"""The example of the README, as a project of its own: with pytest's fixtures, and drawn by the command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

PACKAGE = Path(__file__).resolve().parents[1]


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example, which is nobody's subfolder."""
    return shutil.copytree(PACKAGE / "docs" / "example", tmp_path / "example")


def run(example: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in the example's folder, with an OpenAI key that nobody may use."""
    environment = {"PYTHONPATH": str(PACKAGE.parent), "OPENAI_API_KEY": "a real one", "COLUMNS": "100"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(  # noqa: S603
        command, cwd=example, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_the_fixtures_serve_the_example(example: Path) -> None:
    """Its tests pass: a call, a cron in moved time, documents that end with their test, no real model asked."""
    ran = run(example, "pytest", "-q", "-p", "localcloud.pytest_plugin", "-W", "error")

    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_plugin_says_what_is_missing(example: Path) -> None:
    """A project without a stand-in learns that from the test that asks for it, a folder that is none from any."""
    conftest = example / "conftest.py"
    conftest.write_text(conftest.read_text().replace('openai="standin"', 'openai="none"'))
    assert "openai='standin' does" in run(example, "pytest", "-q", "-p", "localcloud.pytest_plugin").stdout

    (example / "firebase.json").unlink()
    assert "firebase.json is missing" in run(example, "pytest", "-q", "-p", "localcloud.pytest_plugin").stdout


def test_the_readmes_picture_is_the_commands_own(example: Path) -> None:
    """The command draws what it prints as an SVG that fetches nothing, and stops."""
    words = ["--picture", "up.svg", "--clock-hook", "main:use_clock", "--no-openai"]
    ran = run(example, "localcloud", "up", *words)

    assert ran.returncode == 0, ran.stderr
    drawn = ET.parse(example / "up.svg")  # noqa: S314  (made a moment ago)
    text = "".join(drawn.getroot().itertext()).replace("\xa0", " ")
    for word in ("greet, forget", "main:use_clock", "curl -s", "Ctrl-C"):
        assert word in text
    assert "@font-face" not in text
