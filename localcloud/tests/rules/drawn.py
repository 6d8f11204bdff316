"""Rules drawn at random, for comparisons with Google's engine.

`python -m localcloud.tests.rules.drawn 20000` compares that many, from a seed that it prints, and ends with status 1 if
the two engines differ; `--seed 7` draws the same ones again.
"""

import argparse
import random
import secrets
import sys
from collections import Counter
from collections.abc import Callable, Iterator

from localcloud.tests.rules.google import GoogleRules, Question, google_rules
from localcloud.tests.rules.support import ours, question_of, rules_of

DEPTH_MAX = 4
Draw = Callable[["Drawing", int], str]

_PATTERNS = [
    "a",
    ".*",
    "a.*",
    "[a-c]+",
    "(a)(b)?",
    "\\\\d+",
    "(?i)A",
    "x|ab",
    "^a$",
    "[^a]",
    ",",
    "a{1,2}",
    "\\\\w*?b",
    "",
]
_STRINGS = [
    "",
    "a",
    "ab",
    "abc",
    "ann",
    "A b ",
    "1",
    "-7",
    "1.5",
    "a,b,,",
    "größe",
    "😀x",
    "true",
    "2020-02-29T01:02:03Z",
]
_FLOATS = ["0.0", "1.0", "1.5", "-2.5", "100000000.0", "0.001", "9007199254740993.0", "0.0 / 0", "1.0 / 0"]
_INTEGERS = ["0", "1", "2", "-1", "7", "10", "9223372036854775807", "-9223372036854775808", "9007199254740993"]


