"""Noting what the provider does not do, where operators will see it; see `core.model.provider_outage`."""

from __future__ import annotations

import random
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Protocol

from functions import log
from functions.adapters.breaker import Breaker
from functions.adapters.providers.anthropic import AnthropicProvider
from functions.adapters.providers.azure import AzureProvider
from functions.adapters.providers.openai import OpenAIProvider
from functions.core.model.provider_outage import CRONS, SUBMITTING, Door, Outage
from functions.core.model.refusals import ProviderDownError, ProviderError

if TYPE_CHECKING:
    import httpx2
    from openai import OpenAI

    from functions.adapters.firestore import FirestoreStore
    from functions.core.batches.reports import ProviderBatch
    from functions.core.jobs.queue_stats import QueueStats
    from functions.core.model.parsing import Completion

NOTED_EVERY = timedelta(seconds=30)
"""How often a cron's process notes failures at its door. Those in between are counted with the next note."""

CALLS_NOTED_EVERY, CALLS_APART = timedelta(minutes=4), timedelta(minutes=4)
"""How old a note of failing calls is, anybody's, before a process writes the next, and how much older at most by
chance: all processes meet an outage at once, and most of them have read of another's note before their own turn."""

SLOW, SLOW_CALLS = timedelta(seconds=10), 3
"""So many calls that have been under way for so long, and no answer since: a provider that hangs is seen before the
first of them gives up."""


class Records(Protocol):
    """Where outages are noted, and what is known of them."""

    @property
    def store(self) -> FirestoreStore: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    def queue(self) -> QueueStats: ...


class WatchedCalls:
    """Instant calls to one provider, each of which says how it went."""

    def __init__(self, ask: Callable[[dict[str, Any], float], Completion], door: Door, records: Records) -> None:
        """Ask by `ask`, a transport's `complete`."""
        self._ask, self._watch = ask, _Watch(door, records)
        # A model that fails must not close the way to another one, which a flag would then find just as bad.
        self._breakers: dict[str, Breaker] = defaultdict(lambda: Breaker(records.clock))
        self._last: dict[str, ProviderDownError] = {}
        self._clock, self._lock = records.clock, Lock()
        self._under_way: dict[str, list[datetime]] = defaultdict(list)  # when they began, by model
        self._answered_at: dict[str, datetime] = {}

    def shut(self, model: str) -> bool:
        """Whether another provider should be asked instead of this model, if there is one: a call would fail at once,
        or it hangs."""
        return (model in self._last and self._breakers[model].shut) or self._hangs(model)

    def _hangs(self, model: str) -> bool:
        since = self._clock() - SLOW
        with self._lock:
            answered = self._answered_at.get(model)
            waiting = sum(began <= since for began in self._under_way[model])
        return waiting >= SLOW_CALLS and (answered is None or answered < since)

    @contextmanager
    def _call_under_way(self, model: str) -> Iterator[None]:
        began = self._clock()
        with self._lock:
            self._under_way[model].append(began)
        try:
            yield
        finally:
            with self._lock:
                self._under_way[model].remove(began)
        self._answered_at[model] = self._clock()

    def complete(self, body: dict[str, Any], timeout_seconds: float, uid: str | None = None) -> Completion:
        """Ask for one chat completion now. While the provider is down for a model, one caller a minute asks and the
        others fail at once with its last error: no time-outs, and no further bills.

        A photo may make it fail, by what takes the model too long or by a refusal that we do not know. So it is down
        when it has failed several users, `uid` being this one, and not one user several times.
        """
        with self._watch.call():
            model = body["model"]
            breaker, last = self._breakers[model], self._last.get(model)
            if last is not None and not breaker.admits():
                raise last.as_down()
            try:
                with self._call_under_way(model):
                    completion = self._ask(body, timeout_seconds)
            except ProviderError as problem:
                if isinstance(problem, ProviderDownError):
                    self._last[model] = problem
                breaker.note(failed=isinstance(problem, ProviderDownError), asked_for=uid)
                raise
            breaker.note(failed=False)
            return completion


class WatchedAzure(WatchedCalls):
    """Azure's instant calls, each of which says how it went."""

    def __init__(self, client: OpenAI, deployment: str, records: Records) -> None:
        """Take what the transport takes."""
        super().__init__(AzureProvider(client, deployment).complete, Door.AZURE, records)


class _Instant:
    """A provider's instant calls, each of which says how it went."""

    _instant: WatchedCalls

    def shut(self, model: str) -> bool:
        """See `WatchedCalls`."""
        return self._instant.shut(model)

    def complete(self, body: dict[str, Any], timeout_seconds: float, uid: str | None = None) -> Completion:
        """See `WatchedCalls`."""
        return self._instant.complete(body, timeout_seconds, uid)


