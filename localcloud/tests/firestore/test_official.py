"""Google's emulator is found wherever it is, started on a free port, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from localcloud.firestore import FirestoreServer, OfficialFirestore, find_official, official
from localcloud.firestore.official import HOST_VARIABLE
from localcloud.tests.firestore.support import close, connect

JAR = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which nothing is installed but a Java 17; returns its home directory."""
    for name in (HOST_VARIABLE, "CLOUDSDK_ROOT_DIR", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    executables = tmp_path / "bin"
    executables.mkdir()
    java = executables / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"17.0.1\"' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(executables))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(official, "_SDK_PLACES", ("~/google-cloud-sdk",))
    return tmp_path


def touch(path: Path) -> None:
    """Make an empty file and its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_nothing_found_says_what_is_missing(nowhere: Path) -> None:
    """Without a jar the reason names both places looked at."""
    install, reason = find_official()
    assert install is None
    assert "gcloud component" in reason
    assert "firebase-tools" in reason


def test_without_java_the_reason_is_java(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Java the reason says so."""
    monkeypatch.setenv("PATH", str(nowhere))
    assert find_official() == (None, "Google's emulator needs Java, and none was found (JAVA_HOME, PATH).")


@pytest.mark.parametrize("place", ["usual", "variable", "executable"])
def test_the_gcloud_component_is_found(nowhere: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """The component is found in the usual place, by CLOUDSDK_ROOT_DIR, and beside the gcloud on the path."""
    root = nowhere / ("google-cloud-sdk" if place == "usual" else "elsewhere")
    touch(root / JAR)
    if place == "variable":
        monkeypatch.setenv("CLOUDSDK_ROOT_DIR", str(root))
    if place == "executable":
        touch(root / "bin" / "gcloud")
        (root / "bin" / "gcloud").chmod(0o755)
        (nowhere / "bin" / "gcloud").symlink_to(root / "bin" / "gcloud")
    install, reason = find_official()
    assert install is not None
    assert install.jar == root / JAR
    assert "Java 17" in reason


def test_the_jar_of_firebase_tools_needs_java_21(nowhere: Path) -> None:
    """The newest cached jar is used with Java 21 and refused with Java 17, saying why."""
    cache = nowhere / ".cache/firebase/emulators"
    for version in ("1.9.1", "1.19.8"):
        touch(cache / f"cloud-firestore-emulator-v{version}.jar")
    assert find_official() == (None, "the jar of firebase-tools needs Java 21, found 17")
    java = nowhere / "bin/java"
    java.write_text(java.read_text().replace("17.0.1", "21.0.2"))
    install, _ = find_official()
    assert install is not None
    assert install.jar == cache / "cloud-firestore-emulator-v1.19.8.jar"


def test_our_own_server_is_not_taken_for_the_official_one(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIRESTORE_EMULATOR_HOST that names the embedded server, or nothing at all, is not Google's emulator."""
    server = FirestoreServer()
    server.start()
    for host in (server.host, "127.0.0.1:1"):
        monkeypatch.setenv(HOST_VARIABLE, host)
        assert find_official()[0] is None
    server.stop()


def test_a_running_one_is_used_and_left_running(official_host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIRESTORE_EMULATOR_HOST wins, and stopping does not end what we did not start."""
    monkeypatch.setenv(HOST_VARIABLE, official_host)
    found = OfficialFirestore()
    found.start()
    assert found.host == official_host
    found.stop()
    assert find_official()[0] is not None


def processes_of(port: str) -> list[int]:
    """Return the processes that were started for a port."""
    listed = subprocess.run(["ps", "-eww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout  # noqa: S607
    return [int(line.split()[0]) for line in listed.splitlines() if f"--port {port}" in line]


def wait_for_none(port: str) -> bool:
    """Tell whether all processes of a port are gone soon."""
    deadline = time.monotonic() + 60
    while processes_of(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes_of(port)


def test_it_serves_with_rules_and_leaves_no_process(official_host: str, tmp_path: Path) -> None:
    """The emulator serves with a rules file and is gone after stop."""
    rules = tmp_path / "firestore.rules"
    rules.write_text(
        "rules_version = '2'; service cloud.firestore { match /databases/{d}/documents/{p=**} { allow read; } }"
    )
    one = OfficialFirestore(rules=rules)
    one.start()
    client = connect(one.host)
    client.document("a/b").set({"n": 1})
    assert client.document("a/b").get().exists
    close(client)
    port = one.host.rpartition(":")[2]
    assert processes_of(port)
    one.stop()
    assert processes_of(port) == []


def test_it_does_not_outlive_a_parent_that_is_killed(official_host: str) -> None:
    """Even when the process that started it is killed outright, the emulator ends."""
    script = """
        from localcloud.firestore import OfficialFirestore
        one = OfficialFirestore()
        one.start()
        print(one.host, flush=True)
        input()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as parent:  # noqa: S603
        assert parent.stdout is not None
        port = parent.stdout.readline().strip().rpartition(":")[2]
        assert processes_of(port)
        os.kill(parent.pid, signal.SIGKILL)
    assert wait_for_none(port)


def test_a_failing_start_says_why(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Java that ends at once makes start fail with what it said."""
    touch(nowhere / "google-cloud-sdk" / JAR)
    java = nowhere / "bin/java"
    java.write_text(f"{java.read_text()}echo 'no memory today' >&2\nexit 1\n")
    with pytest.raises(RuntimeError, match="no memory today"):
        OfficialFirestore().start()
