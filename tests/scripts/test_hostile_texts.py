"""What others wrote reaches an operator's terminal, JSON and CSV, and does nothing there."""

import csv
import json
import unicodedata
from datetime import timedelta
from io import StringIO

import pytest

from functions.core.shared.dead_letters import DeadLetter
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from scripts.operators.repairs_by_hand import AuditEntry
from tests.scripts.test_admin import Run, balance, classify, cloud, run

__all__ = ["cloud", "run"]  # fixtures

EVIL = "x\x1b]0;owned\x07\x9b31m\x9d52;c;ZXZpbA==\x9c\u202e[red]\x7f\r"
"""A title, a colour and a clipboard in both spellings, a text that runs backwards, markup, a line begun anew."""

UID = "=cmd\x9b2J\u202e"


@pytest.fixture
def hostile(cloud: InProcessCloud) -> str:
    """A cloud with this in every place that a command shows. Returns a job."""
    balance(cloud, UID)
    job = classify(cloud, "photo-one", uid=UID)
    store, now = cloud.client, cloud.clock()
    error = {"code": EVIL, "message": EVIL}
    store.document(f"aiJobs/{job}").update({"status": "failed", "error": error, "imagePath": EVIL, "completedAt": now})
    audit = AuditEntry(audit_id="1", action=EVIL, target=EVIL, by=EVIL, why=EVIL, at=now)
    cloud.operator().store.record(audit)
    alert = {"kind": EVIL, "day": now.date().isoformat(), "text": EVIL, "createdAt": now, "dueAt": None}
    store.document("alerts/evil").set({**alert, "attempts": 1, "expireAt": now})
    letter = DeadLetter(
        letter_id="evil", kind="refresh", path=EVIL, uid=UID, reason=EVIL, at=now, expire_at=now + timedelta(days=1)
    )
    store.document(f"deadLetters/{letter.letter_id}").set(letter.model_dump(by_alias=True, exclude={"letter_id"}))
    store.document("batches/evil").set({"state": EVIL, "createdAt": EVIL})
    book = {"reviewedAt": now, "usersAt": now, "users": {UID: 7, "-1+1": 5, "@SUM(A1)": 3}}
    store.document(f"budget/{now.date().isoformat()}").set(book)
    return job


COMMANDS = [
    ["status"],
    ["user", UID],
    ["job", "JOB"],
    ["find", UID],
    ["find", EVIL],
    ["letters", "list"],
    ["config", "history"],
    ["config", "set", f"budget.alertUids={EVIL}"],
    ["costs", "--users"],
    ["batches"],
    ["batches", EVIL],
    ["grant", UID, "5", "--why", EVIL, "--yes"],
    ["block", UID, "--why", EVIL, "--yes"],
    ["unblock", UID, "--why", EVIL, "--yes"],
    ["set-plan", UID, "plus", "--why", EVIL, "--yes"],
    ["repair", UID, "--why", EVIL, "--yes"],
]


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["terminal", "json"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: "-".join(words[:2]).encode("unicode_escape").decode())
def test_no_command_prints_what_a_terminal_obeys(hostile: str, run: Run, command: list[str], form: list[str]) -> None:
    """No control character but the end of a line, and none that turns the direction, wherever it was written."""
    done = run(*[hostile if word == "JOB" else word for word in command], *form)
    assert not isinstance(done.exception, Exception), done.exception
    obeyed = {each for each in done.output if unicodedata.category(each).startswith("C")} - {"\n"}
    assert obeyed == set(), done.output


def test_json_is_what_was_stored(hostile: str, run: Run) -> None:
    """Escaped and not changed: a program finds the user."""
    assert json.loads(run("user", UID, "--json").stdout)["uid"] == UID


def test_a_spreadsheet_calculates_nothing(hostile: str, run: Run) -> None:
    """A cell that would begin a formula is a text."""
    rows = list(csv.DictReader(StringIO(run("costs", "--users", "--csv").stdout)))
    users = {row["user"] for row in rows}
    assert {"'=cmd2J", "'-1+1", "'@SUM(A1)"} <= users
    assert all(row["micros"].lstrip("-").isdigit() for row in rows)


def test_an_error_of_googles_is_printed_without_controls(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may quote what somebody sent."""

    def refuse(_project: str) -> None:
        raise session.RefusedError(EVIL)

    monkeypatch.setattr(session, "connect", refuse)
    told = run("status")
    assert (told.exit_code, told.stderr.strip()) == (1, "admin: x]0;owned31m52;c;ZXZpbA==[red]")
