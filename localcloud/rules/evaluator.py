"""The evaluator: what an expression is worth for one request.

An error is a value until something needs it: a function may be given one that it never looks at, and `&&` and `||` pass
over one if the other side decides. Every expression that is evaluated counts; a request has a thousand.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .comparisons import contains, equal, in_order, not_equal
from .errors import BudgetError, EvaluationError
from .functions import FUNCTIONS, Signature, accepts, text_of
from .methods import METHODS
from .operators import calculate, indexed, member, negate, sliced
from .syntax import (
    Binary,
    Call,
    Expression,
    Function,
    Index,
    Is,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Member,
    Method,
    Name,
    PathOf,
    Range,
    Ternary,
    Unary,
    Wildcard,
)
from .values import Hole, Path, Value, is_type, type_of

EXPRESSIONS_MAX = 1000

ServiceFunction = Callable[[Path], Value]
"""A function that a service adds, such as `get`: takes a path, may raise an EvaluationError."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What is in force inside of a block: its variables (or why one has no value) and its functions."""

    variables: Mapping[str, Value]
    functions: Mapping[str, Function]
    outer: "Frame | None" = None

    def variable(self, name: str) -> Value:
        """Return a variable of this block, or of one around it."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.variables:
                value = frame.variables[name]
                if isinstance(value, EvaluationError):
                    raise value
                return value
            frame = frame.outer
        raise EvaluationError(f"{name} has no value here")

    def function(self, name: str) -> "tuple[Function, Frame] | None":
        """Return a function of this block, or of one around it, with the block that it belongs to."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.functions:
                return frame.functions[name], frame
            frame = frame.outer
        return None


