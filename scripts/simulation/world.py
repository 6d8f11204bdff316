"""Everything outside the functions, and the gate that each call to it goes through.

Firestore is the embedded one and OpenAI the stand-in, both behind the real client; Storage and messaging are
dictionaries. The gate lets others run before a call takes effect, strikes it with its fault if it has one, and writes
it into the trace. The world also keeps what the checks want to know and no document tells.
"""

import base64
import hashlib
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import httpx2
from google.api_core.exceptions import FailedPrecondition
from google.api_core.retry import retry_base, retry_streaming, retry_unary
from openai import OpenAI

from functions import log
from functions.adapters import time_budget
from functions.adapters.firestore import FirestoreStore, wire
from functions.adapters.providers.watched import WatchedAnthropic, WatchedOpenAI
from functions.core.budget import shards
from functions.core.shared.errors import EcolaneError
from functions.use_cases.batches.openai_webhook import openai_webhook
from functions.wiring import Deps
from localcloud.anthropic import AnthropicStandIn
from localcloud.anthropic.batch_state import MessageBatch
from localcloud.firestore import FirestoreServer, in_process_client
from localcloud.firestore.errors import FirestoreError
from localcloud.firestore.locks import Owner
from localcloud.firestore.store import EVERYWHERE, Database
from localcloud.openai import OpenAIStandIn
from localcloud.openai.errors import invalid
from scripts import sample_answers
from scripts.inprocess import SETTINGS, CrashError, StillClock, replaced, unprepared
from scripts.operators.store import OperatorStore
from scripts.simulation.cache import recognised
from scripts.simulation.documents import Documents, Fields, decoded, written
from scripts.simulation.faults import HAND, Fault, FaultPlan, Kind
from scripts.simulation.history import History
from scripts.simulation.interleaving import Interleaving, Invocation, OverrunError, Process
from scripts.simulation.invariants import Invariants
from scripts.simulation.outside import Files, HostilePhotos, InLine, LibraryTime, Messaging, Wire, firestore_error
from scripts.simulation.providers import HAIKU, drawn_cache, has_both, normalised

T = TypeVar("T")

PROCESSES = 3
"""Instances that share the calls. Each remembers the settings it has read for 30 seconds, as in production."""

FIRESTORE_TIMEOUT_SECONDS = 10.0
OPENAI_TIMEOUT_SECONDS = 60.0
OPENAI_LATE_SECONDS_MAX = 55.0
"""With the time limit less than what a submitter leaves of its lease: see `core.batches.batches.LEASE_MARGIN`."""

MANY_SHARDS, CALL_MICROS = 24, 700
"""What days of every second history have, and what a call holds at the most: see `World.in_force`."""

STEPS_MAX = 40_000  # outside calls of one history; the longest sound ones take a tenth of that
SECRET = "whsec_c2ltdWxhdGlvbg=="  # noqa: S105  (of a webhook that nobody can reach)

_INDEXES = Path(__file__).resolve().parents[2] / "firestore.indexes.json"


@dataclass(frozen=True)
class Billed:
    """One answer that a provider has made and charges for: about the photo at this path, for the job of a batch's line.
    An instant call names no job. `text` is empty for an answer that says nothing."""

    job_id: str
    photo: str
    model: str
    usage: Mapping[str, Any]
    batch: bool
    text: str


@dataclass(frozen=True)
class Created:
    """One batch that a provider has taken."""

    provider_id: str
    batch_id: str
    jobs: tuple[str, ...]
    at: datetime


@dataclass
class Outcome:
    """How one call of a use case ended: `ok`, `refused` (an error of ours), `failed` (any other) or `crashed`."""

    key: str
    what: str
    began: datetime
    ended: datetime
    how: str
    value: Any = None
    error: BaseException | None = None
    faults: int = 0


