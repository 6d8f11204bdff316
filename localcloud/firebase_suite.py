"""Google's Firebase Emulator Suite: `firebase emulators:start` on a copy of what a deploy would upload.

The CLI reads settings from files beside `main.py`, and writes some there. So it gets a folder of its own, which goes
when it stops: `main.py` and the rest without what `firebase.json` ignores, the virtual environment as a link, settings
in `.env.local`, secrets in `.secret.local`. It thinks that it is at home there, too: no login, no caches, no traces.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from localcloud.firestore.official import find_java, firebase_cache
from localcloud.functions_emulator import FunctionsEmulator
from localcloud.functions_process import FunctionsStartError
from localcloud.project import PROJECT
from localcloud.serving import HOST, PortTakenError, free_port, unhurried

START_SECONDS_MAX = 120.0
_GUARDIAN = Path(__file__).with_name("firestore") / "guardian.py"
_NOT_OURS = ("GOOGLE_APPLICATION_CREDENTIALS", "FIREBASE_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL", "FIREBASE_CONFIG")
_LOG_LINES_SHOWN = 30
_QUIET_PORTS = range(20_000, 32_000)
_PROJECT = "project"
_JAVA_FOR_STORAGE = 21


class FirebaseSuite(FunctionsEmulator):
    """The suite as one process of ours, for as long as it is wanted. Scheduled functions do not fire by themselves."""

    def __init__(
        self,
        cli: Path,
        folder: Path,
        environment: Mapping[str, str],
        params: tuple[Mapping[str, str], Mapping[str, str]],
        *,
        project: str = PROJECT,
        ports: Mapping[str, int] | None = None,
        storage: tuple[Path, Path] | None = None,
        log: Path | None = None,
    ) -> None:
        """Prepare to run `cli`, the command `firebase` of firebase-tools, on the project in `folder`.

        Args:
            cli: the command.
            folder: where firebase.json is.
            environment: what else the functions get.
            params: those of a deploy, and its secrets, by name; all of them: the CLI would ask for those left out.
            project: the project's id.
            ports: the ports by emulator; 0 is any. Without "auth" no Auth is served: the functions' is what
                FIREBASE_AUTH_EMULATOR_HOST in `environment` says.
            storage: the rules and Google's rules runtime (a jar), to serve Storage as well.
            log: where to write what the CLI and the functions print; by default a file that goes with the suite.
        """
        super().__init__(project)
        self._cli, self._root, self._environment, self._storage = cli, folder, environment, storage
        self._ports = {"functions": 0, "auth": 0} if ports is None else ports
        self._files = dict(zip((".env.local", ".secret.local"), params, strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self._log_path = log
        self._log: IO[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Start and wait until every function is served.

        Raises:
            FunctionsStartError: it ended, or took more than two minutes; the message ends with its last lines.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="localcloud-suite-")
        home = Path(self._folder.name)
        self._write_project(home / _PROJECT)
        self._log = (self._log_path or home / "log").open("w+b")
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        own = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "TMPDIR": str(home),
            "CI": "1",
            "NO_UPDATE_NOTIFIER": "1",
        }
        java, _ = find_java()
        if self._storage is not None and java is not None:  # the CLI starts the one that is first on its path
            own["STORAGE_EMULATOR_BINARY_PATH"] = str(self._storage[1])
            own["PATH"] = os.pathsep.join([str(java.parent), os.environ.get("PATH", os.defpath)])
        command = [str(self._cli), "emulators:start", "--only", ",".join(self._ports), "--project", self.project]
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and arguments
            [sys.executable, str(_GUARDIAN), *command],
            cwd=home / _PROJECT,
            env={**kept, **own, **self._environment},
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and everything that it has started, and remove its folder."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait()
        if self._log is not None:
            self._log.close()
        if self._folder is not None:
            self._folder.cleanup()

    def log(self) -> str:
        """Return what the CLI and the functions have printed so far."""
        if self._log is None:
            return ""
        self._log.seek(0)
        return re.sub(r"\x1b\[\d*(;\d+)*m", "", self._log.read().decode(errors="replace"))

    def _write_project(self, folder: Path) -> None:
        functions = _functions(self._root)
        source = functions.get("source", "functions")
        _copy_source(self._root / source, folder / source, functions.get("ignore", []))
        for name, values in self._files.items():
            lines = [f"{key}={value}\n" for key, value in values.items()]
            (folder / source / name).write_text("".join(lines), encoding="utf-8")
        # A function that was not called yet starts with what is there when it is.
        self.settings_file = folder / source / ".env.local"
        ports = {name: port or _quiet_port() for name, port in {**self._ports, "hub": 0, "logging": 0}.items()}
        self.hosts = {name: f"{HOST}:{port}" for name, port in ports.items()}
        emulators: dict[str, Any] = {name: {"host": HOST, "port": port} for name, port in ports.items()}
        emulators |= {"ui": {"enabled": False}, "singleProjectMode": True}
        content: dict[str, Any] = {"functions": [functions], "emulators": emulators}
        if self._storage is not None:
            shutil.copy(self._storage[0], folder / "storage.rules")
            content["storage"] = {"rules": "storage.rules"}
        (folder / "firebase.json").write_text(json.dumps(content), encoding="utf-8")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        while "All emulators ready" not in (log := self.log()):
            if process.poll() is not None or "Failed to load function definition" in log:
                raise FunctionsStartError(self._story("did not start"))
            if (waited := time.monotonic() - began) > unhurried(START_SECONDS_MAX):
                raise FunctionsStartError(self._story(f"took more than {waited:.0f} s to start"))
            time.sleep(0.1)

    def _story(self, what_happened: str) -> str:
        lines = "\n".join(self.log().splitlines()[-_LOG_LINES_SHOWN:])
        return f"the Firebase emulators {what_happened}; their last lines:\n{lines}"


def find_storage() -> tuple[Path | None, str]:
    """Look for what Google's Storage emulator needs beside the CLI: Java and the runtime of its rules.

    Returns:
        The runtime (a jar), or None, and one sentence that says which or why not.
    """
    java, version = find_java()
    if java is None or version < _JAVA_FOR_STORAGE:
        return None, f"Google's needs Java {_JAVA_FOR_STORAGE}, found {version or 'none'}"
    cache = firebase_cache()
    jars = sorted(cache.glob("cloud-storage-rules-runtime-v*.jar"))
    if not jars:
        return None, f"Google's rules runtime is not in {cache}; firebase setup:emulators:storage fetches it"
    return jars[-1], f"with Java {version}"


def bucket_of(project: str) -> str:
    """Return what the CLI takes for the bucket of a project that begins with demo-."""
    return f"{project}.appspot.com"


def _quiet_port() -> int:
    """Return a free port that is still free some seconds later, when the CLI takes it: outgoing connections, which take
    any free port, take it from 32768 on."""
    while True:
        with contextlib.suppress(PortTakenError):
            return free_port(_QUIET_PORTS.start + secrets.randbelow(len(_QUIET_PORTS)))


def _functions(root: Path) -> dict[str, Any]:
    """Return what firebase.json says of the functions."""
    section = json.loads((root / "firebase.json").read_text(encoding="utf-8"))["functions"]
    functions: dict[str, Any] = section[0] if isinstance(section, list) else section
    return functions


def _copy_source(root: Path, to: Path, ignored: list[str]) -> None:
    """Copy what a deploy would upload, and link what it would install: venv/, or what Python runs us in."""
    # Settings and keys of whoever works here are theirs.
    patterns = [pattern.removeprefix("**/") for pattern in ignored] + [".env*", ".secret*", "firebase.json"]
    shutil.copytree(root, to, ignore=shutil.ignore_patterns(*patterns))
    own = root / "venv"
    (to / "venv").symlink_to(own if own.is_dir() else sys.prefix)
