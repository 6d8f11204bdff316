"""`prices`: what the models cost, from when and by whose word. `simulate-price`: what a change of prices, plans or the
model would mean, with the arithmetic."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.adapters.prices import price_in_force
from functions.core.config.changes import proposed
from functions.core.config.price_overrides import override_at
from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.projection import Assumptions, Line, projection
from functions.core.model.image_tokens import undated
from functions.core.model.prices import RETIRES
from functions.core.model.usage import ModelPrice, UnknownPriceError
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import split
from functions.use_cases.rollouts.serving import models_asked, other_models
from scripts.operators.printing import changes_table, dollars, table
from scripts.operators.session import AsJson, Operation, OperatorDeps, command, looking
from scripts.operators.settings import assigned

Cells = list[tuple[str, str, str, str]]
Users = Annotated[int, typer.Option(min=0, max=1_000_000_000)]

AMOUNTS = ("input", "cached", "cacheWrite", "output")


@command(looking)
def prices(
    operation: Operation,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to look ahead, today included.")] = 90,
) -> None:
    """What each model costs, from which day and by whose word: the price library's, or an operator's (model.prices).

    Of the models that are asked or named in model.prices, in dollars a million tokens. Three reads.
    docs/operations.md shows how to name a price.
    """
    deps = operation.deps
    others = {name for batch in (False, True) for name in other_models(deps, batch=batch)}
    names = sorted(models_asked(deps) | others | {each.name for each in deps.runtime().model.prices})
    rows = [row for name in names for lane in Lane for row in _dated(name, lane, deps, days)]
    stops = {name: f"{RETIRES[undated(name)]}" for name in names if undated(name) in RETIRES}

    def render(console: Console) -> None:
        columns = ("model", "lane", "since", *AMOUNTS, "source")
        cells = [tuple(row[name] for name in columns) for row in rows]
        headings = ("model", "lane", "from", *(f">{kind}" for kind in AMOUNTS), "~source")
        console.print(table(*headings, rows=cells))
        for model, day in stops.items():
            console.print(f"OpenAI stops {model} on {day}.")

    operation.show({"prices": rows, "stops": stops}, render)


def _dated(name: str, lane: Lane, deps: OperatorDeps, days: int) -> Iterator[dict[str, str]]:
    """Yield a model's price of today in a lane, and each later one from the day on which it begins."""
    shown = None
    for ahead in range(days):
        at = deps.clock().astimezone(UTC) + timedelta(days=ahead)
        cells = _cells(name, lane, deps, at)
        if cells != shown:
            yield {"model": name, "lane": lane.value, "since": f"{at:%Y-%m-%d}", **cells}
        shown = cells


def _cells(name: str, lane: Lane, deps: OperatorDeps, at: datetime) -> dict[str, str]:
    """Return the price at a time as it is printed, with its source. An operator's price that changes nothing is told:
    it can go."""
    batch, override = lane is Lane.BATCH, override_at(deps.runtime().model.prices, name, lane, at.date())
    source = library = f"genai-prices {version('genai-prices')}"
    try:
        price = deps.model_price(name, batch=batch, at=at)
    except UnknownPriceError:
        return dict.fromkeys(AMOUNTS, "none") | {"source": library}
    if override is not None:
        try:
            same = deps.listed_price(name, at, batch=batch) == price
        except UnknownPriceError:
            same = False
        source = f"model.prices since {override.since}" + (f", as {library}" if same else "")
    amounts = (price.input, price.cached, price.cache_write, price.output)
    return {kind: f"{each.normalize():f}" for kind, each in zip(AMOUNTS, amounts, strict=True)} | {"source": source}


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
    business: Users = 0,
    enterprise: Users = 0,
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
            prices=_prices(name, deps, after.config, input_price, output_price),
            size=(width, height),
            answer_tokens=answer_tokens,
            users={"free": free, "plus": plus, "pro": pro, "business": business, "enterprise": enterprise},
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


def _prices(
    model: str, deps: OperatorDeps, config: RuntimeConfig, input_price: float | None, output_price: float | None
) -> dict[str, ModelPrice]:
    """Return the model's price in each lane. Instant prices given in its place bring those of a batch along, in the
    proportion of today."""
    zone = deps.settings.zone_of(split(model)[0])
    instant, batch = (
        price_in_force(config.model.prices, model, deps.clock(), batch=each, zone=zone) for each in (False, True)
    )
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