class World:
    """One history's cloud."""

    def __init__(self, history: History, only: frozenset[tuple[str, int]] | None = None) -> None:
        """`only` names the faults that are struck, by key and number of the call; None for all that are drawn."""
        self.history = history
        self.clock = StillClock(history.start)
        self.interleaving = Interleaving(self.clock)
        self.plan = FaultPlan(history.fault_rate, history.focus, only)
        self.firestore = FirestoreServer(indexes=_INDEXES, clock=self.clock, seconds=self.clock.seconds)
        self.openai = OpenAIStandIn(
            clock=self.clock,
            seed=history.seed,
            answers=sample_answers.answers,
            fetch=self._fetch,
            send_webhook=self._send_webhook,
            webhook_url="http://functions.local/openai_webhook",
            webhook_secret=SECRET,
            batch_minutes=history.batch_minutes,
        )
        self.anthropic = AnthropicStandIn(
            clock=self.clock,
            seed=history.seed,
            answers=sample_answers.answers,
            fetch=self._fetch,
            batch_minutes=history.batch_minutes,
            **drawn_cache(history.seed),
        )
        self.files = Files(self.outside)
        self.messaging = Messaging(self.outside)
        self.steps = 0
        self.struck: list[Fault] = []
        self.events: Counter[str] = Counter()
        self.outcomes: list[Outcome] = []
        self.billed: list[Billed] = []
        self.created: list[Created] = []
        self.outages: dict[str, float] = {}
        self.photos: dict[str, str] = {}
        self.uploads: dict[str, bytes] = {}
        self.damaged: dict[str, Fields] = {}
        self.trace: list[str] = []
        self.invariants = Invariants()
        self._hash = hashlib.sha256()
        self._hooks = self._written = 0
        self._connection = in_process_client(
            self.firestore,
            SETTINGS.project,
            wait=self._wait_for_lock,
            intercept=self._intercept,
        )
        self._store, self.operators = FirestoreStore(self._connection), OperatorStore(self._connection)
        provider = HostilePhotos(self.openai.transport(), self.openai.faults, self._is_hostile)
        http = httpx2.Client(transport=Wire(self.outside, provider), base_url=self.openai.base_url)
        self._client = OpenAI(api_key="stand-in", base_url="http://openai.local/v1", http_client=http)
        other = HostilePhotos(self.anthropic.transport(), self.anthropic.faults, self._is_hostile)
        other_http = httpx2.Client(transport=Wire(self.outside, other, "anthropic"))
        self._anthropic_http = other_http
        self._processes = [self._new_process(number) for number in range(PROCESSES)]
        self._started = PROCESSES
        self._record_openai()
        self._record_anthropic()

    def _is_hostile(self, photo: str) -> bool:
        return self.photos.get(photo, "//").split("/")[1] in self.history.hostile

    # What invocations see

    def _new_process(self, number: int) -> Process:
        key = "stand-in" if has_both(self.history.seed) else ""  # by which the deploy has it
        deps = Deps(replace(SETTINGS, openai_webhook_secret=SECRET, anthropic_api_key=key), self.clock)
        other = WatchedAnthropic(self._anthropic_http, "http://anthropic.local", key, deps) if key else None
        replaced(
            deps,
            new_id=self._new_id,
            prepare_photo=unprepared,
            recognise_photo=recognised,
            store=self._store,
            files=self.files,
            provider=WatchedOpenAI(self._client, deps),
            anthropic=other,
            delete_sign_in=lambda _uid: None,  # there are none here
            messaging=self.messaging,
            alerting=self.messaging,
        )
        return Process(number, deps)

    def _new_id(self) -> str:
        """Return an id that follows from the seed."""
        me = self.interleaving.current()
        if me is None:
            raise RuntimeError("only invocations ask for ids")
        me.ids += 1
        return f"{self.dice(me.key, 'id', me.ids).getrandbits(128):032x}"

    def begin(self, key: str, what: str, call: Callable[[Deps], Any], at: float | None = None) -> None:
        """Have a use case called at this time, or now, in one of the processes that live then."""
        now = self.interleaving.seconds

        def start() -> None:
            dice = self.dice(key)
            process = self._processes[dice.randrange(PROCESSES)]
            invocation = Invocation(key, what, process)
            self.interleaving.start(self.interleaving.seconds, invocation, lambda: self._run(invocation, call))

        self.interleaving.at(now if at is None else at, start)

    def _run(self, invocation: Invocation, call: Callable[[Deps], Any]) -> None:
        began = self.clock()
        how, value, error = "ok", None, None
        try:
            value = call(invocation.process.deps)
            invocation.require_alive()
        except CrashError:
            how, value = "crashed", None
        except Exception as problem:  # noqa: BLE001  (what may be raised is for the checks to say)
            how, error = ("refused" if isinstance(problem, EcolaneError) else "failed"), problem
            if not invocation.process.alive:
                how, error = "crashed", None
        outcome = Outcome(invocation.key, invocation.what, began, self.clock(), how, value, error, invocation.faults)
        self.outcomes.append(outcome)
        self._note(f"{invocation.key} {invocation.what} ends: {how} {error!r}" if error else f"{invocation.key} {how}")

    def crash(self, process: Process) -> None:
        """End a process and all that runs in it; a new one takes its place."""
        process.alive = False
        if process in self._processes:
            self._processes[self._processes.index(process)] = self._new_process(self._started)
            self._started += 1

    def restart(self, process: int) -> None:
        """End one of the processes, as the platform does at any time."""
        self.crash(self._processes[process % PROCESSES])

    # The gate

    def dice(self, *names: object) -> random.Random:
        """Return dice that always fall the same for the same history and names."""
        return random.Random(f"{self.history.seed}:{':'.join(map(str, names))}")  # noqa: S311  (repeatable, not secret)

    def outside(self, name: str, proceed: Callable[[], T], fail: Callable[[Kind], Exception]) -> T:
        """Let one outside call happen: others run first, then it takes effect, or what its fault makes of that. `fail`
        makes the error that the caller sees when the call fails."""
        me = self.interleaving.current()
        if me is None:
            return proceed()
        me.require_alive()
        me.calls += 1
        me.waits_since = None
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise OverrunError(f"more than {STEPS_MAX} outside calls")
        dice = self.dice(me.key, me.calls)
        latency = 10 ** dice.uniform(-3.0, 0.5 if name.startswith(("openai", "anthropic")) else -0.5)
        fault = self.plan.draw(dice, me.key, me.what, me.calls, name)
        if fault:
            me.faults += 1
            self.struck.append(fault)
        self.interleaving.pause(latency + (fault.seconds if fault and fault.kind is Kind.SLOW else 0.0))
        me.require_alive()
        self._note(f"{me.key} {me.what} {me.calls} {name}{f' {fault.kind}' if fault else ''}")
        if fault:
            return self._struck(fault, me, proceed, fail)
        if self.outages.get(name.partition(".")[0], 0.0) > self.interleaving.seconds:
            me.faults += 1
            raise fail(Kind.UNAVAILABLE)
        answer = self._effect(name, proceed)
        me.require_alive()
        return answer

    def _struck(self, fault: Fault, me: Invocation, proceed: Callable[[], T], fail: Callable[[Kind], Exception]) -> T:
        match fault.kind:
            case Kind.CRASH_BEFORE:
                self.crash(me.process)
                raise CrashError
            case Kind.UNAVAILABLE:
                raise fail(fault.kind)
            case Kind.ABORT:
                self.firestore.faults.add("abort")
                return proceed()
            case Kind.LATE_EFFECT:
                of_firestore = fault.name.startswith("firestore")
                limit = FIRESTORE_TIMEOUT_SECONDS if of_firestore else OPENAI_TIMEOUT_SECONDS
                late = fault.seconds if of_firestore else min(fault.seconds, OPENAI_LATE_SECONDS_MAX)
                self.interleaving.at(self.interleaving.seconds + limit + late, lambda: self._late(fault, proceed))
                self.interleaving.pause(limit)
                me.require_alive()
                raise fail(fault.kind)
        answer = self._effect(fault.name, proceed)
        me.require_alive()
        if fault.kind is Kind.CRASH_AFTER:
            self.crash(me.process)
            raise CrashError
        if fault.kind is Kind.REPLY_LOST:
            raise fail(fault.kind)
        if fault.kind is Kind.STALL:
            self.interleaving.pause(fault.seconds)
            me.require_alive()
        return answer

    def _effect(self, name: str, proceed: Callable[[], T]) -> T:
        try:
            return proceed()
        finally:
            self.interleaving.wake_sleepers()
            if name.startswith("firestore"):
                self.invariants(name, self.database)

    def _late(self, fault: Fault, proceed: Callable[[], Any]) -> None:
        """Let a request arrive after its sender has stopped waiting. Its result is lost."""
        try:
            self._effect(fault.name, proceed)
        except (FirestoreError, httpx2.HTTPError):
            self._note(f"{fault.key} {fault.name} arrives late and is refused")
        else:
            self._note(f"{fault.key} {fault.name} arrives late")

    def _note(self, text: str) -> None:
        line = f"{self.interleaving.seconds:.6f} {text}"
        self.trace.append(line)
        self._hash.update(line.encode() + b"\n")

    def fingerprint(self) -> str:
        """Return a hash of all that has happened, in order, and of every document as it is now."""
        found = self._hash.copy()
        for path, fields in sorted(self.documents().items()):
            found.update(f"{path} {sorted(fields.items())!r}\n".encode())
        return found.hexdigest()

    def _intercept(self, rpc: str, proceed: Callable[[], list[bytes]]) -> list[bytes]:
        return self.outside(f"firestore.{rpc}", proceed, firestore_error)

    def _wait_for_lock(self, owner: Owner, at_most: float) -> bool:
        me = self.interleaving.current()
        if me is None:
            return False
        now = self.interleaving.seconds
        me.waits_since = now if me.waits_since is None else me.waits_since
        left = FIRESTORE_TIMEOUT_SECONDS - (now - me.waits_since)
        if left <= 0:
            raise firestore_error(Kind.LATE_EFFECT)
        self.interleaving.pause(min(at_most + 0.001, left), owner.wake)
        me.require_alive()
        return True

    # OpenAI's side

    def _record_openai(self) -> None:
        engine = self.openai.engine
        chat, create = engine.chat, engine.batches.create

        def recording_chat(
            body: object, *, endpoint: str = "POST /v1/chat/completions", custom_id: str = ""
        ) -> dict[str, Any]:
            answer = chat(body, endpoint=endpoint, custom_id=custom_id)
            photo, batch = self._photo_in(body), endpoint.startswith("BATCH")
            text = answer["choices"][0]["message"]["content"] if answer["choices"] else None
            self.billed.append(Billed(custom_id, photo, answer["model"], answer["usage"], batch, text or ""))
            return answer

        def recording_create(body: Any, now: int) -> dict[str, Any]:
            batch = create(body, now)
            lines = engine.files.get(body["input_file_id"], now).path.read_bytes().splitlines()
            jobs = tuple(str(json.loads(line)["custom_id"]) for line in lines)
            ours = (batch["metadata"] or {}).get("batchId", "")
            self.created.append(Created(batch["id"], ours, jobs, self.clock()))
            return batch

        engine.chat = recording_chat  # type: ignore[method-assign]
        engine.batches.create = recording_create  # type: ignore[method-assign]

    def _record_anthropic(self) -> None:
        engine = self.anthropic.engine
        message, create = engine.message, engine.batches.create

        def recording_message(body: Any, *, endpoint: str = "POST /v1/messages", custom_id: str = "") -> dict[str, Any]:
            answer = message(body, endpoint=endpoint, custom_id=custom_id)
            source = body["messages"][0]["content"][1]["source"]
            photo = self.photos[
                source["data"] if source["type"] == "base64" else photo_text(self._fetch(source["url"]))
            ]
            text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
            usage = normalised(answer["usage"])
            self.billed.append(Billed(custom_id, photo, HAIKU, usage, batch=bool(custom_id), text=text))
            return answer

        def recording_create(body: Any, now: float) -> MessageBatch:
            batch = create(body, now)
            jobs = tuple(str(each["custom_id"]) for each in body["requests"])
            kind = "cacheChecks" if jobs[0].startswith("check-") else "aiJobs"
            stored = self.database.get(f"{kind}/{jobs[0]}")
            ours = str(decoded(stored.parse())["batchId"]) if stored else ""
            self.created.append(Created(batch.id, ours, jobs, self.clock()))
            return batch

        engine.message = recording_message  # type: ignore[method-assign]
        engine.batches.create = recording_create  # type: ignore[method-assign]

    def _photo_in(self, body: Any) -> str:
        """Return the path of the photo that a chat completion's body shows, itself or by a link."""
        url = next(part["image_url"]["url"] for part in body["messages"][-1]["content"] if "image_url" in part)
        return self.photos[url.partition("base64,")[2] or photo_text(self._fetch(url))]

    def _fetch(self, url: str) -> bytes:
        path = url.removeprefix("https://storage.local/")
        if path not in self.files.objects:
            raise invalid("Error while downloading the image.", code="invalid_image_url")
        return self.files.objects[path]

    def _send_webhook(self, _url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Take an event from OpenAI. It reaches us later, how much later follows from the seed; some never do."""
        self._hooks += 1
        key = f"hook{self._hooks}"
        dice = self.dice(key)
        delay = dice.choice((0.0, 1.0, 60.0, 1_000.0, 20_000.0)) * dice.uniform(0.5, 1.0)
        if self.plan.active and dice.random() < 0.1:
            return 200
        self.begin(
            key, "openai_webhook", lambda deps: openai_webhook(body, headers, deps), self.interleaving.seconds + delay
        )
        return 200

    # What the checks look at

    def cancelled(self, provider_id: str) -> bool:
        """Tell whether a batch was cancelled at OpenAI; at Anthropic all end before they would be."""
        engine = self.openai.engine
        return not provider_id.startswith("msgbatch") and (
            engine.batches.retrieve(provider_id, engine.now())["status"] == "cancelled"
        )

    def left_at_anthropic(self) -> set[str]:
        """Return the batches that are there."""
        engine = self.anthropic.engine
        return {each.id for each in engine.batches.page(engine.now(), limit="1000", after=None, before=None)}

    def documents(self, *kinds: str) -> Documents:
        """Return every document there is, or those below these collections of the root, by path, as plain values: read
        past client, locks and gate."""
        return {
            path: decoded(stored.parse())
            for path, stored in self.database.documents(EVERYWHERE)
            if not kinds or path.partition("/")[0] in kinds
        }

    def written(self) -> dict[str, int]:
        """Return in which order the documents came."""
        return written(self.database)

    @property
    def database(self) -> Database:
        (session,) = self.firestore.engine.sessions.values()
        return session.database

    def deploy(self, config: dict[str, Any]) -> None:
        """Set the runtime config that the history begins with."""
        self._connection.document("config/runtime").set(config)
        self.invariants("firestore.Commit", self.database)

    # What other hands do to documents

    def chosen(self, what: str, purpose: str) -> list[str]:
        """Return the path of one document of this kind, or none if there is none yet: which follows from the seed."""
        pattern = {
            "wallet": r"users/[^/]+/wallet/main",
            "shard": r"budget/[^/]+/shards/[^/]+",
            "job": r"aiJobs/[^/]+",
            "batch": r"batches/[^/]+",
        }[what]
        # A job under way is written under the condition that nobody has touched it: no release does.
        found = [
            path
            for path, fields in sorted(self.documents().items())
            if re.fullmatch(pattern, path) and fields.get("status") != "processing" and path not in self.damaged
        ]
        return [self.dice(purpose, self.steps).choice(found)] if found else []

    def write(self, path: str, changes: Callable[[Fields], Fields]) -> None:
        """Have an operator, or another release, read a document and write what `changes` makes of its fields. A write
        of an older version is lost, and made again of the newer one."""
        self._written += 1
        self.begin(f"{HAND}{self._written}", "hand", lambda _deps: self._write(path, changes))

    def _write(self, path: str, changes: Callable[[Fields], Fields]) -> None:
        ref = self._connection.document(path)
        while True:
            found = ref.get()
            fields = changes(found.to_dict() or {}) if found.exists else {}
            if not fields:
                return
            try:
                ref.update(fields, option=self._connection.write_option(last_update_time=found.update_time))
            except FailedPrecondition:
                continue
            return

    def damage(self, path: str, name: str) -> None:
        """Have a hand write nonsense into a field of a document."""
        self.damaged[path] = {}

        def spoil(found: Fields) -> Fields:
            self.damaged[path] = {name: found[name]}
            return {name: "many"}

        self.write(path, spoil)

    def repair(self, path: str) -> None:
        """Put a damaged document right, if it is damaged still."""
        sound = self.damaged.get(path, {})
        self.write(path, lambda found: {name: value for name, value in sound.items() if found.get(name) == "many"})

    # Time

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Have client libraries wait by the simulated clock, chance fall by the seed, and logs be counted here."""
        random.seed(self.history.seed)
        with ExitStack() as patches:
            library = LibraryTime(self.interleaving)
            for module in (retry_base, retry_streaming, retry_unary):
                patches.enter_context(mock.patch.object(module, "time", library))
            patches.enter_context(mock.patch.object(wire, "sleep", library.sleep))
            patches.enter_context(mock.patch.object(time_budget, "monotonic", library.monotonic))
            patches.enter_context(mock.patch.object(log, "log", self._log))
            if self.history.seed % 2:  # the small budget of a history has as many shards as a big one has
                daily = self.history.config["budget"]["dailyLimitMicros"]
                calls = max(daily // (MANY_SHARDS * CALL_MICROS), 1)
                patches.enter_context(mock.patch.object(shards, "CALLS_A_SHARD", calls))
            for name, loaded in sorted(sys.modules.items()):
                if name.startswith("functions.") and hasattr(loaded, "ThreadPoolExecutor"):
                    patches.enter_context(mock.patch.object(loaded, "ThreadPoolExecutor", InLine))
            yield

    def _log(self, event: log.Event, *_: object, **__: object) -> None:
        self.events[event] += 1
        self._note(f"logs {event}")


def photo_text(data: bytes) -> str:
    """Return a photo as it appears in a request to OpenAI."""
    return base64.b64encode(data).decode()
