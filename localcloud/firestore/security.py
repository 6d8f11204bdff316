"""Security rules on what apps ask for.

A read by name is judged with the document, a query with what its filters prove (`rule_queries`), and a commit with each
document as it was and as it will be. Server clients are not judged. Without rules, apps may do nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import grpc

from localcloud.rules import Request, RulesError
from localcloud.rules.errors import EvaluationError
from localcloud.rules.evaluator import ServiceFunction
from localcloud.rules.file import RulesFile
from localcloud.rules.ruleset import Segment
from localcloud.rules.values import Path, Value

from .bill import Bill
from .errors import FirestoreError
from .history import StoredDocument
from .paths import collection_id
from .protos import DocumentPb, QueryPb
from .rule_queries import alternatives_of, collection_value, query_value
from .rule_values import auth_value, document_value, path_of, time_value
from .store import Database

SERVICE = "cloud.firestore"
LOOKUPS_MAX, LOOKUPS_MAX_OF_SEVERAL = 10, 20
"""Documents that conditions may read: for one document or query, and for a request about several documents.
https://firebase.google.com/docs/firestore/security/rules-conditions#access_calls_and_pricing"""

DENIED = "Missing or insufficient permissions."


class Change:
    """A document as a commit finds and leaves it. `method` is what rules call the change."""

    def __init__(self, path: str, before: StoredDocument | None, after: DocumentPb | None, exists: bool | None) -> None:
        """Take the document on both sides. `exists` is what the first write on it expects, None if it does not say."""
        self.path, self.before, self.after = path, before, after
        is_update = exists if exists is not None else before is not None
        self.method = "delete" if after is None else "update" if is_update else "create"


class Security:
    """The rules in force.

    Args:
        file: `firestore.rules`, read again whenever it changes; without one, or while it does not exist, nothing is
            allowed.

    Raises:
        RulesError: the file cannot be loaded.
    """

    def __init__(self, file: FilePath | None = None) -> None:
        self._file = RulesFile(file, SERVICE)

    def replace(self, project: str, text: str, name: str) -> None:
        """Put other rules in force for a project, until the file changes; `name` is what errors call them.

        Raises:
            RulesError: the text cannot be loaded; the rules stay as they are.
        """
        self._file.replace(project, text, name)

    def check_reads(
        self, asking: "Asking", documents: Iterable[tuple[str, StoredDocument | None]], *, several: bool = False
    ) -> None:
        """Check that documents may be read by name.

        Raises:
            FirestoreError: PERMISSION_DENIED for one that may not.
        """
        lookups = _Lookups(asking, LOOKUPS_MAX_OF_SEVERAL if several else LOOKUPS_MAX)
        for path, stored in documents:
            resource = None if stored is None else document_value(asking.database.name, path, stored.parse())
            request = {"method": "get", "path": path_of(asking.database.name, path)}
            self._check(asking, lookups, _segments(asking, path), request, resource)

    def check_query(self, asking: "Asking", parent: str, query: QueryPb) -> None:
        """Check that everything that a valid query below `parent` may return may be read.

        Raises:
            FirestoreError: PERMISSION_DENIED.
        """
        lookups = _Lookups(asking, LOOKUPS_MAX)
        request = {"method": "list", "path": collection_value(parent, query), "query": query_value(query)}
        for alternative in alternatives_of(parent, query):
            resource: Value = alternative.resource
            if alternative.path is not None:
                stored = asking.database.get(alternative.path, asking.at)
                resource = EvaluationError(f"there is no document {alternative.path}")
                if stored is not None:
                    resource = document_value(asking.database.name, alternative.path, stored.parse())
            self._check(asking, lookups, alternative.segments, request, resource)

    def check_changes(self, asking: "Asking", changes: list[Change], *, several: bool) -> None:
        """Check that all changes of a commit may be made.

        Raises:
            FirestoreError: PERMISSION_DENIED for one that may not.
        """
        name = asking.database.name
        after = {change.path: change.after for change in changes}
        lookups = _Lookups(asking, LOOKUPS_MAX_OF_SEVERAL if several else LOOKUPS_MAX, after)
        for change in changes:
            request: dict[str, Value] = {"method": change.method, "path": path_of(name, change.path)}
            request["resource"] = None if change.after is None else document_value(name, change.path, change.after)
            before = None if change.before is None else document_value(name, change.path, change.before.parse())
            self._check(asking, lookups, _segments(asking, change.path), request, before)

    def _check(
        self,
        asking: "Asking",
        lookups: "_Lookups",
        segments: tuple[Segment, ...],
        request: Mapping[str, Value],
        resource: Value,
    ) -> None:
        variables = {
            "request": {
                "auth": auth_value(asking.token),
                "time": time_value(asking.tick),
                **{name: value for name, value in request.items() if not isinstance(value, EvaluationError)},
            },
            "resource": resource,
        }
        asked = Request(str(request["method"]), segments, variables, lookups.functions())
        try:
            decision = self._file.current(asking.database.name.split("/")[1]).decide(asked)
        except RulesError as error:
            raise denied(str(error)) from error
        if not decision.allowed:
            raise denied(str(decision))


