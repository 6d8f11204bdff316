"""A file of rules for one service, and its decision on a request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path as FilePath
from typing import Self

from .checks import check
from .errors import BudgetError, EvaluationError
from .evaluator import Evaluator, Frame, ServiceFunction
from .parser import parse
from .syntax import Allow, Function, Match, Service, Wildcard
from .values import Hole, Path, Value


class Unknown(Enum):
    """What a query leaves open in the path of the documents it may return."""

    ID = "one segment"
    ANY = "any number of segments"


Segment = str | Unknown


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to do.

    Attributes:
        method: get, list, create, update or delete.
        path: the segments of the path that matches are compared with.
        variables: `request`, and `resource` if there is one; an EvaluationError stands for a value that there is not.
        functions: those of the service, by name.
    """

    method: str
    path: tuple[Segment, ...]
    variables: Mapping[str, Value]
    functions: Mapping[str, ServiceFunction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request is allowed, and if not, why each statement that could allow it does not."""

    allowed: bool
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join(self.reasons) or "No matching allow statements"


class Ruleset:
    """The rules of one service."""

    def __init__(self, service: Service | None, functions: tuple[Function, ...]) -> None:
        self._service, self._functions = service, functions

    @classmethod
    def of(cls, text: str, service: str, name: str = "rules") -> Self:
        """Return the rules of a service in a text. A service that is not in it allows nothing.

        Raises:
            RulesError: the text cannot be loaded; the message has `name`, line, column, reason and what to do.
        """
        file = parse(text, name)
        check(file)
        return cls(next((each for each in file.services if each.name == service), None), file.functions)

    @classmethod
    def load(cls, path: FilePath, service: str) -> Self:
        """Return the rules of a service in a file; see `of`."""
        return cls.of(path.read_text(encoding="utf-8"), service, str(path))

    @classmethod
    def none(cls) -> Self:
        """Return rules that allow nothing."""
        return cls(None, ())

    def decide(self, request: Request) -> Decision:
        """Decide on a request: it is allowed if one condition that applies to it holds."""
        evaluator = Evaluator(request.functions)
        reasons: list[str] = []
        for allow, frame in self._applying(request):
            try:
                if allow.condition is None or evaluator.permits(allow.condition, frame):
                    return Decision(allowed=True)
                reason = "false"
            except EvaluationError as error:
                reason = str(error)
            except BudgetError as error:
                return Decision(False, (*reasons, _reason(str(error), request, allow)))
            reasons.append(_reason(reason, request, allow))
        return Decision(False, tuple(reasons))

    def _applying(self, request: Request) -> Iterator[tuple[Allow, Frame]]:
        if self._service is None:
            return
        outermost = Frame(request.variables, _named(self._functions))
        frame = Frame({}, _named(self._service.functions), outermost)
        for match in self._service.matches:
            yield from _matching(match, request, 0, frame)


def _matching(match: Match, request: Request, start: int, outer: Frame) -> Iterator[tuple[Allow, Frame]]:
    """Yield the statements of a match, and of those within it, that apply to a path from its segment `start` on."""
    for end, variables in _ways(match.pattern, request.path, start):
        frame = Frame(variables, _named(match.functions), outer)
        if end == len(request.path):
            yield from ((allow, frame) for allow in match.allows if request.method in allow.methods)
        for inner in match.matches:
            yield from _matching(inner, request, end, frame)


def _ways(
    pattern: tuple[str | Wildcard, ...], path: tuple[Segment, ...], start: int
) -> Iterator[tuple[int, dict[str, Value]]]:
    """Yield each way to lay a pattern onto a path from `start` on: where it ends, and what its wildcards stand for."""
    if not pattern:
        yield start, {}
        return
    first, rest = pattern[0], pattern[1:]
    if isinstance(first, Wildcard) and first.glob:
        for end in range(start, len(path) + 1):
            taken = _glob(path[start:end])
            yield from ((last, {first.name: taken, **more}) for last, more in _ways(rest, path, end))
    elif start < len(path) and path[start] is not Unknown.ANY:
        segment = path[start]
        for last, more in _ways(rest, path, start + 1):
            if isinstance(first, Wildcard):
                unknown = EvaluationError(f"{first.name} has no value: the query does not say which document it is")
                yield last, {first.name: unknown if isinstance(segment, Unknown) else segment, **more}
            elif first == segment:
                yield last, more


def _glob(segments: tuple[Segment, ...]) -> Path:
    return Path(
        tuple(Hole("", segment is Unknown.ANY) if isinstance(segment, Unknown) else segment for segment in segments)
    )


def _named(functions: tuple[Function, ...]) -> dict[str, Function]:
    return {function.name: function for function in functions}


def _reason(text: str, request: Request, allow: Allow) -> str:
    return f"{text} for '{request.method}' @ L{allow.at.line}"
