"""Queries and commits drawn at random, with rules for them, on our Firestore and on Google's emulator.

`python -m localcloud.tests.rules.drawn_requests 2000` compares that many, from a seed that it prints, and ends with
status 1 if the two servers differ; `--seed 7` draws the same ones again.
"""

import argparse
import json
import random
import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import httpx

from localcloud.auth.accounts import Account
from localcloud.auth.tokens import Session, Tokens
from localcloud.firestore import FirestoreServer, OfficialFirestore

PROJECT = "demo-rules"
DATABASE = f"projects/{PROJECT}/databases/(default)"
SECONDS_MAX = 60
OWNER = {"Authorization": "Bearer owner"}
Json = dict[str, Any]

_FIELDS = ["n", "m", "s", "l", "o.k"]
_VALUES: list[Any] = [0, 1, 2, 1.0, 1.5, "a", "ann", True, None, [1], ["ann"], {"k": 1}]
_OPS = ["EQUAL", "NOT_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL"]
_LISTED = ["IN", "NOT_IN", "ARRAY_CONTAINS_ANY"]
_UNARY = ["IS_NULL", "IS_NOT_NULL", "IS_NAN", "IS_NOT_NAN"]
_LITERALS = ["0", "1", "2", "1.0", "1.5", "'a'", "'ann'", "true", "null", "[1]", "request.auth.uid", "{'k': 1}"]
_PATTERNS = ["/x/{id}", "/{c}/{id}", "/{rest=**}", "/x/{rest=**}", "/{rest=**}/x/{id}", "/y/{i}/x/{id}", "/x/a"]


class Case(NamedTuple):
    """Rules, and what an app asks under them: a path below the documents, and a body."""

    rules: str
    method: str
    path: str
    body: Json


