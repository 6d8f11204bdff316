"""What days were like: `usage/{day}`, and counts of rows that no document sums up; and what they make one expect:
`forecasts`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from functions.adapters.firestore.client import Documents
from functions.adapters.firestore.query import DESCENDING, Query
from functions.adapters.firestore.reading import sound_fields
from functions.adapters.firestore.transactions import Transaction
from functions.adapters.firestore.writes import run_transaction
from functions.core.config.plans import Plan
from functions.core.insights.usage_day import PlanRows, UsageDay
from functions.core.shared.records import Fields
from functions.core.wallet.ledger import Reason

if TYPE_CHECKING:
    from functions.core.insights import plan as plans_ahead
    from functions.core.insights.day_notes import DayNotes
    from functions.core.insights.day_watch import Watched
    from functions.core.insights.issues import Issues

ROWS_MAX = 10_000_000
"""Rows of a day that are counted; one read for every thousand."""


DAYS_MAX = 31
"""Days that are read at once: a full one has some 100 KB."""


class UsageDocuments(Documents):
    """Reads and writes of days in their course."""

    def change_usage(self, day: str, change: Callable[[UsageDay], UsageDay | None]) -> UsageDay:
        """Store what `change` makes of a day, in one transaction: a read, and a write unless that is None. Returns the
        day as it is then."""
        ref = self._client.document("usage", day)

        def body(transaction: Transaction) -> UsageDay:
            before = sound_fields(UsageDay, self._client.get(ref, transaction))[0]
            usage = change(before)
            if usage is not None:
                transaction.set(ref, usage.model_dump(by_alias=True))
            return usage or before

        return run_transaction(self._client.transaction(), body)

    def usage_days(self, since: str, until: str, fields: Sequence[str] = ()) -> dict[str, UsageDay]:
        """Read the days from `since` to `until`, or these fields of them, as far as they can be read. A read each, one
        if there are none."""
        days = self._client.collection("usage")
        query = days.where("__name__", ">=", days.document(since)).where("__name__", "<=", days.document(until))
        found = query.select(list(fields)).limit(DAYS_MAX).stream()
        return {each.id: sound_fields(UsageDay, each)[0] for each in found}

    def forecast_documents(self, weekday: int) -> tuple[DayNotes, Issues, Watched]:
        """Read the days in short, the forecasts that were issued on a weekday, and what was unusual. Three reads."""
        from functions.core.insights.day_notes import DayNotes  # noqa: PLC0415  (20 ms of every other cold start)
        from functions.core.insights.day_watch import Watched  # noqa: PLC0415
        from functions.core.insights.issues import Issues  # noqa: PLC0415

        paths = ("forecasts/days", f"forecasts/weekday-{weekday}", "forecasts/watch")
        days, issued, watch = self._client.get_all([self._client.document(path) for path in paths])
        return sound_fields(DayNotes, days)[0], sound_fields(Issues, issued)[0], sound_fields(Watched, watch)[0]

    def watched(self) -> Watched:
        """Read what is usual today. One read."""
        from functions.core.insights.day_watch import Watched  # noqa: PLC0415

        return sound_fields(Watched, self._client.get(self._client.document("forecasts/watch")))[0]

    def write_plan(
        self, notes: DayNotes, weekday: int, issues: Issues, watched: Watched, plan: plans_ahead.Plan
    ) -> None:
        """Store all that a plan was made of with it. Four writes, in one commit."""
        documents = {"days": notes, f"weekday-{weekday}": issues, "watch": watched, "current": plan}
        writes = self._client.batch()
        for name, document in documents.items():
            writes.set(self._client.document("forecasts", name), document.model_dump(by_alias=True))
        writes.commit()

    def plan(self) -> plans_ahead.Plan | None:
        """Read what the latest plan says, None if there is none that can be read. One read."""
        from functions.core.insights import plan as plans_ahead  # noqa: PLC0415  (20 ms of every other cold start)

        try:
            return plans_ahead.Plan.model_validate(self._client.get(self._client.document("forecasts/current")).fields)
        except ValidationError:
            return None

    def note_refused(self, plan: plans_ahead.Plan, name: str) -> None:
        """Add to what was refused of a plan, as long as it is the latest: a read and a write, in one transaction."""
        ref = self._client.document("forecasts/current")

        def body(transaction: Transaction) -> None:
            fields = self._client.get(ref, transaction).fields
            if fields.get("madeAt") == plan.made_at:
                transaction.update(ref, {"refused": [*fields.get("refused", ()), name]})

        run_transaction(self._client.transaction(), body)

    def recent_changes(self, limit: int) -> dict[str, Fields]:
        """Read the newest audit entries of the config, by their ids. A read each, one if there are none."""
        query = self._client.collection("config", "runtime", "audit").order_by("at", DESCENDING).limit(limit)
        return {each.id: each.fields for each in query.stream()}

    def count_jobs(self, day: str, field: str, value: str) -> int:
        """Count the jobs of a day that have this in a field. One read for every thousand."""
        return self._jobs_of(day).where(field, "==", value).limit(ROWS_MAX).count()

    def count_visits(self, day: str, age: int | None = None) -> int:
        """Count the users who have asked for a photo on a day: all, or those whose wallet was so many days old. One
        read for every thousand."""
        jobs, old = self._jobs_of(day), ">=" if age is None else "=="
        return jobs.where("visitAge", old, age or 0).limit(ROWS_MAX).count()

    def of_plan(self, day: str, plan: Plan) -> PlanRows | None:
        """Return what the users of a plan did on a day, None if nothing. Three reads, or one for every thousand rows;
        of nothing one."""
        jobs = self._jobs_of(day).where("plan", "==", plan)
        sums = jobs.limit(ROWS_MAX).sums(photos=None, tokens="tokensCost")
        if not sums["photos"]:
            return None
        new, again = (jobs.where("visitAgain", "==", each).limit(ROWS_MAX).count() for each in (False, True))
        return PlanRows(**sums, users=new + again, again=again)

    def sum_tokens(self, day: str, reason: Reason) -> int:
        """Add up the ledgers' entries of a day that came about so: tokens, negative if they were spent. One read for
        every thousand."""
        entries = self._client.collection_group("ledger").where("day", "==", day)
        return entries.where("reason", "==", reason).limit(ROWS_MAX).sums(tokens="delta")["tokens"]

    def _jobs_of(self, day: str) -> Query:
        return self._client.collection("aiJobs").where("day", "==", day)
