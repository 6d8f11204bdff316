"""`config get`, `config set`, `config unset`, `config history`: the runtime config, with its audit."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.budget.day_review import BudgetDay, mode_at
from functions.core.budget.estimates import input_tokens_max, most_micros
from functions.core.budget.holds import Mode
from functions.core.config.changes import Proposal, known_fields, proposed, require_sense, unknown_field
from functions.core.config.reading import readable
from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.records import Record
from functions.core.shared.utc_days import clock_text, day_of, iso_text
from functions.use_cases.budget.days import line_micros
from functions.use_cases.operations.config_changes import change_config
from scripts.operators.printing import change, dollars, table
from scripts.operators.session import Operation, OperatorDeps, RefusedError, changing, command, looking

app = typer.Typer(help="The runtime config: prices, limits, plans, budgets.", no_args_is_help=True)

_AHEAD = re.compile(r"\+(\d{1,4})([mhd])")
_DOLLARS = re.compile(r"\$(\d[\d,]*(?:\.\d{1,6})?)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

Assignments = Annotated[list[str], typer.Argument(help="FIELD=VALUE, as in tokens.batchPrice=2", metavar="FIELD=VALUE")]
Fields = Annotated[list[str], typer.Argument(help="Fields or sections, as in tokens.batchPrice or plans.free.")]


@app.command("get")
@command(looking)
def get_config(
    operation: Operation,
    fields: Annotated[list[str] | None, typer.Argument(help="Fields or sections; all by default.")] = None,
) -> None:
    """Print the config in force, and which values are not the defaults. Three reads."""
    config, defaults = flat(operation.deps.runtime().as_json()), flat(RuntimeConfig().as_json())
    chosen = {name: value for name, value in config.items() if not fields or _below(name, fields)}
    for field in fields or []:
        if not any(_below(name, [field]) for name in config):
            raise RefusedError(unknown_field(field))

    def render(console: Console) -> None:
        rows = [(name, _told(name, value), _default(value, defaults[name])) for name, value in chosen.items()]
        console.print(table("field", "~value", "", rows=rows))

    operation.show(chosen, render)


@app.command("set")
@command(changing)
def set_config(operation: Operation, assignments: Assignments) -> None:
    """Change fields, all or none, on record. VALUE is JSON or text; money may be '$5', a time +30m, +2h or +1d.

    A mode by hand: config set budget.overrideMode=closed budget.overrideUntil=+2h
    """
    _change(operation, assigned(assignments, operation.deps.runtime(), operation.now))


@app.command("unset")
@command(changing)
def unset_config(operation: Operation, fields: Fields) -> None:
    """Reset fields or whole sections to their defaults, on record. Misspelt fields of the document are removed, too."""
    changes: dict[str, Any] = {}
    there = [*known_fields(), *flat(operation.store.runtime_documents().config or {})]
    for field in fields:
        if not any(_below(name, [field]) for name in there):
            raise RefusedError(unknown_field(field))
        _put(changes, field, None)
    _change(operation, changes)


@app.command("history")
@command(looking)
def history(
    operation: Operation, limit: Annotated[int, typer.Option(min=1, max=200, help="How many entries.")] = 20
) -> None:
    """Print who changed what and when: the config, and what was done by hand. One or two reads an entry."""
    entries = operation.store.list_audit(limit)

    def render(console: Console) -> None:
        rows = [
            (f"{entry['at']:%Y-%m-%d %H:%M}", entry["by"], entry.get("action", "config"), _summary(entry))
            for entry in entries
        ]
        console.print(table("when (UTC)", "who", "what", "~how", rows=rows))

    operation.show({"entries": entries}, render)


def _told(name: str, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"{text} ({dollars(value)})" if name.endswith("Micros") else text


def _default(value: Any, default: Any) -> str:
    return "" if value == default else f"default {json.dumps(default)}"


def _summary(entry: Mapping[str, Any]) -> str:
    changes = [f"{each['field']}: {each['before']} → {each['after']}" for each in entry.get("changed", ())]
    about = [str(entry[name]) for name in ("target", "why") if entry.get(name)]
    return "; ".join([*about, *changes])


def _change(operation: Operation, changes: dict[str, Any]) -> None:
    deps = operation.deps
    stored = deps.store.runtime_documents().config or {}
    new = proposed(stored, changes)
    if not new.changed:
        operation.show({"changed": []}, "Nothing to do: the config has these values already.")
        return
    require_sense(new, line_micros(deps), deps.clock())
    operation.ask(_in_effect(stored, new), "the config", follows=_follows(new, deps))
    done = change_config(changes, operation.by, deps)
    sentence = "Done. Functions see it within 30 seconds; a budget limit binds at once."
    operation.show({"changed": done["changed"]}, sentence)


def _in_effect(stored: Mapping[str, Any], new: Proposal) -> list[dict[str, Any]]:
    """Return what changes for the functions, with what is in force in place of what is not stored. A plan is stored as
    a whole; of its fields those that stay as they are do not change."""
    before, after = flat(readable(stored, RuntimeConfig())[0].as_json()), flat(new.config.as_json())
    rows = []
    for each in new.changed:
        field = each["field"]
        if before.get(field) != after.get(field) or field not in after or len(new.changed) == 1:
            cells = []
            for when, in_force in (("before", before), ("after", after)):
                told = _told(field, in_force.get(field, each[when]))
                cells.append(f"{told}, the default" if each[when] is None and field in in_force else told)
            rows.append(change(field, *cells))
    return rows or [dict(each) for each in new.changed]


def _follows(new: Proposal, deps: OperatorDeps) -> list[str]:
    """Return what a change of the budget or of the lanes means today, in sentences."""
    changed, config, now = {each["field"] for each in new.changed}, new.config, deps.clock()
    follows = []
    if changed & {"budget.dailyLimitMicros", "budget.monthlyLimitMicros", "budget.batchOnlyPercent"}:
        daily, today = config.budget.daily_limit_micros, day_of(now)
        instant = input_tokens_max(deps.settings.openai_model, config.images.side_max)
        batch_micros, instant_micros = line_micros(deps), most_micros(instant, deps.price_to_hold())
        follows.append(
            f"{dollars(daily)} a day buy {daily // batch_micros:,} batch photos or {daily // instant_micros:,} "
            "instant photos at their highest cost."
        )
        book = deps.store.budget_days(today, today).get(today, BudgetDay())
        month = deps.budget().month_of(today)
        left = max(config.budget.monthly_limit_micros - sum(month.values()) + month.get(today, 0), 0)
        book = book.model_copy(update={"limit": min(daily, left)})
        used = f"Today {dollars(book.used)} of {dollars(book.limit)} are used"
        follows.append(f"{used}: {_MODES[mode_at(book, config.budget, batch_micros)]}.")
    if changed & {"budget.overrideMode", "budget.overrideUntil"} and config.budget.override_until is not None:
        mode, until = Mode(config.budget.override_mode or Mode.NORMAL), clock_text(config.budget.override_until)
        follows.append(f"Until {until}: {_MODES[mode]}, whatever is used; no limit is lifted.")
    if "instant.open" in changed:
        follows.append("The instant lane is open." if config.instant.open else "Instant photos go into the batch lane.")
    return follows


_MODES: Mapping[Mode, str] = {
    Mode.NORMAL: "both lanes are open",
    Mode.BATCH_ONLY: "the instant lane is closed, the batch lane open",
    Mode.CLOSED: "both lanes are closed, photos are queued",
}


def assigned(assignments: Sequence[str], config: RuntimeConfig, now: datetime) -> dict[str, Any]:
    """Return assignments as nested changes. Raises RefusedError for one that is not FIELD=VALUE, or names no field."""
    changes: dict[str, Any] = {}
    for assignment in assignments:
        field, equals, text = assignment.partition("=")
        if not equals:
            raise RefusedError(f"{assignment}: write FIELD=VALUE")
        if field not in known_fields():
            raise RefusedError(unknown_field(field))
        for name, value in _complete(config, field).items():
            _put(changes, name, value, keep=True)
        _put(changes, field, _value(field, text, now))
    return changes


def _value(field: str, text: str, now: datetime) -> Any:
    if field.endswith("Micros") and (amount := _DOLLARS.fullmatch(text)):
        return int(Decimal(amount[1].replace(",", "")) * 1_000_000)
    if ahead := _AHEAD.fullmatch(text):
        return iso_text(now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])}))
    try:
        return json.loads(text)
    except ValueError:
        return text


def _complete(config: RuntimeConfig, field: str) -> dict[str, Any]:
    """Return the section of a field as it is in force, if it is stored as a whole: a plan, an allowance."""
    section: Record = config
    *parents, _ = field.split(".")
    for part in parents:
        aliases = {field.alias or name: name for name, field in type(section).model_fields.items()}
        section = getattr(section, aliases[part])
    if not any(each.is_required() for each in type(section).model_fields.values()):
        return {}
    prefix = ".".join(parents)
    return {f"{prefix}.{name}": value for name, value in section.as_json().items()}


def _put(changes: dict[str, Any], field: str, value: Any, *, keep: bool = False) -> None:
    *parents, last = field.split(".")
    for part in parents:
        changes = changes.setdefault(part, {})
    if not keep or last not in changes:
        changes[last] = value


def _below(name: str, fields: Sequence[str]) -> bool:
    return any(name == field or name.startswith(f"{field}.") for field in fields)


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a config's values by dotted name."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return found