@dataclass(frozen=True, slots=True)
class Asking:
    """An app that asks a database for something, and when; `rpc` is billed for what conditions read.

    `at` is the tick that a read in the past sees, and so do the conditions that judge it; None is the present.
    """

    token: Mapping[str, Any] | None
    database: Database
    tick: int
    bill: Bill
    rpc: str
    at: int | None = None


@dataclass(slots=True)
class _Lookups:
    """The documents that conditions read: each is read and billed once for a request, and counts for its limits."""

    asking: Asking
    most: int
    after: Mapping[str, DocumentPb | None] = field(default_factory=dict)
    _known: dict[tuple[str, bool], DocumentPb | None] = field(default_factory=dict, init=False)

    def functions(self) -> dict[str, ServiceFunction]:
        """Return get, exists, getAfter and existsAfter, for the judgement of one document or query."""
        own: set[tuple[str, bool]] = set()

        def exists(path: Path, *, after: bool = False) -> bool:
            return self._read(path, own, after=after)[1] is not None

        def get(path: Path, *, after: bool = False) -> dict[str, Value]:
            place, document = self._read(path, own, after=after)
            if document is None:
                raise EvaluationError(f"there is no document {path}")
            return document_value(self.asking.database.name, place, document)

        return {
            "get": get,
            "exists": exists,
            "getAfter": lambda path: get(path, after=True),
            "existsAfter": lambda path: exists(path, after=True),
        }

    def _read(self, path: Path, own: set[tuple[str, bool]], *, after: bool) -> tuple[str, DocumentPb | None]:
        place = place_of(self.asking.database.name, path)
        key = (place, after)
        own.add(key)
        if key not in self._known:
            self._known[key] = self._state(place, after=after)
            self.asking.bill.read(self.asking.rpc, collection_id(place))
        if len(own) > LOOKUPS_MAX or len(self._known) > self.most:
            most = min(LOOKUPS_MAX, self.most) if len(own) > LOOKUPS_MAX else self.most
            raise EvaluationError(f"the rules read more than {most} documents")
        return place, self._known[key]

    def _state(self, place: str, *, after: bool) -> DocumentPb | None:
        if after and place in self.after:
            return self.after[place]
        stored = self.asking.database.get(place, self.asking.at)
        return None if stored is None else stored.parse()


def place_of(database: str, path: Path) -> str:
    """Return the place in a database, by its full name, of the document that a path of rules means.

    Raises:
        EvaluationError: it is no document's path, or one of another database.
    """
    texts = path.texts() or ()
    if texts[:3] != ("databases", database.rpartition("/")[2], "documents") or len(texts) < 5 or len(texts) % 2 == 0:
        raise EvaluationError(f"{path} is no document's path: begin it with /databases/$(database)/documents/")
    return "/".join(texts[3:])


def denied(why: str) -> FirestoreError:
    """Return the error for what the rules do not allow, with what helps a developer to see why."""
    return FirestoreError(grpc.StatusCode.PERMISSION_DENIED, f"{DENIED}\n{why}")


def _segments(asking: Asking, path: str) -> tuple[str, ...]:
    return path_of(asking.database.name, path).texts() or ()
