"""`providers`: who answers photos, how well and at what price, and who is known to fail."""

from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.budget.provider_report import ModelFigures, model_figures, shares
from functions.core.model.provider_outage import WHAT, standing
from functions.core.shared.providers import LABELS, Provider
from functions.core.shared.utc_days import clock_text, iso_text
from scripts.operators.printing import dollars, table
from scripts.operators.session import Operation, command, looking


@command(looking)
def providers(
    operation: Operation,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back, today included. A read each.")] = 1,
) -> None:
    """Who is asked in each lane; each model's share, failures, waits and cost a photo, at most 15 minutes old; outages.

    To drain a provider take it out of the order: admin config set 'providers.order=["anthropic"]', and
    providers.batchOrder; its batches are still collected. docs/providers.md says more.
    """
    deps, today = operation.deps, operation.now.date()
    books = deps.store.budget_days((today - timedelta(days=days - 1)).isoformat(), today.isoformat())
    figures, rules = model_figures(books.values()), deps.runtime().providers
    percent = shares(figures)
    rows = [_row(each, percent[each.lane, each.model]) for each in figures]
    outages = standing(deps.queue().provider, operation.now)
    down = [
        {"door": door, "since": iso_text(each.began), "problem": each.problem, "failures": each.failures}
        for door, each in sorted(outages.items())
    ]
    orders: dict[str, list[Provider]] = {"instant": [*rules.order], "batch": [*rules.batch_order]}

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
