"""What is refused when a file is loaded, though it can be parsed: names that mean nothing, and limits.

Google's compiler takes some of these with a warning, and denies when it comes to them. Limits:
https://firebase.google.com/docs/firestore/quotas#security_rules
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn

from .errors import EvaluationError, Position, RulesError
from .expressions import NAMESPACES, NESTING_MAX
from .functions import FUNCTIONS
from .methods import ARGUMENTS
from .regex import compiled
from .syntax import (
    Call,
    Expression,
    File,
    Function,
    Index,
    Literal,
    Match,
    Member,
    Method,
    Name,
    Range,
    Wildcard,
    children,
)

SERVICE_FUNCTIONS = {
    "cloud.firestore": {"get", "exists", "getAfter", "existsAfter"},
    "firebase.storage": {"firestore.get", "firestore.exists"},
}
MATCHES_MAX = 10
SEGMENTS_MAX = 100
WILDCARDS_MAX = 20
PARAMETERS_MAX = 7
LETS_MAX = 10
CALLS_MAX = 20
_PATTERNS = {"matches", "replace", "split"}


def check(file: File) -> None:
    """Raise a RulesError for the first mistake in a file."""
    outermost = _Scope(file.name, {})
    names: set[str] = set()
    for service in file.services:
        if service.name not in SERVICE_FUNCTIONS:
            known = " and ".join(SERVICE_FUNCTIONS)
            outermost.refuse(service.at, f"there is no service {service.name}; the services are {known}")
        if service.name in names:
            outermost.refuse(service.at, f"{service.name} is there already; put everything into one service")
        names.add(service.name)
        scope = outermost.inside(file.functions, service=service.name).inside(service.functions)
        for match in service.matches:
            _check_match(match, scope)


@dataclass(frozen=True)
class _Scope:
    """What is known at a place in the file."""

    file: str
    functions: Mapping[str, tuple[Function, "_Scope"]]
    service: str = ""
    variables: frozenset[str] = frozenset({"request", "resource"})
    pattern: tuple[str | Wildcard, ...] = ()
    depth: int = 0
    calls: tuple[Function, ...] = field(default=())

    def refuse(self, at: Position, reason: str) -> NoReturn:
        raise RulesError(self.file, at, reason)

    def inside(self, functions: Iterable[Function], **changes: object) -> "_Scope":
        """Return the scope of a block with functions, which know each other, and check them."""
        known = dict(self.functions)
        inner = replace(self, functions=known, **changes)  # type: ignore[arg-type] # fields of this class
        names: set[str] = set()
        for function in functions:
            if function.name in names:
                self.refuse(function.at, f"the function {function.name} is there already in this block; rename one")
            names.add(function.name)
            known[function.name] = function, inner
        for function in functions:
            _check_function(function, inner)
        return inner


def _check_match(match: Match, outer: _Scope) -> None:
    pattern = outer.pattern + match.pattern
    wildcards = [part for part in pattern if isinstance(part, Wildcard)]
    for found, most, what in (
        (outer.depth + 1, MATCHES_MAX, "matches within each other"),
        (len(pattern), SEGMENTS_MAX, "segments in the path"),
        (len(wildcards), WILDCARDS_MAX, "wildcards in the path"),
        (sum(part.glob for part in wildcards), 1, "wildcard of any depth ({name=**}) in the path"),
    ):
        if found > most:
            outer.refuse(match.at, f"there are {found}, with the matches around it, and may be {most} {what}")
    names = {part.name for part in match.pattern if isinstance(part, Wildcard)}
    changes = {"variables": outer.variables | names, "pattern": pattern, "depth": outer.depth + 1}
    scope = outer.inside(match.functions, **changes)
    for allow in match.allows:
        if allow.condition is not None:
            if isinstance(allow.condition, Literal) and not isinstance(allow.condition.value, bool):
                scope.refuse(allow.condition.at, "a condition is true or false, and this is neither")
            _check_expression(allow.condition, scope)
    for inner in match.matches:
        _check_match(inner, scope)


def _check_function(function: Function, scope: _Scope) -> None:
    names = list(function.parameters)
    if len(names) > PARAMETERS_MAX:
        scope.refuse(function.at, f"a function takes at most {PARAMETERS_MAX} arguments; hand in a map")
    if len(function.lets) > LETS_MAX:
        scope.refuse(function.lets[LETS_MAX].at, f"a function has at most {LETS_MAX} lets; move some to another one")
    for let in function.lets:
        _check_expression(let.value, replace(scope, variables=scope.variables | set(names)))
        names.append(let.name)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        scope.refuse(function.at, f"{twice} is defined twice in the function {function.name}; rename one")
    _check_expression(function.result, replace(scope, variables=scope.variables | set(names)))
    _check_calls(function, scope, ())


def _check_calls(function: Function, scope: _Scope, callers: tuple[Function, ...]) -> None:
    if any(function is caller for caller in callers):
        scope.refuse(function.at, f"the function {function.name} calls itself in the end; rules have no recursion")
    if len(callers) > CALLS_MAX:
        scope.refuse(function.at, f"functions call each other more than {CALLS_MAX} deep")
    for node in _everything_in(function):
        if isinstance(node, Call) and node.name in scope.functions:
            called, home = scope.functions[node.name]
            _check_calls(called, home, (*callers, function))


def _everything_in(function: Function) -> Iterator[Expression]:
    waiting = [function.result, *(let.value for let in function.lets)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)


def _check_expression(root: Expression, scope: _Scope) -> None:
    waiting = [(root, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > NESTING_MAX:
            scope.refuse(
                root.at, f"the expression is nested deeper than {NESTING_MAX} levels; move parts into functions"
            )
        match node:
            case Name(name=name) if name in NAMESPACES and name not in scope.variables:
                scope.refuse(node.at, f"{name} holds functions and has no value; call one, such as {_example(name)}")
            case Name(name=name) if name not in scope.variables:
                scope.refuse(
                    node.at, f"there is no variable {name} here; there are {', '.join(sorted(scope.variables))}"
                )
            case Call():
                _check_call(node, scope)
            case Method():
                _check_method(node, scope)
        for child in children(node):
            follows = isinstance(node, Member | Method | Index | Range) and child is node.of
            waiting.append((child, depth if follows else depth + 1))


def _check_call(node: Call, scope: _Scope) -> None:
    if node.name in scope.functions:
        takes = len(scope.functions[node.name][0].parameters)
    elif node.name in FUNCTIONS:
        takes = len(FUNCTIONS[node.name].parameters)
    elif node.name in SERVICE_FUNCTIONS[scope.service]:
        takes = 1
    elif node.name == "math.isInfinite":
        scope.refuse(node.at, "write math.isInfinity: the engine of Google knows no math.isInfinite")
    else:
        scope.refuse(node.at, f"there is no function {node.name} here; define it in this block or in one around it")
    if len(node.arguments) != takes:
        scope.refuse(node.at, f"{node.name} takes {takes} arguments, not {len(node.arguments)}")


def _check_method(node: Method, scope: _Scope) -> None:
    if node.name not in ARGUMENTS:
        scope.refuse(node.at, f"no type has a method {node.name}; a field's value is read without parentheses")
    if len(node.arguments) not in ARGUMENTS[node.name]:
        takes = " or ".join(map(str, sorted(ARGUMENTS[node.name])))
        scope.refuse(node.at, f"{node.name} takes {takes} arguments, not {len(node.arguments)}")
    pattern = node.arguments[0] if node.name in _PATTERNS else None
    if isinstance(pattern, Literal) and isinstance(pattern.value, str):
        try:
            compiled(pattern.value)
        except EvaluationError as error:
            scope.refuse(pattern.at, str(error))


def _example(namespace: str) -> str:
    return next((name for name in FUNCTIONS if name.startswith(f"{namespace}.")), f"{namespace}.get")
