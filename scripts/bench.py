"""`make bench BENCH=name`: measure one promise, print a table, and one JSON object as the last line."""

import importlib
import json
import os
import sys
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

NAMES = ("batchfile", "budget", "coldstart", "instantcost", "jobcost", "refresh", "wallet")

console = Console()


def main(name: Annotated[str, typer.Argument(help=f"One of: {', '.join(NAMES)}.")] = "") -> None:
    """Run one benchmark."""
    if name not in NAMES:
        console.print(f"[red]bench:[/] BENCH={name or '?'} is not known; it can be {', '.join(NAMES)}")
        sys.exit(1)
    with console.status(f"Measuring {name} ..."), open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123
        figures: dict[str, Any] = importlib.import_module(f"scripts.benchmarks.{name}").run()
    table = Table(title=name)
    table.add_column("figure")
    table.add_column("value", justify="right")
    for key, value in figures.items():
        table.add_row(key, f"{value:,}" if isinstance(value, int | float) else str(value))
    console.print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    typer.run(main)
