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
from functions.core.costs import COLUMNS, USER_COLUMNS, cost_rows, user_rows

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
    users: Annotated[bool, typer.Option("--users", help="By day and user: the 50 dearest of each day.")] = False,
) -> None:
    """What the AI provider cost, by day, lane and model: at most 15 minutes old; by user: at most an hour."""
    today = datetime.now(UTC).date()
    since = today - timedelta(days=days - 1)
    books = FirestoreStore(Client(project=project)).day_books(since.isoformat(), today.isoformat())
    rows, columns = (user_rows(books), USER_COLUMNS) if users else (cost_rows(books), COLUMNS)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return
    table = Table(*columns[:-1])
    table.add_column("dollars", justify="right")
    for row in rows:
        table.add_row(*(row[column] for column in columns[:-1]), f"{row['micros'] / 1e6:.6f}")
    console.print(table)


if __name__ == "__main__":
    app()
