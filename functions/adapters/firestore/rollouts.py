"""What was decided about running flags: `stats/rollouts`."""

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.writes import run_transaction
from functions.core.rollouts.flags import Flag
from functions.core.rollouts.stops import FlagState, Stop, read_states, with_stop
from functions.core.shared.alerts import Alert


class RolloutDocuments(Documents):
    """Reads and writes of flags' states. None of them needs a `config/runtime` that can be read."""

    def stop_flag(self, flag: Flag, epoch: int, stop: Stop, alert: Alert) -> bool:
        """Store a stop of a flag that is still in this epoch, with the alert, in one transaction: a read and two
        writes. False if it was stopped or restarted meanwhile."""
        ref = self._client.document("stats/rollouts")

        def body(transaction: Transaction) -> bool:
            transaction.begin()
            stored = self._client.get(ref, transaction).fields
            before = read_states(stored, ref)[0][flag] or FlagState(epoch=epoch)
            after = with_stop(before, epoch, stop)
            if after is None:
                return False
            transaction.merge(ref, {flag.value: after.model_dump(by_alias=True, include={"epoch", "stopped"})})
            # In place of an earlier one, which a state that could not be read has forgotten: a stop must not fail.
            transaction.set(self._client.document(f"alerts/{alert.alert_id}"), alert.model_dump(by_alias=True))
            return True

        return run_transaction(self._client.transaction(), body)
