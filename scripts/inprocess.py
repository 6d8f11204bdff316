"""The whole product in one process, without a socket: real use cases, real clients, our Firestore and OpenAI stand-in.

For what has to be fast and repeatable: property tests, benchmarks of cost, simulations. The clock stands still until
it is moved; only Cloud Storage is replaced, by a dictionary with the adapter's own interface.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from io import BytesIO
from itertools import islice
from time import monotonic
from typing import IO, Any, Literal, TypeVar

from google.api_core.exceptions import NotFound
from openai import OpenAI

from functions.adapters.firestore import FirestoreStore
from functions.adapters.messaging import Sent
from functions.adapters.payments.revenuecat import RevenueCat
from functions.adapters.payments.stripe import Stripe
from functions.adapters.providers.watched import WatchedAnthropic, WatchedAzure, WatchedOpenAI
from functions.core.batches.manifest import BatchManifest
from functions.core.cache.fingerprints import COLOUR_BYTES, CUTS, Fingerprint
from functions.core.config.runtime import ImageRules
from functions.core.shared.errors import ImageNotFound
from functions.core.shared.providers import Provider
from functions.core.wallet.profile import PushSummary
from functions.deploy.params import Settings
from functions.use_cases.payments.revenuecat_webhook import revenuecat_webhook
from functions.use_cases.payments.stripe_webhook import stripe_webhook
from functions.wiring import Deps
from localcloud.anthropic import AnthropicStandIn
from localcloud.firestore import FirestoreServer, in_process_client
from localcloud.firestore.service import Wait
from localcloud.openai import OpenAIStandIn
from localcloud.openai.answers import Answer
from localcloud.openai.azure import Deployment
from localcloud.revenuecat import RevenueCatStandIn
from localcloud.stripe import StripeStandIn
from scripts import sample_answers
from scripts.ecolane_cloud import PROJECT, ROOT
from scripts.operators.session import OperatorDeps
from scripts.operators.store import OperatorStore
from scripts.operators.stripe_by_hand import OperatorStripe

D = TypeVar("D", bound=Deps)
T = TypeVar("T")
Interrupt = Callable[[str, Literal["before", "after"]], None]

SETTINGS = Settings(PROJECT, "demo-bucket", "gpt-6-luna", "http://openai.local/v1", "stand-in")
SHOP_SECRET = "whsec_of_the_stand_ins"  # noqa: S105  # pragma: allowlist secret
SELLING: Mapping[str, Any] = {
    "stripe_base_url": "http://stripe.example",
    "stripe_api_key": "sk_test_any",
    "stripe_webhook_secret": SHOP_SECRET,
    "revenuecat_base_url": "http://revenuecat.example",
    "revenuecat_api_key": "sk_any",
    "revenuecat_webhook_secret": SHOP_SECRET,
}
"""Settings of a deploy that sells something."""

_AS_IT_IS: Mapping[str, Any] = {}
_INDEXES = ROOT / "firestore.indexes.json"


class CrashError(BaseException):
    """The process is gone: nothing in it can catch this, and nothing in it talks to anybody any more."""


def replaced(deps: D, **parts: object) -> D:
    """Put these parts in the place of those that `deps` builds. Raises TypeError for a name that there is not."""
    if unknown := [name for name in parts if not hasattr(type(deps), name) and name not in vars(deps)]:
        raise TypeError(f"{type(deps).__name__} has no {unknown}")
    vars(deps).update(parts)
    return deps


def unprepared(data: bytes, _rules: ImageRules) -> bytes:
    """Take a photo as it is: it was prepared once, which is a matter of other tests."""
    return data


AGAIN = b"#again"
"""What follows this in a photo's bytes is no part of the picture: as many bits of its hash differ as it has bytes."""


def recognised(data: bytes, _rules: ImageRules) -> tuple[bytes, Fingerprint]:
    """Take a photo as it is, and know it again: two pictures are as far from each other as chance has it."""
    picture, _, changed = data.partition(AGAIN)
    known = int.from_bytes(sha256(picture).digest()) ^ ((1 << len(changed)) - 1)
    return data, Fingerprint(sha256(data).digest()[:16], (known,) * len(CUTS), bytes(COLOUR_BYTES))


def _uninterrupted(_call: str, _when: Literal["before", "after"]) -> None:
    return


