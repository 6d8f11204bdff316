"""From text to tokens.

A slash begins a path where a segment, `{` or `$(` follows it at once; elsewhere it divides. That is how Google's
compiler reads it: `1 / 2` is a division, `1/2` is not.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote_plus

from .errors import Position, RulesError

_SEGMENT = r"\([\w\-.~:@*+&']+\)|(?:[\w\-.~:@*+&']|%[0-9A-Fa-f]{2})+"
_TOKENS = re.compile(
    rf"""
    (?P<space>    [ \t\r\n\f]+ | //[^\n]* | /\*.*?\*/ )
  | (?P<float>    (?:(?:0|[1-9]\d*)\.\d* | \.\d+) )
  | (?P<int>      0|[1-9]\d* )
  | (?P<string>   [bB]?(?: '(?:[^'\\\n]|\\.)*' | "(?:[^"\\\n]|\\.)*" ) )
  | (?P<name>     [A-Za-z_$][\w$]* )
  | (?P<segment>  /(?:{_SEGMENT}) )
  | (?P<put>      /\$\( )
  | (?P<wildcard> /\{{\s*(?P<wild_name>[A-Za-z_$][\w$]*)\s*(?:=\s*(?P<stars>\*\*?)\s*)?\}} )
  | (?P<op>       \+\+|--|\|\||&&|==|!=|<=|>=|[-+*/%!<>=?:.,;()\[\]{{}}] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:([\\'\"nrtbf])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([0-3][0-7]{2})|(.?))", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
INT_MAX = 2**63 - 1


class Token(NamedTuple):
    """A piece of text: its kind, what it says (a number, the text of a string, a segment), and where it is."""

    kind: str  # a group of the pattern, or `end`
    value: "str | bytes | int | float | tuple[str, bool]"
    at: Position
    text: str


def tokens_of(text: str, file: str) -> list[Token]:
    """Return the tokens of a file, the last one of kind `end`.

    Raises:
        RulesError: there is something that is no token.
    """
    found: list[Token] = []
    offset, line, line_start = 0, 1, 0
    while offset < len(text):
        at = Position(line, offset - line_start + 1)
        matched = _TOKENS.match(text, offset)
        if matched is None or (matched["space"] is None and text.startswith("/*", offset)):
            raise RulesError(file, at, _unreadable(text, offset))
        piece = matched[0]
        kind = matched.lastgroup or ""
        if matched["wildcard"] is not None:
            found.append(Token("wildcard", (matched["wild_name"], matched["stars"] == "**"), at, piece))
        elif kind != "space":
            found.append(Token(kind, _value(kind, piece, at, file), at, piece))
        if newlines := piece.count("\n"):
            line += newlines
            line_start = offset + piece.rindex("\n") + 1
        offset = matched.end()
    found.append(Token("end", "", Position(line, offset - line_start + 1), "the end of the file"))
    return found


def _value(kind: str, piece: str, at: Position, file: str) -> "str | bytes | int | float":
    match kind:
        case "int":
            return int(piece)
        case "float":
            return float(piece)
        case "segment":
            return unquote_plus(piece[1:])
        case "string" if piece[0] in "bB":
            return _bytes(piece[2:-1], at, file)
        case "string":
            return _unescape(piece[1:-1], at, file)
    return piece


def _unescape(body: str, at: Position, file: str) -> str:
    def replace(matched: "re.Match[str]") -> str:
        plain, byte, unit, octal, other = matched.groups()
        if plain is not None:
            return _PLAIN_ESCAPES.get(plain, plain)
        if other is not None:
            reason = rf"the string has the escape \{other}, which there is not; write \\{other} for a backslash"
            raise RulesError(file, at, reason)
        return chr(int(byte or unit, 16)) if octal is None else chr(int(octal, 8))

    text = _ESCAPE.sub(replace, body)
    # A character beyond 16 bits is written as two \u escapes, the halves of it in UTF-16.
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _bytes(body: str, at: Position, file: str) -> bytes:
    if re.search(r"(?<!\\)(?:\\\\)*\\u", body):
        raise RulesError(file, at, r"bytes take no \u escape; write each byte as \x41, or the character itself")
    found, offset = bytearray(), 0
    for matched in _ESCAPE.finditer(body):
        found += body[offset : matched.start()].encode()
        found.append(ord(_unescape(matched[0], at, file)))
        offset = matched.end()
    return bytes(found + body[offset:].encode())


def _unreadable(text: str, offset: int) -> str:
    character = text[offset]
    if character in "'\"":
        return "the string does not end on its line; close it with the quote that it begins with"
    if text.startswith("/*", offset):
        return "the comment has no end; close it with */"
    if character in "&|":
        return f"{character!r} is no operator; write {character * 2}"
    return f"{character!r} has no meaning in rules"
