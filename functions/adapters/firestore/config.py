"""What operators set and crons measure: `config/runtime` with its audit entries, and `stats/*`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from google.cloud.firestore import DELETE_FIELD, Increment
from pydantic.alias_generators import to_camel

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.reading import sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import Snapshot
from functions.adapters.firestore.writes import OUTCOME_UNKNOWN, run_transaction
from functions.core.budget.state import BudgetState
from functions.core.cache.state import CacheState
from functions.core.config.runtime import CacheMode
from functions.core.jobs.queue_stats import QueueStats
from functions.core.model.provider_outage import Outage
from functions.core.rollouts.flags import Rules, any_is_on, read_flags
from functions.core.rollouts.stops import States, read_states
from functions.core.shared.alerts import Alert
from functions.core.shared.damage import DamagedDocument, mapping
from functions.core.shared.errors import EcolaneError
from functions.core.shared.records import Fields


class RuntimeDocuments(NamedTuple):
    """`config/runtime` as stored, None if there is none; what can be read of the figures beside it, and what cannot."""

    config: dict[str, Any] | None
    queue: QueueStats
    budget: BudgetState
    flags: Rules
    rollouts: States
    cache: CacheState = CacheState()
    damaged: tuple[DamagedDocument, ...] = ()


class SettingsDocuments(Documents):
    """Reads and writes of settings and statistics."""

    def runtime_documents(self) -> RuntimeDocuments:
        """Read `config/runtime`, `stats/queue` and `stats/budget`; while a flag is on for somebody `stats/rollouts`,
        while the cache's near tier is on `stats/cache`. Three to five reads; the caller keeps them for a while."""
        paths = ("config/runtime", "stats/queue", "stats/budget")
        config, queue, budget = self._client.get_all([self._client.document(path) for path in paths])
        flags, ref = read_flags(config.fields.get("flags")), self._client.document("stats/rollouts")
        rollouts = self._client.get(ref) if any_is_on(flags) else Snapshot(ref)
        ref = self._client.document("stats/cache")
        near_is_on = mapping(config.fields, "cache").get("near") == CacheMode.ON
        believed, of_cache = sound_fields(CacheState, self._client.get(ref) if near_is_on else Snapshot(ref))
        stats, wrong = sound_fields(QueueStats, queue)
        state, also_wrong = sound_fields(BudgetState, budget)
        states, of_flags = read_states(rollouts.fields, rollouts.path)
        runtime, damaged = config.fields if config.exists else None, wrong + also_wrong + of_flags + of_cache
        return RuntimeDocuments(runtime, stats, state, flags, states, believed, damaged)

    def change_runtime(
        self, audit_id: str, decide: Callable[[dict[str, Any]], tuple[dict[str, Any], Fields, Alert | None]]
    ) -> Fields:
        """Store what `decide` makes of `config/runtime`, with its audit entry and alert, in one transaction. Returns
        the entry: one that is there was written by this call, whose reply was lost."""
        ref = self._client.document("config/runtime")
        entry = self._client.document(ref, "audit", audit_id)

        def body(transaction: Transaction) -> Fields:
            stored = self._client.get(ref, transaction).fields
            document, audit, alert = decide(stored)
            transaction.set(ref, document)
            transaction.create(entry, audit)
            if alert is not None:
                transaction.create(self._client.document(f"alerts/{alert.alert_id}"), alert.model_dump(by_alias=True))
            return audit

        try:
            return run_transaction(self._client.transaction(), body)
        except (*OUTCOME_UNKNOWN, EcolaneError):
            written = self._client.get(entry)
            if not written.exists:
                raise
            return written.fields

    def write_cron_run(self, function: str, fields: Fields) -> None:
        """Store how a scheduled function's run ended, beside the fields that are there. One write, tried once."""
        run = {"runs": {function: dict(fields)}}
        self._client.batch().merge(self._client.document("stats/crons"), run).commit(once=True)

    def last_run(self, function: str) -> datetime | None:
        """Return when a scheduled function last finished a run. One read."""
        runs = mapping(self._client.get(self._client.document("stats/crons")).fields, "runs")
        finished = mapping(runs, function).get("finishedAt")
        return finished if isinstance(finished, datetime) else None

    def note_outage(self, door: str, outage: Outage, *, known: bool) -> None:
        """Add the provider's failure at this door to what is `known` of it, or store the first. One write, tried
        once."""
        fields = outage.model_dump(by_alias=True)
        if known:
            fields = {**fields, "failures": Increment(outage.failures)}
            del fields["since"]
        self._merge_queue({"provider": {door: fields}}, once=True)

    def forget_outage(self, door: str) -> None:
        """Store that the provider has answered at this door. One write, tried once."""
        self._merge_queue({"provider": {door: DELETE_FIELD}}, once=True)

    def write_queue_stats(self, **measured: float | datetime) -> None:
        """Store what was measured of the queue, by `QueueStats`'s field names. One write."""
        self._merge_queue({to_camel(name): value for name, value in measured.items()})

    def _merge_queue(self, fields: Fields, *, once: bool = False) -> None:
        self._client.batch().merge(self._client.document("stats/queue"), fields).commit(once=once)
