"""`costs`: what the AI provider cost, and why today's bill is not yesterday's."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.budget.cost_report import (
    COLUMNS,
    JOBS_SAMPLED_MAX,
    USER_COLUMNS,
    cost_rows,
    most_frequent,
    user_rows,
)
from functions.core.budget.day_review import BudgetDay
from functions.core.jobs.legs import Came
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import clock_text, day_bounds
from scripts.operators.printing import dollars, spreadsheet_cell, table
from scripts.operators.session import Operation, OperatorDeps, command, looking

USERS_SHOWN = 10
ELSE = "everybody else"


@dataclass(frozen=True)
class Photos:
    """How many photos, and what they have cost so far in micro-dollars."""

    photos: int = 0
    micros: int = 0

    @property
    def each(self) -> int:
        """Return what one has cost on the mean, 0 if there are none."""
        return self.micros // self.photos if self.photos else 0


def everybody_else(total: Photos, named: Iterable[Photos]) -> Photos:
    """Return what is left of a day's total beside those who are named, so that sums meet."""
    rest = list(named)
    return Photos(total.photos - sum(each.photos for each in rest), total.micros - sum(each.micros for each in rest))


Row = tuple[str, Photos, Photos]

DOUBTFUL_COLUMNS = ("day", "job", "model", "micros")
DOUBTFUL_MAX = 1_000
"""Jobs of a day that are looked at."""


@command(looking)
def costs(
    operation: Operation,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days back, today included. A read each.")] = 31,
    users: Annotated[
        bool, typer.Option("--users", help="By day and user: the 50 users of each day who cost most.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Today against yesterday, added up now. About 1,000 reads.")
    ] = False,
    doubtful: Annotated[
        bool, typer.Option("--doubtful", help="Legs that may have been billed and said nothing: each at its most.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with micro-dollars instead of a table.")] = False,
) -> None:
    """The AI provider's cost by day, lane and model, at most 15 minutes old; by user, at most an hour old. Lanes and
    models count by the day of the hold, as the budget does; users and --compare by the day of the photo."""
    deps = operation.deps
    if compare:
        _compare(operation)
        return
    if doubtful:
        _show(operation, as_csv=as_csv, columns=DOUBTFUL_COLUMNS, rows=_doubtful(deps, days))
        return
    books = _books(deps, days)
    rows, columns = (_with_rest(books, deps), USER_COLUMNS) if users else (cost_rows(books), COLUMNS)
    asof = [each.users_at if users else each.reviewed_at for each in books.values()]
    until = f"As of {clock_text(max(filter(None, asof)))}." if any(asof) else "The guard has not added up yet."
    _show(operation, until, as_csv=as_csv, columns=columns, rows=rows)


def _show(
    operation: Operation, until: str = "", *, as_csv: bool, columns: Sequence[str], rows: list[dict[str, Any]]
) -> None:
    """Show rows whose last column is their cost in micro-dollars."""
    if as_csv:
        writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: spreadsheet_cell(value) for name, value in row.items()} for row in rows)
        return

    def render(console: Console) -> None:
        lines = [(*(row[name] for name in columns[:-1]), dollars(row["micros"])) for row in rows]
        console.print(table(*columns[:-1], ">dollars", rows=lines))
        console.print(f"Together {dollars(sum(row['micros'] for row in rows))}.")
        if until:
            console.print(until)

    operation.show({"rows": rows}, render)


def _doubtful(deps: OperatorDeps, days: int) -> list[dict[str, Any]]:
    """Return the legs of instant calls that may have been billed and said nothing, and are booked at their most: to
    compare with the providers' own pages."""
    today = deps.clock().date()
    found = []
    for back in range(days):
        day = (today - timedelta(days=back)).isoformat()
        for stored in deps.store.jobs_with_legs(day, DOUBTFUL_MAX):
            legs = [leg for leg in stored.job.tried if leg.came is Came.DOUBTFUL]
            found += [{"day": day, "job": stored.job.job_id, "model": leg.model, "micros": leg.micros} for leg in legs]
    return found


