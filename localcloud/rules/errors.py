"""What can go wrong, at two times.

RulesError            the file is refused when it is loaded; says where, why and what to do
EvaluationError       an expression has no value for this request; the condition that needs it permits nothing
  UndecidedError      a query does not prove the condition for every document that it may return
BudgetError           the request has used up its 1,000 expressions; nothing that follows permits it
"""

from typing import NamedTuple


class Position(NamedTuple):
    """A place in a file, counted from one."""

    line: int
    column: int


class RulesError(ValueError):
    """A file of rules that cannot be loaded."""

    def __init__(self, file: str, at: Position, reason: str) -> None:
        super().__init__(f"{file}:{at.line}:{at.column}: {reason}")
        self.file, self.at, self.reason = file, at, reason


class EvaluationError(Exception):
    """An expression without a value; the text says why."""


class UndecidedError(EvaluationError):
    """What a query asks for leaves the condition open."""


class BudgetError(Exception):
    """Too many expressions were evaluated for one request."""
