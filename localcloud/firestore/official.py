"""Google's own Firestore emulator: found wherever it is, started with our rules, stopped without a trace."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import IO

from localcloud.serving import unhurried

HOST_VARIABLE = "FIRESTORE_EMULATOR_HOST"
START_SECONDS_MAX = 60.0

_JAR_IN_SDK = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
_MAIN_CLASS = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
_SDK_PLACES = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
    "~/google-cloud-sdk",
)
_JAVA_FOR_SDK, _JAVA_FOR_FIREBASE = 11, 21


@dataclass(frozen=True, slots=True)
class OfficialInstall:
    """How Google's emulator can be had: as a server that is running already, or as a jar to start."""

    how: str
    running_host: str | None = None
    java: Path | None = None
    jar: Path | None = None


def find_official() -> tuple[OfficialInstall | None, str]:
    """Look for Google's emulator: a running one, the gcloud component, the cache of firebase-tools, in this order.

    Returns:
        What was found, or None, and one sentence that says how or why not.
    """
    host = os.environ.get(HOST_VARIABLE)
    if host and _serves(host):
        how = f"{HOST_VARIABLE} names a running one at {host}"
        return OfficialInstall(how, running_host=host), how
    java, version = find_java()
    if java is None:
        return None, "Google's emulator needs Java, and none was found (JAVA_HOME, PATH)."
    reasons: dict[str, None] = {}  # several old jars give one reason
    for origin, jar, needed in _jars():
        if version >= needed:
            how = f"{origin} at {jar}, with Java {version}"
            return OfficialInstall(how, java=java, jar=jar), how
        reasons[f"{origin} needs Java {needed}, found {version}"] = None
    if reasons:
        return None, "; ".join(reasons)
    return None, "neither the gcloud component cloud-firestore-emulator nor a jar of firebase-tools was found"


class OfficialFirestore:
    """Google's emulator as a process of ours, or the running one that FIRESTORE_EMULATOR_HOST names.

    Args:
        rules: security rules to enforce for client SDKs; None allows everything.
        port: on 127.0.0.1; 0 picks a free one.
        install: what to start or use; None looks for it.
    """

    def __init__(self, rules: Path | None = None, port: int = 0, install: OfficialInstall | None = None) -> None:
        self.host = ""
        self._rules, self._port, self._install = rules, port, install
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def start(self) -> None:
        """Start the emulator and wait until it serves.

        Raises:
            RuntimeError: it was not found, or ended, or did not answer within a minute; the text says why.
        """
        install, reason = (self._install, "") if self._install is not None else find_official()
        if install is None:
            raise RuntimeError(f"The official emulator cannot be started: {reason}")
        if install.running_host is not None:
            self.host = install.running_host
            return
        self.host = f"127.0.0.1:{self._port or _free_port()}"
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        guardian = [sys.executable, str(Path(__file__).with_name("guardian.py"))]
        self._process = subprocess.Popen(  # noqa: S603 - the command is put together here
            [*guardian, *self._command(install)], stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT
        )
        try:
            self._wait_until_serving()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process and all it has started. A running emulator that was merely found goes on."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 - asked for with PIPE
            self._process.stdin.close()
            self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def _command(self, install: OfficialInstall) -> list[str]:
        host, port = self.host.split(":")
        command = [str(install.java), "-cp", str(install.jar), _MAIN_CLASS, "start", "--host", host, "--port", port]
        return [*command, "--rules", str(self._rules)] if self._rules is not None else command

    def _wait_until_serving(self) -> None:
        assert self._process is not None  # noqa: S101 - just started
        began = time.monotonic()
        while not _serves(self.host):
            if self._process.poll() is not None:
                raise RuntimeError(f"The official emulator ended while starting:\n{self._log_tail()}")
            if (waited := time.monotonic() - began) > unhurried(START_SECONDS_MAX):
                raise RuntimeError(f"The official emulator did not answer in {waited:.0f} s:\n{self._log_tail()}")
            time.sleep(0.05)

    def _log_tail(self) -> str:
        assert self._log is not None  # noqa: S101 - open while the process is
        self._log.seek(0)
        return self._log.read().decode(errors="replace")[-2000:]


def _serves(host: str) -> bool:
    """Tell whether Google's emulator answers there: it says Ok and nothing else, which ours does not."""
    try:
        with urllib.request.urlopen(f"http://{host}/", timeout=2) as answer:
            return bytes(answer.read(16)).strip() == b"Ok"
    except (OSError, HTTPException):
        return False


def _jars() -> list[tuple[str, Path, int]]:
    """Return every jar found as (where it comes from, path, Java version it needs), the preferred one first."""
    found = [
        ("the gcloud component", root / _JAR_IN_SDK, _JAVA_FOR_SDK)
        for root in _sdk_roots()
        if (root / _JAR_IN_SDK).is_file()
    ]
    cached = firebase_cache().glob("cloud-firestore-emulator-v*.jar")
    newest_first = sorted(cached, key=lambda jar: [int(part) for part in re.findall(r"\d+", jar.name)], reverse=True)
    return found + [("the jar of firebase-tools", jar, _JAVA_FOR_FIREBASE) for jar in newest_first]


def firebase_cache() -> Path:
    """Return where the Firebase CLI keeps the emulators that it has downloaded."""
    return Path(os.environ.get("FIREBASE_EMULATORS_PATH") or Path.home() / ".cache" / "firebase" / "emulators")


def _sdk_roots() -> list[Path]:
    roots = [Path(place).expanduser() for place in _SDK_PLACES]
    executable = shutil.which("gcloud")
    if executable:
        roots.insert(0, Path(executable).resolve().parent.parent)
    if "CLOUDSDK_ROOT_DIR" in os.environ:
        roots.insert(0, Path(os.environ["CLOUDSDK_ROOT_DIR"]))
    return roots


def find_java() -> tuple[Path | None, int]:
    """Return the command `java`, or None, and its major version."""
    home = os.environ.get("JAVA_HOME")
    executable = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    executable = executable or shutil.which("java")
    if executable is None:
        return None, 0
    told = subprocess.run(  # noqa: S603 - Java as the system has it
        [executable, "-version"], capture_output=True, text=True, check=False
    )
    version = re.search(r'version "(?:1\.)?(\d+)', told.stderr)
    return (Path(executable), int(version[1])) if version else (None, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
