"""The audit of dependencies: what it says when PyPI says something, and when it does not."""

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from scripts.audit import audit

GOOD = {"name": "pillow", "version": "13.0.0", "vulns": []}
BAD = {"name": "flask", "version": "3.1.3", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.4"]}]}
UNASKED = {"name": "openai", "version": "3.52.0", "skip_reason": "Dependency not found on PyPI"}


def told(monkeypatch: pytest.MonkeyPatch, printed: str, *options: str) -> tuple[int, str]:
    """Run the audit over what pip-audit printed. Returns the status and what was said."""
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=printed, stderr="so\nno network", returncode=1)
    )
    app = typer.Typer()
    app.command()(audit)
    ran = CliRunner().invoke(app, options)
    return ran.exit_code, ran.output


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        ([GOOD], 0, "clean: no known vulnerability in 1 packages"),
        ([GOOD, BAD], 1, "flask 3.1.3: PYSEC-1, fixed in ['3.1.4']"),
        ([BAD, UNASKED], 1, "PYSEC-1"),
        ([GOOD, UNASKED], 2, "not audited: PyPI's advisories were not available for 1 of 2 packages"),
        ([], 2, "not audited"),
    ],
)
def test_the_audit_says_what_it_knows(
    monkeypatch: pytest.MonkeyPatch, found: list[dict[str, Any]], status: int, words: str
) -> None:
    """Clean only if each package was looked up; a vulnerability is named with its mend; ignorance is an error."""
    assert told(monkeypatch, json.dumps({"dependencies": found}))[0] == status
    assert words in told(monkeypatch, json.dumps({"dependencies": found}))[1]


@pytest.mark.parametrize("printed", ["", "ConnectionError", "[]"])
def test_an_audit_that_could_not_ask_is_no_clean_one(monkeypatch: pytest.MonkeyPatch, printed: str) -> None:
    """Without a network it ends with 2; where that is expected it says that it was skipped."""
    status, said = told(monkeypatch, printed)
    assert status == 2
    assert said.endswith("; no network\n")
    status, said = told(monkeypatch, printed, "--if-missing", "skip")
    assert (status, said.startswith("skipped: not audited")) == (0, True)


def test_a_vulnerability_is_never_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known counts, whatever else is not."""
    assert told(monkeypatch, json.dumps({"dependencies": [BAD, UNASKED]}), "--if-missing", "skip")[0] == 1