class WatchedOpenAI(_Instant, OpenAIProvider):
    """OpenAI, every call of which says how it went."""

    def __init__(self, client: OpenAI, records: Records) -> None:
        """Take OpenAI's client."""
        super().__init__(client)
        self._submit, self._poll = (_Watch(door, records) for door in (Door.SUBMIT, Door.POLL))
        self._instant = WatchedCalls(lambda *call: OpenAIProvider.complete(self, *call), Door.INSTANT, records)

    def upload_input(self, name: str, file: IO[bytes]) -> str:
        """Upload a batch's input file."""
        with self._submit.call(succeeds=False):  # half of what a submission takes
            return super().upload_input(name, file)

    def create_batch(self, batch_id: str, input_file_id: str) -> ProviderBatch:
        """Create a batch that carries our id."""
        with self._submit.call():
            return super().create_batch(batch_id, input_file_id)

    def retrieve_batch(self, provider_batch_id: str) -> ProviderBatch:
        """Ask how far a batch has come."""
        with self._poll.call():
            return super().retrieve_batch(provider_batch_id)


class WatchedAnthropic(_Instant, AnthropicProvider):
    """Anthropic, every call of which says how it went."""

    def __init__(self, http: httpx2.Client, base_url: str, api_key: str, records: Records) -> None:
        """Take what the transport takes."""
        super().__init__(http, base_url, api_key)
        self._submit, self._poll = (_Watch(door, records) for door in (Door.ANTHROPIC_SUBMIT, Door.ANTHROPIC_POLL))
        self._instant = WatchedCalls(lambda *call: AnthropicProvider.complete(self, *call), Door.ANTHROPIC, records)

    def create_batch(self, file: IO[bytes]) -> ProviderBatch:
        """Create a batch of all that an input file has."""
        with self._submit.call():
            return super().create_batch(file)

    def retrieve_batch(self, provider_batch_id: str) -> ProviderBatch:
        """Ask how far a batch has come."""
        with self._poll.call():
            return super().retrieve_batch(provider_batch_id)


class _Watch:
    """What one process knows of one door. Its own trouble is no caller's: it is logged, and that is all."""

    def __init__(self, door: Door, records: Records) -> None:
        self._door, self._records, self._lock = door, records, Lock()
        self._unnoted = 0
        self._apart: timedelta | None = None
        self._noted_at: datetime | None = None  # None once it has answered
        self._forgotten_at: datetime | None = None

    @contextmanager
    def call(self, *, succeeds: bool = True) -> Iterator[None]:
        """See how a call goes. One that began before a failure and succeeds after it says nothing of now: as an outage
        begins there are many, and each would take the note out that the next failure puts back."""
        began = self._records.clock()
        try:
            yield
        except ProviderError as problem:
            if self._says_no(problem):
                self._guarded(partial(self._failed, problem))
            raise
        if succeeds:
            self._guarded(partial(self._answered, began))

    def _guarded(self, note: Callable[[], None]) -> None:
        try:
            note()
        except Exception:  # noqa: BLE001  (whatever it is, the call has gone as it has)
            log.warning(log.Event.OUTAGE_UNRECORDED, door=self._door, stack_trace=traceback.format_exc())

    def _says_no(self, problem: ProviderError) -> bool:
        """Whether this is about more than one photo, or one batch. A submission is rejected for no photo's sake."""
        return isinstance(problem, ProviderDownError) or self._door in SUBMITTING.values()

    def _failed(self, problem: ProviderError) -> None:
        now, others = self._records.clock(), self._known(self._records.clock())
        with self._lock:
            self._unnoted += 1
            ours = self._noted_at
            last = self._last_note(others)
            if last is not None and now - last < self._pause(others):
                return
            failures, self._unnoted, self._noted_at = self._unnoted, 0, now
        outage = Outage(failures=failures, since=now, last_at=now, trouble=problem.trouble, problem=str(problem))
        self._records.store.note_outage(self._door, outage, known=ours is not None or others is not None)

    def _pause(self, others: Outage | None) -> timedelta:
        if self._door in CRONS:
            return NOTED_EVERY
        if self._apart is None:
            self._apart = CALLS_APART * random.random()  # noqa: S311  (no secret)
        return CALLS_NOTED_EVERY + (self._apart if others else timedelta())

    def _answered(self, began: datetime) -> None:
        others = self._known(self._records.clock())
        with self._lock:
            last = self._last_note(others)
            if last is None or began < last:
                return
            self._noted_at, self._unnoted, self._forgotten_at = None, 0, self._records.clock()
        self._records.store.forget_outage(self._door)

    def _last_note(self, others: Outage | None) -> datetime | None:
        theirs = others.last_at if others is not None and not self._is_forgotten(others) else None
        return max((at for at in (self._noted_at, theirs) if at is not None), default=None)

    def _known(self, now: datetime) -> Outage | None:
        """Return what the settings, up to 30 s old, say of failures at this door."""
        known = self._records.queue().provider.get(self._door)
        return known if known is not None and known.fresh(now) and not self._is_forgotten(known) else None

    def _is_forgotten(self, known: Outage) -> bool:
        return self._forgotten_at is not None and known.last_at <= self._forgotten_at