class Drawing:
    """Draws cases from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - a test

    def case(self) -> Case:
        """Draw a query or a commit."""
        if self.chance.random() < 0.65:
            return self._query()
        return self._commit()

    def _pick(self, choices: list[Any]) -> Any:
        return self.chance.choice(choices)

    def _condition(self, depth: int = 0) -> str:
        field = f"resource.data.{self._pick(_FIELDS)}"
        literal, draw = self._pick(_LITERALS), self.chance.random()
        if depth < 2 and draw < 0.3:
            return f"({self._condition(depth + 1)} {self._pick(['&&', '||'])} {self._condition(depth + 1)})"
        if draw < 0.35:
            return f"!({self._condition(depth + 1)})"
        return str(
            self._pick(
                [
                    f"{field} == {literal}",
                    f"{field} != {literal}",
                    f"{literal} == {field}",
                    f"{field} {self._pick(['<', '<=', '>', '>='])} {literal}",
                    f"{literal} {self._pick(['<', '<=', '>', '>='])} {field}",
                    f"{field} in [{literal}, {self._pick(_LITERALS)}]",
                    f"{literal} in {field}",
                    f"{field}.hasAny([{literal}])",
                    f"{field} is {self._pick(['int', 'string', 'number', 'list', 'map'])}",
                    f"'{self._pick(['n', 'm', 's', 'l', 'o'])}' in resource.data",
                    f"resource.data.get('{self._pick(['n', 'm', 's'])}', {literal}) == {self._pick(_LITERALS)}",
                    "resource.data.keys().hasOnly(['n', 'm'])",
                    f"request.query.limit <= {self._pick([1, 2])}",
                    f"request.query.orderBy.{self._pick(['n', 'm'])} == 'ASC'",
                    "request.auth.uid == 'ann'",
                    "resource.id == 'a'",
                    "id == 'a'",
                    "get(/databases/$(db)/documents/x/a).data.n == 1",
                    "exists(/databases/$(db)/documents/x/missing)",
                ]
            )
        )

    def _rules(self, methods: str, condition: str, pattern: str) -> str:
        condition = condition if "{id}" in pattern else condition.replace("id == 'a'", "db == 'a'")
        condition = condition.replace("resource.db", "resource.id")
        return (
            "rules_version = '2';\nservice cloud.firestore {\nmatch /databases/{db}/documents {\n"
            f"match {pattern} {{ allow {methods}: if {condition}; }}\n}}}}"
        )

    def _filter(self) -> Json:
        path = {"fieldPath": self._pick(_FIELDS)}
        draw = self.chance.random()
        if draw < 0.12:
            return {"unaryFilter": {"field": path, "op": self._pick(_UNARY)}}
        if draw < 0.3:
            listed = {
                "arrayValue": {"values": [_value(self._pick(_VALUES[:8])) for _ in range(self.chance.randint(1, 2))]}
            }
            return {"fieldFilter": {"field": path, "op": self._pick(_LISTED), "value": listed}}
        if draw < 0.4:
            return {"fieldFilter": {"field": path, "op": "ARRAY_CONTAINS", "value": _value(self._pick(_VALUES[:8]))}}
        if draw < 0.46:
            name = {"referenceValue": f"{DATABASE}/documents/x/{self._pick(['a', 'b', 'missing'])}"}
            op = self._pick(["EQUAL", "EQUAL", "GREATER_THAN"])
            return {"fieldFilter": {"field": {"fieldPath": "__name__"}, "op": op, "value": name}}
        values = [value for value in _VALUES if value is not None]  # SDKs ask for null by IS_NULL
        return {"fieldFilter": {"field": path, "op": self._pick(_OPS), "value": _value(self._pick(values))}}

    def _fitting(self, chosen: Json) -> str:
        """Return a condition on the field of a filter, with the filter's own value where it has one."""
        inside = chosen.get("fieldFilter") or chosen["unaryFilter"]
        field = _field(chosen)
        literals = {json.dumps(_value(value)): json.dumps(value).replace('"', "'") for value in _VALUES}
        literal = literals.get(json.dumps(inside.get("value")), self._pick(_LITERALS))
        op = self._pick(["==", "==", "!=", "<", "<=", ">", ">="])
        return "id == 'a'" if field == "__name__" else f"resource.data.{field} {op} {literal}"

    def _query(self) -> Case:
        query: Json = {"from": [{"collectionId": "x", "allDescendants": self.chance.random() < 0.15}]}
        filters = [self._filter() for _ in range(self.chance.choice([0, 1, 1, 1, 2, 2]))]
        if len(filters) == 2 and _field(filters[0]) == _field(filters[1]) and not all(map(_is_range, filters)):
            filters.pop()  # of a value and something else, Google's emulator may know only the other
        if filters:
            op = self._pick(["AND", "AND", "OR"])
            query["where"] = filters[0] if len(filters) == 1 else {"compositeFilter": {"op": op, "filters": filters}}
        if self.chance.random() < 0.3:
            query["limit"] = self._pick([1, 2, 3])
        if self.chance.random() < 0.1:
            query["orderBy"] = [{"field": {"fieldPath": "n"}}]
        path = self._pick(["", "", "", "/y/1"])
        condition = self._condition()
        if filters and self.chance.random() < 0.6:
            condition = f"{self._fitting(filters[0])} {self._pick(['&&', '||'])} {condition}"
        rules = self._rules("list", condition, self._pick(["/x/{id}", *_PATTERNS]))
        return Case(rules, "POST", f"{path}:runQuery", {"structuredQuery": query})

    def _write(self) -> Json:
        name = f"{DATABASE}/documents/x/{self._pick(['a', 'b', 'new'])}"
        draw = self.chance.random()
        if draw < 0.2:
            return {"delete": name}
        fields = {field: _value(self._pick(_VALUES)) for field in self.chance.sample(["n", "m", "s"], 2)}
        write: Json = {"update": {"name": name, "fields": fields}}
        if draw < 0.5:
            write["updateMask"] = {"fieldPaths": [self._pick(["n", "m", "s"])]}
        if draw < 0.35:
            write["updateTransforms"] = [{"fieldPath": "n", "increment": {"integerValue": "1"}}]
        elif draw > 0.9:
            write["updateTransforms"] = [{"fieldPath": "m", "setToServerValue": "REQUEST_TIME"}]
        if self.chance.random() < 0.2:
            write["currentDocument"] = {"exists": self._pick([True, False])}
        return write

    def _commit(self) -> Case:
        literal, other = self._pick(_LITERALS), self._pick(["a", "b", "new"])
        conditions = [
            f"request.resource.data.n == {literal}",
            f"request.resource.data.n != resource.data.n || {self._condition()}",
            f"request.resource.data.diff(resource.data).affectedKeys().hasOnly(['{self._pick(['n', 'm'])}'])",
            f"request.method == '{self._pick(['create', 'update', 'delete'])}'",
            "resource == null",
            "request.resource.data.m == request.time",
            f"getAfter(/databases/$(db)/documents/x/{other}).data.n == {literal}",
            f"existsAfter(/databases/$(db)/documents/x/{other})",
            f"!exists(/databases/$(db)/documents/x/{other})",
            f"get(/databases/$(db)/documents/x/{other}).data.n == 1",
            "request.resource.data.keys().hasAll(['n', 'm'])",
            f"id == '{other}'",
            "request.resource.__name__ == request.path",
            self._condition(),
        ]
        chosen = self.chance.sample(conditions, self._pick([1, 1, 2]))
        condition = f" {self._pick(['&&', '||'])} ".join(chosen)
        methods = self._pick(["write", "write", "write", "create", "update", "create, update", "delete"])
        writes = [self._write() for _ in range(self._pick([1, 1, 2, 3]))]
        return Case(self._rules(methods, condition, "/x/{id}"), "POST", ":commit", {"writes": writes})


