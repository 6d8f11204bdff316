"""The local cloud: everything a Firebase project runs on, on this machine, started and stopped together.

    with LocalCloud("path/to/project") as cloud:
        uid, id_token = cloud.sign_up()
        cloud.call("greet", {"name": "Ada"}, id_token)
        cloud.advance(timedelta(hours=4))        # the clock moves, cron fires, OpenAI batches come through

What starts, in this order, each on a port of its own; it stops in the reverse order, whatever happens:

    moved clock → Firestore → Storage → Auth → OpenAI stand-in → functions (a process) → hosting → cron clock
"""

import base64
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from unittest import mock

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import Client as FirestoreClient
from google.cloud.storage import Client as StorageClient

from localcloud import callables
from localcloud.anthropic import AnthropicStandIn
from localcloud.auth import AuthServer
from localcloud.clock import FILE_VARIABLE, MovableClock
from localcloud.cron import CronClock, CronFaults, Tick
from localcloud.firestore_choice import LocalFirestore, choose_firestore
from localcloud.functions_emulator import FunctionsEmulator
from localcloud.functions_process import FunctionsProcess, Trigger
from localcloud.hosting import HostingServer, Page, Site
from localcloud.openai import OpenAIStandIn
from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.azure import Deployment
from localcloud.project import PROJECT, REGION, ProjectError, read_project
from localcloud.revenuecat import RevenueCatStandIn
from localcloud.rules import RulesError
from localcloud.serving import free_port
from localcloud.storage import StorageServer
from localcloud.storage_rules import StorageSecurity, no_documents
from localcloud.stripe import StripeStandIn

OPENAI_CHOICES = ("auto", "standin", "none")
_OPENAI = "https://api.openai.com/v1"
_CALL_SECONDS_MAX = 120
_CUSTOM_TOKENS_FOR = "https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
_ENVIRONMENT_LOCK = threading.Lock()


class ClockError(RuntimeError):
    """This cloud's clock cannot be moved. The message says why, and what can be done."""


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
    anthropic: int = 0
    azure: int = 0
    stripe: int = 0
    revenuecat: int = 0
    hosting: int = 0


@dataclass(frozen=True)
class CloudSettings:
    """What can be chosen. `CloudSettings.of(folder)` takes what it can from a project's `firebase.json`.

    Attributes:
        source: the Python file with the functions.
        project: the project's id; one that begins with demo- is nobody's.
        region: of all functions; it is a part of their addresses.
        bucket: by default `{project}.firebasestorage.app`.
        firestore: embedded, official or auto; None asks the environment's FIRESTORE.
        indexes: the index file that the embedded Firestore enforces; without one there are automatic indexes only.
        rules: the security rules of Firestore, read again whenever the file changes; without one apps may do nothing
            in the embedded Firestore, and everything in the official one.
        storage_rules: the security rules of Storage, likewise.
        site: the pages to serve, if any.
        clock_hook: `module:function` of the project, called in the functions' process with the moved clock, which
            returns the time now. Without it the functions keep the machine's time.
        function_processes: instances behind the functions' one address.
        environment: more variables for the functions.
        openai: auto asks the real OpenAI where OPENAI_API_KEY or OPENAI_BASE_URL is set; standin never; none starts
            no stand-in.
        anthropic: whether a stand-in for Anthropic starts, too.
        azure: deployments by name, of which a stand-in for a resource of Azure OpenAI starts, too.
        answers: what the stand-ins say, see `openai.answers`.
        standin: more arguments of OpenAIStandIn; `batch_minutes` and `seed` are both stand-ins'.
        openai_webhook: the function that OpenAI's events go to.
        stripe_webhook: the function that Stripe's events go to. With one, a stand-in for Stripe starts.
        revenuecat_webhook: the same for RevenueCat.
        fake_credentials: whether the functions get Google credentials that open nothing. firebase_admin wants some even
            where all it talks to is emulated; what is not emulated refuses them.
        folder: where firebase.json is, for the official suite; by default that of `source`.
        suite: None for our own parts; official starts Google's emulators, running takes those that
            `firebase emulators:start` serves here (`suite_cloud.py`).
        firebase_cli: the command `firebase` for the official suite; by default the one on the path.
        params: the params of a deploy by name, which the official suite would ask for. It gets those of OpenAI from us.
        secrets: its secrets, likewise.
        cron_faults: how unreliable ticks are.
        begins: what the clock shows first, aware; the machine's time by default. What hangs on the time of day is then
            the same at every hour.
        ports: where the parts listen; 0 is any free port.
        usual_ports: those of "emulators" in firebase.json, which `localcloud up` prefers to others.
    """

    source: Path
    project: str = PROJECT
    region: str = REGION
    bucket: str = ""
    firestore: str | None = None
    indexes: Path | None = None
    rules: Path | None = None
    storage_rules: Path | None = None
    site: Site | None = None
    clock_hook: str | None = None
    function_processes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    openai: str = "auto"
    anthropic: bool = False
    azure: Mapping[str, Deployment] = field(default_factory=dict)
    answers: Answer = no_wish
    standin: Mapping[str, Any] = field(default_factory=dict)
    openai_webhook: str | None = None
    stripe_webhook: str | None = None
    revenuecat_webhook: str | None = None
    fake_credentials: bool = True
    folder: Path | None = None
    suite: str | None = None
    firebase_cli: Path | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    cron_faults: CronFaults | None = None
    begins: datetime | None = None
    ports: Ports = field(default_factory=Ports)
    usual_ports: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path | str = ".", **changes: Any) -> Self:
        """Return the settings of the project in `folder`, with `changes` of these fields.

        Raises:
            ProjectError: the folder is no project; the message says what is missing.
        """
        project = read_project(Path(folder).resolve())
        found = cls(
            project.source,
            project.project,
            folder=Path(folder).resolve(),
            indexes=project.indexes,
            rules=project.rules,
            storage_rules=project.storage_rules,
            site=project.site,
            usual_ports=project.ports,
        )
        return replace(found, **changes)


