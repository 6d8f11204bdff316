"""What was decided about running flags: `stats/rollouts`; and what their arms came to, in the days' shards."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from functions.adapters.firestore.budget import ShardDocuments
from functions.adapters.firestore.reading import sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.values import field_path
from functions.adapters.firestore.writes import run_transaction
from functions.core.budget.shards import SHARDS_MAX, Shard
from functions.core.jobs.jobs import BY_THE_PATH, Status
from functions.core.rollouts.arms import Arm
from functions.core.rollouts.counts import ArmCounts, Counts, total
from functions.core.rollouts.flags import Flag
from functions.core.rollouts.stops import FlagState, States, Stop, read_states, stop_alert, with_stop
from functions.core.shared.alerts import Alert
from functions.core.shared.damage import mapping
from functions.core.shared.records import Fields

_STATES = "stats/rollouts"

FAILED_READ_MAX = 50
"""Jobs that are read to find out whose calls failed, and batches in which they may have been."""

BATCHES_READ_MAX = 30
"""Of which jobs are looked for: what one query can name."""


class RolloutDocuments(ShardDocuments):
    """Reads and writes of flags' states. None of them needs a `config/runtime` that can be read."""

    def flag_states(self) -> States:
        """Read every flag's state. One read."""
        return read_states(self._client.get(_STATES).fields, _STATES)[0]

    def stop_flag(self, flag: Flag, epoch: int, stop: Stop) -> bool:
        """Store a stop of a flag that is still in this epoch, with its alert, in one transaction: a read and two
        writes. False if it was stopped or restarted meanwhile."""

        def decide(states: States) -> Mapping[Flag, FlagState]:
            after = with_stop(states[flag] or FlagState(epoch=epoch), epoch, stop)
            return {flag: after} if after else {}

        return bool(self.change_flags(decide))

    def change_flags(
        self,
        decide: Callable[[States], Mapping[Flag, FlagState]],
        audit: Callable[[States], tuple[str, Fields]] | None = None,
    ) -> Mapping[Flag, FlagState]:
        """Store what `decide` makes of some flags' states, with an alert for each that it stops, and with an `audit`
        entry if something changed. One transaction: a read, and a write for each document."""

        def body(transaction: Transaction) -> Mapping[Flag, FlagState]:
            transaction.begin()
            stored = self._client.get(_STATES, transaction).fields
            before = read_states(stored, _STATES)[0]
            after = decide(before)
            if after:
                transaction.put(_STATES, {flag: state.model_dump(by_alias=True) for flag, state in after.items()})
            for told in _alerts(before, after):
                # In place of an earlier one, which an unreadable state has forgotten: a stop must not fail.
                transaction.set(f"alerts/{told.alert_id}", told.model_dump(by_alias=True))
            if after and audit:
                audit_id, entry = audit(before)
                transaction.create(f"config/runtime/audit/{audit_id}", entry)
            return after

        return run_transaction(self._client.transaction(), body)

    def arm_counts(self, days: Sequence[str]) -> dict[str, Counts]:
        """Add up what the shards of these days count, as far as they can be read. A read each."""
        return {day: _summed(self._rollouts_of(day)) for day in days}

    def _rollouts_of(self, day: str) -> list[Counts]:
        shards = self._client.collection("budget", day, "shards").select(["rollouts"]).limit(SHARDS_MAX).stream()
        return [sound_fields(Shard, each)[0].rollouts for each in shards]

    def failed_users(self, key: str) -> set[str]:
        """Read whose calls have failed on a flag's new path, by the flag's key, of up to 50 failed jobs in each lane. A
        read for each job and batch."""
        jobs, batches = self._client.collection("aiJobs"), self._client.collection("batches")
        arm, failed = field_path("arms", key), jobs.where("status", "==", Status.FAILED)
        found = failed.where(arm, "==", Arm.NEW).select(["uid", "error"]).limit(FAILED_READ_MAX).stream()
        sent = [each.id for each in batches.where(arm, "==", Arm.NEW).limit(BATCHES_READ_MAX).stream()]
        if sent:
            of_batches = failed.where("batchId", "in", sent).select(["uid", "error"])
            found += of_batches.limit(FAILED_READ_MAX).stream()
        by_the_path = [each.fields for each in found if mapping(each.fields, "error").get("code") in BY_THE_PATH]
        return {uid for fields in by_the_path if isinstance(uid := fields.get("uid"), str)}


def _alerts(before: States, after: Mapping[Flag, FlagState]) -> Iterable[Alert]:
    for flag, state in after.items():
        was = before[flag]
        if state.stopped is not None and (was is None or was.stopped is None):
            yield stop_alert(flag, state.epoch - 1, state.stopped)


def _summed(shards: Iterable[Counts]) -> Counts:
    found: dict[str, dict[str, list[ArmCounts]]] = {}
    for counts in shards:
        for key, arms in counts.items():
            for arm, each in arms.items():
                found.setdefault(key, {}).setdefault(arm, []).append(each)
    return {key: {arm: total(each) for arm, each in arms.items()} for key, arms in found.items()}
