"""Finding the answer in what a model wrote: without what it thought, said around it, or wrote first and took back.

Unambiguous dialects of JSON are read: comments, a comma too many, other quotation marks, names without any, Python's
words, a share with its per cent sign. A cut answer is never completed: json-repair, which reads more dialects, does so
even in its strict mode, and a made-up answer would be charged as a true one.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

ANSWER_CHARACTERS_MAX = 20_000
"""No honest answer comes near; it bounds the work that a hostile or broken one can cause."""

OBJECTS_MAX = 16
CUT_MAX = 3
"""How many objects of a text are looked at, and how many that do not end: each of those is read to the text's end."""

CUT = "the answer's JSON does not end"
INVALID = "the answer is not valid JSON"

_THOUGHT = "think|thinking|thought|thoughts|reason|reasoning|reflection|scratchpad|analysis|begin_of_thought|unused94"
_OPEN = rf"<(?:{_THOUGHT})>|<\|(?:{_THOUGHT})\|>|<seed:think>|\[THINK\]|◁think▷|<\|channel\|>analysis<\|message\|>"
_CLOSE = (
    rf"</(?:{_THOUGHT})>|<\|/(?:{_THOUGHT})\|>|<\|end_of_thought\|>|</seed:think>|\[/THINK\]|◁/think▷|<unused95>"
    r"|<\|channel\|>final<\|message\|>"
)
_REASONING = re.compile(
    rf"(?:{_OPEN})(?>(?:(?!{_CLOSE}|<\|end\|>).)*)(?:{_CLOSE}|<\|end\|>|\Z)", re.DOTALL | re.IGNORECASE
)
_REST_OF_REASONING = re.compile(rf"\A.*(?:{_CLOSE})", re.DOTALL | re.IGNORECASE)
"""Reasoning as DeepSeek, Qwen, Mistral, Kimi, Seed, MedGemma and gpt-oss mark it. If the prompt has the opening mark,
the answer has only the closing one."""

_TOKEN = re.compile(
    r"""(?P<string>"(?>(?:[^"\\]|\\.)*)(?:"|\\?\Z))
    |(?P<single>'(?>(?:[^'\\]|\\.)*)(?:'|\\?\Z))
    |(?P<curly>[“„”](?>[^“„”"]*)[“”])
    |(?P<comment>(?://|\#)[^\n]*|/\*(?>(?:[^*]|\*(?!/))*)(?:\*/|\Z))
    |(?P<share>(?<![\w.])(?>\d+(?:\.\d+)?)[ ]?%)
    |(?P<key>[A-Za-z_]\w*(?=\s*:))|(?P<word>[A-Za-z_]\w*)
    |(?P<mark>[{}\[\],])""",
    re.DOTALL | re.VERBOSE,
)
"""A string is one token, so a comment or brace inside it (`https://…`) is left alone. The groups are atomic, so a
hostile answer costs one pass. Possessive quantifiers would say the same, and miss comments in 3.11.2."""

_JSON = json.JSONDecoder(strict=False)
"""A line may end within a string."""

_PYTHON = {"True": "true", "False": "false", "None": "null"}


def objects(text: str) -> list[tuple[str, dict[str, Any] | str]]:
    """Return the JSON objects of a text, in order: each as it was written, and what it holds, or why it is none."""
    text = _REST_OF_REASONING.sub("", _REASONING.sub("", text))
    if text.strip().startswith('"') and isinstance(inner := _loaded(text), str):
        text = inner  # JSON as a text of JSON
    found: list[tuple[str, dict[str, Any] | str]] = []
    start = text.find("{")
    cut = 0
    while start >= 0 and len(found) < OBJECTS_MAX and cut < CUT_MAX:
        end, data = _object(text, start)
        found.append((text[start:end], data if isinstance(data, dict | str) else INVALID))
        cut += end is None
        start = text.find("{", start + 1 if end is None else end)
    return found


def _object(text: str, start: int) -> tuple[int | None, object]:
    """Return where the object that begins here ends, None if it does not, and what it holds, or why it is none."""
    try:
        data, end = _JSON.raw_decode(text, start)
    except (ValueError, RecursionError):  # a dialect, or worse
        found, plain = _read_object(text, start)
        return found, CUT if found is None else _loaded(plain)
    return end, data


def _loaded(text: str) -> object:
    try:
        return _JSON.decode(text)
    except (ValueError, RecursionError):
        return None


def _read_object(text: str, start: int) -> tuple[int | None, str]:
    """Return where the object that begins here ends, None if it does not, and the object as plain JSON."""
    depth, position, kept = 0, start, [""]
    for token in _TOKEN.finditer(text, start):
        between, piece = text[position : token.start()], token.group()
        position = token.end()
        if between.strip():
            kept.append(between)
        depth += {"{": 1, "}": -1}.get(piece, 0)
        if piece in {"}", "]"} and kept[-1] == ",":
            kept.pop()
        kept.extend(_plain(token))
        if depth == 0:
            return position, "".join(kept)
    return None, ""


def _plain(token: re.Match[str]) -> Iterator[str]:
    """Yield a token as JSON writes it; a comment is nothing."""
    piece = token.group()
    match token.lastgroup:
        case "comment":
            return
        case "single" | "curly":
            inner = re.sub(
                r"\\(.)|(\")", lambda found: found[1] if found[1] == "'" else f"\\{found[1] or found[2]}", piece
            )
            yield f'"{inner[1:-1]}"'
        case "share" | "key":
            yield f'"{piece}"'
        case "word":
            yield _PYTHON.get(piece, piece)
        case _:
            yield piece
