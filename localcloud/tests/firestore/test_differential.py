"""Random documents and queries: the embedded server finds what the official one finds, or else a plain evaluation does.

The plain evaluation shares nothing with the server: it compares Python values, and sorts and slices lists.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.cloud.firestore import Client
from google.cloud.firestore_v1.base_query import BaseCompositeFilter, BaseFilter, FieldFilter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from localcloud.firestore import FirestoreServer, find_official, in_process_client
from localcloud.tests.firestore.support import close, connect

Content = dict[str, Any]

FIELDS = ["a", "a", "b", "c.d"]  # every document has the first, so conditions on it find something
# Few values, so that conditions meet them: of each type at least two neighbours, and equals of different types.
POOL = [None, False, True, -math.inf, -1.5, -1, 0, -0.0, 1, 1.0, 2, "", "a", "ab", "é", b"", b"a\x00", b"b"]
SCALARS = st.sampled_from(POOL)
VALUES = st.one_of(
    SCALARS,
    SCALARS,
    st.lists(SCALARS, max_size=2),
    st.dictionaries(st.sampled_from("xy"), SCALARS, max_size=2),
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries(
        {"a": SCALARS}, optional={"b": VALUES, "c": st.fixed_dictionaries({}, optional={"d": VALUES})}
    ),
    min_size=4,
    max_size=8,
)
Condition = tuple[str, str, Any]


@st.composite
def conditions(draw: st.DrawFn, documents: list[Content]) -> Condition:
    """Draw a condition, mostly one that some document is just at the edge of."""
    field = draw(st.sampled_from(FIELDS))
    op = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "in", "array_contains"]))
    present = [value for content in documents if (value := lookup(content, field)) not in (MISSING, None)]
    operands = st.one_of(st.sampled_from(present), SCALARS) if present else VALUES
    operands = operands.filter(lambda value: value is not None)
    if op == "in":
        return field, op, draw(st.lists(operands, min_size=1, max_size=3))
    return field, op, draw(SCALARS.filter(lambda value: value is not None) if op == "array_contains" else operands)


@st.composite
def queries(draw: st.DrawFn, documents: list[Content]) -> Content:
    """Draw a query: conditions joined by AND or OR with at most one negation, orders, an offset and a limit."""
    drawn = draw(st.lists(conditions(documents), max_size=2))
    negations = [condition for condition in drawn if condition[1] == "!="]
    fields = draw(st.lists(st.sampled_from(FIELDS[1:]), unique=True, max_size=2))
    directions = draw(st.lists(st.booleans(), min_size=2, max_size=2))
    return {
        "join": draw(st.sampled_from(["AND", "OR"])),
        "conditions": [condition for condition in drawn if condition[1] != "!="] + negations[:1],
        "orders": list(zip(fields, directions, strict=False)),
        "offset": draw(st.integers(0, 2)),
        "limit": draw(st.one_of(st.none(), st.integers(1, 5))),
    }


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Content], list[Content]]:
    """Draw documents and some queries over them."""
    documents = draw(DOCUMENTS)
    return documents, draw(st.lists(queries(documents), min_size=1, max_size=4))


def run(client: Client, collection: str, asked: Content) -> list[str]:
    """Run a drawn query and return the ids found."""
    query: Any = client.collection(collection)
    filters: list[BaseFilter] = [FieldFilter(*condition) for condition in asked["conditions"]]
    if len(filters) > 1:
        query = query.where(filter=BaseCompositeFilter(asked["join"], filters))
    elif filters:
        query = query.where(filter=filters[0])
    for field, descending in asked["orders"]:
        query = query.order_by(field, direction="DESCENDING" if descending else "ASCENDING")
    query = query.offset(asked["offset"])
    if asked["limit"] is not None:
        query = query.limit(asked["limit"])
    return [snapshot.id for snapshot in query.stream()]


RANKS: list[tuple[type, ...]] = [(type(None),), (bool,), (int, float), (str,), (bytes,), (list,), (dict,)]


def rank(value: Any) -> int:
    """Return a value's place in the order of types."""
    return next(place for place, kinds in enumerate(RANKS) if type(value) in kinds)


def compare(one: Any, other: Any) -> int:
    """Compare two values as Firestore orders them: negative, zero or positive."""
    if rank(one) != rank(other):
        return rank(one) - rank(other)
    if one is None:
        return 0
    if isinstance(one, str):
        one, other = one.encode(), other.encode()
    if isinstance(one, dict):
        one, other = ([part for item in sorted(each.items()) for part in item] for each in (one, other))
    if isinstance(one, list):
        for left, right in zip(one, other, strict=False):
            if difference := compare(left, right):
                return difference
        return len(one) - len(other)
    return int(one > other) - int(one < other)


