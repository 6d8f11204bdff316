"""Google's functions and auth emulators: `firebase emulators:start` on a copy of what a deploy would upload.

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

import httpx

from localcloud.functions_process import FunctionsStartError, Trigger
from localcloud.project import PROJECT
from localcloud.serving import HOST, PortTakenError, free_port, unhurried

START_SECONDS_MAX = 120.0
_GUARDIAN = Path(__file__).with_name("firestore") / "guardian.py"
_NOT_OURS = ("GOOGLE_APPLICATION_CREDENTIALS", "FIREBASE_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL", "FIREBASE_CONFIG")
_LOG_LINES_SHOWN = 30
_QUIET_PORTS = range(20_000, 32_000)
_SOURCE, _SETTINGS = "source", ".env.local"


class FirebaseSuite:
    """The suite as one process of ours, for as long as it is wanted. Scheduled functions do not fire by themselves."""

    def __init__(
        self,
        cli: Path,
        folder: Path,
        environment: Mapping[str, str],
        settings: Mapping[str, str],
        secrets: Mapping[str, str],
        *,
        auth: bool = True,
        project: str = PROJECT,
    ) -> None:
        """Prepare to run the JavaScript file `cli` of firebase-tools with Node, on the project in `folder`.

        `environment` reaches the functions as it is; `settings` and `secrets` are the params of a deploy, all of them,
        by name: the CLI would ask for those left out. Without `auth` only the functions are served: their Auth is what
        FIREBASE_AUTH_EMULATOR_HOST in `environment` says.
        """
        self._only = "functions,auth" if auth else "functions"
        self.project = project
        self.functions_host = self.auth_host = ""  # from `start` on
        self._cli, self._root, self._environment = cli, folder, environment
        self._files = {_SETTINGS: settings, ".secret.local": secrets}
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Start and wait until every function is served.

        Raises:
            FunctionsStartError: it ended, or took more than two minutes; the message ends with its last lines.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="localcloud-suite-")
        home = Path(self._folder.name)
        source = home / _SOURCE
        functions = _functions(self._root)
        _copy_source(self._root, source, functions.get("ignore", []))
        for name, values in self._files.items():
            (source / name).write_text("".join(f"{key}={value}\n" for key, value in values.items()), encoding="utf-8")
        ports = {name: _quiet_port() for name in ("functions", "auth", "hub", "logging")}
        emulators = {name: {"host": HOST, "port": port} for name, port in ports.items()}
        emulators |= {"ui": {"enabled": False}, "singleProjectMode": True}  # type: ignore[dict-item]
        content = {"functions": [functions], "emulators": emulators}
        (source / "firebase.json").write_text(json.dumps(content), encoding="utf-8")
        self.functions_host, self.auth_host = f"{HOST}:{ports['functions']}", f"{HOST}:{ports['auth']}"
        self._log = (home / "log").open("w+b")
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        own = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "TMPDIR": str(home),
            "CI": "1",
            "NO_UPDATE_NOTIFIER": "1",
        }
        command = ["node", str(self._cli), "emulators:start", "--only", self._only, "--project", self.project]
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and arguments
            [sys.executable, str(_GUARDIAN), *command],
            cwd=source,
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

    def triggers(self) -> list[Trigger]:
        """Return every function that the CLI has discovered."""
        answer = httpx.get(f"http://{self.functions_host}/backends", timeout=30)
        answer.raise_for_status()
        return [_trigger(found) for backend in answer.json()["backends"] for found in backend["functionTriggers"]]

    @property
    def settings_file(self) -> Path:
        """Where the params are: a function that was not called yet starts with what is there when it is."""
        if self._folder is None:
            raise RuntimeError("the suite is not running")
        return Path(self._folder.name) / _SOURCE / _SETTINGS

    def log(self) -> str:
        """Return what the CLI and the functions have printed so far."""
        if self._log is None:
            return ""
        self._log.seek(0)
        return re.sub(r"\x1b\[\d*(;\d+)*m", "", self._log.read().decode(errors="replace"))

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
    """Return what firebase.json says of the functions, whose folder is the project's own."""
    section = json.loads((root / "firebase.json").read_text(encoding="utf-8"))["functions"]
    functions: dict[str, Any] = section[0] if isinstance(section, list) else section
    return functions


def _copy_source(root: Path, to: Path, ignored: list[str]) -> None:
    """Copy what a deploy would upload, and link what it would install."""
    # Settings and keys of whoever works here are theirs.
    patterns = [pattern.removeprefix("**/") for pattern in ignored] + [".env*", ".secret*", "firebase.json"]
    shutil.copytree(root, to, ignore=shutil.ignore_patterns(*patterns))
    (to / "venv").symlink_to(root / "venv")


def _trigger(found: Mapping[str, Any]) -> Trigger:
    if "httpsTrigger" not in found:
        return Trigger(found["name"], "schedule", (found.get("schedule") or {}).get("schedule"))
    callable_ = (found.get("labels") or {}).get("deployment-callable") == "true"
    return Trigger(found["name"], "callable" if callable_ else "https")
