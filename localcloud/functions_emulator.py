"""Google's functions emulator as it is seen over HTTP, whoever has started it."""

import time
from collections.abc import Mapping
from typing import Any

import httpx

from localcloud.functions_process import Trigger
from localcloud.project import ProjectError
from localcloud.serving import HOST, unhurried

HUB_PORT = 4400
LOAD_SECONDS_MAX = 30.0
_NEEDED = ("functions", "firestore", "auth")


class FunctionsEmulator:
    """Google's functions emulator, seen over HTTP. `hosts` are the emulators' addresses (host:port) by name."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.hosts: dict[str, str] = {}
        self._triggers: dict[str, dict[str, Any]] = {}

    @property
    def url(self) -> str:
        """Where the functions are."""
        return f"http://{self.hosts['functions']}"

    @property
    def version(self) -> str:
        """The release of firebase-tools that runs."""
        return str(_asked(f"http://{self.hosts['hub']}/")["version"])

    def triggers(self) -> list[Trigger]:
        """Return every function that the CLI has discovered."""
        self._triggers = {
            found["name"]: found
            for backend in _asked(f"{self.url}/backends")["backends"]
            for found in backend["functionTriggers"]
        }
        return [_trigger(found) for found in self._triggers.values()]

    def function_url(self, name: str) -> str:
        """Return the address of a function. A scheduled one has an address of the emulator's own, which sets it off.

        Raises:
            LookupError: there is no such function.
        """
        if name not in self._triggers:
            self.triggers()
        if name not in self._triggers:
            raise LookupError(f"{name} is no function; these are: {', '.join(self._triggers)}")
        found = self._triggers[name]
        if "httpsTrigger" in found:
            return f"{self.url}/{self.project}/{found['region']}/{name}"
        # The number counts how often triggers were switched on again through the CLI's hub, which nobody does here.
        return f"{self.url}/functions/projects/{self.project}/triggers/{found['id']}-0"


class RunningSuite(FunctionsEmulator):
    """What `firebase emulators:start` serves in another terminal. It goes on when we stop."""

    def __init__(self, project: str, hub_port: int) -> None:
        """Find it, and wait until its functions are loaded.

        Raises:
            ProjectError: no suite answers, or it lacks a part; the message says what to start.
        """
        super().__init__(project)
        hub = f"{HOST}:{hub_port}"
        start = f"start it first: firebase emulators:start --project {project}"
        try:
            found = _asked(f"http://{hub}/emulators")
        except httpx.HTTPError as error:
            raise ProjectError(f"no Firebase Emulator Suite answers at {hub}; {start}") from error
        self.hosts = {name: f"{part['host']}:{part['port']}" for name, part in found.items()} | {"hub": hub}
        missing = [name for name in _NEEDED if name not in self.hosts]
        if missing:
            raise ProjectError(f"the Firebase Emulator Suite at {hub} has no {' and no '.join(missing)}; {start}")
        deadline = time.monotonic() + unhurried(LOAD_SECONDS_MAX)
        while not self.triggers():
            if time.monotonic() > deadline:
                raise ProjectError(f"the Firebase Emulator Suite at {hub} has loaded no function; its output says why")
            time.sleep(0.5)


def _asked(url: str) -> dict[str, Any]:
    answer = httpx.get(url, timeout=30)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


def _trigger(found: Mapping[str, Any]) -> Trigger:
    if "httpsTrigger" not in found:
        schedule = found.get("schedule") or {}
        return Trigger(found["name"], "schedule", schedule.get("schedule"), schedule.get("timeZone") or "UTC")
    callable_ = (found.get("labels") or {}).get("deployment-callable") == "true"
    return Trigger(found["name"], "callable" if callable_ else "https")
