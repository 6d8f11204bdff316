"""`export`: the books for whoever does the accounts, as files that a warehouse loads."""

import csv
import io
import json
import re
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from google.api_core import exceptions
from google.cloud import storage

from functions.core.shared.lanes import Lane
from scripts.operators.focus import NUMBERS, Row, Version, columns, focus_rows, schema
from scripts.operators.printing import spreadsheet_cell
from scripts.operators.session import Operation, RefusedError, command, looking

BUCKET = "gs://"
BUCKET_NAME = r"[a-z0-9][a-z0-9._-]+[a-z0-9]"
DAYS_MAX = 366


class Focus(StrEnum):
    """A version of the specification."""

    V1_2 = "1.2"
    V1_4 = "1.4"


@command(looking)
def export(
    operation: Operation,
    to: Annotated[str, typer.Argument(help="A folder, or gs://BUCKET/PREFIX.")],
    days: Annotated[
        int, typer.Option(min=1, max=DAYS_MAX, help="How many days back, today included. A read each.")
    ] = 31,
    focus: Annotated[Focus, typer.Option(help="The version of FOCUS.")] = Focus.V1_2,
) -> None:
    """The AI provider's cost by day, lane, model and meter, in FOCUS: CSV, JSON lines and the schema with which
    BigQuery loads them. The rows add up to the books, to the micro-dollar; days that may still change are marked."""
    deps, version = operation.deps, _version(focus)
    today = operation.now.date()
    books = deps.store.budget_days((today - timedelta(days=days - 1)).isoformat(), today.isoformat())
    if books.damaged:
        raise RefusedError(f"{books.damaged[0].path} cannot be read in full: its cost would be missing")

    def price_of(model: str, lane: Lane, at: Any) -> Any:
        return deps.model_price(model, batch=lane is Lane.BATCH, at=at)

    rows = list(focus_rows(books, operation.project, price_of, operation.now, version))
    name = f"focus-{version}"
    files = {
        f"{name}.csv": as_csv(rows, version),
        f"{name}.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
        f"{name}.schema.json": json.dumps(schema(version), indent=1) + "\n",
    }
    _write(to, files)
    micros = sum(sum(models.values()) for book in books.values() for models in book.costs.values())
    said = f"{len(rows)} rows, {len(books)} days, ${micros / 1_000_000:.6f}: {', '.join(files)} in {to}"
    operation.show({"rows": len(rows), "days": len(books), "micros": micros, "files": list(files)}, said)


def _version(focus: Focus) -> Version:
    return "1.2" if focus is Focus.V1_2 else "1.4"


def as_csv(rows: Iterable[Row], version: Version) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, [column.name for column in columns(version)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(name, value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(name: str, value: object) -> object:
    if isinstance(value, dict):
        return json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    return value if name in NUMBERS else spreadsheet_cell(value)


def _write(to: str, files: dict[str, str]) -> None:
    try:
        if to.startswith(BUCKET):
            _upload(to.removeprefix(BUCKET), files)
        else:
            folder = Path(to)
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
    except (OSError, exceptions.GoogleAPICallError) as error:
        raise RefusedError(f"{to} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _upload(to: str, files: dict[str, str]) -> None:
    name_of, _, prefix = to.partition("/")
    if not re.fullmatch(BUCKET_NAME, name_of):
        raise typer.BadParameter(f"{BUCKET}{to} names no bucket: {BUCKET}BUCKET/PREFIX")
    bucket = storage.Client().bucket(name_of)
    for name, text in files.items():
        path = f"{prefix.rstrip('/')}/{name}" if prefix else name
        bucket.blob(path).upload_from_string(text, content_type="text/plain; charset=utf-8")
