"""The RPCs that run queries: RunQuery and RunAggregationQuery."""

from .aggregate import aggregate, read_aggregations
from .bill import VECTORS_PER_READ, QueryCost
from .consistency import Reading, read_document, reading_of
from .engine import Call, Engine, Session
from .errors import invalid
from .explain import Explanation
from .ordered_index import NAME
from .plan import Plan, make_plan
from .protos import Message, rpc_types
from .query import Results, run_plan
from .reads import masked
from .transactions import Transaction
from .vector import Nearest, find_nearest, read_nearest
from .wire import counted, framed

_, RunAggregationQueryResponse = rpc_types("RunAggregationQuery")


def run_query(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve RunQuery: one answer per document, and one without a document when there is none."""
    query = request.structured_query
    name, plan = make_plan(request.parent, query)
    nearest = read_nearest(query) if query.HasField("find_nearest") else None
    vector = (nearest.field, len(nearest.vector)) if nearest is not None else None
    explanation = Explanation(request, plan, vector)
    session = engine.session(name)
    reading = reading_of(engine, session, request, call)
    if app := engine.asking(session, call, reading.at):
        engine.security.check_query(app, request.parent, query)
    engine.rules.check(plan, vector)
    if explanation.plan_only:
        engine.bill.read(call.rpc, plan.collection_id)
        return [_begun(call) + framed(11, explanation.planned().SerializeToString())]
    if nearest is not None:
        results, cost = _run_vector_query(session, plan, nearest, reading)
    else:
        results, cost = _run_plain_query(session, plan, reading, call)
    engine.bill.read(call.rpc, plan.collection_id, cost.reads)
    answers = _answers(engine, reading, plan, results, call)
    if explanation.wanted:
        metrics = explanation.run(results=len(results.rows), cost=cost, entries=results.entries)
        answers.append(framed(11, metrics.SerializeToString()))
    return answers


def run_aggregation_query(engine: Engine, request: Message, call: Call) -> list[bytes]:
    """Serve RunAggregationQuery. Inside a transaction the figures must still hold when it commits."""
    query = request.structured_aggregation_query
    wanted = read_aggregations(query)
    name, plan = make_plan(request.parent, query.structured_query, {each.field for each in wanted if each.field})
    explanation = Explanation(request, plan)
    session = engine.session(name)
    database = session.database
    reading = reading_of(engine, session, request, call)
    if app := engine.asking(session, call, reading.at):
        engine.security.check_query(app, request.parent, query.structured_query)
    engine.rules.check(plan)
    response = RunAggregationQueryResponse()
    if call.transaction is not None:
        response.transaction = call.transaction.id
    if explanation.plan_only:
        engine.bill.read(call.rpc, plan.collection_id)
        response.explain_metrics.CopyFrom(explanation.planned())
        return [response.SerializeToString()]
    figures, entries = aggregate(database, plan, wanted, reading.at)
    if reading.locking is not None:
        reading.locking.checks.append(lambda: aggregate(database, plan, wanted, None)[0] == figures)
    cost = QueryCost(entries=entries)
    engine.bill.read(call.rpc, plan.collection_id, cost.reads)
    response.read_time.CopyFrom(reading.time(engine))
    for alias, value in figures.items():
        response.result.aggregate_fields[alias].CopyFrom(value)
    if explanation.wanted:
        response.explain_metrics.CopyFrom(explanation.run(results=1, cost=cost, entries=entries))
    return [response.SerializeToString()]


def _run_plain_query(session: Session, plan: Plan, reading: Reading, call: Call) -> tuple[Results, QueryCost]:
    results = run_plan(session.database, plan, reading.at)
    if reading.locking is not None:
        _lock_results(session, reading.locking, plan, results, call)
    several_ranges = len(plan.inequality_fields - {NAME}) > 1
    return results, QueryCost(len(results.rows) + results.skipped, results.entries if several_ranges else 0)


def _run_vector_query(session: Session, plan: Plan, wanted: Nearest, reading: Reading) -> tuple[Results, QueryCost]:
    if reading.locking is not None:
        raise invalid("A vector search is not supported in a read-write transaction.")
    rows, looked_at = find_nearest(session.database, plan, wanted, reading.at)
    return Results(rows, skipped=0, entries=looked_at), QueryCost(len(rows), looked_at, VECTORS_PER_READ)


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


def _answers(engine: Engine, reading: Reading, plan: Plan, results: Results, call: Call) -> list[bytes]:
    read_time = framed(3, reading.time(engine).SerializeToString())
    begun = _begun(call)
    skipped = counted(4, results.skipped) if results.skipped else b""
    answers = [framed(1, masked(stored, plan.select)) + read_time for _, stored in results.rows]
    if not answers:
        return [begun + read_time + skipped]
    answers[0] += skipped
    return [begun, *answers] if begun else answers


def _begun(call: Call) -> bytes:
    """Return the field that tells of a transaction that this call has begun."""
    return framed(2, call.transaction.id) if call.transaction is not None else b""
