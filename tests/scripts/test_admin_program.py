"""The operators' command started as a program, over the wire: the ways to start it, and what it says when it cannot."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud
from localcloud.serving import free_port
from scripts.operators import session
from scripts.operators.session import deployed_params
from tests.app import App

ROOT = Path(__file__).resolve().parents[2]
FILE = ("scripts/admin.py",)
MODULE = ("-m", "scripts.admin")
GOOGLES = ("GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT", "FIRESTORE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS")


def run(start: tuple[str, ...], *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program with nothing of Google's in its environment but this."""
    clean = {name: value for name, value in os.environ.items() if name not in GOOGLES}
    command = [sys.executable, *start, *arguments]
    return subprocess.run(  # noqa: S603  (our own interpreter and arguments)
        command, cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("start", [FILE, MODULE], ids=["file", "module"])
def test_it_shows_and_changes_what_the_functions_see(app: App, start: tuple[str, ...]) -> None:
    """Against the running cloud, as a file and as a module: a grant is in the app's wallet at once."""
    app.call("get_wallet")
    granted = run(
        start, "grant", app.user.uid, "7", "--why", "welcome back", "--yes", "--json", **app.cloud.environment
    )
    assert json.loads(granted.stdout)["posted"] is True, granted.stderr
    assert app.statement()[-1] == ("grant", 7, 17)
    assert app.call("list_ledger")["entries"][0]["detail"]["why"] == "welcome back"


def test_it_lives_in_the_clouds_moved_time(cloud: LocalCloud) -> None:
    """Where the clock was moved, the command's day is the functions', and crons that ran then are not late."""
    cloud.advance(timedelta(minutes=15))
    status = json.loads(run(MODULE, "status", "--json", **cloud.environment).stdout)
    states = {name: row["state"] for name, row in status["crons"].items()}
    ran = cloud.firestore_client().document("stats/crons").get().get("runs")
    assert states == {name: "ok" if name in ran else "never" for name in states}
    seldom = {"plan_ahead", "rank_users"}  # once a day, at 00:20, and once an hour, at ten past
    assert {name for name in states if name not in ran} <= seldom
    assert json.loads(run(MODULE, "budget", "--json", **cloud.environment).stdout)["day"] == f"{cloud.clock():%Y-%m-%d}"


def test_without_a_project_it_says_which_option_is_missing() -> None:
    """Status 2, as for any command that is wrong."""
    result = run(MODULE, "status")
    assert result.returncode == 2
    assert "--project" in result.stderr


def test_without_credentials_it_says_how_to_get_them(tmp_path: Path) -> None:
    """One line, and no traceback."""
    home = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "NO_GCE_CHECK": "true"}
    result = run(MODULE, "status", "--project", "some-project", **home)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "gcloud auth application-default login" in result.stderr


def test_without_firestore_it_says_so(cloud: LocalCloud) -> None:
    """Within its limit, in one line that names the project."""
    nowhere = {**cloud.environment, "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{free_port(0)}"}
    result = run(MODULE, "user", "ann", **nowhere)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert result.stderr.startswith(f"admin: Firestore of {cloud.project}: ")


def test_a_project_that_takes_prices_from_remote_config_is_asked_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sees the prices that the functions see: the Admin SDK is connected where the deploy says so."""
    connected: list[bool] = []
    monkeypatch.setattr(session, "connect_firebase", lambda: connected.append(True))
    for name in ("GCLOUD_PROJECT", "REMOTE_CONFIG"):
        monkeypatch.setenv(name, "false")
    session.connect("demo-one")
    assert connected == []
    monkeypatch.setenv("REMOTE_CONFIG", "true")
    assert session.connect("demo-two").settings.project == "demo-two"
    assert connected == [True]


def test_params_come_from_where_the_deploy_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that figures depend on, the project's own before the common ones."""
    common = "OPENAI_MODEL=gpt-5-nano\nREMOTE_CONFIG=true\n"  # pragma: allowlist secret (settings)
    (tmp_path / ".env").write_text(common, encoding="utf-8")
    (tmp_path / ".env.mine").write_text(
        '# a comment\nREGION=us-central1\nOPENAI_MODEL="gpt-4o-mini"\n', encoding="utf-8"
    )
    monkeypatch.setattr(session, "_ROOT", tmp_path)
    assert deployed_params("mine") == {"OPENAI_MODEL": "gpt-4o-mini", "REMOTE_CONFIG": "true"}
    assert deployed_params("other")["OPENAI_MODEL"] == "gpt-5-nano"
    monkeypatch.setattr(session, "_ROOT", tmp_path / "empty")
    assert deployed_params("other") == {}
