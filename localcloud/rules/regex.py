"""Regular expressions of RE2, run by Python's `re`.

RE2 has no look-around, no references back and no possessive repetition, and its classes know ASCII alone. What it does
not take is refused; what it spells in another way is translated.
Source of the syntax: https://github.com/google/re2/wiki/Syntax
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile

from .errors import EvaluationError

REPEAT_MAX = 1000

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_CONTROL = {"a": r"\x07", "f": r"\f", "n": r"\n", "r": r"\r", "t": r"\t", "v": r"\x0b"}
_REPEAT = re.compile(r"[*+?]|\{(\d+)(,(\d*))?\}")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAMED = re.compile(r"\(\?P?<(\w+)>", re.ASCII)
_UNICODE = re.compile(r"\\[pP](?:\{(\^?)(\w+)\}|(\w))")
_NUMBERED = re.compile(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))|\\(0[0-7]{0,2}|[1-7][0-7]{2})")
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")


@lru_cache(maxsize=512)
def compiled(pattern: str) -> "re.Pattern[str]":
    """Return a pattern that Python understands.

    Raises:
        EvaluationError: RE2 does not take the pattern, or it is one of the few that are not supported.
    """
    try:
        return re.compile(_Translation(pattern).result)
    except (re.error, OverflowError) as error:
        raise EvaluationError(f"the regular expression {pattern!r} is not valid: {error}") from error


@dataclass(frozen=True, slots=True)
class _Group:
    """An open group: how it began, and the flags within. A switch such as `(?i)` is one that nobody closes."""

    opening: str = ""
    is_switch: bool = False
    ungreedy: bool = False
    multiline: bool = False


class _Translation:
    def __init__(self, pattern: str) -> None:
        self._pattern, self._offset = pattern, 0
        self._out: list[str] = []
        self._groups = [_Group()]
        self.result = self._all()

    def _refuse(self, what: str) -> EvaluationError:
        return EvaluationError(f"the regular expression {self._pattern!r} is not valid: {what}")

    def _all(self) -> str:
        repeatable = False
        while self._offset < len(self._pattern):
            character = self._pattern[self._offset]
            repeat = _REPEAT.match(self._pattern, self._offset)
            if repeat is not None and not repeatable:
                raise self._refuse(f"nothing can be repeated by {repeat[0]!r} there")
            if repeat is not None:
                self._repeat(repeat)
                repeatable = False
                continue
            repeatable = character not in "(|"
            match character:
                case "(":
                    self._group()
                case ")":
                    self._close()
                case "|":
                    self._alternative()
                case "[":
                    self._set()
                case "\\":
                    repeatable = self._escape()
                case "$":
                    self._take("$" if self._groups[-1].multiline else r"\Z")
                case _:
                    self._take(rf"\{character}" if character in "{}" else character)
        return "".join(self._out) + ")" * sum(group.is_switch for group in self._groups)

    def _take(self, out: str, length: int = 1) -> None:
        self._out.append(out)
        self._offset += length

    def _repeat(self, repeat: "re.Match[str]") -> None:
        low, comma, high = repeat.groups()
        if low is not None and (int(low) > REPEAT_MAX or int(high or 0) > REPEAT_MAX):
            raise self._refuse(f"a repetition is above {REPEAT_MAX}")
        if comma and high and int(high) < int(low):
            raise self._refuse("a repetition ends below its beginning")
        self._take(repeat[0], len(repeat[0]))
        lazy = self._pattern.startswith("?", self._offset)
        self._offset += lazy
        if lazy != self._groups[-1].ungreedy:
            self._out.append("?")

    def _group(self) -> None:
        named = _NAMED.match(self._pattern, self._offset)
        flags = _FLAGS.match(self._pattern, self._offset)
        group = replace(self._groups[-1], opening="(", is_switch=False)
        taken = 1
        if named is not None:
            group, taken = replace(group, opening=f"(?P<{named[1]}>"), len(named[0])
        elif self._pattern.startswith("(?", self._offset):
            if flags is None:
                raise self._refuse("RE2 has no look-around and no other groups that begin with (?")
            group, taken = _flagged(group, *flags.groups(default="")), len(flags[0])
        self._groups.append(group)
        self._take(group.opening, taken)

    def _close(self) -> None:
        while self._groups[-1].is_switch:
            self._groups.pop()
            self._out.append(")")
        if len(self._groups) == 1:
            raise self._refuse("there is a ) too many")
        self._groups.pop()
        self._take(")")

    def _alternative(self) -> None:
        """A switch holds for the alternatives that follow as well, and is not one group with them."""
        switches = [*takewhile(lambda group: group.is_switch, reversed(self._groups))]
        self._take(")" * len(switches) + "|" + "".join(group.opening for group in reversed(switches)))

    def _escape(self) -> bool:
        """Translate an escape outside of a class. Return whether it can be repeated."""
        character = self._pattern[self._offset + 1 : self._offset + 2]
        if character in "AzbB" and character:
            self._take({"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?a:\B)"}[character], 2)
            return False
        if character == "Q":
            end = self._pattern.find(r"\E", self._offset)
            end = len(self._pattern) if end < 0 else end
            quoted = self._pattern[self._offset + 2 : end]
            self._take(re.escape(quoted), end + 2 - self._offset)
            return bool(quoted)
        found, negated = self._class()
        if negated is None:
            self._out.append(found)
        else:
            self._out.append(f"[{'^' if negated else ''}{found}]")
        return True

    def _class(self) -> tuple[str, bool | None]:
        """Translate an escape that may be in a class: its text, and whether it is a class, negated or not."""
        pattern, offset = self._pattern, self._offset
        character = pattern[offset + 1 : offset + 2]
        if character.lower() in _CLASSES and character:
            self._offset += 2
            return _CLASSES[character.lower()], character.isupper()
        if character in {"p", "P"}:
            named = _UNICODE.match(pattern, offset)
            if named is None:
                raise self._refuse(r"a class is written as \pL or \p{Lu}")
            self._offset = named.end()
            return _category(named[2] or named[3]), (character == "P") != bool(named[1])
        numbered = _NUMBERED.match(pattern, offset)
        if numbered is not None:
            self._offset = numbered.end()
            code = int(numbered[1] or numbered[2], 16) if numbered[3] is None else int(numbered[3], 8)
            return re.escape(chr(code)), None
        if character in _CONTROL:
            self._offset += 2
            return _CONTROL[character], None
        if not character or character.isalnum():
            raise self._refuse(rf"RE2 has no \{character}")
        self._offset += 2
        return re.escape(character), None

    def _set(self) -> None:
        pattern = self._pattern
        self._offset += 1
        negated = pattern.startswith("^", self._offset)
        self._offset += negated
        parts: list[str] = []
        excluded: list[str] = []
        first = True
        while first or not pattern.startswith("]", self._offset):
            if self._offset >= len(pattern):
                raise self._refuse("a class has no end")
            first = False
            posix = _POSIX_CLASS.match(pattern, self._offset)
            if posix is not None:
                if posix[2] not in _POSIX:
                    raise self._refuse(f"there is no class {posix[2]}")
                self._offset = posix.end()
                (excluded if posix[1] else parts).append(_POSIX[posix[2]])
                continue
            item, is_negated = self._item()
            if is_negated is not None:
                (excluded if is_negated else parts).append(item)
                continue
            if pattern.startswith("-", self._offset) and not pattern.startswith("-]", self._offset):
                self._offset += 1
                last, kind = self._item()
                if kind is not None:
                    raise self._refuse("a range ends in a class")
                item += f"-{last}"
            parts.append(item)
        self._offset += 1
        self._out.append(_joined(parts, excluded, negated=negated))

    def _item(self) -> tuple[str, bool | None]:
        character = self._pattern[self._offset]
        if character == "\\":
            return self._class()
        self._offset += 1
        return re.escape(character), None


def _flagged(group: _Group, on: str, off: str, end: str) -> _Group:
    """Return a group with flags turned on and off; U is ours to keep, the others are Python's as well."""
    ungreedy = "U" in on or (group.ungreedy and "U" not in off)
    multiline = "m" in on or (group.multiline and "m" not in off)
    on, off = on.replace("U", ""), off.replace("U", "")
    opening = f"(?{on}{'-' + off if off else ''}:"
    return _Group(opening, is_switch=end == ")", ungreedy=ungreedy, multiline=multiline)


def _joined(parts: list[str], excluded: list[str], *, negated: bool) -> str:
    """Return one class of parts and of negated classes."""
    inside = "|".join(([f"[{''.join(parts)}]"] if parts else []) + [f"[^{part}]" for part in excluded])
    if not excluded:
        return f"[{'^' if negated else ''}{''.join(parts)}]"
    return f"(?!{inside})(?s:.)" if negated else f"(?:{inside})"


@lru_cache(maxsize=64)
def _category(name: str) -> str:
    """Return the characters of a Unicode category, such as L or Lu, as the inside of a class."""
    if not re.fullmatch(r"[CLMNPSZ][a-z]?", name):
        raise EvaluationError(rf"\p{{{name}}} is not supported: of Unicode's classes only the general categories are")
    ranges: list[list[int]] = []
    for code in range(0x110000):
        if unicodedata.category(chr(code)).startswith(name):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
