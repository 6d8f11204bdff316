"""`make test-client` itself: what it says where it cannot run, and that a failing test fails it."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from scripts import client_test, firebase_cli
from scripts.client_test import client_test as command

NODE = shutil.which("node")


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has everything, with nothing to install and nothing to start."""
    monkeypatch.setattr(client_test, "whats_missing", lambda: None)
    monkeypatch.setattr(firebase_cli, "install", lambda: None)
    monkeypatch.setattr(client_test, "start", lambda _stack: ({}, Path(os.devnull)))


def status(**options: Any) -> int:
    """Run the command and return its exit status."""
    with pytest.raises(typer.Exit) as ended:
        command(**options)
    return ended.value.exit_code


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize(("assertion", "expected"), [("1, 1", 0), ("1, 2", 1)])
def test_a_failing_assertion_fails_the_command(
    ready: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, assertion: str, expected: int
) -> None:
    """The status is the test's: 0 only if every assertion holds."""
    imports = 'import assert from "node:assert"; import { test } from "node:test";'
    (tmp_path / "client.test.mjs").write_text(f'{imports} test("t", () => assert.equal({assertion}));')
    monkeypatch.setattr(firebase_cli, "CLIENT", tmp_path)

    assert status(if_missing="fail") == expected


@pytest.mark.parametrize(("if_missing", "expected"), [("fail", 2), ("skip", 0)])
def test_what_is_missing_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], if_missing: str, expected: int
) -> None:
    """Without Java the reason and the remedy are named; it is a failure unless the caller has asked for a skip."""
    monkeypatch.setattr(
        client_test, "find_official", lambda: (None, "Google's emulator needs Java, and none was found.")
    )
    monkeypatch.setattr(shutil, "which", lambda name: NODE if name == "node" else f"/usr/bin/{name}")
    if NODE is None:
        pytest.skip("Node is not installed")

    assert status(if_missing=if_missing) == expected

    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "needs Java" in told[0]
    assert "install Java 21" in told[0]
    assert ("skipped" in told[0]) == (if_missing == "skip")


def test_without_node_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A machine without Node is told which one is needed."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)

    assert status(if_missing="fail") == 2
    assert "Node 20 or newer with npm is needed (found: none)" in capsys.readouterr().err


def test_an_unknown_wish_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt IF_MISSING is no skip."""
    assert status(if_missing="ignore") == 2
    assert "fail or skip, not 'ignore'" in capsys.readouterr().err


@pytest.fixture
def npm_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Have npm fail with what is given, on a machine that has not installed the packages."""
    (tmp_path / "package-lock.json").write_text("{}")
    monkeypatch.setattr(firebase_cli, "CLIENT", tmp_path)
    monkeypatch.setattr(client_test, "whats_missing", lambda: None)

    def fail(told: str) -> None:
        failed = subprocess.CompletedProcess([], 1, stderr=told)
        monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: failed)

    return fail


def test_npm_speaks_for_itself_when_it_fails(
    npm_fails: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What npm says is the message, nothing counts as installed, and a skip is no answer to it."""
    npm_fails("npm error code EINTEGRITY\n")

    assert status(if_missing="skip") == 1
    assert "EINTEGRITY" in capsys.readouterr().err
    assert not (tmp_path / "node_modules" / ".installed").exists()


@pytest.mark.parametrize(("if_missing", "expected"), [("fail", 2), ("skip", 0)])
def test_without_a_network_it_says_so(
    npm_fails: Callable[[str], None], capsys: pytest.CaptureFixture[str], if_missing: str, expected: int
) -> None:
    """A registry that cannot be reached is something missing."""
    npm_fails("npm error code ENOTFOUND\nnpm error network request to https://registry.npmjs.org failed\n")

    assert status(if_missing=if_missing) == expected
    assert "ENOTFOUND" in capsys.readouterr().err
