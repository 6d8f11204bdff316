"""`providers`: who answers photos, how well and at what price, and who is known to fail; `check`, whether each can be
asked; `compare`, on labelled photos; `drain`, which takes one out."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from functions.core.budget.provider_report import ModelFigures, model_figures, shares
from functions.core.config.provider_rules import ProviderRules
from functions.core.model.provider_outage import WHAT, standing
from functions.core.shared.providers import LABELS, Provider
from functions.core.shared.utc_days import clock_text, iso_text
from functions.use_cases.operations.config_changes import change_config
from functions.use_cases.operations.health import OPEN_STATES
from scripts.operators.comparing import compare
from scripts.operators.printing import change, dollars, table
from scripts.operators.provider_check import Checked, checked
from scripts.operators.session import Operation, RefusedError, changing, command, looking
from scripts.operators.status import FAR


class _ShowsFirst(TyperGroup):
    """Commands of which `show` is the one that is meant if none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put it in."""
        named = args and (not args[0].startswith("-") or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["show", *args])


app = typer.Typer(cls=_ShowsFirst, help="Who answers photos: shares, outages, checks, draining.")
app.command("compare")(compare)

BATCHES_LISTED_MAX = 1_000
DRAINS_SEARCHED = 200
"""Audit entries among which a drain is looked for, to undo it."""

_DEFAULT_ORDERS = {"providers.order": ProviderRules().order, "providers.batchOrder": ProviderRules().batch_order}


@app.command("show")
@command(looking)
def show(
    operation: Operation,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back, today included. A read each.")] = 1,
) -> None:
    """Who is asked in each lane; each model's share, failures, waits and cost a photo, at most 15 minutes old; outages.
    What is shown if no command is named."""
    deps, today = operation.deps, operation.now.date()
    books = deps.store.budget_days((today - timedelta(days=days - 1)).isoformat(), today.isoformat())
    figures = model_figures(books.values())
    percent = shares(figures)
    rows = [_row(each, percent[each.lane, each.model]) for each in figures]
    outages = standing(deps.queue().provider, operation.now)
    down = [
        {"door": door, "since": iso_text(each.began), "problem": each.problem, "failures": each.failures}
        for door, each in sorted(outages.items())
    ]
    orders = _orders(operation)

    def render(console: Console) -> None:
        for lane, order in orders.items():
            console.print(f"{lane}: {', then '.join(LABELS[each] for each in order)}")
        columns = ("lane", "model", ">share", ">answered", ">failed", ">down", ">doubtful", ">p50 s", ">p95 s")
        cells = [(*(_cell(row[name]) for name in COLUMNS), dollars(row["micros"])) for row in rows]
        console.print(table(*columns, ">µ$ a photo", ">dollars", rows=cells))
        for each in outages:
            text = WHAT.get(each, "calls fail").format(failures=outages[each].failures, **_UNCOUNTED)
            console.print(f"Since {clock_text(outages[each].began)} ({outages[each].problem}): {text}.")

    operation.show({"orders": orders, "models": rows, "outages": down}, render)


@app.command("check")
@command(looking)
def check(operation: Operation) -> None:
    """Ask each provider that the config names whether it takes the key and knows the model, and whether its photos have
    a price. Nothing that is asked is billed; exit status 1 if something is wrong.

    The keys are those of this shell: OPENAI_API_KEY=$(firebase functions:secrets:access OPENAI_API_KEY). One read, and
    one for each of our batches at Anthropic.
    """
    orders = _orders(operation)
    named = [each for each in Provider if any(each in order for order in orders.values())]
    found = [checked(each, orders, operation.deps) for each in named]

    def render(console: Console) -> None:
        columns = ("provider", "lanes", "model", "region", ">instant, $/M", ">batch, $/M", "~is it well?")
        console.print(table(*columns, rows=[_checked_row(each) for each in found]))

    operation.show({"providers": [vars(each) for each in found]}, render)
    if any(each.problems for each in found):
        raise typer.Exit(1)


def _checked_row(found: Checked) -> tuple[str, ...]:
    well = "; ".join(found.problems) or "yes: key taken, model known"
    prices = (found.prices[lane] or "-" for lane in ("instant", "batch"))
    return LABELS[found.provider], ", ".join(found.lanes), found.model, found.region, *prices, well


Drained = Annotated[Provider, typer.Argument(metavar="PROVIDER", help="One of: " + ", ".join(Provider))]


@app.command("drain")
@command(changing)
def drain(
    operation: Operation,
    provider: Drained,
    undo: Annotated[bool, typer.Option("--undo", help="Put it back where the last drain took it from.")] = False,
) -> None:
    """Take a provider out of both orders, on record: within 30 seconds it is asked nothing new. Its batches are
    collected as ever. Refused if somebody changes the orders meanwhile."""
    deps, label = operation.deps, LABELS[provider]
    changes, seen = _put_back(operation, provider) if undo else _taken_out(operation, provider)
    if not changes:
        operation.show({"changed": []}, f"Nothing to do: {label} is in no order.")
        return
    shown = [change(f"providers.{name}", seen[f"providers.{name}"] or "the default", changes[name]) for name in changes]
    operation.ask(shown, f"{label}, {'back' if undo else 'out'}", follows=[] if undo else _after_drain(provider))
    done = change_config({"providers": changes}, operation.by, deps, seen)
    waits = _still_there(operation, provider)
    operation.show({"changed": done["changed"], **waits}, f"Done; in force within 30 seconds. {_waiting(waits, label)}")


def _taken_out(operation: Operation, provider: Provider) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the orders without a provider, by field, and what is stored there now. Raises RefusedError if nobody would
    be left."""
    stored = _stored(operation)
    changes = {}
    for name, order in _fields(operation).items():
        if provider in order:
            changes[name] = [each.value for each in order if each is not provider]
        if changes.get(name) == []:
            raise RefusedError(
                f"{LABELS[provider]} is the only one in providers.{name}. Name another one first: "
                f"""admin config set 'providers.{name}=["anthropic"]'"""
            )
    return changes, {f"providers.{name}": stored.get(name) for name in changes}


