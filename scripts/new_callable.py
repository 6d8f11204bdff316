"""`make callable NAME=get_streak SUBJECT=wallet`: writes what a new callable needs in every place that has to know it.

What only its author can say is marked with `WRITE:`; `tests/house/test_adding.py` fails as long as a mark is left.
"""

import re
import sys
from typing import Annotated, NoReturn

import typer

from scripts import contents

MARK = "WRITE:"

MAIN = '''
@on_call(**CALL)
def {name}(call: Call) -> Answer:
    """{does}"""
    from functions.use_cases.{subject}.{name} import {name} as use_case

    return serve_call(call, use_case)

'''

USE_CASE = '''"""`{name}`: WRITE: what it is for, and why it does it this way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.shared.records import Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class {type}(Request):
    """WRITE: what the app sends, a field for each; or "No parameters."."""


def {name}(request: {type}, uid: str, deps: Deps) -> dict[str, Any]:
    """WRITE: what is returned, in which units; below `Raises:` each error of `core.shared.errors`, and when."""
    del request, uid, deps
    raise NotImplementedError("WRITE: the steps, with rules from functions/core/{subject} and adapters from deps")
'''

SAMPLE = """        "{name}": {{}},  # WRITE: every field without a default, and every whole number
"""

CHAPTER = """### {name}

{does}

| sent | |
|---|---|
| WRITE: a row for each field, its name in backticks; "Nothing is sent." in place of this table | |

| answer | |
|---|---|
| WRITE: a row for each field, its name in backticks | |

WRITE: "Refused with" its reasons, or nothing.

"""

CHANGE = "- **New**: `{name}`. {does}\n"

TEST = '''"""`{name}`: what its user gets, over HTTP."""

import pytest

from scripts.sample_calls import sample_calls
from tests.wire import content, id_token, new_wire


def test_{name}_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """WRITE: what it promises. Then a test for each refusal, for a retry, and for a crash after each write."""
    with new_wire(monkeypatch) as wire:
        answer = wire.call("{name}", sample_calls("ann")["{name}"], id_token("ann"))
    assert content(answer) == {{"result": {{"WRITE:": "what it answers"}}}}
'''


def new_callable(
    name: Annotated[str, typer.Argument(help="what the app calls, such as get_streak")],
    subject: Annotated[str, typer.Argument(help="a folder of functions/use_cases, such as wallet")],
    does: Annotated[str, typer.Option(help="what it does, in one sentence that begins with a verb")] = "",
) -> None:
    """Write the callable's places, and list what is left to write in them."""
    subjects = sorted(path.name for path in (contents.ROOT / "functions/use_cases").iterdir() if path.is_dir())
    if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
        _end(f"NAME is a verb and a noun in small letters, such as get_streak, not {name!r}")
    if subject not in subjects:
        _end(f"SUBJECT is one of {', '.join(subjects)}, not {subject!r}")
    if name in {each.name for each in contents.declared()}:
        _end(f"main.py has {name} already")
    _write(name, subject, does or f"{MARK} what {name} does, in one sentence that begins with a verb.")
    contents.write_docs()
    print("Written. What only you can say, place by place:")
    for place in marks():
        print(f"  {place}")
    print("Then: make docs format test-fast, make test, make test-client")


def _write(name: str, subject: str, does: str) -> None:
    words = {"name": name, "subject": subject, "does": does, "type": name.title().replace("_", "")}
    page = contents.ROOT / "main.py"
    neighbours = re.findall(rf"functions\.use_cases\.{subject}\.(\w+)", page.read_text(encoding="utf-8"))
    callables = [each.name for each in contents.declared() if each.trigger == "callable" and not each.operators]
    before = [each for each in callables if each in neighbours] or callables
    _insert("main.py", rf"\ndef {before[-1]}\(.*?use_case(?:, [^\n]*)?\)\n\n", MAIN.format(**words))
    _insert("scripts/sample_calls.py", r"\n    calls: [^\n]*\{.*?(?=    \}\n    return)", SAMPLE.format(**words))
    _insert("docs/flutter.md", rf"\n### {before[-1]}\n.*?(?=^##)", CHAPTER.format(**words))
    _insert("CHANGELOG.md", r"\n## [^\n]*Unreleased[^\n]*\n\n", CHANGE.format(**words))
    tests = contents.ROOT / "tests/use_cases" / subject
    for path, text in (
        (contents.ROOT / "functions/use_cases" / subject / f"{name}.py", USE_CASE),
        (tests / f"test_{name}.py", TEST),
    ):
        path.write_text(text.format(**words), encoding="utf-8")


def _insert(page: str, after: str, text: str) -> None:
    """Insert a text behind the first place of a page that this expression matches."""
    path = contents.ROOT / page
    old = path.read_text(encoding="utf-8")
    found = re.search(after, old, re.DOTALL | re.MULTILINE)
    if found is None:
        _end(f"{page} has no place like {after!r}: write it there by hand")
    path.write_text(old[: found.end()] + text + old[found.end() :], encoding="utf-8")


def marks() -> list[str]:
    """Return each place that its author has not written yet, as `path:line: what`."""
    pages = [contents.ROOT / name for name in ("main.py", "scripts/sample_calls.py", "docs/flutter.md", "CHANGELOG.md")]
    for folder in ("functions", "tests/use_cases"):
        pages += sorted((contents.ROOT / folder).rglob("*.py"))
    return [
        f"{path.relative_to(contents.ROOT).as_posix()}:{number}: {line.partition(MARK)[2].strip()}"
        for path in pages
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if MARK in line
    ]


def _end(reason: str) -> NoReturn:
    print(f"make callable: {reason}", file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    typer.run(new_callable)
