"""The RPCs that run queries: RunQuery and RunAggregationQuery."""

from .aggregate import aggregate, read_aggregations
from .bill import INDEX_ENTRIES_PER_READ, VECTORS_PER_READ, reads_for
from .consistency import Reading, read_document, reading_of
from .engine import Call, Engine, Session
from .errors import invalid, unimplemented
from .ordered_index import NAME
from .protos import Message, rpc_types
from .query import Plan, Results, make_plan, run_plan
from .reads import masked
from .transactions import Transaction
from .vector import find_nearest, read_nearest
from .wire import counted, framed

_, RunAggregationQueryResponse = rpc_types("RunAggregationQuery")


def run_query(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve RunQuery: one answer per document, and one without a document when there is none."""
    if request.HasField("explain_options"):
        raise unimplemented("Explaining a query")
    name, plan = make_plan(request.parent, request.structured_query)
    session = engine.session(name)
    if request.structured_query.HasField("find_nearest"):
        return _run_vector_query(engine, session, plan, request, call)
    engine.rules.check(plan)
    reading = reading_of(engine, session, request, call)
    results = run_plan(session.database, plan, reading.at)
    if reading.locking is not None:
        _lock_results(session, reading.locking, plan, results, call)
    _bill_query(engine, call, plan, results)
    return _answers(engine, reading, plan, results, call)


def run_aggregation_query(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve RunAggregationQuery. Inside a transaction the figures must still hold when it commits."""
    if request.HasField("explain_options"):
        raise unimplemented("Explaining a query")
    query = request.structured_aggregation_query
    wanted = read_aggregations(query)
    name, plan = make_plan(request.parent, query.structured_query, {each.field for each in wanted if each.field})
    engine.rules.check(plan)
    session = engine.session(name)
    database = session.database
    reading = reading_of(engine, session, request, call)
    figures, entries = aggregate(database, plan, wanted, reading.at)
    if reading.locking is not None:
        reading.locking.checks.append(lambda: aggregate(database, plan, wanted, None)[0] == figures)
    engine.bill.read(call.rpc, plan.collection_id, max(1, reads_for(entries, INDEX_ENTRIES_PER_READ)))
    response = RunAggregationQueryResponse(read_time=reading.time(engine))
    if call.transaction is not None:
        response.transaction = call.transaction.id
    for alias, value in figures.items():
        response.result.aggregate_fields[alias].CopyFrom(value)
    return [response.SerializeToString()]


def _run_vector_query(engine: Engine, session: Session, plan: Plan, request: Message, call: Call) -> list[bytes]:
    wanted = read_nearest(request.structured_query)
    engine.rules.check(plan, vector=(wanted.field, len(wanted.vector)))
    reading = reading_of(engine, session, request, call)
    if reading.locking is not None:
        raise invalid("A vector search is not supported in a read-write transaction.")
    rows, looked_at = find_nearest(session.database, plan, wanted, reading.at)
    results = Results(rows, skipped=0, entries=looked_at)
    engine.bill.read(call.rpc, plan.collection_id, max(1, len(rows) + reads_for(looked_at, VECTORS_PER_READ)))
    return _answers(engine, reading, plan, results, call)


def _lock_results(session: Session, transaction: Transaction, plan: Plan, results: Results, call: Call) -> None:
    """Lock what was found and have the commit check the result again: a lock cannot hold what is not there yet."""
    for path, _ in results.rows:
        read_document(session, path, Reading(locking=transaction), call)
    database = session.database
    seen_at = database.changed(plan.scope)
    expected = [(path, stored.updated) for path, stored in results.rows]

    def holds() -> bool:
        if database.changed(plan.scope) == seen_at:
            return True
        return [(path, stored.updated) for path, stored in run_plan(database, plan).rows] == expected

    transaction.checks.append(holds)


def _bill_query(engine: Engine, call: Call, plan: Plan, results: Results) -> None:
    reads = max(1, len(results.rows) + results.skipped)
    if len(plan.inequality_fields - {NAME}) > 1:
        reads += reads_for(results.entries, INDEX_ENTRIES_PER_READ)
    engine.bill.read(call.rpc, plan.collection_id, reads)


def _answers(engine: Engine, reading: Reading, plan: Plan, results: Results, call: Call) -> list[bytes]:
    read_time = framed(3, reading.time(engine).SerializeToString())
    begun = framed(2, call.transaction.id) if call.transaction is not None else b""
    skipped = counted(4, results.skipped) if results.skipped else b""
    answers = [framed(1, masked(stored, plan.select)) + read_time for _, stored in results.rows]
    if not answers:
        return [begun + read_time + skipped]
    answers[0] += skipped
    return [begun, *answers] if begun else answers