def _put_back(operation: Operation, provider: Provider) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the orders from before the last change that took a provider out, by field, and what that change has stored
    there. Raises RefusedError if there is none."""
    for entry in operation.store.list_audit(DRAINS_SEARCHED):
        rows = [each for each in entry.get("changed", ()) if _takes_out(each, provider)]
        if rows:
            changes = {each["field"].removeprefix("providers."): each["before"] for each in rows}
            return changes, {each["field"]: each["after"] for each in rows}
    raise RefusedError(f"nobody has taken {LABELS[provider]} out, as far as the last {DRAINS_SEARCHED} changes tell")


def _takes_out(changed: Mapping[str, Any], provider: Provider) -> bool:
    default = _DEFAULT_ORDERS.get(changed["field"])
    return (
        default is not None
        and provider in (changed["before"] or default)
        and provider not in (changed["after"] or default)
    )


def _after_drain(provider: Provider) -> list[str]:
    if provider is not Provider.OPENAI:
        return []
    return ["Photos that no provider in the order may see still go to OpenAI: see providers.anthropicRegions."]


def _still_there(operation: Operation, provider: Provider) -> dict[str, Any]:
    """Return how many batches and photos a provider still has, and since when."""
    found = operation.store.due_batches(OPEN_STATES, operation.now + FAR, BATCHES_LISTED_MAX)
    open_there = [each.batch for each in found if each.batch.provider is provider]
    oldest = min((each.created_at for each in open_there), default=None)
    photos = sum(each.job_count for each in open_there)
    return {"batches": len(open_there), "photos": photos, "since": iso_text(oldest) if oldest else None}


def _waiting(waits: Mapping[str, Any], label: str) -> str:
    if not waits["batches"]:
        return f"No batch is at {label}."
    return f"{waits['batches']} of our batches, with {waits['photos']} photos, are at {label} since {waits['since']}."


def _orders(operation: Operation) -> dict[str, list[Provider]]:
    """Return who is asked, by lane."""
    fields = _fields(operation)
    return {"instant": [*fields["order"]], "batch": [*fields["batchOrder"]]}


def _fields(operation: Operation) -> dict[str, Sequence[Provider]]:
    rules = operation.deps.runtime().providers
    return {"order": rules.order, "batchOrder": rules.batch_order}


def _stored(operation: Operation) -> Mapping[str, Any]:
    found = (operation.store.runtime_documents().config or {}).get("providers")
    return found if isinstance(found, Mapping) else {}


COLUMNS = ("lane", "model", "share", "answered", "failed", "down", "doubtful", "p50", "p95", "each")
_UNCOUNTED = {"waiting": "photos", "users": "some", "at_provider": "some"}
"""In place of what takes a count of the queue: `admin status` has it."""


def _row(figures: ModelFigures, percent: int) -> dict[str, Any]:
    return {
        "lane": figures.lane,
        "model": figures.model,
        "provider": figures.provider,
        "share": percent,
        "answered": figures.answered,
        **{name: figures.counted(name) for name in ("failed", "down", "doubtful")},
        "p50": figures.seconds_within(0.5),
        "p95": figures.seconds_within(0.95),
        "each": figures.each_micros,
        "micros": figures.micros,
    }


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)