class Drawing:
    """One drawing: `any` of a type, or of any type at all."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def pick(self, *choices: str) -> str:
        """Return one of some texts."""
        return self.chance.choice(choices)

    def of(self, kind: str, depth: int) -> str:
        """Return an expression that is mostly of a type, in parentheses where it is put together."""
        if self.chance.random() < 0.03:
            kind = self.chance.choice([*_KINDS])
        simple, composed = _KINDS[kind]
        if depth >= DEPTH_MAX or self.chance.random() < 0.25:
            return self.chance.choice(simple)
        return self.chance.choice(composed)(self, depth + 1)

    def any(self, depth: int) -> str:
        """Return an expression of some type."""
        return self.of(self.chance.choice([*_KINDS]), depth)


def _a(template: str) -> Draw:
    """Return what fills a template: `{bool}` with a drawn expression of the type, `{any}` with one of any."""

    def draw(drawing: Drawing, depth: int) -> str:
        text, rest = "", template
        while "{" in rest:
            before, _, rest = rest.partition("{")
            kind, _, rest = rest.partition("}")
            if kind == "pattern":
                filled = f"'{drawing.pick(*_PATTERNS)}'"
            elif kind == "type":
                filled = drawing.pick(
                    "int", "float", "number", "string", "list", "map", "bool", "path", "timestamp", "bytes"
                )
            elif kind == "unit":
                filled = drawing.pick("'w'", "'d'", "'h'", "'m'", "'s'", "'ms'", "'ns'")
            elif kind == "<":
                filled = drawing.pick("<", "<=", ">", ">=")
            elif kind == "=":
                filled = drawing.pick("==", "!=")
            elif kind == "+":
                filled = drawing.pick("+", "-", "*", "/", "%")
            else:
                filled = drawing.any(depth) if kind == "any" else drawing.of(kind, depth)
            text += before + filled
        return text + rest.replace("«", "{").replace("»", "}")

    def whole(drawing: Drawing, depth: int) -> str:
        return draw(drawing, depth).replace("«", "{").replace("»", "}")

    return whole


def _of(simple: list[str], *templates: str) -> tuple[list[str], list[Draw]]:
    return simple, [_a(template) for template in templates]


_KINDS: dict[str, tuple[list[str], list[Draw]]] = {
    "bool": _of(
        ["true", "false", "request.auth.token.admin", "'n' in resource.data"],
        *("({bool} && {bool})", "({bool} || {bool})", "!{bool}", "({any} {=} {any})", "({int} {<} {int})"),
        *("({number} {<} {number})", "({string} {<} {string})", "({timestamp} {<} {timestamp})", "({any} is {type})"),
        *("({any} in {list})", "({string} in {map})", "({any} in {set})", "{string}.matches({pattern})"),
        *("{list}.hasAll({list})", "{list}.hasAny({list})", "{list}.hasOnly({list})", "{set}.hasAll({list})"),
        *("{set}.hasAny({set})", "{set}.hasOnly({set})", "({bool} ? {bool} : {bool})", "({list} {=} {list})"),
        *("({map} {=} {map})", "({set} {=} {set})", "({string} {=} {string})", "({number} {=} {number})"),
        *("({duration} {<} {duration})", "({bytes} {<} {bytes})", "math.isNaN({float})", "({path} {=} {path})"),
        *("({timestamp} {=} {timestamp})", "({duration} {=} {duration})", "({bytes} {=} {bytes})"),
    ),
    "int": _of(
        [*_INTEGERS, "resource.data.n"],
        *("({int} {+} {int})", "-({int})", "{string}.size()", "{list}.size()", "{map}.size()", "{set}.size()"),
        *("int({number})", "int({string})", "math.abs({int})", "math.round({float})", "{timestamp}.year()"),
        *("{timestamp}.toMillis()", "{timestamp}.dayOfYear()", "{duration}.seconds()", "{duration}.nanos()"),
        *("{list}[{int}]", "({bool} ? {int} : {int})", "{bytes}.size()", "{timestamp}.hours()", "{timestamp}.nanos()"),
    ),
    "float": _of(
        [*_FLOATS, "resource.data.f"],
        *("({float} {+} {number})", "-({float})", "float({int})", "float({string})", "math.ceil({number})"),
        *("math.floor({number})", "math.sqrt({number})", "math.pow({number}, {number})", "math.abs({float})"),
    ),
    "number": _of([*_INTEGERS, *_FLOATS], "{int}", "{float}", "({number} {+} {number})"),
    "string": _of(
        [*(f"'{text}'" for text in _STRINGS), "request.auth.uid", "resource.data.s", "id", "db"],
        *("({string} + {string})", "{string}.lower()", "{string}.upper()", "{string}.trim()", "string({any})"),
        *("{string}.replace({pattern}, {string})", "{list}.join({string})", "{string}[{int}]", "{bytes}.toBase64()"),
        *("{string}[{int}:{int}]", "{string}.split({pattern})[{int}]", "{bytes}.toHexString()", "string({number})"),
        *("request.auth.token.get({string}, {string})", "{path}[{int}]", "({bool} ? {string} : {string})"),
    ),
    "list": _of(
        ["[]", "[1]", "['a', 'b']", "[1, 1.0, 'a']", "resource.data.l", "request.auth.token.roles"],
        *("[{any}, {any}]", "[{int}]", "{list}.concat({list})", "{list}.removeAll({list})", "{map}.keys()"),
        *("{string}.split({pattern})", "{list}[{int}:{int}]", "{map}.values()", "[{any}]"),
    ),
    "set": _of(
        ["[1, 2].toSet()", "['a'].toSet()", "[].toSet()"],
        *("{list}.toSet()", "{set}.union({set})", "{set}.intersection({set})", "{set}.difference({set})"),
        *("{map}.diff({map}).affectedKeys()", "{map}.diff({map}).changedKeys()", "{map}.diff({map}).addedKeys()"),
        *("{map}.diff({map}).removedKeys()", "{map}.diff({map}).unchangedKeys()"),
    ),
    "map": _of(
        ["{}", "{'a': 1}", "{'a': 1.0, 'b': 'x'}", "resource.data", "resource.data.m", "request.auth.token", "request"],
        *("«'a': {any}»", "«'a': {any}, 'b': {any}»", "«{string}: {any}»", "{map}.get({string}, {map})"),
    ),
    "bytes": _of(
        ["b''", "b'a'", "b'\\xff\\x00'"], "{string}.toUtf8()", "hashing.md5({string})", "hashing.sha256({bytes})",
        "hashing.crc32({string})", "hashing.crc32c({bytes})",
    ),
    "duration": _of(
        ["duration.value(1, 's')", "duration.value(-1500, 'ms')", "duration.time(1, 2, 3, 4)"],
        *("duration.value({int}, {unit})", "({duration} + {duration})", "({duration} - {duration})", "-{duration}"),
        *("({timestamp} - {timestamp})", "duration.abs({duration})", "{timestamp}.time()"),
        "duration.time({int}, {int}, {int}, {int})",
    ),
    "timestamp": _of(
        ["timestamp.value(0)", "timestamp.date(2020, 2, 29)", "timestamp.value(-1500)"],
        *("timestamp.value({int})", "timestamp.date({int}, {int}, {int})", "({timestamp} + {duration})"),
        *("({timestamp} - {duration})", "{timestamp}.date()", "timestamp.value({string})"),
    ),
    "path": _of(
        ["/a/b", "path('/a/b')", "/a/$(id)", "/databases/$(db)/documents/x/$(id)"],
        *("/a/$({string})", "/a/$({int})/c", "path({string})", "(/a/«b»).bind(«'b': {any}»)", "{path}[{int}:{int}]"),
    ),
}  # fmt: skip


def drawn(chance: random.Random) -> Question:
    """Draw a file of rules, with a request for it."""
    drawing = Drawing(chance)
    if chance.random() < 0.6:
        return question_of(rules_of(f"{drawing.of('bool', 0)} || false"))
    functions = (
        f"function f(a, b) {{ let c = {drawing.any(2)}; let d = {drawing.of('bool', 2)};"
        f" return {drawing.pick('a', 'd', 'a == b', 'a && d', 'a || d', 'b == c')}; }}"
    )
    return question_of(rules_of(f"f({drawing.any(1)}, {drawing.any(1)}) || {drawing.of('bool', 2)}", functions))


def differences(google: GoogleRules, seed: int, count: int) -> Iterator[tuple[Question, str, str]]:
    """Yield each drawn question that the engines answer differently, with ours and Google's answer."""
    chance = random.Random(seed)  # noqa: S311 - a test
    answers: Counter[str] = Counter()
    for _ in range(count):
        question = drawn(chance)
        here, there = ours(question), google.ask(question)
        answers[there] += 1
        if there not in {here, "crashed"}:
            yield question, here, there
    print(f"seed {seed}: {count} drawn, Google's answers {dict(answers)}")


def main() -> int:
    """Compare as many as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    asked = parser.parse_args()
    found = 0
    with google_rules() as google:
        for question, here, there in differences(google, asked.seed, asked.count):
            found += 1
            print(f"ours {here}, Google's {there}:\n{question.rules}\n")
    print(f"{found} differences")
    return found > 0


if __name__ == "__main__":
    sys.exit(main())
