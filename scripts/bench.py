"""`make bench BENCH=name`: measure one promise, print a table, and one JSON object as the last line."""

import importlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from scripts.benchmarks.skipped import SkippedError
from scripts.browsers import NoBrowserError

NAMES = (
    "abuse",
    "anomaly",
    "batchfile",
    "budget",
    "bulkcost",
    "cache",
    "coldstart",
    "failover",
    "forecast",
    "instant",
    "instantcost",
    "jobcost",
    "leaderboard",
    "page",
    "payments",
    "photos",
    "poll",
    "refresh",
    "rollout",
    "scale",
    "wallet",
    "whole",
)

console = Console()


def main(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.")] = "",
    requests: Annotated[int | None, typer.Option(min=1_000, help="How many, for BENCH=instant.")] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder of photos, for BENCH=cache.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the weeks into this SVG, for BENCH=whole.")] = None,
) -> None:
    """Run one benchmark."""
    if wrong := _wrong(name, requests, photos, picture):
        console.print(f"[red]bench:[/] {wrong}", soft_wrap=True)
        sys.exit(1)
    given = {"requests": requests, "photos": photos, "picture": picture}
    options = {option: value for option, value in given.items() if value is not None}
    try:
        with console.status(f"Measuring {name} ..."), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
            figures: dict[str, Any] = importlib.import_module(f"scripts.benchmarks.{name}").run(**options)
    except ModuleNotFoundError as error:
        console.print(f"[red]bench:[/] {error.name} is not installed: make venv/.dev")
        sys.exit(1)
    except SkippedError as skipped:
        console.print(f"[yellow]bench:[/] {name} is skipped: {skipped}")
        figures = {"skipped": str(skipped)}
    except NoBrowserError as missing:
        console.print(f"[red]bench:[/] {missing}")
        sys.exit(1)
    table = Table("figure", Column("value", justify="right"), title=name)
    for row, figure in _rows(figures):
        table.add_row(row, f"{figure:,}" if isinstance(figure, int | float) else str(figure))
    console.print(table)
    print(json.dumps(figures))


def _wrong(name: str, requests: int | None, photos: Path | None, picture: Path | None) -> str | None:
    """Return what is wrong with these options, None if nothing is: before minutes of work."""
    unwritable = _unwritable(picture) if picture is not None and name == "whole" else None
    rules = (
        (name not in NAMES, f"BENCH={name or '?'} is not known; it can be {', '.join(NAMES)}"),
        (requests is not None and name != "instant", "REQUESTS goes with BENCH=instant alone"),
        ((photos is not None) != (name == "cache"), "PHOTOS=folder goes with BENCH=cache, and with it alone"),
        (picture is not None and name != "whole", "PICTURE=file.svg goes with BENCH=whole alone"),
        (photos is not None and not any(photos.glob("*.jpg")), f"PHOTOS={photos} has no .jpg files"),
        (unwritable is not None, f"PICTURE={picture} cannot be written: {unwritable}"),
    )
    return next((text for broken, text in rules if broken), None)


def _unwritable(picture: Path) -> str | None:
    """Return why a picture cannot be written there, None if it can. What is there already stays as it is."""
    try:
        with picture.open("ab"):
            return None
    except OSError as error:
        return error.strerror


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the rows of the table: a figure that has parts has a row for each."""
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from ((f"{key} {part}", of) for part, of in _rows(value))
        else:
            yield key, value


if __name__ == "__main__":
    typer.run(main)
