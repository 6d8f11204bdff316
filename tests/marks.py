"""Marks: a word of its own for every input, in a form that the input takes, by which it is found wherever it comes out.

Requests are made from each callable's own schema, so that one that is new, or a new field, is marked as well.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from functions.edge.callables import request_type
from tests.wire import use_case

Json = Any
Schema = Mapping[str, Any]


def word(where: str) -> str:
    """Return eight letters that stand for a place, and are nowhere else."""
    digits = hashlib.sha256(where.encode()).digest()
    return "zq" + "".join(chr(ord("a") + digit % 26) for digit in digits[:6])


@dataclass
class Marks:
    """What was marked for whom: mark -> where it was put."""

    uid: str
    known: dict[str, str] = field(default_factory=dict)

    def new(self, where: str) -> str:
        """Return the word for a place."""
        made = word(f"{self.uid} {where}")
        self.known[made] = where
        return made

    def forms(self, where: str) -> Iterator[str]:
        """Yield texts with the mark of a place, in the forms that fields have."""
        made, digest = self.new(where), hashlib.sha256(f"{self.uid} {where}".encode()).hexdigest()
        number = str(10**10 + int(digest[:8], 16))
        code = base64.b32encode(bytes.fromhex(digest[:32])).decode().rstrip("=")
        self.known |= {digest[:32]: where, number: where, code: where}
        yield from (made, f"users/{self.uid}/uploads/{made}.jpg", f"de-{made}", digest[:32])
        yield from (f"alert-2026-11-21-{number}", code)
        yield from (f"7-{digest[:32]}", f"seq-{number}", f"entries:{number}", f"{made}@example.org", f"+{number}")

    def found_in(self, text: str) -> dict[str, str]:
        """Return the marks in a text, with where they come from."""
        return {mark: where for mark, where in self.known.items() if mark in text}


def marked(name: str, marks: Marks, given: Mapping[str, Json]) -> dict[str, Json]:
    """Return a request in form with a mark in each of its fields; `given` are fields that mean something here.

    Raises:
        AssertionError: a field takes none of the forms that marks have.
    """
    model = request_type(use_case(name))
    schema = model.model_json_schema()
    request: dict[str, Json] = {}
    for field_name, part in schema.get("properties", {}).items():
        choices = list(_values(part, schema.get("$defs", {}), f"{name}.{field_name}", marks))
        fit = [each for each in choices if not _refuses(model, {**request, field_name: each}, field_name)]
        assert fit, f"{name}.{field_name} takes no mark: add its form to Marks.forms"
        request[field_name] = fit[0]
    for each in (request, *(item for value in request.values() if isinstance(value, list) for item in value)):
        if isinstance(each, dict):
            each |= {key: value for key, value in given.items() if key in each}
    return request


def _refuses(model: type[BaseModel], request: Json, field_name: str) -> bool:
    try:
        model.model_validate(request)
    except ValidationError as error:
        return any(problem["loc"][0] == field_name and problem["type"] != "missing" for problem in error.errors())
    return False


def _values(part: Schema, definitions: Schema, where: str, marks: Marks) -> Iterator[Json]:
    """Yield values for a field, those with a mark first."""
    if reference := part.get("$ref"):
        yield from _values(definitions[reference.removeprefix("#/$defs/")], definitions, where, marks)
    for choice in part.get("anyOf", ()):
        yield from _values(choice, definitions, where, marks)
    yield from (*part.get("enum", ())[:1], *([part["const"]] if "const" in part else ()))
    kind = part.get("type")
    if kind == "string":
        yield from marks.forms(where)
    elif kind == "array":
        yield from ([item] for item in _values(part["items"], definitions, f"{where}[]", marks))
    elif kind == "object" and "properties" in part:
        yield from _objects(part, definitions, where, marks)
    elif kind == "object":
        made = marks.new(where)
        yield {made: {made: made}}
    else:
        number = part.get("maximum", 1)
        yield from {"boolean": (True,), "integer": (number,), "number": (number,)}.get(str(kind), ())


def _objects(part: Schema, definitions: Schema, where: str, marks: Marks) -> Iterator[Json]:
    """Yield an object for each form that its texts may have together: its model says which of them fit."""
    fields = {
        name: list(_values(inner, definitions, f"{where}.{name}", marks)) for name, inner in part["properties"].items()
    }
    for number in range(max(map(len, fields.values()))):
        for other in range(max(map(len, fields.values()))):
            yield {
                name: values[(number if at % 2 else other) % len(values)]
                for at, (name, values) in enumerate(fields.items())
            }


def misfits(request: Mapping[str, Json], name: str, marks: Marks) -> Iterator[Json]:
    """Yield requests with a mark where it does not belong: a wrong type, too much of it, a field or a body too many."""
    for field_name in request:
        made = marks.new(f"{name}.{field_name}, which is wrong")
        for wrong in ({made: made}, [made], f"{made}\n", made * 1_000):
            yield {**request, field_name: wrong}
    made = marks.new(f"{name}, beside its fields")
    yield {**request, made: made}
    yield made
    yield [made]
