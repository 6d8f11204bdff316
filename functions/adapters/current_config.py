"""The config as it is in force in a process, with the figures that are read along with it, anew now and then."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from functions import log
from functions.adapters.caches import Cached
from functions.core.budget.state import BudgetState
from functions.core.cache.state import CacheState
from functions.core.config.in_force import read_config, under_ceiling
from functions.core.config.runtime import RuntimeConfig
from functions.core.jobs.queue_stats import QueueStats
from functions.core.rollouts.flags import Rules
from functions.core.rollouts.stops import States

if TYPE_CHECKING:
    from functions.adapters.firestore import FirestoreStore
    from functions.deploy.params import Settings

REMOTE_CONFIG_AGE_MAX = timedelta(minutes=5)
"""How long a process may keep using what it has fetched from Remote Config, which is a request and takes a while."""

RUNTIME_CONFIG_AGE_MAX = timedelta(seconds=30)
"""How long a process may keep using the runtime config that it has read."""


class Current(NamedTuple):
    """What is read together: the config, the state of the batch queue and of the budget, of each flag its rules and its
    state, and how far the cache's answers are believed."""

    config: RuntimeConfig
    queue: QueueStats
    budget: BudgetState
    flags: Rules
    rollouts: States
    cache: CacheState


class Sources(Protocol):
    """Who is asked: the store, and Remote Config."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> FirestoreStore: ...
    def remote_values(self) -> dict[str, str]: ...


class CurrentConfig:
    """What is in force now. What cannot be read of it is reported, and costs nothing but itself."""

    def __init__(self, sources: Sources, clock: Callable[[], datetime]) -> None:
        """The sources are asked when something is wanted."""
        self._sources = sources
        self.problems: tuple[str, ...] = ()
        self._remote = Cached(self._fetch_remote, REMOTE_CONFIG_AGE_MAX, clock)
        self._current = Cached(self._read, RUNTIME_CONFIG_AGE_MAX, clock)

    def get(self) -> Current:
        """Return it, at most 30 s old, or a minute while another thread reads it anew, at three reads, and one
        more while a flag is on, and while the cache's near tier is."""
        return self._current.get()

    def check(self) -> Callable[[dict[str, Any] | None], RuntimeConfig]:
        """Return the function that turns a document, read later, into the config in force. What it needs from outside
        is fetched here, before the transaction that it runs in: others wait for that one's locks."""
        last, remote = self.get(), self._remote_in_force()
        return lambda document: self._checked(document, remote, last.config, last.budget)

    def _read(self, before: Current | None) -> Current:
        stored = self._sources.store.runtime_documents()
        for each in stored.damaged:
            log.error(log.Event.DOCUMENT_DAMAGED, path=each.path, field=each.field, problem=each.problem)
        last = before.config if before else None
        config = self._checked(stored.config, self._remote_in_force(), last, stored.budget)
        # A flag stays at no last good value: processes that started at other times would go different ways.
        return Current(config, stored.queue, stored.budget, stored.flags, stored.rollouts, stored.cache)

    def _remote_in_force(self) -> dict[str, str] | None:
        """Return the cached values of Remote Config, where the deploy uses it. None if they were never fetched."""
        return self._remote.get() if self._sources.settings.remote_config else {}

    def _fetch_remote(self, before: dict[str, str] | None) -> dict[str, str] | None:
        """Fetch the values of Remote Config. While it is not to be reached, those that were fetched last stay."""
        try:
            return self._sources.remote_values()
        except Exception:  # noqa: BLE001  (whatever it is, prices stay as they were)
            log.error(log.Event.REMOTE_CONFIG_FAILED, stack_trace=traceback.format_exc())
            return before

    def _checked(
        self,
        document: dict[str, Any] | None,
        remote: dict[str, str] | None,
        last: RuntimeConfig | None,
        state: BudgetState,
    ) -> RuntimeConfig:
        ceiling = self._sources.settings.daily_limit_micros_max
        reading = under_ceiling(read_config(document, remote, last, state.limits), ceiling)
        if reading.refused:
            log.error(log.Event.CONFIG_INVALID, document="Remote Config", problems=reading.refused)
        if reading.problems:
            log.error(log.Event.CONFIG_INVALID, document="config/runtime", problems=reading.problems)
        self.problems = (*reading.problems, *(f"Remote Config: {key}" for key in reading.refused))
        return reading.config
