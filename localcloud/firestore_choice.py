"""Which Firestore the local cloud runs on: ours in memory, or Google's emulator."""

import os
from dataclasses import dataclass
from pathlib import Path

import httpx

from localcloud.clock import MovableClock
from localcloud.firestore import FirestoreServer, OfficialFirestore, find_official
from localcloud.rules import RulesError

KINDS = ("auto", "embedded", "official")


class FirestoreChoiceError(RuntimeError):
    """The Firestore asked for cannot be had. The message is one line that says what to do."""


@dataclass(frozen=True)
class LocalFirestore:
    """The Firestore in use: its kind, why it is that one, and the server itself."""

    kind: str  # embedded or official
    why: str
    server: FirestoreServer | OfficialFirestore

    @property
    def host(self) -> str:
        """What `FIRESTORE_EMULATOR_HOST` is set to for server clients: `127.0.0.1:PORT`."""
        return self.server.host

    @property
    def app_host(self) -> str:
        """Where apps find it, in browsers and on phones; server clients too, if a little more slowly."""
        return self.server.app_host if isinstance(self.server, FirestoreServer) else self.server.host

    def start(self) -> None:
        """Begin to serve.

        Raises:
            FirestoreChoiceError: it does not start; the message says why.
        """
        try:
            self.server.start()
        except RuntimeError as error:
            raise FirestoreChoiceError(f"the {self.kind} Firestore does not start: {error}") from error

    def stop(self) -> None:
        """Stop serving."""
        self.server.stop()

    def clear(self, project: str) -> None:
        """Drop all documents of a project's database; of the embedded server all databases, faults and the bill."""
        if isinstance(self.server, FirestoreServer):
            with self.server.engine.mutex:
                self.server.engine.clear()
            self.server.faults.clear()
            self.server.bill.reset()
        else:
            url = f"http://{self.host}/emulator/v1/projects/{project}/databases/(default)/documents"
            httpx.delete(url).raise_for_status()

    @property
    def embedded(self) -> FirestoreServer:
        """The embedded server, for its bill and its faults.

        Raises:
            FirestoreChoiceError: Google's emulator runs, which has neither.
        """
        if not isinstance(self.server, FirestoreServer):
            raise FirestoreChoiceError("only the embedded Firestore keeps a bill: run with FIRESTORE=embedded")
        return self.server


def choose_firestore(
    wanted: str | None,
    indexes: Path | None,
    rules: Path | None,
    clock: MovableClock,
    port: int = 0,
    *,
    official_if_found: bool = False,
) -> LocalFirestore:
    """Return the Firestore that `wanted` asks for, not started yet.

    `wanted` is one of `KINDS`; None takes the environment's `FIRESTORE`, and without one `auto`, which is the embedded
    one, or with `official_if_found` the official one if this machine has it. Both hold apps to the security rules
    `rules`, and the embedded one has the index file `indexes` as well. `port` is that of apps.

    Raises:
        FirestoreChoiceError: `wanted` is no kind, the official one is wanted and not on this machine, or the rules
            cannot be loaded.
    """
    kind = wanted or os.environ.get("FIRESTORE") or "auto"
    if kind not in KINDS:
        raise FirestoreChoiceError(f"there is no Firestore {kind!r}; FIRESTORE can be {', '.join(KINDS)}")
    why = "asked for" if kind == "embedded" else "the default: no Java needed, and it keeps the bill"
    if kind == "official" or (kind == "auto" and official_if_found):
        install, how = find_official()
        if install is not None:
            asked = "asked for; " if kind == "official" else ""
            return LocalFirestore("official", asked + how, OfficialFirestore(rules, port, install))
        if kind == "official":
            raise FirestoreChoiceError(
                f"no official Firestore emulator: {how.rstrip('.')}; FIRESTORE=embedded needs none"
            )
        why = how.rstrip(".")
    try:
        server = FirestoreServer(app_port=port, indexes=indexes, security_rules=rules, clock=clock)
    except RulesError as error:
        raise FirestoreChoiceError(str(error)) from error
    return LocalFirestore("embedded", why, server)
