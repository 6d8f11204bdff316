"""PartitionQuery: places to cut a query over a collection group, so that several workers can share it.

What may be asked for: the protocol's own documentation of `PartitionQueryRequest`. A part has at least 128 documents,
as in production, so a small group is not cut at all.
"""

from .consistency import reading_of
from .engine import Call, Engine
from .errors import invalid
from .ordered_index import NAME, Order
from .paging import page_of
from .plan import make_plan
from .protos import Message, QueryPb, rpc_types
from .query import run_plan
from .values import encode_path

DOCUMENTS_PER_PART_MIN = 128

_, PartitionQueryResponse = rpc_types("PartitionQuery")
_REFUSED = ("where", "start_at", "end_at", "limit", "find_nearest")


def partition_query(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve PartitionQuery: cursors at which each part but the first begins. Billed as one read: it answers with names
    alone."""
    query = request.structured_query
    name, plan = make_plan(request.parent, query)
    if request.parent != f"{name}/documents":
        raise invalid("The parent of a partition query is the database's root.")
    if plan.orders != (Order(NAME, descending=False),) or not _is_whole(query):
        raise invalid(
            "A partition query selects a collection with all descendants in the order of __name__, ascending, "
            "without filters, cursors, offset or limit."
        )
    if request.partition_count <= 0:
        raise invalid("partition_count must be greater than zero.")
    engine.rules.check(plan)
    session = engine.session(name)
    reading = reading_of(engine, session, request, call)
    paths = [path for path, _ in run_plan(session.database, plan, reading.at).rows]
    cuts = _cuts(paths, request.partition_count)
    page, token = page_of([(encode_path(path), path) for path in cuts], request)
    response = PartitionQueryResponse(next_page_token=token)
    for path in page:
        response.partitions.add(before=True).values.add(reference_value=session.database.full_name(path))
    engine.bill.read(call.rpc, query.from_[0].collection_id)
    return [response.SerializeToString()]


def _is_whole(query: QueryPb) -> bool:
    """Tell whether a query asks for all of a collection group."""
    selectors = query.from_
    whole = not query.offset and not any(query.HasField(part) for part in _REFUSED)
    return whole and bool(selectors[0].all_descendants and selectors[0].collection_id)


def _cuts(paths: list[str], wanted: int) -> list[str]:
    """Return up to `wanted` of the sorted paths, evenly spaced: the first document of each part but the first."""
    parts = min(wanted + 1, max(1, len(paths) // DOCUMENTS_PER_PART_MIN))
    return [paths[len(paths) * part // parts] for part in range(1, parts)]
