"""Comparisons, also with a field of which only a query's filters are known.

Inside of lists and maps `==` tells 1 from 1.0, though 1 == 1.0 holds by itself; sets and the difference of maps do not.

A comparison with a `Constraint` is true if one of the query's filters proves it, and otherwise undecided, never false:
Google's emulator decides so. It reads a filter's integer as a float where the rule has one, and not the reverse.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from .errors import EvaluationError, UndecidedError
from .values import Constraint, Set, Value, is_number, same, type_of, utf16

_ORDERED = {"string", "bytes", "duration", "timestamp"}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_EXCLUDED = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}  # what a filter on a range rules out, seen from its bound


def equal(left: Value, right: Value) -> bool:
    """Tell whether `left == right`.

    Raises:
        UndecidedError: one of them is a field that a query constrains, and it does not prove that they are equal.
        EvaluationError: both of them are.
    """
    if isinstance(left, Constraint) or isinstance(right, Constraint):
        return _constrained("==", left, right)
    if is_number(left) and is_number(right):
        return bool(left == right) if type(left) is type(right) else float(left) == float(right)
    return same(left, right)


def not_equal(left: Value, right: Value) -> bool:
    """Tell whether `left != right`; see `equal`."""
    if isinstance(left, Constraint) or isinstance(right, Constraint):
        return _constrained("!=", left, right)
    return not equal(left, right)


def in_order(op: str, left: Value, right: Value) -> bool:
    """Tell whether `left < right`, or another of `< <= > >=`.

    Raises:
        EvaluationError: they are of types that have no order, or of different ones.
        UndecidedError: one of them is a field that a query constrains, and it does not prove it.
    """
    if isinstance(left, Constraint) or isinstance(right, Constraint):
        return _constrained(op, left, right)
    if is_number(left) and is_number(right):
        if type(left) is not type(right):
            left, right = float(left), float(right)
        return _ORDER[op](left, right)
    kind = type_of(left)
    if kind != type_of(right) or kind not in _ORDERED:
        raise EvaluationError(f"{kind} {op} {type_of(right)} is not defined")
    if kind == "string":
        left, right = utf16(left), utf16(right)
    return _ORDER[op](left, right)


def _constrained(op: str, left: Value, right: Value) -> bool:
    if isinstance(left, Constraint) and isinstance(right, Constraint):
        raise EvaluationError("two fields that the query constrains cannot be compared")
    if not isinstance(left, Constraint):
        op, left, right = _MIRRORED[op], right, left
    if not any(_proves(fact, known, op, right) for fact, known in left.facts):
        raise UndecidedError(f"the query's filters do not prove {op} for every document that it may return")
    return True


def _proves(fact: str, known: Value, op: str, value: Value) -> bool:
    """Tell whether `field op value` follows from `field fact known`."""
    if fact in _ORDER and not (is_number(known) or type_of(known) in _ORDERED):
        return False  # of such a filter the engine concludes nothing
    if op == "!=":
        return value is None or _excludes(fact, known, value)
    if op == "==" or fact not in _ORDER or fact[0] != op[0] or not _comparable(known, value):
        return False
    strict = fact.endswith("=") and not op.endswith("=")
    return in_order(op[0] if strict else f"{op[0]}=", known, value)


def _excludes(fact: str, known: Value, value: Value) -> bool:
    match fact:
        case "!=":
            return _comparable(known, value) and equal(known, value)
        case "not-in":
            return any(_comparable(item, value) and equal(item, value) for item in known)
        case "<" | "<=" | ">" | ">=":
            return _comparable(known, value) and in_order(_EXCLUDED[fact], value, known)
    return False


def _comparable(known: Value, value: Value) -> bool:
    """Tell whether a filter's value says something about a rule's: an integer about floats, but not the reverse."""
    kind, other = type_of(known), type_of(value)
    return kind == other or (kind, other) == ("int", "float")


def contains(container: Value, item: Value) -> bool:
    """Tell whether `item in container`.

    Raises:
        EvaluationError: the container is no list, set or map, or a map that is asked for something but a string.
        UndecidedError: it is a field that a query constrains, and the query does not say that it contains the item.
    """
    match container:
        case list():
            return any(same(item, member) for member in container)
        case Set():
            return item in container
        case Mapping() if isinstance(item, str):
            return item in container
        case Constraint():
            if has_any(container, [item]):
                return True
            raise UndecidedError("the query's filters do not prove that the field contains the value")
    raise EvaluationError(f"{type_of(item)} in {type_of(container)} is not defined")


def has_any(container: Constraint, items: list[Value]) -> bool:
    """Tell whether a query's `array-contains` names one of these."""
    known = [value for fact, value in container.facts if fact == "array-contains"]
    return any(_comparable(value, item) and equal(value, item) for value in known for item in items)
