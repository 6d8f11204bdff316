"""`simulate-price`: what a change of prices, plans or the model would mean, with the arithmetic."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.adapters.prices import model_price
from functions.core.config.changes import proposed
from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.projection import Assumptions, Line, projection
from functions.core.model.usage import ModelPrice
from scripts.operators.printing import changes_table, dollars, table
from scripts.operators.session import AsJson, looking
from scripts.operators.settings import assigned

Cells = list[tuple[str, str, str, str]]
Users = Annotated[int, typer.Option(min=0, max=1_000_000_000)]


def simulate_price(  # noqa: PLR0913, PLR0917  (the options of a command)
    project: Annotated[
        str | None,
        typer.Option(
            envvar=["GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT"],
            help="Take the config of this project; the defaults without one.",
            show_default=False,
        ),
    ] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="See config set.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model than the deployed one.", show_default=False)] = None,
    width: Annotated[int, typer.Option(min=1, max=20_000, help="Of the user's photo, in pixels.")] = 4_000,
    height: Annotated[int, typer.Option(min=1, max=20_000)] = 3_000,
    input_price: Annotated[
        float | None, typer.Option(min=0.0001, max=1_000, help="Dollars a million tokens.", show_default=False)
    ] = None,
    output_price: Annotated[
        float | None, typer.Option(min=0.0001, max=1_000, help="The same of the answer.", show_default=False)
    ] = None,
    answer_tokens: Annotated[int, typer.Option(min=1, max=900, help="A usual answer.")] = 230,
    free: Users = 10_000,
    plus: Users = 0,
    pro: Users = 0,
    photos_per_day: Annotated[float, typer.Option(min=0, max=10_000, help="That a user wishes to classify.")] = 1.0,
    instant_percent: Annotated[int, typer.Option(min=0, max=100, help="Of the photos.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Compare the prices in force with others: cost of a photo, tokens given away, cost of a user, photos a day.

    Nothing is changed. Three reads with a project, none without.
    """
    with looking(project or "none", as_json) as operation:
        deps = operation.deps
        now = deps.runtime() if project else RuntimeConfig()
        after = proposed(now.as_json(), assigned(changes or [], now, deps.clock()))
        name = model or deps.settings.openai_model
        given = Assumptions(
            model=name,
            prices=_prices(name, deps.clock(), input_price, output_price),
            size=(width, height),
            answer_tokens=answer_tokens,
            users={"free": free, "plus": plus, "pro": pro},
            photos_per_day=photos_per_day,
            instant_percent=instant_percent,
        )
        before_lines, after_lines = projection(now, given), projection(after.config, given)
        figures = [
            {"name": old.name, "unit": old.unit, "now": old.value, "then": new.value, "arithmetic": new.arithmetic}
            for old, new in zip(before_lines, after_lines, strict=True)
        ]
        data = {"model": name, "changed": after.changed, "figures": figures}
        instant, batch = given.prices["instant"], given.prices["batch"]
        paid = f"{instant.input} in, {instant.output} out, in a batch {batch.input} and {batch.output}"
        title = f"{name}: {paid}, dollars a million tokens"
        cells = [
            (old.name, _told(old), _told(new), new.arithmetic)
            for old, new in zip(before_lines, after_lines, strict=True)
        ]
        operation.show(data, lambda console: _render(console, title, cells, after.changed))


def _render(console: Console, title: str, cells: Cells, changed: list[dict[str, Any]]) -> None:
    if changed:
        console.print(changes_table(changed))
    console.print(title, style="bold")
    if changed:
        console.print(table("figure", ">now", ">then", "~how it comes about", rows=cells))
    else:
        rows = [(figure, value, how) for figure, value, _, how in cells]
        console.print(table("figure", ">now", "~how it comes about", rows=rows))


def _prices(model: str, now: datetime, input_price: float | None, output_price: float | None) -> dict[str, ModelPrice]:
    """Return the model's price in each lane. Instant prices given in its place bring those of a batch along, in the
    proportion of today."""
    instant, batch = model_price(model, now, batch=False), model_price(model, now, batch=True)
    input_times = Decimal(str(input_price)) / instant.input if input_price else None
    output_times = Decimal(str(output_price)) / instant.output if output_price else Decimal(1)
    return {
        lane: ModelPrice(
            input=known.input * (input_times or 1),
            cached=known.input * input_times if input_times else known.cached,
            cache_write=known.input * input_times if input_times else known.cache_write,
            output=known.output * output_times,
        )
        for lane, known in (("instant", instant), ("batch", batch))
    }


def _told(line: Line) -> str:
    if line.unit == "micros":
        return f"{line.value} µ$" if line.value < 10_000 else dollars(line.value)
    return f"{line.value:,}"