def lookup(content: Content, field: str) -> Any:
    """Return the value at a field path, or the missing one."""
    found: Any = content
    for name in field.split("."):
        if not isinstance(found, dict) or name not in found:
            return MISSING
        found = found[name]
    return found


MISSING = object()
COMPARISONS: dict[str, Callable[[int], bool]] = {
    "<": lambda difference: difference < 0,
    "<=": lambda difference: difference <= 0,
    ">": lambda difference: difference > 0,
    ">=": lambda difference: difference >= 0,
}


def holds(content: Content, condition: Condition) -> bool:
    """Tell whether a document meets a condition."""
    field, op, value = condition
    found = lookup(content, field)
    if found is MISSING:
        return False
    if op == "in":
        return any(compare(found, each) == 0 for each in value)
    if op == "array_contains":
        return isinstance(found, list) and any(compare(each, value) == 0 for each in found)
    if op == "==":
        return compare(found, value) == 0
    if op == "!=":
        return found is not None and compare(found, value) != 0
    return rank(found) == rank(value) and COMPARISONS[op](compare(found, value))


def evaluate(documents: list[Content], asked: Content) -> list[str]:
    """Return the ids a query finds, by the plainest means."""
    inequalities = sorted(
        {field for field, op, _ in asked["conditions"] if op in COMPARISONS or op == "!="}, key=lambda f: f.split(".")
    )
    orders = list(asked["orders"])
    last = orders[-1][1] if orders else False
    orders += [(field, last) for field in inequalities if field not in dict(orders)]

    def matches(content: Content) -> bool:
        results = [holds(content, condition) for condition in asked["conditions"]]
        wanted = not results or (all(results) if asked["join"] == "AND" or len(results) == 1 else any(results))
        return wanted and all(lookup(content, field) is not MISSING for field, _ in orders)

    def before(one: tuple[str, Content], other: tuple[str, Content]) -> int:
        for field, descending in orders:
            if difference := compare(lookup(one[1], field), lookup(other[1], field)):
                return -difference if descending else difference
        difference = int(one[0] > other[0]) - int(one[0] < other[0])
        return -difference if last or (orders and orders[-1][1]) else difference

    found = [(f"d{number}", content) for number, content in enumerate(documents) if matches(content)]
    ordered = [name for name, _ in sorted(found, key=functools.cmp_to_key(before))]
    end = None if asked["limit"] is None else asked["offset"] + asked["limit"]
    return ordered[asked["offset"] : end]


@pytest.fixture(scope="module")
def embedded() -> Client:
    """A client of an embedded server that asks for no indexes."""
    return in_process_client(FirestoreServer(enforce_indexes=False))


@pytest.fixture(scope="module")
def official(request: pytest.FixtureRequest) -> Iterator[Client | None]:
    """A client of the official emulator, None where it is not found."""
    install, _ = find_official()
    client = connect(request.getfixturevalue("official_host")) if install is not None else None
    yield client
    if client is not None:
        close(client)


def fill(client: Client, collection: str, documents: list[Content]) -> None:
    """Make a collection hold exactly these documents."""
    batch = client.batch()
    for number in range(8):
        reference = client.document(f"{collection}/d{number}")
        if number < len(documents):
            batch.set(reference, documents[number])
        else:
            batch.delete(reference)
    batch.commit()


QUICK = settings(
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@settings(QUICK, max_examples=300)
@given(case=cases())
def test_random_queries_find_what_a_plain_evaluation_finds(
    embedded: Client, case: tuple[list[Content], list[Content]]
) -> None:
    """Whatever the documents and the query, the result is the plain evaluation's, also while documents change."""
    documents, asked = case
    fill(embedded, "plain", documents)
    for query in asked:
        assert run(embedded, "plain", query) == evaluate(documents, query), query
    changed = documents[1:] + documents[:1]
    fill(embedded, "plain", changed)
    for query in asked:
        assert run(embedded, "plain", query) == evaluate(changed, query), query


@settings(QUICK, max_examples=60)
@given(case=cases())
def test_random_queries_find_what_the_official_emulator_finds(
    embedded: Client, official: Client | None, case: tuple[list[Content], list[Content]]
) -> None:
    """Whatever the documents and the query, both servers return the same ids in the same order."""
    if official is None:
        pytest.skip(find_official()[1])
    documents, asked = case
    for client in (embedded, official):
        fill(client, "both", documents)
    for query in asked:
        assert run(embedded, "both", query) == run(official, "both", query), query
