"""The syntax tree: what the parser makes of a file, and the checks and the evaluator walk."""

from dataclasses import dataclass, fields
from typing import Any

from .errors import Position


@dataclass(frozen=True, slots=True)
class Expression:
    """Any expression."""

    at: Position


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """null, a boolean, a number, a string or bytes."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Expression):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOf(Expression):
    """`[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapOf(Expression):
    """`{'k': v}`; keys are expressions too."""

    entries: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`{name}`, or `{name=**}` if it takes any number of segments, in a path."""

    name: str
    glob: bool
    at: Position


@dataclass(frozen=True, slots=True)
class PathOf(Expression):
    """`/a/$(b)/{c}`: text, expressions whose values are put in, and wildcards left for `bind`."""

    segments: tuple["str | Expression | Wildcard", ...]


@dataclass(frozen=True, slots=True)
class Unary(Expression):
    """`!a` or `-a`."""

    op: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """An operator whose two sides are both evaluated: arithmetic, comparison, `in`."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Logic(Expression):
    """`a && b` or `a || b`: an error on one side does not count if the other decides."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Ternary(Expression):
    """`a ? b : c`."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Is(Expression):
    """`a is type`."""

    operand: Expression
    type: str


@dataclass(frozen=True, slots=True)
class Member(Expression):
    """`a.name`."""

    of: Expression
    name: str


@dataclass(frozen=True, slots=True)
class Index(Expression):
    """`a[b]`."""

    of: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Range(Expression):
    """`a[b:c]`; either bound may be missing."""

    of: Expression
    start: Expression | None
    end: Expression | None


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A call of a function of the file, of the service (`get`) or of a namespace (`math.abs`)."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Method(Expression):
    """`a.name(b)`."""

    of: Expression
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value;` in a function."""

    at: Position
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the file."""

    at: Position
    name: str
    parameters: tuple[str, ...]
    lets: tuple[Let, ...]
    result: Expression


@dataclass(frozen=True, slots=True)
class Allow:
    """`allow methods: if condition;`. Without a condition it is None, and always holds."""

    at: Position
    methods: tuple[str, ...]
    condition: Expression | None


@dataclass(frozen=True, slots=True)
class Match:
    """`match pattern { ... }`."""

    at: Position
    pattern: tuple[str | Wildcard, ...]
    functions: tuple[Function, ...]
    allows: tuple[Allow, ...]
    matches: tuple["Match", ...]


@dataclass(frozen=True, slots=True)
class Service:
    """`service name { ... }`."""

    at: Position
    name: str
    functions: tuple[Function, ...]
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A whole file."""

    name: str
    functions: tuple[Function, ...]
    services: tuple[Service, ...]


def children(node: Expression) -> list[Expression]:
    """Return the expressions right under one, in the order of the text."""
    found: list[Expression] = []
    waiting = [getattr(node, each.name) for each in reversed(fields(node))]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Expression):
            found.append(part)
        elif isinstance(part, tuple):
            waiting += reversed(part)
    return found