def _books(deps: OperatorDeps, days: int) -> dict[str, BudgetDay]:
    today = deps.clock().date()
    return deps.store.budget_days((today - timedelta(days=days - 1)).isoformat(), today.isoformat())


def _with_rest(books: dict[str, BudgetDay], deps: OperatorDeps) -> list[dict[str, Any]]:
    """Return the users of each day who cost most, and the cost of all others: a day's rows add up to its cost."""
    rows = user_rows(books)
    for day in sorted(books):
        named = sum(row["micros"] for row in rows if row["day"] == day)
        rest = _total(day, deps).micros - named
        if rest:
            rows.append({"day": day, "user": ELSE, "micros": rest})
    return sorted(rows, key=lambda row: (row["day"], row["user"] == ELSE))


def _total(day: str, deps: OperatorDeps) -> Photos:
    lanes = [deps.store.photos_of_day(day, lane) for lane in Lane]
    return Photos(sum(photos for photos, _ in lanes), sum(micros for _, micros in lanes))


def _compare(operation: Operation) -> None:
    deps, now = operation.deps, operation.now
    before, today = ((now.date() - timedelta(days=back)).isoformat() for back in (1, 0))
    days, books = (before, today), _books(deps, 2)
    rows: list[Row] = [*_by_lane(days, deps), *_by_user(days, deps), ("together", *_totals(days, deps))]
    models = [
        (f"{lane}, {model}", _of_model(books.get(before), lane, model), _of_model(books.get(today), lane, model))
        for lane, model in sorted({(row["lane"], row["model"]) for row in cost_rows(books)})
    ]

    def render(console: Console) -> None:
        console.print(f"Photos of {before} and of {today}, as of {clock_text(now)}:")
        lines = [(what, *_cells(old), *_cells(new), dollars(new.micros - old.micros)) for what, old, new in rows]
        columns = (">photos", ">cost", ">a photo")
        console.print(table("~what", *columns, *columns, ">more", rows=lines))
        if models:
            console.print("By model and day of the hold, at most 15 minutes old:")
            told = [(what, dollars(old), dollars(new), dollars(new - old)) for what, old, new in models]
            console.print(table("~what", ">before", ">today", ">more", rows=told))

    data = {
        "days": days,
        "rows": [{"what": what, "before": vars(old), "after": vars(new)} for what, old, new in rows],
        "models": [{"what": what, "before": old, "after": new} for what, old, new in models],
    }
    operation.show(data, render)


def _totals(days: tuple[str, str], deps: OperatorDeps) -> tuple[Photos, Photos]:
    return _total(days[0], deps), _total(days[1], deps)


def _cells(photos: Photos) -> tuple[object, ...]:
    return photos.photos, dollars(photos.micros), dollars(photos.each)


def _by_lane(days: tuple[str, str], deps: OperatorDeps) -> Iterator[Row]:
    for lane in Lane:
        before, after = (Photos(*deps.store.photos_of_day(day, lane)) for day in days)
        yield f"{lane} lane", before, after


def _by_user(days: tuple[str, str], deps: OperatorDeps) -> Iterator[Row]:
    """Yield the users whose cost has changed most, and all others together."""
    likely = {uid for day in days for uid in most_frequent(deps.store.sampled_users(day, JOBS_SAMPLED_MAX))}
    found = [(uid, _of_user(uid, days[0], deps), _of_user(uid, days[1], deps)) for uid in sorted(likely)]
    shown = sorted(found, key=lambda row: -abs(row[2].micros - row[1].micros))[:USERS_SHOWN]
    for uid, before, after in shown:
        yield f"user {uid}", before, after
    before, after = _totals(days, deps)
    yield ELSE, everybody_else(before, (row[1] for row in shown)), everybody_else(after, (row[2] for row in shown))


def _of_user(uid: str, day: str, deps: OperatorDeps) -> Photos:
    return Photos(*deps.store.photos_of_user(uid, *day_bounds(day)))


def _of_model(book: BudgetDay | None, lane: str, model: str) -> int:
    return book.costs.get(lane, {}).get(model, 0) if book else 0
