"""What days were like: `usage/{day}`, and counts of rows that no document sums up."""

from collections.abc import Callable
from typing import Any

from google.cloud.firestore import Client, FieldFilter, Query, Transaction

from functions.adapters.firestore.writes import run_transaction
from functions.core.insights.usage_day import UsageDay
from functions.core.shared.damage import salvaged
from functions.core.wallet.ledger import Reason

ROWS_MAX = 10_000_000
"""Rows of a day that are counted; one read for every thousand."""


class UsageDocuments:
    """Reads and writes of days in their course."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def change_usage(self, day: str, change: Callable[[UsageDay], UsageDay | None]) -> None:
        """Store what `change` makes of a day, in one transaction: a read, and a write unless that is None."""
        ref = self._client.document("usage", day)

        def body(transaction: Transaction) -> None:
            stored = ref.get(transaction=transaction).to_dict() or {}
            usage = change(salvaged(UsageDay, stored, ref.path)[0])
            if usage is not None:
                transaction.set(ref, usage.model_dump(by_alias=True))

        run_transaction(self._client.transaction(), body)

    def count_jobs(self, day: str, field: str, value: str) -> int:
        """Count the jobs of a day that have this in a field. One read for every thousand."""
        query: Any = self._jobs_of(day).where(filter=FieldFilter(field, "==", value)).limit(ROWS_MAX)
        return int(query.count().get()[0][0].value)

    def count_visits(self, day: str, age: int | None = None) -> int:
        """Count the users who have asked for a photo on a day: all, or those whose wallet was so many days old. One
        read for every thousand."""
        old = FieldFilter("visitAge", ">=", 0) if age is None else FieldFilter("visitAge", "==", age)
        query: Any = self._jobs_of(day).where(filter=old).limit(ROWS_MAX)
        return int(query.count().get()[0][0].value)

    def sum_tokens(self, day: str, reason: Reason) -> int:
        """Add up the ledgers' entries of a day that came about so: tokens, negative if they were spent. One read for
        every thousand."""
        entries = self._client.collection_group("ledger").where(filter=FieldFilter("day", "==", day))
        query: Any = entries.where(filter=FieldFilter("reason", "==", reason)).limit(ROWS_MAX)
        return int(query.sum("delta").get()[0][0].value)

    def _jobs_of(self, day: str) -> Query:
        return self._client.collection("aiJobs").where(filter=FieldFilter("day", "==", day))