@dataclass(slots=True)
class Evaluator:
    """Evaluates for one request: `functions` are those of the service."""

    functions: Mapping[str, ServiceFunction]
    _count: int = field(default=0, init=False)

    def permits(self, condition: Expression, frame: Frame) -> bool:
        """Return a condition's value.

        Raises:
            EvaluationError: it has none, or one that is no boolean.
            BudgetError: the request has used up its expressions.
        """
        try:
            return _boolean(self.value(condition, frame))
        except RecursionError:
            raise EvaluationError("the functions are nested too deeply in each other") from None

    def value(self, node: Expression, frame: Frame) -> Value:
        """Return the value of an expression inside of a block."""
        self.spend(1)
        return _RULES[type(node)](self, node, frame)

    def spend(self, expressions: int) -> None:
        """Count expressions."""
        self._count += expressions
        if self._count > EXPRESSIONS_MAX:
            raise BudgetError(f"the request takes more than {EXPRESSIONS_MAX} expressions to decide")

    def attempt(self, node: Expression, frame: Frame) -> Value:
        """Return the value of an expression, or the error that it has instead."""
        try:
            return self.value(node, frame)
        except EvaluationError as error:
            return error

    def logic(self, node: Logic, frame: Frame) -> bool:
        """Evaluate `&&` and `||`, whose sides may fail if the other one decides."""
        decisive = node.op == "||"
        left = _boolean_or_error(self.attempt(node.left, frame))
        if left is decisive:
            return decisive
        right = _boolean_or_error(self.attempt(node.right, frame))
        if right is not decisive:
            for side in (left, right):
                if isinstance(side, EvaluationError):
                    raise side
        return right is True

    def ternary(self, node: Ternary, frame: Frame) -> Value:
        """Evaluate a condition, and one of its two results."""
        self.spend(1)
        chosen = node.then if _boolean(self.value(node.condition, frame)) else node.otherwise
        return self.value(chosen, frame)

    def binary(self, node: Binary, frame: Frame) -> Value:
        """Evaluate an operator on two values."""
        left, right = self.value(node.left, frame), self.value(node.right, frame)
        match node.op:
            case "==":
                return equal(left, right)
            case "!=":
                return not_equal(left, right)
            case "in":
                return contains(right, left)
            case "<" | "<=" | ">" | ">=":
                return in_order(node.op, left, right)
        return calculate(node.op, left, right)

    def unary(self, node: Unary, frame: Frame) -> Value:
        """Evaluate `!` and `-`."""
        value = self.value(node.operand, frame)
        return negate(value) if node.op == "-" else not _boolean(value)

    def entries(self, node: MapOf, frame: Frame) -> dict[str, Value]:
        """Evaluate a map."""
        found: dict[str, Value] = {}
        for key_node, value_node in node.entries:
            key, value = self.value(key_node, frame), self.value(value_node, frame)
            if not isinstance(key, str):
                raise EvaluationError(f"the key of a map is a string, not a {type_of(key)}")
            found[key] = value
        return found

    def path(self, node: PathOf, frame: Frame) -> Path:
        """Evaluate a path."""
        found: list[str | Hole] = []
        for segment in node.segments:
            if isinstance(segment, Expression):
                value = self.value(segment, frame)
                found += value.segments if isinstance(value, Path) else [text_of(value)]
                continue
            self.spend(1)
            found.append(Hole(segment.name, segment.glob) if isinstance(segment, Wildcard) else segment)
        return Path(tuple(found))

    def range(self, node: Range, frame: Frame) -> Value:
        """Evaluate `a[from:to]`."""
        bounds = [self.value(bound, frame) if bound is not None else None for bound in (node.start, node.end)]
        return sliced(self.value(node.of, frame), *bounds)

    def is_type(self, node: Is, frame: Frame) -> bool:
        """Evaluate `a is type`."""
        self.spend(1)
        return is_type(self.value(node.operand, frame), node.type)

    def call(self, node: Call, frame: Frame) -> Value:
        """Call a function: of the file, of the service, or of the language."""
        own = frame.function(node.name)
        if own is not None:
            function, home = own
            arguments = [self.attempt(argument, frame) for argument in node.arguments]
            return self._own(function, Frame(dict(zip(function.parameters, arguments, strict=True)), {}, home))
        arguments = [self.value(argument, frame) for argument in node.arguments]
        if node.name in self.functions:
            return _run(node.name, Signature(("path",), self.functions[node.name]), arguments)
        return _run(node.name, FUNCTIONS[node.name], arguments)

    def _own(self, function: Function, frame: Frame) -> Value:
        for let in function.lets:
            self.spend(1)
            frame = Frame({let.name: self.attempt(let.value, frame)}, {}, frame)
        return self.value(function.result, frame)

    def method(self, node: Method, frame: Frame) -> Value:
        """Call a method."""
        of = self.value(node.of, frame)
        arguments = [self.value(argument, frame) for argument in node.arguments]
        kind = type_of(of)
        found = METHODS.get(kind, {}).get(node.name)
        if found is None:
            raise EvaluationError(f"a {kind} has no method {node.name}")
        return _run(f"{kind}.{node.name}", found, arguments, of)


def _run(name: str, signature: Signature, arguments: list[Value], *of: Value) -> Value:
    types = [type_of(argument) for argument in arguments]
    if len(types) != len(signature.parameters) or not all(map(accepts, signature.parameters, arguments)):
        raise EvaluationError(f"{name}({', '.join(types)}) is not defined")
    return signature.run(*of, *arguments)


def _boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError(f"a boolean is needed, not a {type_of(value)}")
    return value


def _boolean_or_error(value: Value) -> "bool | EvaluationError":
    if isinstance(value, bool | EvaluationError):
        return value
    return EvaluationError(f"a boolean is needed, not a {type_of(value)}")


_RULES: dict[type[Expression], Callable[[Evaluator, Any, Frame], Value]] = {
    Literal: lambda _, node, __: node.value,
    Name: lambda _, node, frame: frame.variable(node.name),
    ListOf: lambda evaluator, node, frame: [evaluator.value(item, frame) for item in node.items],
    MapOf: Evaluator.entries,
    PathOf: Evaluator.path,
    Unary: Evaluator.unary,
    Binary: Evaluator.binary,
    Logic: Evaluator.logic,
    Ternary: Evaluator.ternary,
    Is: Evaluator.is_type,
    Member: lambda evaluator, node, frame: member(evaluator.value(node.of, frame), node.name),
    Index: lambda evaluator, node, frame: indexed(evaluator.value(node.of, frame), evaluator.value(node.index, frame)),
    Range: Evaluator.range,
    Call: Evaluator.call,
    Method: Evaluator.method,
}
