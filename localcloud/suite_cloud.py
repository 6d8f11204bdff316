"""The local cloud around Google's Firebase Emulator Suite.

    suite="official"    Google's functions and auth emulators (the Firebase CLI), its Firestore and Storage where this
                        machine has them, and ours where it has not
    suite="running"     what `firebase emulators:start` serves in another terminal

OpenAI's stand-in and the cron clock are ours either way: Google's suite has no OpenAI and does not fire schedules. Its
functions keep the machine's time, so the clock does not move.
"""

import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from localcloud.cloud import CloudSettings, LocalCloud, run
from localcloud.firebase_suite import FirebaseSuite, bucket_of, find_storage
from localcloud.firestore import OfficialFirestore, OfficialInstall
from localcloud.firestore_choice import LocalFirestore, choose_firestore
from localcloud.functions_emulator import HUB_PORT, FunctionsEmulator, RunningSuite
from localcloud.project import ProjectError
from localcloud.serving import free_port
from localcloud.storage import StorageServer

SUITES = ("official", "running")
BATCH_MINUTES = 1.0
"""How long the stand-in takes for a batch, which no moved clock shortens here."""
_GOOGLE = "Google's emulator"


class SuiteCloud(LocalCloud):
    """A local cloud with Google's emulators. `served_by` says of each part who serves it, and why."""

    def __init__(self, settings: CloudSettings) -> None:
        """Take settings with a `suite`. Nothing starts before `with`.

        Raises:
            ProjectError: there is no such suite.
        """
        if settings.suite not in SUITES:
            raise ProjectError(f"there is no suite {settings.suite!r}; SUITE can be {', '.join(SUITES)}")
        # Firestore may know the batches of an earlier stand-in: names are not to come again.
        standin: dict[str, Any] = {"batch_minutes": BATCH_MINUTES, "seed": secrets.randbits(32), **settings.standin}
        settings = replace(settings, standin=standin, bucket=settings.bucket or bucket_of(settings.project))
        if settings.suite == "running":
            # What this process knows of OpenAI is nothing to functions that run already: theirs is in their files.
            openai = "standin" if settings.openai == "auto" else settings.openai
            secret = _local_secret(settings.source.parent, "OPENAI_WEBHOOK_SECRET")
            hook = settings.openai_webhook if secret.startswith("whsec_") else None
            standin |= {"webhook_secret": secret} if hook else {}
            settings = replace(settings, openai=openai, openai_webhook=hook, standin=standin)
            settings = replace(settings, stripe_webhook=None, revenuecat_webhook=None)  # nor of their secrets
        super().__init__(settings)

    def _start_parts(self, stack: ExitStack) -> FunctionsEmulator:
        suite = self._start_official(stack) if self.settings.suite == "official" else self._take_running(stack)
        self.auth_host = suite.hosts["auth"]
        self.served_by["functions"] = f"{_GOOGLE}, firebase-tools {suite.version}"
        self.served_by["auth"] = _GOOGLE
        self.served_by["crons"] = "ours, in real time: Google's emulators do not fire them"
        self.served_by["clock"] = f"none: {_GOOGLE} of functions keeps the machine's time"
        return suite

    def _start_official(self, stack: ExitStack) -> FunctionsEmulator:
        settings, ports = self.settings, self.settings.ports
        cli = settings.firebase_cli or shutil.which("firebase")
        if cli is None:
            raise ProjectError("the Firebase CLI is not on the path: npm install -g firebase-tools; it needs Node 20")
        self.firestore = choose_firestore(
            settings.firestore,
            settings.indexes,
            settings.rules,
            self.clock,
            free_port(ports.firestore),
            official_if_found=True,
        )
        run(stack, self.firestore)
        around = {"FIRESTORE_EMULATOR_HOST": self.firestore.host, **settings.environment}
        emulators = {"functions": ports.functions, "auth": ports.auth}
        root = settings.folder or settings.source.parent
        rules = settings.storage_rules
        runtime, why = find_storage() if rules is not None else (None, "Google's needs rules, firebase.json names none")
        if runtime is None:
            around["STORAGE_EMULATOR_HOST"] = self._start_storage(stack, why)
        else:
            emulators["storage"] = ports.storage
        self._start_providers(stack)
        suite = FirebaseSuite(
            Path(cli),
            root,
            around,
            (self._with_providers(settings.params), self._with_providers(settings.secrets)),
            project=self.project,
            ports=emulators,
            storage=(rules, runtime) if rules is not None and runtime is not None else None,
            log=self.logs,
        )
        run(stack, suite)
        if runtime is not None:
            self.storage_host = f"http://{suite.hosts['storage']}"
            self.served_by["storage"] = f"{_GOOGLE}, {why}"
        return suite

    def _take_running(self, stack: ExitStack) -> FunctionsEmulator:
        suite = RunningSuite(self.project, self.settings.usual_ports.get("hub", HUB_PORT))
        official = OfficialFirestore(install=OfficialInstall("running", running_host=suite.hosts["firestore"]))
        self.firestore = LocalFirestore("official", "running", official)
        run(stack, self.firestore)
        if "storage" in suite.hosts:
            self.storage_host = f"http://{suite.hosts['storage']}"
            self.served_by["storage"] = _GOOGLE
        else:
            self._start_storage(stack, "none runs")
            self.served_by["storage"] += f"; functions find it by STORAGE_EMULATOR_HOST={self.storage_host}"
        self.served_by["log"] = "that of the running suite"
        self._start_providers(stack)
        if self.openai is not None:
            self.served_by["openai"] = f"stand-in, for functions with OPENAI_BASE_URL={self.openai_base_url}"
        return suite

    def _start_storage(self, stack: ExitStack, why: str) -> str:
        """Start our Storage, for the reason `why`, and return its address."""
        server = StorageServer(self.bucket, self.settings.ports.storage, self.project, self._storage_security())
        run(stack, server)
        self.storage_host = server.host
        self.served_by["storage"] = f"ours: {why}"
        return server.host

    def _with_providers(self, values: Mapping[str, str]) -> dict[str, str]:
        return {name: self._provider_environment.get(name, value) for name, value in values.items()}


def _local_secret(folder: Path, name: str) -> str:
    """Return a secret of the emulated functions, from the file that the CLI reads; "" if it has none."""
    file = folder / ".secret.local"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return next((value.strip() for line in lines for key, _, value in [line.partition("=")] if key.strip() == name), "")


def cloud_of(settings: CloudSettings) -> LocalCloud:
    """Return the cloud that `settings` ask for, not started yet."""
    return LocalCloud(settings) if settings.suite is None else SuiteCloud(settings)
