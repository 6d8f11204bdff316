"""`make docs`: the tables of functions in docs/deploy.md, from what deploys them.

A function's docstring in main.py is the one wording of what it does.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer

from functions.core.config.runtime import RuntimeConfig
from functions.core.rollouts.arms import BUCKETS
from functions.core.rollouts.counts import BUCKET_FIRST_MS, BUCKET_LAST
from functions.core.rollouts.flags import ABOUT, NEXT_COHORT, PERCENTS, Cohort, FlagRules
from functions.core.rollouts.stops import FlagState
from functions.core.shared.records import UID
from functions.deploy import bulk_options, options

ROOT = Path(__file__).resolve().parents[1]
KINDS = {
    name: value
    for name, value in {**vars(options), **vars(bulk_options)}.items()
    if re.fullmatch("[A-Z]+", name) and type(value) is dict
}
"""The kinds of functions, such as `CALL`, with what each gets of the platform."""


@dataclass(frozen=True)
class Declared:
    """A function as main.py declares it. `trigger` is `callable`, `https` or the schedule of a cron."""

    name: str
    trigger: str
    kind: str
    secrets: tuple[str, ...]
    operators: bool
    does: str


def declared() -> list[Declared]:
    """Return the functions of main.py, in its order."""
    page = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    return [_declared(node) for node in page.body if isinstance(node, ast.FunctionDef)]


def _declared(function: ast.FunctionDef) -> Declared:
    (decorator,) = function.decorator_list
    assert isinstance(decorator, ast.Call), f"main.py: {function.name} has no trigger"  # noqa: S101 (a defect of ours)
    given = {keyword.arg: keyword.value for keyword in decorator.keywords}
    trigger = {"on_call": "callable", "on_webhook": "https"}.get(ast.unparse(decorator.func).rpartition(".")[2])
    return Declared(
        function.name,
        trigger or str(ast.literal_eval(given["schedule"])),
        ast.unparse(given[None]).lstrip("*"),
        tuple(re.findall(r"(?:params|providers|shop)\.(\w+)", ast.unparse(given["secrets"])))
        if "secrets" in given
        else (),
        "operators" in given,
        ast.get_docstring(function) or "",
    )


def _capacities() -> str:
    rows = ["| kind | functions | memory | time | callers at once | instances |", "|---|---|---|---|---|---|"]
    for kind, given in KINDS.items():
        size = int(given["memory"])
        memory = f"{size // 1024} GB" if size % 1024 == 0 else f"{size} MB"
        figures = f"{memory} | {given['timeout_sec']} s | {given['concurrency']} | {given['max_instances']}"
        rows.append(f"| {kind} | {_names(each for each in declared() if each.kind == kind)} | {figures} |")
    return "\n".join(rows)


def _started_by_others() -> str:
    rows = ["| no callable | trigger | what it does |", "|---|---|---|"]
    for each in declared():
        if each.trigger != "callable":
            trigger = "HTTPS, signed" if each.trigger == "https" else f"`{each.trigger}`"
            rows.append(f"| `{each.name}` | {trigger} | {each.does.rstrip('.')} |")
    return "\n".join(rows)


def _secrets() -> str:
    secrets = dict.fromkeys(secret for each in declared() for secret in each.secrets)
    rows = (f"| `{name}` | {_names(each for each in declared() if name in each.secrets)} |" for name in secrets)
    return "\n".join(["| secret | functions that read it |", "|---|---|", *rows])


def _names(functions: Iterable[Declared]) -> str:
    return ", ".join(f"`{each.name}`" for each in functions)


PAGE = "docs/deploy.md"
BEGIN, END = "<!-- make docs writes these tables -->", "<!-- end of the tables -->"


def page_as_written() -> str:
    """Return the page with its tables as `make docs` writes it."""
    before, _, rest = (ROOT / PAGE).read_text(encoding="utf-8").partition(BEGIN)
    tables = f"{_capacities()}\n\n{_started_by_others()}\n\n{_secrets()}"
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}"


SETTINGS = ROOT / "web" / "operator" / "settings.json"


def settings_as_written() -> str:
    """Return the fields of `config/runtime` for the operators' page: name, kind, range and default of each."""
    schema = RuntimeConfig.model_json_schema()
    lines = ",\n".join(json.dumps(field) for field in _fields(schema, schema["$defs"], ""))
    return f"[\n{lines}\n]\n"


def _fields(schema: dict[str, Any], defs: dict[str, Any], prefix: str) -> Iterator[dict[str, Any]]:
    for name, field in schema["properties"].items():
        inner = defs[field["$ref"].rpartition("/")[2]] if "$ref" in field else field
        default = field.get("default", inner.get("default"))
        if "properties" in inner:
            defaults = default if isinstance(default, dict) else {}
            properties = {
                each: {**given, "default": defaults.get(each, given.get("default"))}
                for each, given in inner["properties"].items()
            }
            yield from _fields({"properties": properties}, defs, f"{prefix}{name}.")
            continue
        alternatives = [each for each in inner.get("anyOf", [inner]) if each.get("type") != "null"]
        kind = {"type": "string", **alternatives[0]}
        yield {
            "field": prefix + name,
            "type": kind["type"],
            "choices": kind.get("enum"),
            "least": kind.get("minimum", kind.get("ge", kind.get("exclusiveMinimum"))),
            "most": kind.get("maximum", kind.get("le", kind.get("exclusiveMaximum"))),
            "default": default,
        }


ROLLOUTS = ROOT / "web" / "operator" / "rollouts.json"


def rollouts_as_written() -> str:
    """Return what the operators' page has to know of flags: who looks after each and until when, the stages, how calls
    are counted, and the schemas by which functions read rules and states."""
    told = {
        "flags": {flag: {**asdict(of), "until": f"{of.until}"} for flag, of in ABOUT.items()},
        "stages": {each: {"percent": PERCENTS[each], "next": NEXT_COHORT.get(each)} for each in Cohort},
        "buckets": BUCKETS,
        "times": {"firstMs": BUCKET_FIRST_MS, "last": BUCKET_LAST},
        "uid": f"^{UID.pattern}$",
        "rules": _bare(FlagRules.model_json_schema()),
        "state": _bare(FlagState.model_json_schema()),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in told.items())
    return f"{{\n{lines}\n}}\n"


def _bare(schema: Any) -> Any:
    """Return a schema without its words."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: _bare(each) for name, each in schema.items() if name not in {"title", "description"}}


def write_docs() -> None:
    """Write the tables anew, and what the operators' page shows of settings and flags."""
    (ROOT / PAGE).write_text(page_as_written(), encoding="utf-8")
    SETTINGS.write_text(settings_as_written(), encoding="utf-8")
    ROLLOUTS.write_text(rollouts_as_written(), encoding="utf-8")


if __name__ == "__main__":
    typer.run(write_docs)