def _field(chosen: Json) -> str:
    return str((chosen.get("fieldFilter") or chosen["unaryFilter"])["field"]["fieldPath"])


def _is_range(chosen: Json) -> bool:
    return "THAN" in chosen.get("fieldFilter", {}).get("op", "")


def _value(value: Any) -> Json:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"mapValue": {"fields": {name: _value(item) for name, item in value.items()}}}
    kinds = {bool: "booleanValue", int: "integerValue", float: "doubleValue", str: "stringValue"}
    return {kinds.get(type(value), "nullValue"): value}


DOCUMENTS = {
    "x/a": {"n": 1, "m": 2, "s": "ann", "l": [1]},
    "x/b": {"n": 2, "s": "bob", "o": {"k": 1}},
    "y/1/x/c": {"n": 1},
}


class Server:
    """One of the two servers, to which Ann's app talks."""

    def __init__(self, host: str, http: httpx.Client) -> None:
        self._host, self._http = host, http
        self._documents = f"http://{host}/v1/{DATABASE}/documents"
        token = Tokens(PROJECT).id_token(Account("ann"), Session("ann", "anonymous"))
        self._ann = {"Authorization": f"Bearer {token}"}

    def put_rules(self, rules: str) -> None:
        """Put rules in force."""
        body = {"rules": {"files": [{"name": "firestore.rules", "content": rules}]}}
        put = self._http.put(f"http://{self._host}/emulator/v1/projects/{PROJECT}:securityRules", json=body)
        assert put.status_code == 200, put.text + rules

    def fill(self) -> None:
        """Make the documents what they are before each case."""
        self._http.delete(f"http://{self._host}/emulator/v1/{DATABASE}/documents", headers=OWNER).raise_for_status()
        for path, fields in DOCUMENTS.items():
            content = {"fields": {name: _value(value) for name, value in fields.items()}}  # type: ignore[attr-defined]
            self._http.patch(f"{self._documents}/{path}", json=content, headers=OWNER).raise_for_status()

    def attempt(self, case: Case) -> tuple[int, str]:
        """Try a case, and return the status and the answer."""
        answer = self._http.request(case.method, self._documents + case.path, json=case.body, headers=self._ann)
        return answer.status_code, answer.text


@contextmanager
def both_servers() -> Iterator[tuple[Server, Server]]:
    """Run our server, and Google's."""
    with ExitStack() as stack:
        embedded, official = FirestoreServer(enforce_indexes=False), OfficialFirestore()
        for server in (embedded, official):
            stack.callback(server.stop)
            server.start()
        http = stack.enter_context(httpx.Client(timeout=SECONDS_MAX))
        yield Server(embedded.app_host, http), Server(official.host, http)


def differences(servers: tuple[Server, Server], seed: int, count: int) -> Iterator[str]:
    """Yield what the servers answer differently, of those cases that both find well-formed."""
    drawing = Drawing(seed)
    statuses: Counter[int] = Counter()
    for server in servers:
        server.fill()
    for _ in range(count):
        case = drawing.case()
        for server in servers:
            server.put_rules(case.rules)
        answers = [server.attempt(case) for server in servers]
        if case.path == ":commit":
            for server, (status, _) in zip(servers, answers, strict=True):
                if status == 200:
                    server.fill()
        here, there = (status for status, _ in answers)
        statuses[there] += 1
        if here != there and 400 not in {here, there}:
            told = "\n".join(text for _, text in answers)
            yield f"ours {here}, Google's {there}\n{case.rules}\n{json.dumps(case.body)}\n{told}"
    print(f"seed {seed}: {count} drawn, Google's statuses {dict(statuses)}")


def main() -> int:
    """Compare as many as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    asked = parser.parse_args()
    found = 0
    with both_servers() as servers:
        for different in differences(servers, asked.seed, asked.count):
            found += 1
            print(different + "\n")
    print(f"{found} differences")
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
