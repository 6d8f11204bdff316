"""What of Google's emulators a machine has, and what is said where something is missing."""

import json
import shutil
from pathlib import Path

import pytest

from localcloud import firebase_suite
from localcloud.cloud import CloudSettings
from localcloud.firebase_suite import FirebaseSuite, find_storage
from localcloud.functions_process import FunctionsStartError
from localcloud.project import ProjectError
from localcloud.serving import free_port
from localcloud.suite_cloud import cloud_of


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Java 21 and an empty cache of the Firebase CLI, which is returned."""
    monkeypatch.setattr(firebase_suite, "find_java", lambda: (Path("java"), 21))
    monkeypatch.setenv("FIREBASE_EMULATORS_PATH", str(tmp_path))
    return tmp_path


def test_googles_storage_is_taken_where_its_runtime_is(java: Path) -> None:
    """With Java 21 and the runtime of its rules, the newest of them."""
    for version in ("1.1.2", "1.1.3"):
        (java / f"cloud-storage-rules-runtime-v{version}.jar").touch()

    assert find_storage() == (java / "cloud-storage-rules-runtime-v1.1.3.jar", "with Java 21")


def test_the_reason_against_googles_storage_is_said(java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the runtime, the command that downloads it; without Java, which one is needed."""
    assert find_storage() == (
        None,
        f"Google's rules runtime is not in {java}; firebase setup:emulators:storage fetches it",
    )

    monkeypatch.setattr(firebase_suite, "find_java", lambda: (Path("java"), 17))
    assert find_storage() == (None, "Google's needs Java 21, found 17")


def test_a_suite_that_is_none_is_one_line(sample: Path) -> None:
    """A misspelt suite is answered with those there are."""
    with pytest.raises(ProjectError, match="there is no suite 'google'; SUITE can be official, running"):
        cloud_of(CloudSettings.of(sample, suite="google"))


def test_without_the_cli_it_says_so(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official suite needs the command `firebase`, and the message says how to get it."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    cloud = cloud_of(CloudSettings.of(sample, suite="official"))

    with pytest.raises(ProjectError, match="npm install -g firebase-tools"), cloud:
        pass


def test_the_running_suite_is_looked_for_at_its_projects_port(sample: Path) -> None:
    """The port of the hub in firebase.json is asked, and an empty one is one line."""
    port = free_port()
    cloud = cloud_of(CloudSettings.of(sample, suite="running", usual_ports={"hub": port}))

    with pytest.raises(ProjectError, match=f"no Firebase Emulator Suite answers at 127.0.0.1:{port}"), cloud:
        pass


def test_a_cli_that_does_not_start_is_quoted(sample: Path, tmp_path: Path) -> None:
    """What it printed last is the message, it got a copy of the project with the params, and nothing is left."""
    (sample / "firebase.json").write_text(json.dumps({"functions": {"source": "."}}))
    (sample / ".env.local").write_text("OWN=setting\n")
    cli = tmp_path / "firebase"
    cli.write_text("#!/bin/sh\npwd\nls -A\ncat .env.local .secret.local firebase.json\nexit 3\n")
    cli.chmod(0o755)
    suite = FirebaseSuite(cli, sample, {}, ({"GREETING": "hello"}, {"KEY": "stand-in"}), project="demo-sample")

    with pytest.raises(FunctionsStartError) as ended:
        suite.start()

    told = str(ended.value)
    assert "the Firebase emulators did not start; their last lines:" in told
    for words in ("main.py", "venv", "GREETING=hello", "KEY=stand-in", '"singleProjectMode": true'):
        assert words in told
    assert "OWN=setting" not in told
    assert not Path(told.splitlines()[1]).exists()
