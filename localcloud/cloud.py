"""The local cloud: everything the product runs on, on this machine, started and stopped together.

    with LocalCloud() as cloud:
        uid, id_token = cloud.sign_up()
        cloud.call("get_wallet", {}, id_token)
        cloud.advance(timedelta(hours=4))        # the clock moves, cron fires, OpenAI batches come through

What starts, in this order, each on a port of its own; it stops in the reverse order, whatever happens:

    moved clock → Firestore → Storage → Auth → OpenAI stand-in → functions (a process) → cron clock
"""

import base64
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from unittest import mock

import httpx
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client as FirestoreClient
from google.cloud.storage import Client as StorageClient

from localcloud import callables
from localcloud.auth import AuthServer
from localcloud.clock import MovableClock
from localcloud.cron import CronClock, CronFaults, Tick
from localcloud.firestore_choice import LocalFirestore, choose_firestore
from localcloud.functions_process import FunctionsProcess, Trigger
from localcloud.openai import OpenAIStandIn
from localcloud.serving import free_port
from localcloud.storage import StorageServer

PROJECT = "demo-ecolane"  # the prefix demo- keeps every Firebase tool from looking for a real project
REGION = "us-central1"
_MAIN = Path(__file__).resolve().parents[1] / "main.py"
_OPENAI = "https://api.openai.com/v1"
_WEBHOOK = "openai_webhook"  # the function that batch events go to, where main.py has one
_CALL_SECONDS_MAX = 120
_ENVIRONMENT_LOCK = threading.Lock()


class SignedIn(NamedTuple):
    """A user and a token good for an hour."""

    uid: str
    id_token: str


@dataclass(frozen=True)
class Ports:
    """The port of each part; 0 is any free one."""

    functions: int = 0
    firestore: int = 0
    storage: int = 0
    auth: int = 0
    openai: int = 0


@dataclass(frozen=True)
class CloudSettings:
    """What can be chosen."""

    source: Path = _MAIN
    firestore: str | None = None  # embedded, official or auto; None asks the environment's FIRESTORE
    function_processes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)  # more for the functions
    standin: Mapping[str, Any] = field(default_factory=dict)  # arguments of OpenAIStandIn
    cron_faults: CronFaults | None = None
    ports: Ports = field(default_factory=Ports)


