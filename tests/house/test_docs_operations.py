"""docs/operations.md against the code: every event and alert is described as it is; and every command exists that any
document names."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from functions.core.config.changes import known_fields
from functions.core.shared.alerts import AlertKind
from functions.log import Event
from scripts.admin import app as admin_app
from scripts.schedules import app as schedules_app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
SEVERITIES = {"info": "INFO", "warning": "WARNING", "error": "ERROR", "alert": "ALERT"}


def section(title: str) -> str:
    """Return the text of a section."""
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> dict[str, list[str]]:
    """Return the rows of a section's table by what is in code in their first cell."""
    found = {}
    for line in section(title).splitlines():
        if line.startswith("| `"):
            first, *cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[first.strip().strip("`")] = cells
    return found


@cache
def logged() -> dict[str, set[str]]:
    """Return the severities with which each event is logged, from the calls in the code."""
    found: dict[str, set[str]] = {event.value: set() for event in Event}
    for path in (ROOT / "functions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                severity = SEVERITIES.get(ast.unparse(node.func).removeprefix("log."))
                event = re.fullmatch(r"log\.Event\.(\w+)", ast.unparse(node.args[0]))
                if severity and event:
                    found[Event[event[1]].value].add(severity)
    return found


def test_the_table_of_metrics_is_the_list_of_events() -> None:
    """None is missing, and none is left of an event that is gone."""
    wrong = set(rows("Metrics")) ^ {event.value for event in Event}
    assert not wrong, f"docs/operations.md, Metrics: a row for each event of functions/log.py and no other, see {wrong}"


@pytest.mark.parametrize("event", list(Event))
def test_an_event_has_the_severity_that_the_table_says(event: Event) -> None:
    """As it is logged; what the edge reports by a variable is an error."""
    told = rows("Metrics")[event.value]
    severity = logged()[event.value] or {"ERROR"}
    assert ({told[0]}, len(told)) == (severity, 3), f"docs/operations.md, Metrics: fill the row {event}, {severity}"


def test_every_alert_is_explained() -> None:
    """What it means, what to look at, what to do."""
    table = rows("Alerts")
    wrong = set(table) ^ {kind.value for kind in AlertKind}
    assert not wrong, f"docs/operations.md, Alerts: a row for each AlertKind and no other, see {wrong}"
    unfilled = [kind for kind, cells in table.items() if len(cells) != 3 or not all(cells)]
    assert not unfilled, f"docs/operations.md, Alerts: fill the rows {unfilled}"


def commands(prefix: str) -> list[tuple[str, str]]:
    """Return every use of a command in the documents, by page, up to the end of its code."""
    use = re.compile(rf"(?:^ {{4}}|`|for it |-m ){prefix} (?!--help)([^`\n]+)", re.MULTILINE)
    texts = {page.name: page.read_text(encoding="utf-8").replace("\\\n", "") for page in PAGES}
    return sorted({(name, each) for name, text in texts.items() for each in use.findall(text)})


def parsed(app: typer.Typer, words: list[str]) -> tuple[set[str], set[str], list[str]]:
    """Return the options of the command that words begin with, those it must have (the project is in the environment),
    and the words after its name."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"{command.name} has no {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    required = {param.opts[0] for param in command.params if param.required and param.opts[0].startswith("--")}
    return {name for param in command.params for name in param.opts}, required - {"--project"}, words


@pytest.mark.parametrize(("page", "use"), commands(r"(?:scripts\.)?admin"))
def test_each_command_of_an_operator_exists(page: str, use: str) -> None:
    """Its name and its options, wherever a document tells somebody to run it; with arguments, all that it needs."""
    options, required, words = parsed(admin_app, shlex.split(use.split("  #", maxsplit=1)[0]))
    given = {word for word in words if word.startswith("--")}
    assert given <= options, f"{page}: `{use}` has options that there are not: {given - options}"
    assert not words or required <= given, f"{page}: `{use}` lacks {required - given}"
    fields = {word.partition("=")[0] for word in words if "=" in word and word != "FIELD=VALUE"}
    unknown = fields - set(known_fields())
    assert not unknown, f"{page}: `{use}` sets fields that there are not: {unknown}"


@pytest.mark.parametrize(("page", "use"), commands(r"scripts\.schedules"))
def test_each_command_about_schedules_exists(page: str, use: str) -> None:
    """The same for Cloud Scheduler's jobs."""
    assert page
    parsed(schedules_app, use.split())


def test_the_commands_are_found() -> None:
    """The tests above rest on finding them."""
    assert len(commands("admin")) >= 25
    assert {"list", "pause NAME", "run guard_budget"} <= {use for _, use in commands(r"scripts\.schedules")}
