"""Which queries an index serves: the automatic single-field indexes, and those declared in `firestore.indexes.json`.

Rules (https://firebase.google.com/docs/firestore/query-data/index-overview):

- Every field has ascending, descending and array-contains indexes of collection scope, unless a `fieldOverrides`
  entry says otherwise. Collection group scope exists only where an override declares it.
- Equalities (array-contains among them) without an order are served by any indexes that cover them together.
- With an order, each index used must end in exactly that order, and together they must cover the equalities.
- A vector search needs an index that ends in the vector field, with the vector's dimension.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .errors import failed_precondition
from .filters import Branch, Op
from .ordered_index import NAME, FieldPath
from .paths import format_field_path, parse_field_path
from .plan import Plan

COLLECTION, COLLECTION_GROUP = "COLLECTION", "COLLECTION_GROUP"
ASCENDING, DESCENDING, CONTAINS = "ASCENDING", "DESCENDING", "CONTAINS"

_ADVICE = 'The query requires an index. Add this to "{}" in firestore.indexes.json: {}'
_AUTOMATIC = frozenset({(COLLECTION, ASCENDING), (COLLECTION, DESCENDING), (COLLECTION, CONTAINS)})


class Part(NamedTuple):
    """One field of an index and how it is kept: ASCENDING, DESCENDING, CONTAINS, or a vector's dimension as text."""

    field: FieldPath
    mode: str


@dataclass(frozen=True, slots=True)
class CompositeIndex:
    """A declared index, its fields completed with the name in the direction of the last one."""

    group: str
    scope: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """What one branch of a query asks of the indexes together."""

    group: str
    scope: str
    equal: frozenset[Part]  # mode CONTAINS for array-contains, else ASCENDING, which stands for either direction
    suffix: tuple[Part, ...]  # the orders, the name last; for a vector search the vector field alone
    vector: bool = False


@dataclass(frozen=True, slots=True)
class _Declared:
    composites: tuple[CompositeIndex, ...] = ()
    overrides: Mapping[tuple[str, FieldPath], frozenset[tuple[str, str]]] | None = None


class IndexRules:
    """The rules as the index file has them, read again when it changes. No file: no composite indexes."""

    def __init__(self, path: Path | None = None, *, enforced: bool = True) -> None:
        self._path = path
        self._enforced = enforced
        self._stamp: tuple[int, int] | None = None
        self._declared = _Declared()
        self._approved: set[tuple[object, ...]] = set()

    def check(self, plan: Plan, vector: tuple[FieldPath, int] | None = None) -> None:
        """Check that every branch of a plan is served by indexes.

        Args:
            plan: the query.
            vector: the field and dimension of a vector search.

        Raises:
            FirestoreError: FAILED_PRECONDITION, with the JSON to add to the index file.
        """
        if not self._enforced or (plan.scope.collection is None and plan.scope.group is None):
            return
        self._reload()
        shape = (plan.scope, plan.orders, tuple(scan.shape for scan in plan.scans), vector)
        if shape in self._approved:
            return
        for scan in plan.scans:
            need = _need(plan, scan.branch, vector)
            if not self._served(need):
                raise failed_precondition(self._advice(need))
        self._approved.add(shape)

    def _reload(self) -> None:
        if self._path is None:
            return
        try:
            status = self._path.stat()
        except FileNotFoundError:
            stamp, text = None, "{}"
        else:
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp == self._stamp:
                return
            text = self._path.read_text()
        self._stamp, self._declared = stamp, _parse(text, self._path)
        self._approved.clear()

    def _served(self, need: Need) -> bool:
        if need.vector:
            return any(_serves_vector(index, need) for index in self._declared.composites)
        covered: set[Part] = set()
        suffix_found = False
        for equal, suffix in self._candidates(need):
            if suffix == need.suffix and equal <= need.equal:
                covered |= equal
                suffix_found = True
        return suffix_found and covered == need.equal

    def _candidates(self, need: Need) -> Iterable[tuple[frozenset[Part], tuple[Part, ...]]]:
        """Yield each index as (equality fields, order) in every way it could serve this query."""
        by_name = Part(NAME, ASCENDING)
        yield frozenset(), (by_name,)
        for part in need.equal:
            modes = {CONTAINS} if part.mode == CONTAINS else {ASCENDING, DESCENDING}
            if part.field == NAME or any(self._single(need, part.field, mode) for mode in modes):
                yield frozenset({part}), (by_name,)
        if len(need.suffix) == 2 and self._single(need, need.suffix[0].field, need.suffix[0].mode):
            yield frozenset(), (need.suffix[0], Part(NAME, need.suffix[0].mode))
        split = len(need.suffix)
        for index in self._declared.composites:
            if (index.group, index.scope) == (need.group, need.scope) and len(index.parts) >= split:
                yield frozenset(_undirected(part) for part in index.parts[:-split]), index.parts[-split:]

    def _single(self, need: Need, field: FieldPath, mode: str) -> bool:
        """Tell whether a field has the single-field index; a map's override holds for the fields inside it too."""
        overrides = self._declared.overrides or {}
        for length in range(len(field), 0, -1):
            found = overrides.get((need.group, field[:length]))
            if found is not None:
                return (need.scope, mode) in found
        found = overrides.get((need.group, ("*",)))
        return (need.scope, mode) in (_AUTOMATIC if found is None else found)

    def _advice(self, need: Need) -> str:
        parts = [*sorted(need.equal), *need.suffix]
        if (
            not need.vector
            and parts[-1].field == NAME
            and (len(parts) == 1 or parts[-1].mode == _direction(parts[-2].mode))
        ):
            parts.pop()
        fields = [_field_json(part) for part in parts]
        if len(fields) == 1 and not need.vector and parts[0].field != NAME:
            mode = {key: value for key, value in fields[0].items() if key != "fieldPath"}
            entry = {
                "collectionGroup": need.group,
                "fieldPath": fields[0]["fieldPath"],
                "indexes": [{**mode, "queryScope": need.scope}],
            }
            return _ADVICE.format("fieldOverrides", json.dumps(entry))
        entry = {"collectionGroup": need.group, "queryScope": need.scope, "fields": fields}
        return _ADVICE.format("indexes", json.dumps(entry))


