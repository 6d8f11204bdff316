"""Arithmetic, and access by index and range."""

import math
from collections.abc import Callable, Mapping

from .errors import EvaluationError
from .lexer import INT_MAX
from .values import (
    Duration,
    Hole,
    Path,
    Timestamp,
    Value,
    duration,
    is_number,
    timestamp,
    type_of,
    utf16,
)

INT_MIN = -INT_MAX - 1


def calculate(op: str, left: Value, right: Value) -> Value:
    """Return `left op right` for one of `+ - * / %`.

    Raises:
        EvaluationError: the operator is not defined for the two, an integer overflows or is divided by zero, or a time
            is out of range.
    """
    if is_number(left) and is_number(right):
        if isinstance(left, int) and isinstance(right, int):
            return _integer(op, left, right)
        return _float(op, float(left), float(right))
    if op == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    result = _TIMES.get((op, type(left), type(right)))
    if result is None:
        raise EvaluationError(f"{type_of(left)} {op} {type_of(right)} is not defined")
    return result(left.nanos + right.nanos if op == "+" else left.nanos - right.nanos)


_TIMES: dict[tuple[str, type, type], Callable[[int], Value]] = {
    ("+", Duration, Duration): duration,
    ("-", Duration, Duration): duration,
    ("+", Timestamp, Duration): timestamp,
    ("-", Timestamp, Duration): timestamp,
    ("+", Duration, Timestamp): timestamp,
    ("-", Timestamp, Timestamp): duration,
}


def negate(value: Value) -> Value:
    """Return `-value`."""
    if isinstance(value, Duration):
        return Duration(-value.nanos)
    if not is_number(value):
        raise EvaluationError(f"-{type_of(value)} is not defined")
    return _in_range(-value) if isinstance(value, int) else -value


def _integer(op: str, left: int, right: int) -> int:
    if op in "/%":
        if right == 0:
            raise EvaluationError("division by zero")
        if op == "%":
            return left - right * _truncated(left, right)
        return min(INT_MAX, _truncated(left, right)) if left != INT_MIN or right != -1 else INT_MIN
    return _in_range({"+": left + right, "-": left - right, "*": left * right}[op])


def _truncated(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _float(op: str, left: float, right: float) -> float:
    match op:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/" if right == 0:
            return left * math.copysign(math.inf, right)
        case "/":
            return left / right
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _in_range(number: int) -> int:
    if not INT_MIN <= number <= INT_MAX:
        raise EvaluationError("an integer does not fit into 64 bits")
    return number


def member(of: Value, name: str) -> Value:
    """Return `of.name`: an entry of a map, or what a wildcard of a path is bound to."""
    if isinstance(of, Mapping):
        if name not in of:
            raise EvaluationError(f"property {name} is undefined on the object")
        return of[name]
    if isinstance(of, Path):
        for segment in of.segments:
            if isinstance(segment, Hole) and segment.name == name and segment.bound is not None:
                return segment.bound
        raise EvaluationError(f"the path has nothing bound to {name}")
    raise EvaluationError("null has no properties" if of is None else f"a {type_of(of)} has no property {name}")


def indexed(of: Value, index: Value) -> Value:
    """Return `of[index]`."""
    if isinstance(index, str) and isinstance(of, Mapping | Path):
        return member(of, index)
    if isinstance(index, int) and not isinstance(index, bool) and isinstance(of, str | list | Path):
        length = _length(of)
        if not 0 <= index < length:
            raise EvaluationError(f"index {index} is out of bounds of {length}")
        return (
            of[index]
            if isinstance(of, list)
            else _texts(of)[index]
            if isinstance(of, Path)
            else _cut(of, index, index + 1)
        )
    raise EvaluationError(f"{type_of(of)}[{type_of(index)}] is not defined")


def sliced(of: Value, start: Value, end: Value) -> Value:
    """Return `of[start:end]`; a bound that is null was left out."""
    if not isinstance(of, str | list | Path):
        raise EvaluationError(f"{type_of(of)}[from:to] is not defined")
    bounds = [bound for bound in (start, end) if bound is not None]
    if not all(isinstance(bound, int) and not isinstance(bound, bool) for bound in bounds):
        raise EvaluationError("a range goes from an integer to an integer")
    length = _length(of)
    first, last = start if start is not None else 0, end if end is not None else length
    if first > last:
        raise EvaluationError(f"the range from {first} to {last} is empty")
    if (start is not None and not 0 <= first < length) or (end is not None and not 0 < last <= length):
        raise EvaluationError(f"the range from {first} to {last} is out of bounds of {length}")
    if isinstance(of, Path):
        return Path(_texts(of)[first:last])
    return of[first:last] if isinstance(of, list) else _cut(of, first, last)


def length_of_text(text: str) -> int:
    """Return the number of UTF-16 units."""
    return len(text) if text.isascii() else len(utf16(text)) // 2


def _length(of: "str | list[Value] | Path") -> int:
    if isinstance(of, Path):
        return len(_texts(of))
    return length_of_text(of) if isinstance(of, str) else len(of)


def _texts(path: Path) -> tuple[str, ...]:
    texts = path.texts()
    if texts is None:
        raise EvaluationError("a wildcard of the path is not bound: the query does not say what it is")
    return texts


def _cut(text: str, start: int, end: int) -> str:
    return utf16(text)[2 * start : 2 * end].decode("utf-16-be", "replace")