class LocalCloud:
    """A context manager around the running cloud. Leaves no process, thread or file behind."""

    project = PROJECT
    region = REGION
    bucket = f"{PROJECT}.firebasestorage.app"

    clock: MovableClock
    firestore: LocalFirestore
    storage_host: str
    auth_host: str
    openai: OpenAIStandIn | None
    openai_base_url: str
    functions_url: str
    cron: CronClock
    logs: Path

    def __init__(self, settings: CloudSettings | None = None, **changes: Any) -> None:
        """Take `settings`, or the fields of CloudSettings by name. Nothing starts before `with`."""
        self.settings = CloudSettings(**changes) if settings is None else settings
        self._stack = ExitStack()
        self._clients = ExitStack()

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            PortTakenError: a port asked for is in use.
            FirestoreChoiceError: the Firestore asked for cannot be had.
            FunctionsStartError: main.py does not start; the message shows its last log lines.
        """
        # Whatever ends the start, Ctrl-C included, stops what has started by then.
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        settings = self.settings
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecolane-cloud-")))
        self.logs = folder / "functions.log"
        self.clock = MovableClock(folder / "clock")
        stack.callback(self.clock.close)

        self.firestore = choose_firestore(
            settings.firestore, settings.source.parent, self.clock, free_port(settings.ports.firestore)
        )
        _run(stack, self.firestore)
        storage_server = StorageServer(self.bucket, settings.ports.storage, self.project)
        _run(stack, storage_server)
        self.storage_host = storage_server.host
        auth_server = AuthServer(self.project, settings.ports.auth)
        _run(stack, auth_server)
        self.auth_host = auth_server.host
        self._start_openai(stack)

        self._functions = FunctionsProcess(
            settings.source,
            self.environment,
            self.logs,
            self.clock.path,
            self.project,
            self.region,
            settings.ports.functions,
            settings.function_processes,
        )
        _run(stack, self._functions)
        self.functions_url = self._functions.url
        if self.openai is not None and any(trigger.name == _WEBHOOK for trigger in self._functions.triggers()):
            self.openai.settings.webhook_url = self.url(_WEBHOOK)
        self.cron = CronClock(
            self.clock,
            self._functions.triggers(),
            self.url,
            self.region,
            settings.cron_faults,
            on_step=self._tick_openai,
        )
        stack.callback(self.cron.stop)
        # Clients close before the servers stop, or each server would wait a while for their idle connections.
        self._http = stack.enter_context(httpx.Client(timeout=_CALL_SECONDS_MAX, limits=httpx.Limits()))
        self._clients = stack.enter_context(ExitStack())

    @property
    def openai_is_standin(self) -> bool:
        """Whether answers are computed from the pixels by the stand-in, and not by a model."""
        return self.openai is not None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be a part of this cloud: the functions get it, and so may your own client."""
        firebase = {"projectId": self.project, "storageBucket": self.bucket}
        return {
            "GCLOUD_PROJECT": self.project,
            "GOOGLE_CLOUD_PROJECT": self.project,
            "FIREBASE_CONFIG": json.dumps(firebase),
            "FUNCTIONS_EMULATOR": "true",
            "FIRESTORE_EMULATOR_HOST": self.firestore.host,
            "STORAGE_EMULATOR_HOST": self.storage_host,
            "FIREBASE_AUTH_EMULATOR_HOST": self.auth_host,
            "ECOLANE_CLOCK": str(self.clock.path),  # the operators' command goes by the moved time, too
            **self._openai_environment,
            **self.settings.environment,
        }

    def url(self, name: str) -> str:
        """Return the address of a function, as the Firebase emulator would have it."""
        return self._functions.function_url(name)

    def crash_functions(self) -> None:
        """Kill the functions' processes, whatever they are at, and start them anew; everything else goes on."""
        self._functions.kill()
        self._functions.start()

    def triggers(self) -> list[Trigger]:
        """Return every function of main.py, in its order there."""
        return self._functions.triggers()

    def advance(self, step: timedelta) -> list[Tick]:
        """Move the clock by `step`: cron fires and OpenAI batches come through on the way.

        Returns the ticks delivered. One that failed is in it (`ok` is False), and was printed to standard error.
        """
        return self.cron.advance(step)

    def call(self, name: str, data: Any, id_token: str | None = None) -> Any:
        """Call a callable as the app does, with `data` (any JSON value), and return its result.

        Raises:
            CallableError: the function refused.
        """
        return callables.call(self._http, self.url(name), data, id_token)

    def sign_up(self, email: str | None = None) -> SignedIn:
        """Make a new user, anonymous unless an e-mail address is given (its password is then a random one)."""
        account = {} if email is None else {"email": email, "password": secrets.token_urlsafe()}
        answer = self._auth("accounts:signUp", account)
        return SignedIn(answer["localId"], answer["idToken"])

    def sign_in(self, uid: str) -> SignedIn:
        """Return a fresh token for a user, which carries the custom claims set since."""
        parts = ({"alg": "none", "typ": "JWT"}, {"uid": uid})
        header, payload = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
        token = self._auth("accounts:signInWithCustomToken", {"token": f"{header}.{payload}."})
        return SignedIn(uid, token["idToken"])

    def set_custom_claims(self, uid: str, claims: Mapping[str, Any]) -> None:
        """Give a user the custom claims `claims`; they are in the tokens issued from now on (`sign_in`)."""
        attributes = {"localId": uid, "customAttributes": json.dumps(claims)}
        self._auth(f"projects/{self.project}/accounts:update", attributes)

    def firestore_client(self) -> FirestoreClient:
        """Return a real client of this cloud's Firestore; it is closed with the cloud."""
        # The client takes the emulator's address from the environment alone.
        with _ENVIRONMENT_LOCK, mock.patch.dict(os.environ, FIRESTORE_EMULATOR_HOST=self.firestore.host):
            client = FirestoreClient(self.project, _nobody())
        # Its own close() leaves the gRPC channel open, which then complains when the server goes.
        self._clients.callback(client._firestore_api.transport.close)  # noqa: SLF001
        return client

    def storage_client(self) -> StorageClient:
        """Return a real client of this cloud's Storage; it is closed with the cloud."""
        options = {"api_endpoint": self.storage_host}
        client = StorageClient(self.project, _nobody(), client_options=options)
        self._clients.callback(client.close)
        return client

    def _start_openai(self, stack: ExitStack) -> None:
        real = {name: os.environ[name] for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL") if os.environ.get(name)}
        if real:
            self.openai = None
            # A compatible server of one's own often wants no key, but the client wants one.
            self._openai_environment = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": _OPENAI, **real}
        else:
            secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
            arguments = {"webhook_secret": secret, **self.settings.standin}
            self.openai = OpenAIStandIn(free_port(self.settings.ports.openai), clock=self.clock, **arguments)
            _run(stack, self.openai)
            self._openai_environment = {
                "OPENAI_API_KEY": "stand-in",
                "OPENAI_BASE_URL": self.openai.base_url,
                "OPENAI_WEBHOOK_SECRET": arguments["webhook_secret"],
            }
        self.openai_base_url = self._openai_environment["OPENAI_BASE_URL"]

    def _tick_openai(self) -> None:
        if self.openai is not None:
            self.openai.tick()

    def _auth(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._http.post(
            f"http://{self.auth_host}/identitytoolkit.googleapis.com/v1/{operation}",
            params={"key": "local"},
            headers={"Authorization": "Bearer owner"},
            json=dict(body),
        )
        if answer.is_error:
            raise RuntimeError(f"{operation}: {answer.text}")
        content: dict[str, Any] = answer.json()
        return content


def _nobody() -> AnonymousCredentials:
    return AnonymousCredentials()  # type: ignore[no-untyped-call]


class _Part(Protocol):
    def start(self) -> object: ...

    def stop(self) -> object: ...


def _run(stack: ExitStack, part: _Part) -> None:
    """Start a part, and have it stopped also when its start fails half-way."""
    stack.callback(part.stop)
    part.start()
