"""Expressions in the source of a function, found by what they do and by a name in them."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """An expression, and where it stands: in this field of this node, at this position if the field is a list."""

    holder: ast.AST
    field: str
    position: int | None
    expression: ast.expr

    def names(self, name: str) -> bool:
        """Tell whether a variable, an attribute or a text of this name is in it."""
        found = (
            getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "value", None)
            for node in ast.walk(self.expression)
        )
        return name in found

    def put(self, expression: ast.expr) -> None:
        if self.position is None:
            setattr(self.holder, self.field, expression)
        else:
            getattr(self.holder, self.field)[self.position] = expression


def places(tree: ast.AST) -> Iterator[Place]:
    """Yield every expression of a syntax tree, outer ones first."""
    for holder in ast.walk(tree):
        for field, value in ast.iter_fields(holder):
            listed = isinstance(value, list)
            for position, node in enumerate(value if listed else [value]):
                if isinstance(node, ast.expr):
                    yield Place(holder, field, position if listed else None, node)


Finder = Callable[[Place], bool]


def condition(name: str) -> Finder:
    """Find the condition of an `if`, a statement's or a comprehension's, in which this name is."""
    return lambda place: place.field in {"test", "ifs"} and place.names(name)


def comparison(name: str) -> Finder:
    """Find the comparison in which this name is."""
    return lambda place: isinstance(place.expression, ast.Compare) and place.names(name)


def otherwise(name: str) -> Finder:
    """Find what stands behind an `else` in an expression, with this name in it."""
    return lambda place: isinstance(place.holder, ast.IfExp) and place.field == "orelse" and place.names(name)


def call(name: str) -> Finder:
    """Find the call of this function or method."""
    return lambda place: _called(place.expression) == name


def method(name: str) -> Finder:
    """Find the method of this name that is called, without what it is given."""
    return lambda place: place.field == "func" and getattr(place.expression, "attr", None) == name


def argument(name: str, position: int) -> Finder:
    """Find what the call of this function or method is given at this position."""
    return lambda place: _called(place.holder) == name and (place.field, place.position) == ("args", position)


def keyword(name: str) -> Finder:
    """Find what is handed over under this name."""
    return lambda place: isinstance(place.holder, ast.keyword) and place.holder.arg == name


def attribute(name: str) -> Finder:
    """Find where this attribute of something is read."""
    return lambda place: getattr(place.expression, "attr", None) == name


def assigned(name: str) -> Finder:
    """Find what is assigned to this variable."""
    return lambda place: place.field == "value" and name in map(ast.unparse, getattr(place.holder, "targets", ()))


def formatted(place: Place) -> bool:
    """Find the text that is put together from others."""
    return isinstance(place.expression, ast.JoinedStr)


def _called(node: ast.AST) -> str | None:
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "id", None) or getattr(function, "attr", None)
