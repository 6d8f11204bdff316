"""The parser of expressions: from tokens to a tree, by the precedence of operators.

From loose to tight: `? :`, `||`, `&&`, `in`, `== != is`, `< <= > >=`, `+ -`, `* / %`, `! -`, and what follows a value:
`.name`, `.name()`, `[index]`, `[from:to]`.
"""

from collections.abc import Callable
from typing import NoReturn, TypeVar

from .errors import Position, RulesError
from .lexer import INT_MAX, Token
from .syntax import (
    Binary,
    Call,
    Expression,
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
from .values import TYPES

NAMESPACES = {"duration", "firestore", "hashing", "latlng", "math", "timestamp"}
KEYWORDS = {"allow", "function", "if", "in", "is", "let", "match", "return", "service"}
NESTING_MAX = 99  # what Google's compiler takes for an expression that is safe to evaluate

_CONSTANTS = {"null": None, "true": True, "false": False}
_LEVELS: list[tuple[str, ...]] = [
    ("||",),
    ("&&",),
    ("in",),
    ("==", "!=", "is"),
    ("<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
]
_LEVEL_OF = {op: level for level, ops in enumerate(_LEVELS) for op in ops}

T = TypeVar("T")


class ExpressionParser:
    """A cursor over tokens that reads expressions."""

    def __init__(self, tokens: list[Token], file: str) -> None:
        self._tokens, self._file = tokens, file
        self._next = 0
        self._nesting = 0

    # Tokens

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    def at(self, *texts: str) -> bool:
        """Tell whether the next token is one of these words or signs."""
        return self.token.kind in {"name", "op", "put"} and self.token.text in texts

    def advance(self) -> Token:
        """Take the next token."""
        taken = self.token
        self._next += taken.kind != "end"
        return taken

    def accept(self, text: str) -> bool:
        """Take the next token if it is this word or sign."""
        if self.at(text):
            self.advance()
            return True
        return False

    def expect(self, text: str, where: str) -> Token:
        """Take this word or sign; `where` says what it belongs to."""
        if not self.at(text):
            self.refuse(f"{text!r} expected {where}, not {self.token.text!r}")
        return self.advance()

    def identifier(self, what: str) -> str:
        """Take a name that is no keyword; `what` says what it names."""
        if self.token.kind != "name" or self.token.text in KEYWORDS | _CONSTANTS.keys():
            self.refuse(f"{what} expected, not {self.token.text!r}")
        return self.advance().text

    def refuse(self, reason: str, at: Position | None = None) -> NoReturn:
        """Raise a RulesError at the next token, or at another place."""
        raise RulesError(self._file, at or self.token.at, reason)

    # Expressions

    def expression(self) -> Expression:
        """Read a whole expression."""
        self._nesting += 1
        if self._nesting > NESTING_MAX:
            self.refuse(f"the expression is nested deeper than {NESTING_MAX} levels; move parts of it into functions")
        condition = self._binary(0)
        if self.at("?"):
            at = self.advance().at
            then = self.expression()
            self.expect(":", "between the two results of '?'")
            condition = Ternary(at, condition, then, self.expression())
        if self.token.kind in {"segment", "put", "wildcard"}:
            self.refuse(f"a path begins at {self.token.text!r}; to divide, write a space after the '/'")
        self._nesting -= 1
        return condition

    def _binary(self, level: int) -> Expression:
        left = self._unary()
        while self.token.kind in {"op", "name"} and _LEVEL_OF.get(self.token.text, -1) >= level:
            operator = self.advance()
            if operator.text == "is":
                left = Is(operator.at, left, self._type())
                continue
            right = self._binary(_LEVEL_OF[operator.text] + 1)
            node = Logic if operator.text in {"||", "&&"} else Binary
            left = node(operator.at, operator.text, left, right)
        return left

    def _type(self) -> str:
        if self.token.text not in TYPES:
            self.refuse(f"{self.token.text!r} is no type; the types are {', '.join(sorted(TYPES))}")
        return self.advance().text

    def _unary(self) -> Expression:
        at = self.token.at
        signs = 0
        while self.accept("!"):
            signs += 1
        operand = self._signed()
        for _ in range(signs):
            operand = Unary(at, "!", operand)
        return operand

    def _signed(self) -> Expression:
        if not self.at("-"):
            return self._postfix()
        at = self.advance().at
        if self.token.kind == "int" and self.token.text == str(INT_MAX + 1):
            self.advance()
            return Literal(at, -INT_MAX - 1)
        return Unary(at, "-", self._postfix())

    def _postfix(self) -> Expression:
        value = self._primary()
        while True:
            at = self.token.at
            if self.accept("."):
                value = self._member(value, at)
            elif self.accept("["):
                value = self._subscript(value, at)
            else:
                return value

    def _member(self, of: Expression, at: Position) -> Expression:
        if self.token.kind != "name":
            self.refuse(f"a name expected after '.', not {self.token.text!r}")
        name = self.advance().text
        if self.at("("):
            if isinstance(of, Name) and of.name in NAMESPACES:
                return Call(of.at, f"{of.name}.{name}", self._arguments())
            return Method(at, of, name, self._arguments())
        return Member(at, of, name)

    def _subscript(self, of: Expression, at: Position) -> Expression:
        start = None if self.at(":") else self.expression()
        if self.accept(":"):
            end = None if self.at("]") else self.expression()
            self.expect("]", "after a range")
            return Range(at, of, start, end)
        self.expect("]", "after an index")
        assert start is not None  # noqa: S101 - only a range may begin without
        return Index(at, of, start)

    def _arguments(self) -> tuple[Expression, ...]:
        self.expect("(", "before arguments")
        return self._list_of(self.expression, ")", "arguments")

    def _list_of(self, item: Callable[[], T], end: str, what: str) -> tuple[T, ...]:
        """Read items with commas between them, and one after the last if somebody likes, up to `end`."""
        found: list[T] = []
        while not self.accept(end):
            found.append(item())
            if not self.at(end):
                self.expect(",", f"between {what}, or {end!r} after them")
        return tuple(found)

    def _entry(self) -> tuple[Expression, Expression]:
        key = self.expression()
        self.expect(":", "between a key and its value")
        return key, self.expression()

    def _primary(self) -> Expression:
        token = self.token
        match token.kind:
            case "int" | "float" | "string":
                if isinstance(token.value, int) and token.value > INT_MAX:
                    self.refuse(f"the number is larger than {INT_MAX}; write it with a decimal point")
                return Literal(self.advance().at, token.value)
            case "segment" | "put" | "wildcard":
                return self._path()
            case "name":
                return self._name()
        if not self.at("(", "[", "{"):
            self.refuse(f"a value expected, not {token.text!r}")
        self.advance()
        if token.text == "[":
            return ListOf(token.at, self._list_of(self.expression, "]", "items"))
        if token.text == "{":
            return MapOf(token.at, self._list_of(self._entry, "}", "entries"))
        inner = self.expression()
        self.expect(")", "to close '('")
        return inner

    def _name(self) -> Expression:
        token = self.token
        if token.text in _CONSTANTS:
            return Literal(self.advance().at, _CONSTANTS[token.text])
        name = self.identifier("a value")
        if self.at("("):
            return Call(token.at, name, self._arguments())
        return Name(token.at, name)

    def _path(self) -> PathOf:
        at, segments = self.token.at, list[str | Expression | Wildcard]()
        while self.token.kind in {"segment", "put", "wildcard"}:
            if self.token.kind == "put":
                self.advance()
                segments.append(self.expression())
                self.expect(")", "to close '$('")
            else:
                segments.append(self.segment())
        return PathOf(at, tuple(segments))

    def segment(self) -> str | Wildcard:
        """Read a segment of text or a wildcard."""
        token = self.advance()
        if isinstance(token.value, tuple):
            name, glob = token.value
            return Wildcard(name, glob, token.at)
        return str(token.value)