def _need(plan: Plan, branch: Branch, vector: tuple[FieldPath, int] | None) -> Need:
    equal = frozenset(
        Part(condition.field, CONTAINS if condition.op is Op.CONTAINS else ASCENDING)
        for condition in branch
        if condition.op in {Op.EQUAL, Op.CONTAINS}
    )
    fixed = {part.field for part in equal if part.mode == ASCENDING}
    # Ordering by a field that an equality holds constant asks nothing of an index.
    orders = [order for order in plan.orders if order.field not in fixed or order.field == NAME]
    suffix = tuple(Part(field, DESCENDING if descending else ASCENDING) for field, descending in orders)
    group = plan.collection_id
    scope = COLLECTION_GROUP if plan.scope.group is not None else COLLECTION
    if vector is None:
        return Need(group, scope, equal, suffix)
    filtered = equal | {Part(part.field, ASCENDING) for part in suffix[:-1]}
    return Need(group, scope, filtered, (Part(vector[0], str(vector[1])),), vector=True)


def _serves_vector(index: CompositeIndex, need: Need) -> bool:
    return (
        (index.group, index.scope) == (need.group, need.scope)
        and index.parts[-1:] == need.suffix
        and frozenset(_undirected(part) for part in index.parts[:-1]) == need.equal
    )


def _undirected(part: Part) -> Part:
    return Part(part.field, ASCENDING) if part.mode == DESCENDING else part


def _direction(mode: str) -> str:
    return DESCENDING if mode == DESCENDING else ASCENDING


def _field_json(part: Part) -> dict[str, Any]:
    name = format_field_path(part.field)
    if part.mode == CONTAINS:
        return {"fieldPath": name, "arrayConfig": CONTAINS}
    if part.mode.isdigit():
        return {"fieldPath": name, "vectorConfig": {"dimension": int(part.mode), "flat": {}}}
    return {"fieldPath": name, "order": part.mode}


def _parse(text: str, path: Path) -> _Declared:
    try:
        content = json.loads(text)
        composites = tuple(_composite(entry) for entry in content.get("indexes", []))
        overrides = dict(_override(entry) for entry in content.get("fieldOverrides", []))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise failed_precondition(f"{path} is not a valid index file: {error!r}") from error
    return _Declared(composites, overrides)


def _composite(entry: Mapping[str, Any]) -> CompositeIndex:
    parts = [Part(parse_field_path(field["fieldPath"]), _mode(field)) for field in entry["fields"]]
    if parts[-1].field != NAME and not parts[-1].mode.isdigit():
        parts.append(Part(NAME, _direction(parts[-1].mode)))
    return CompositeIndex(entry["collectionGroup"], entry.get("queryScope", COLLECTION), tuple(parts))


def _override(entry: Mapping[str, Any]) -> tuple[tuple[str, FieldPath], frozenset[tuple[str, str]]]:
    path = ("*",) if entry["fieldPath"] == "*" else parse_field_path(entry["fieldPath"])
    kept = frozenset((index.get("queryScope", COLLECTION), _mode(index)) for index in entry["indexes"])
    return (entry["collectionGroup"], path), kept


def _mode(field: Mapping[str, Any]) -> str:
    if "vectorConfig" in field:
        return str(field["vectorConfig"]["dimension"])
    return str(field["order"] if "order" in field else field["arrayConfig"])