class LocalCloud:
    """A context manager around the running cloud. Leaves no process, thread or file behind.

    `served_by` says who serves a part, and why, where that needs to be said.
    """

    clock: MovableClock
    firestore: LocalFirestore
    storage: StorageServer  # ours; there is none where Firebase's suite serves it
    storage_host: str
    auth_host: str
    openai: OpenAIStandIn | None
    openai_base_url: str
    anthropic: AnthropicStandIn | None
    azure: OpenAIStandIn | None
    stripe: StripeStandIn | None
    revenuecat: RevenueCatStandIn | None
    functions_url: str
    page_url: str
    cron: CronClock
    logs: Path

    def __init__(self, project: CloudSettings | Path | str = ".", **changes: Any) -> None:
        """Take the folder of a project or its settings, and fields of CloudSettings to change. Nothing starts before
        `with`.

        Raises:
            ProjectError: the folder is no project; the message says what is missing.
        """
        settings = (
            replace(project, **changes) if isinstance(project, CloudSettings) else CloudSettings.of(project, **changes)
        )
        if settings.openai not in OPENAI_CHOICES:
            raise ProjectError(f"there is no OpenAI {settings.openai!r}; it can be {', '.join(OPENAI_CHOICES)}")
        self.settings, self.project, self.region = settings, settings.project, settings.region
        self.bucket = settings.bucket or f"{settings.project}.firebasestorage.app"
        self.served_by: dict[str, str] = {}
        self._stack = ExitStack()
        self._clients = ExitStack()

    def __enter__(self) -> Self:
        """Start everything.

        Raises:
            PortTakenError: a port asked for is in use.
            FirestoreChoiceError: the Firestore asked for cannot be had.
            FunctionsStartError: main.py does not start; the message shows its last log lines.
            ProjectError: there is no function named as a webhook.
            ValueError: the clock is to begin in the machine's past.
            ClockError: it is to begin at all, and the functions run in Google's emulator.
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
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="localcloud-")))
        self.logs = folder / "functions.log"
        self.clock = MovableClock(folder / "clock")
        stack.callback(self.clock.close)
        if settings.begins is not None:
            self._check_clock()
            self.clock.move_to(settings.begins)
        self._credentials: dict[str, str] = {}
        self._functions = self._start_parts(stack)
        self.functions_url = self._functions.url
        self._send_events()
        self.page_url = ""
        if settings.site is not None:
            hosting = HostingServer(settings.site, self._page, self.clock, settings.ports.hosting)
            run(stack, hosting)
            self.page_url = hosting.url
        self.cron = CronClock(
            self.clock,
            self._functions.triggers(),
            self.url,
            self.region,
            settings.cron_faults,
            on_step=self._tick_providers,
        )
        stack.callback(self.cron.stop)
        # Clients close before the servers stop, or each server would wait a while for their idle connections.
        self._http = stack.enter_context(httpx.Client(timeout=_CALL_SECONDS_MAX, limits=httpx.Limits()))
        self._clients = stack.enter_context(ExitStack())

    def _start_parts(self, stack: ExitStack) -> FunctionsProcess | FunctionsEmulator:
        """Start what keeps data or answers, and the functions, which are returned."""
        settings = self.settings
        self.firestore = choose_firestore(
            settings.firestore, settings.indexes, settings.rules, self.clock, free_port(settings.ports.firestore)
        )
        run(stack, self.firestore)
        self.storage = StorageServer(self.bucket, settings.ports.storage, self.project, self._storage_security())
        run(stack, self.storage)
        self.storage_host = self.storage.host
        auth_server = AuthServer(self.project, settings.ports.auth)
        run(stack, auth_server)
        self.auth_host = auth_server.host
        self._start_providers(stack)
        self._credentials = self._made_credentials(self.logs.parent) if settings.fake_credentials else {}

        functions = FunctionsProcess(
            settings.source,
            self.environment,
            self.logs,
            settings.clock_hook,
            self.project,
            self.region,
            settings.ports.functions,
            settings.function_processes,
        )
        run(stack, functions)
        return functions

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
            FILE_VARIABLE: str(self.clock.path),
            **self._credentials,
            **self._provider_environment,
            **self.settings.environment,
        }

    def url(self, name: str) -> str:
        """Return the address of a function, as the Firebase emulator would have it."""
        return self._functions.function_url(name)

    def crash_functions(self) -> None:
        """Kill the functions' processes, whatever they are at, and start them anew; everything else goes on. For our
        own server alone: Google's emulator cannot be crashed."""
        assert isinstance(self._functions, FunctionsProcess)  # noqa: S101  (asked of a cloud without a suite)
        self._functions.kill()
        self._functions.start()

    def triggers(self) -> list[Trigger]:
        """Return every function of main.py, in its order there."""
        return self._functions.triggers()

    def advance(self, step: timedelta) -> list[Tick]:
        """Move the clock by `step`: cron fires and OpenAI batches come through on the way.

        Returns the ticks delivered. One that failed is in it (`ok` is False), and was printed to standard error.

        Raises:
            ClockError: the functions run in Google's emulator, which keeps the machine's time.
        """
        self._check_clock()
        return self.cron.advance(step)

    def _check_clock(self) -> None:
        if self.settings.suite is not None:
            raise ClockError("Google's functions emulator keeps the machine's time; a scheduled function can be fired")

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
        token = self._auth("accounts:signInWithCustomToken", {"token": custom_token(uid)})
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

    def _storage_security(self) -> StorageSecurity:
        documents = no_documents
        if self.firestore.kind == "embedded":
            documents = partial(self.firestore.embedded.rules_document, self.project)
        try:
            return StorageSecurity(self.settings.storage_rules, documents)
        except RulesError as error:
            raise ProjectError(str(error)) from error

    def _page(self) -> Page:
        config = {"apiKey": "local", "projectId": self.project, "storageBucket": self.bucket, "appId": "local"}
        emulators = {
            "auth": self.auth_host,
            "firestore": self.firestore.app_host,
            "functions": self.functions_url,
            "storage": self.storage_host,
        }
        return Page(config, emulators)

    def _start_providers(self, stack: ExitStack) -> None:
        self.openai, self.openai_base_url, self.anthropic = None, "", None
        self.azure, self.stripe, self.revenuecat = None, None, None
        self._provider_environment: dict[str, str] = {}
        if self.settings.openai != "none":
            self._provider_environment |= self._start_openai(stack)
            self.openai_base_url = self._provider_environment["OPENAI_BASE_URL"]
        if self.settings.anthropic:
            self._provider_environment |= self._start_anthropic(stack)
        if self.settings.azure:
            self._provider_environment |= self._start_azure(stack)
        self._provider_environment |= self._start_shops(stack)

    def _send_events(self) -> None:
        """Tell the stand-ins where their events go. Raises ProjectError if there is no such function."""
        settings, names = self.settings, [trigger.name for trigger in self._functions.triggers()]
        for service, standin, webhook in (
            ("OpenAI", self.openai, settings.openai_webhook),
            ("Stripe", self.stripe, settings.stripe_webhook),
            ("RevenueCat", self.revenuecat, settings.revenuecat_webhook),
        ):
            if standin is not None and webhook is not None:
                if webhook not in names:
                    raise ProjectError(f"no function {webhook} for {service}'s events, only {names}")
                standin.settings.webhook_url = self.url(webhook)

    def _start_shops(self, stack: ExitStack) -> dict[str, str]:
        """Start what is paid at, where there is a function for its events."""
        settings, found = self.settings, dict[str, str]()
        seed = {name: value for name, value in settings.standin.items() if name == "seed"}
        made = {"clock": self.clock, **seed}
        if settings.stripe_webhook is not None:
            secret = f"whsec_{secrets.token_hex(16)}"
            self.stripe = StripeStandIn(free_port(settings.ports.stripe), webhook_secret=secret, **made)
            run(stack, self.stripe)
            found |= {"STRIPE_API_KEY": "sk_test_stand_in", "STRIPE_WEBHOOK_SECRET": secret}
            found["STRIPE_BASE_URL"] = self.stripe.base_url
        if settings.revenuecat_webhook is not None:
            secret = secrets.token_hex(16)
            self.revenuecat = RevenueCatStandIn(free_port(settings.ports.revenuecat), webhook_secret=secret, **made)
            run(stack, self.revenuecat)
            found |= {"REVENUECAT_API_KEY": "stand-in", "REVENUECAT_WEBHOOK_SECRET": secret}
            found["REVENUECAT_BASE_URL"] = self.revenuecat.base_url
        return found

    def _start_anthropic(self, stack: ExitStack) -> dict[str, str]:
        self.anthropic = AnthropicStandIn(free_port(self.settings.ports.anthropic), **self._as_openai())
        run(stack, self.anthropic)
        return {"ANTHROPIC_API_KEY": "stand-in", "ANTHROPIC_BASE_URL": self.anthropic.base_url}

    def _start_azure(self, stack: ExitStack) -> dict[str, str]:
        deployments = self.settings.azure
        self.azure = OpenAIStandIn(free_port(self.settings.ports.azure), azure=deployments, **self._as_openai())
        run(stack, self.azure)
        first = next(iter(deployments))
        return {"AZURE_API_KEY": "stand-in", "AZURE_BASE_URL": self.azure.base_url, "AZURE_DEPLOYMENT": first}

    def _as_openai(self) -> dict[str, Any]:
        """Return what other stand-ins for a model have in common with that for OpenAI."""
        both = {name: value for name, value in self.settings.standin.items() if name in {"batch_minutes", "seed"}}
        return {"clock": self.clock, "answers": self.settings.answers, **both}

    def _start_openai(self, stack: ExitStack) -> dict[str, str]:
        real = {name: os.environ[name] for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL") if os.environ.get(name)}
        if real and self.settings.openai == "auto":
            # A compatible server of one's own often wants no key, but the client wants one.
            return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": _OPENAI, **real}
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        arguments = {"webhook_secret": secret, "answers": self.settings.answers, **self.settings.standin}
        self.openai = OpenAIStandIn(free_port(self.settings.ports.openai), clock=self.clock, **arguments)
        run(stack, self.openai)
        return {
            "OPENAI_API_KEY": "stand-in",
            "OPENAI_BASE_URL": self.openai.base_url,
            "OPENAI_WEBHOOK_SECRET": arguments["webhook_secret"],
        }

    def _made_credentials(self, folder: Path) -> dict[str, str]:
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        account = {
            "type": "service_account",
            "project_id": self.project,
            "client_email": f"local@{self.project}.iam.gserviceaccount.com",
            "private_key": pem.decode(),
            "token_uri": f"http://{self.auth_host}/no-tokens",  # so that Google is not asked for one
        }
        path = folder / "credentials.json"
        path.write_text(json.dumps(account), encoding="utf-8")
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}

    def _tick_providers(self) -> None:
        for provider in (self.openai, self.anthropic, self.azure, self.stripe, self.revenuecat):
            if provider is not None:
                provider.tick()

    def _auth(self, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._http.post(
            f"http://{self.auth_host}/identitytoolkit.googleapis.com/v1/{operation}",
            params={"key": "local"},
            # As the owner where the project is named, as an app elsewhere: Google's emulator tells them apart.
            headers={"Authorization": "Bearer owner"} if operation.startswith("projects/") else {},
            json=dict(body),
        )
        if answer.is_error:
            raise RuntimeError(f"{operation}: {answer.text}")
        content: dict[str, Any] = answer.json()
        return content


def custom_token(uid: str, claims: Mapping[str, Any] | None = None) -> str:
    """Return a custom token for a user, as an app signs in with; unsigned, which only emulators take."""
    parts = ({"alg": "none", "typ": "JWT"}, {"aud": _CUSTOM_TOKENS_FOR, "uid": uid, "claims": dict(claims or {})})
    header, payload = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{header}.{payload}."


def _nobody() -> AnonymousCredentials:
    return AnonymousCredentials()  # type: ignore[no-untyped-call]


class _Part(Protocol):
    def start(self) -> object: ...

    def stop(self) -> object: ...


def run(stack: ExitStack, part: _Part) -> None:
    """Start a part, and have it stopped also when its start fails half-way."""
    stack.callback(part.stop)
    part.start()