class StillClock:
    """A clock that moves only by `advance`, in either direction."""

    def __init__(self, now: datetime = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def advance(self, step: timedelta) -> None:
        self.now += step


class RunningClock(StillClock):
    """A clock that also goes, as fast as the machine's."""

    def __init__(self) -> None:
        super().__init__()
        self._started = monotonic()

    def __call__(self) -> datetime:
        return self.now + timedelta(seconds=monotonic() - self._started)

    def seconds(self) -> float:
        return self().timestamp()


class MemoryFiles:
    """Cloud Storage's part in `functions.adapters.storage.StorageFiles`, in a dictionary by object path."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def _call(self, name: str, act: Callable[[], T]) -> T:
        """Let a call take effect; `name` is the method's."""
        del name
        return act()

    def read_photo(self, path: str) -> bytes:
        """Return an uploaded photo, or raise ImageNotFound."""
        return self._call("read_photo", lambda: self._photo(path))

    def _photo(self, path: str) -> bytes:
        if path not in self.objects:
            raise ImageNotFound("There is no photo at imagePath. Upload it first.")
        return self.objects[path]

    def write_input(self, batch_id: str) -> AbstractContextManager[IO[bytes]]:
        """Open a batch's input file for writing; it appears when the block ends without an error."""
        return self._written("write_input", f"batches/{batch_id}/input.jsonl")

    def write_manifest(self, batch_id: str) -> AbstractContextManager[IO[bytes]]:
        """Open a batch's list of jobs for writing; see `write_input`."""
        return self._written("write_manifest", f"batches/{batch_id}/jobs.jsonl")

    @contextmanager
    def _written(self, name: str, path: str) -> Iterator[IO[bytes]]:
        file = BytesIO()
        yield file
        data = file.getvalue()
        self._call(name, lambda: self.objects.__setitem__(path, data))

    @contextmanager
    def read_input(self, batch_id: str) -> Iterator[IO[bytes]]:
        yield BytesIO(self._call("read_input", lambda: self._stored(f"batches/{batch_id}/input.jsonl")))

    def read_manifest(self, batch_id: str) -> BatchManifest:
        data = self._call("read_manifest", lambda: self._stored(f"batches/{batch_id}/jobs.jsonl"))
        return BatchManifest(data.splitlines())

    def put_photo(self, batch_id: str, job_id: str, jpeg: bytes) -> str:
        """Store a prepared photo with its batch and return a link to it."""
        path = f"batches/{batch_id}/photos/{job_id}.jpg"
        self._call("put_photo", lambda: self.objects.__setitem__(path, jpeg))
        return f"https://storage.local/{path}"

    def delete_batch_files(self, batch_id: str) -> None:
        """Remove a batch's files, as far as they are there."""
        self._call("delete_batch_files", lambda: self._delete(f"batches/{batch_id}/"))

    def list_uploads(self, uid: str, token: str | None) -> tuple[list[str], str | None]:
        """Return the paths of a user's photos, in one page."""
        del token
        folder = f"users/{uid}/uploads/"
        return self._call(
            "list_uploads", lambda: sorted(path for path in self.objects if path.startswith(folder))
        ), None

    def delete_uploads(self, uid: str, most: int) -> int:
        """Remove a user's photos, so many at the most. Returns how many there were."""
        return self._call("delete_uploads", lambda: self._delete(f"users/{uid}/uploads/", most))

    def named_uploads(self, uid: str, prefix: str, most: int) -> list[str]:
        """Return the paths of a user's photos whose names begin so, so many at the most."""
        begins = f"users/{uid}/uploads/{prefix}"
        found = (path for path in sorted(self.objects) if path.startswith(begins))
        return self._call("named_uploads", lambda: list(islice(found, most)))

    def put_list(self, uid: str, bulk_id: str, digest: str, paths: str) -> None:
        """Store the list of a bulk job's photos."""
        path = f"bulks/{uid}/{bulk_id}/{digest}.txt"
        self._call("put_list", lambda: self.objects.__setitem__(path, paths.encode()))

    def read_list(self, uid: str, bulk_id: str, digest: str) -> list[str]:
        """Return the paths of a bulk job's photos."""
        path = f"bulks/{uid}/{bulk_id}/{digest}.txt"
        return self._call("read_list", lambda: self._stored(path)).decode().split("\n")

    def put_report(self, uid: str, bulk_id: str, report: str) -> None:
        """Store the report of a bulk job."""
        path = f"bulks/{uid}/{bulk_id}/report.csv"
        self._call("put_report", lambda: self.objects.__setitem__(path, report.encode()))

    def report_link(self, uid: str, bulk_id: str) -> str:
        """Return a link to the report of a bulk job."""
        return self._call("report_link", lambda: f"https://storage.local/bulks/{uid}/{bulk_id}/report.csv")

    def delete_bulk_files(self, uid: str) -> int:
        """Remove the lists and reports of a user. Returns how many there were."""
        return self._call("delete_bulk_files", lambda: self._delete(f"bulks/{uid}/"))

    def _delete(self, folder: str, most: int | None = None) -> int:
        found = [path for path in self.objects if path.startswith(folder)][:most]
        for path in found:
            del self.objects[path]
        return len(found)

    def _stored(self, path: str) -> bytes:
        if path not in self.objects:
            raise NotFound(f"no object {path}")  # type: ignore[no-untyped-call]
        return self.objects[path]


class MemoryMessaging:
    """Firebase Cloud Messaging's part in `functions.adapters.messaging.PushMessaging`: keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[PushSummary] = []
        self.dead_tokens: set[str] = set()
        self.alerts: list[tuple[tuple[str, ...], str, str, str]] = []

    def send(self, news: Sequence[PushSummary]) -> Sent:
        """Keep the news and return how many devices it would have reached; `dead_tokens` are those of none."""
        self.sent += [item for item in news if item.push_tokens]
        return self._sent([(item.uid, token) for item in news for token in item.push_tokens])

    def alert(self, targets: Sequence[tuple[str, str]], kind: str, day: str, text: str) -> Sent:
        """Keep the alert and return how many devices it would have reached; see `send`."""
        self.alerts.append((tuple(token for _, token in targets), kind, day, text))
        return self._sent(targets)

    def _sent(self, targets: Sequence[tuple[str, str]]) -> Sent:
        dead = tuple(target for target in targets if target[1] in self.dead_tokens)
        return Sent(len(targets) - len(dead), dead)


class _Interrupted:
    """An adapter whose every call can be interrupted before and after it takes effect."""

    def __init__(self, name: str, adapter: object, cloud: "InProcessCloud") -> None:
        self._name, self._adapter, self._cloud = name, adapter, cloud

    def __getattr__(self, call: str) -> Any:
        method = getattr(self._adapter, call)
        if call == "shut":  # asks the process itself
            return method

        def interrupted(*args: Any, **kwargs: Any) -> Any:
            self._cloud.interrupt(f"{self._name}.{call}", "before")
            answer = method(*args, **kwargs)
            if isinstance(answer, AbstractContextManager):
                return self._until_closed(call, answer)
            self._cloud.interrupt(f"{self._name}.{call}", "after")
            return answer

        return interrupted

    @contextmanager
    def _until_closed(self, call: str, file: AbstractContextManager[Any]) -> Iterator[Any]:
        """A file that is written is there once its block has ended."""
        with file as opened:
            yield opened
        self._cloud.interrupt(f"{self._name}.{call}", "after")


class InProcessCloud:
    """Everything a use case needs, in `deps`, and the handles to watch and disturb it.

    `interrupt` is called around every call that leaves the process, with its name and `before` or `after`. It may
    raise.
    """

    def __init__(
        self,
        wait: Wait | None = None,
        clock: StillClock | None = None,
        firestore: FirestoreServer | None = None,
        answers: Answer = sample_answers.answers,
        **standin: Any,
    ) -> None:
        """`wait` is how a call waits for a lock of Firestore's, see `in_process_client`; `firestore` is where the
        documents go, instead of a server of its own; `answers` what each provider says of a picture; `standin` are
        arguments of OpenAIStandIn."""
        self.clock = clock or StillClock()
        self._webhook_secret = standin.get("webhook_secret", "")
        # Locks of a process that died expire by the same clock that everything else goes by.
        self.firestore = firestore or FirestoreServer(indexes=_INDEXES, clock=self.clock, seconds=self.clock.seconds)
        self._answers = answers
        self.openai = OpenAIStandIn(clock=self.clock, answers=answers, **standin)
        self.files = MemoryFiles()
        self.messaging = MemoryMessaging()
        self.deleted_sign_ins: set[str] = set()
        self.interrupt: Interrupt = _uninterrupted
        self.client = in_process_client(self.firestore, PROJECT, wait=wait, intercept=self._intercept)
        self.deps = self.new_process()

    def new_process(self, settings: Mapping[str, Any] = _AS_IT_IS, openai: OpenAI | None = None, **parts: Any) -> Deps:
        """Return dependencies as a newly started process has them. `settings` are changes to those of the deploy,
        `openai` another client for the provider, `parts` whatever else is to be replaced; see `replaced`."""
        deployed = {"openai_webhook_secret": self._webhook_secret, **settings}
        deps = Deps(replace(SETTINGS, **deployed), self.clock)
        if openai is None:
            http = self.openai.http_client()
            openai = OpenAI(api_key="stand-in", base_url=deps.settings.openai_base_url, http_client=http)
        return replaced(
            deps,
            **{
                "prepare_photo": unprepared,
                "recognise_photo": recognised,
                "store": FirestoreStore(self.client),
                "messaging": self.messaging,
                "delete_sign_in": self._delete_sign_in,
                "files": _Interrupted("storage", self.files, self),
                "provider": _Interrupted("openai", WatchedOpenAI(openai, deps), self),
                "anthropic": self._anthropic_of(deps),
                "azure": self._azure_of(deps),
                "stripe": self._stripe_of(deps),
                "revenuecat": self._revenuecat_of(deps),
                **parts,
            },
        )

    @cached_property
    def azure(self) -> OpenAIStandIn:
        """Azure's stand-in, with one deployment named `photos`, which processes with a key for it ask."""
        deployments = {"photos": Deployment("gpt-6-luna", "DataZoneStandard")}
        return OpenAIStandIn(clock=self.clock, answers=self._answers, azure=deployments)

    def _azure_of(self, deps: Deps) -> _Interrupted | None:
        key = deps.settings.azure_api_key
        if not deps.settings.reaches(Provider.AZURE):
            return None
        client = OpenAI(api_key=key, base_url=self.azure.base_url, http_client=self.azure.http_client())
        return _Interrupted("azure", WatchedAzure(client, deps.settings.azure_deployment, deps), self)

    @cached_property
    def anthropic(self) -> AnthropicStandIn:
        """Anthropic's stand-in, which processes with a key for it ask."""
        return AnthropicStandIn(clock=self.clock, answers=self._answers)

    def _anthropic_of(self, deps: Deps) -> _Interrupted | None:
        key = deps.settings.anthropic_api_key
        if not deps.settings.reaches(Provider.ANTHROPIC):
            return None
        provider = WatchedAnthropic(self.anthropic.http_client(), self.anthropic.base_url, key, deps)
        return _Interrupted("anthropic", provider, self)

    @cached_property
    def stripe(self) -> StripeStandIn:
        """Stripe's stand-in, which processes with a key for it ask. It sends events to whoever is told by its
        `settings.webhook_url`."""
        return StripeStandIn(clock=self.clock, send_webhook=self._deliver, webhook_secret=SHOP_SECRET)

    @cached_property
    def revenuecat(self) -> RevenueCatStandIn:
        """RevenueCat's stand-in, in the same way."""
        return RevenueCatStandIn(clock=self.clock, send_webhook=self._deliver, webhook_secret=SHOP_SECRET)

    def _stripe_of(self, deps: Deps) -> _Interrupted | None:
        key = deps.settings.stripe_api_key
        adapter = key and Stripe(self.stripe.http_client(), self.stripe.base_url, key)
        return _Interrupted("stripe", adapter, self) if adapter else None

    def _revenuecat_of(self, deps: Deps) -> _Interrupted | None:
        key = deps.settings.revenuecat_api_key
        adapter = key and RevenueCat(self.revenuecat.http_client(), self.revenuecat.base_url, key)
        return _Interrupted("revenuecat", adapter, self) if adapter else None

    def _deliver(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Hand an event to the webhook whose name the URL ends with, as HTTP would: a process that dies answers
        nothing."""
        webhook = {"stripe_webhook": stripe_webhook, "revenuecat_webhook": revenuecat_webhook}[url.rpartition("/")[2]]
        try:
            return int(webhook(body, {name.title(): value for name, value in headers.items()}, self.deps))
        except CrashError:
            return 0

    def restart(self, settings: Mapping[str, Any] = _AS_IT_IS, openai: OpenAI | None = None, **parts: Any) -> None:
        """Let a new process take over, which nothing interrupts; see `new_process`."""
        self.interrupt = _uninterrupted
        self.deps = self.new_process(settings, openai, **parts)

    @contextmanager
    def interrupting(self, interrupt: Interrupt) -> Iterator[None]:
        """Have each call that leaves the process interrupted, until the block ends."""
        self.interrupt = interrupt
        try:
            yield
        finally:
            self.interrupt = _uninterrupted

    def operator(self) -> OperatorDeps:
        """Return the dependencies of an operator's command."""
        parts = {"files": self.files, "recognise_photo": self.deps.recognise_photo, "revenuecat": self.deps.revenuecat}
        if key := self.deps.settings.stripe_api_key:
            parts["stripe"] = OperatorStripe(self.stripe.http_client(), self.stripe.base_url, key)
        return replaced(OperatorDeps(self.deps.settings, self.clock), store=OperatorStore(self.client), **parts)

    def _delete_sign_in(self, uid: str) -> None:
        self.interrupt("auth.delete_user", "before")
        self.deleted_sign_ins.add(uid)
        self.interrupt("auth.delete_user", "after")

    def _intercept(self, rpc: str, proceed: Callable[[], list[bytes]]) -> list[bytes]:
        self.interrupt(f"firestore.{rpc}", "before")
        answers = proceed()
        self.interrupt(f"firestore.{rpc}", "after")
        return answers

    def upload(self, uid: str, name: str, data: bytes) -> str:
        """Store a photo in a user's folder and return its path."""
        path = f"users/{uid}/uploads/{name}"
        self.files.objects[path] = data
        return path

    def configure(self, config: dict[str, Any]) -> None:
        """Set `config/runtime`, and have it seen at once."""
        self.client.document("config/runtime").set(config)
        self.clock.advance(timedelta(seconds=31))
