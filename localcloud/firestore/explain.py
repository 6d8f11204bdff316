"""Query explain: which indexes a query scans, and what running it took.

The indexes are those that this server scans, one for each branch of the query and written as production writes them;
production may choose others. A query that is only planned is billed as one read. Source:
https://firebase.google.com/docs/firestore/query-explain
"""

import time

from .bill import QueryCost
from .ordered_index import FieldPath
from .paths import format_field_path
from .plan import Plan, Scan
from .protos import ExplainMetrics, Message


class Explanation:
    """What a request wants to know about its query; the time is taken from here on.

    Args:
        request: has `explain_options`.
        plan: of the query.
        vector: the field and dimension of a vector search.
    """

    def __init__(self, request: Message, plan: Plan, vector: tuple[FieldPath, int] | None = None) -> None:
        self.wanted = bool(request.HasField("explain_options"))
        self.plan_only = self.wanted and not request.explain_options.analyze
        self._plan, self._vector = plan, vector
        self._began = time.perf_counter()

    def planned(self) -> Message:
        """Return the metrics of a query that was not run."""
        metrics = ExplainMetrics()
        scope = "Collection" if self._plan.scope.collection is not None else "Collection group"
        for properties in dict.fromkeys(self._properties(scan) for scan in self._plan.scans):
            metrics.plan_summary.indexes_used.add().update({"query_scope": scope, "properties": properties})
        return metrics

    def run(self, *, results: int, cost: QueryCost, entries: int) -> Message:
        """Return the metrics of a query that was run: how many documents or rows of figures it answers with, what it
        cost, and how many index entries it visited."""
        metrics = self.planned()
        stats = metrics.execution_stats
        stats.results_returned, stats.read_operations = results, cost.reads
        stats.execution_duration.FromNanoseconds(int((time.perf_counter() - self._began) * 1e9))
        billing = {
            "documents_billable": str(cost.documents),
            "index_entries_billable": str(cost.entries),
            "min_query_cost": str(int(not cost.documents and not cost.entries)),
        }
        stats.debug_stats.update(
            {
                "documents_scanned": str(cost.documents),
                "index_entries_scanned": str(entries),
                "billing_details": billing,
            }
        )
        return metrics

    def _properties(self, scan: Scan) -> str:
        shape = scan.shape
        parts = [f"{format_field_path(field)} ASC" for field in shape.equal]
        if shape.contains is not None:
            parts.append(f"{format_field_path(shape.contains)} CONTAINS")
        parts += [
            f"{format_field_path(field)} {'DESC' if descending else 'ASC'}"
            for field, descending in shape.orders
            if field not in shape.equal
        ]
        if self._vector is not None:
            parts.append(f"{format_field_path(self._vector[0])} VECTOR<{self._vector[1]}>")
        return f"({', '.join(parts)})"
