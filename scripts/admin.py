"""`python -m scripts.admin`: what operators ask from a shell. With Admin credentials, or `FIRESTORE_EMULATOR_HOST`."""

import csv
import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from google.cloud.firestore import Client
from rich.console import Console
from rich.table import Table

from functions.adapters.firestore import FirestoreStore
from functions.core.costs import COLUMNS, cost_rows

app = typer.Typer(no_args_is_help=True, add_completion=False)
console = Console()


@app.callback()
def main() -> None:
    """Ecolane for operators."""


@app.command()
def costs(
    project: Annotated[str, typer.Option(envvar="GCLOUD_PROJECT", help="The Firebase project.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back, today included.")] = 31,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with micro-dollars instead of a table.")] = False,
) -> None:
    """What the AI provider cost, by day, lane and model. The guard's books: at most 15 minutes old."""
    today = datetime.now(UTC).date()
    since = today - timedelta(days=days - 1)
    books = FirestoreStore(Client(project=project)).day_books(since.isoformat(), today.isoformat())
    rows = cost_rows(books)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    table = Table(*COLUMNS[:3])
    table.add_column("dollars", justify="right")
    for row in rows:
        table.add_row(row["day"], row["lane"], row["model"], f"{row['micros'] / 1e6:.6f}")
    console.print(table)


if __name__ == "__main__":
    app()
