"""Three weeks of an app with everything on, against the same photos all at once, by one provider and without a cache.

Played for three shares of photos that come again: see `weeks` and `weeks_played`. A figure without a share in its name
is of the app of which seven photos in ten come again. `user_visible_failures_share` is of photos that got no answer and
should have, `not_taken` those that their users had no tokens for. `spent_on` has where what was not saved went, as
shares of the baseline. `wrong_answers_share` is of hits. Reads and writes
are those of calls, with the config that a process reads anew each half minute; of crons they are given by the day.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from scripts.benchmarks.weeks import DAYS, Sent, drawn
from scripts.benchmarks.weeks_books import Books, p95
from scripts.benchmarks.weeks_picture import drawn_weeks
from scripts.benchmarks.weeks_played import FORECAST_AT, FORECAST_DAYS, NOTABLE, Weeks

SHARES = (0.7, 0.9, 0.3)
PROCESSES = 3  # on two cores: the last play has one of them for itself for a shorter time

_OF_EACH = ("saved_share", "hit_rate", "spent_on")

_PARTS = {"requests", "by_photo", "by_day", "hits", "in_batches", "checks_micros", "asked_because", "cpu_seconds"}


def run(picture: Path | None = None) -> dict[str, Any]:
    """Return the figures; see the module. Draws the weeks into `picture`."""
    tasks = [(share, plain) for plain in (False, True) for share in SHARES]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        sent = dict(zip(SHARES, pool.map(drawn, SHARES), strict=True))
        plays = pool.map(_play, (sent[share] for share, _ in tasks), (plain for _, plain in tasks))
        found = dict(zip(tasks, plays, strict=True))
    played = {share: _compared(found[share, False], found[share, True]) for share in SHARES}
    main = played[SHARES[0]]
    by_day, before = (found[SHARES[0], plain]["by_day"] for plain in (False, True))
    if picture is not None:
        picture.write_text(drawn_weeks(by_day, before, NOTABLE, main["saved_share"]), "utf-8")
    return {
        **{name: value for name, value in main.items() if name not in _OF_EACH},
        **{f"{name}_{share * 100:.0f}": played[share][name] for name in _OF_EACH for share in sorted(SHARES)},
        "cpu_seconds": round(sum(each["cpu_seconds"] for each in found.values())),
    }


def _play(photos: Sequence[Sent], plain: bool) -> dict[str, Any]:
    """Play one app. Returns what its photos cost, by number, and the CPU that it took; and beside that its figures
    unless it is the baseline."""
    began = time.process_time()
    weeks = Weeks(photos, plain=plain)
    weeks.play()
    books = Books(weeks)
    found: dict[str, Any] = {"by_photo": books.micros_by_photo(), "by_day": books.micros_by_day()}
    found |= {} if plain else _figures(weeks, books)
    return {**found, "cpu_seconds": time.process_time() - began}


def _figures(weeks: Weeks, books: Books) -> dict[str, Any]:
    requests, hits = len(books.called), books.hits()
    judged = [right for right in hits.values() if right is not None]
    asked = [each for each in books.called if each.job]
    calls, crons = weeks.bills["calls"], weeks.bills["crons"]
    return {
        "requests": requests,
        "hits": hits,
        "checks_micros": books.micros_of_checks(),
        "asked_because": books.asked_because(),
        "in_batches": books.in_batches(),
        "batch_share": round(len(books.in_batches()) / len(asked), 3),
        "wrong_answers_share": round(judged.count(False) / len(judged), 4),
        "user_visible_failures_share": round(books.failures() / requests, 4),
        "not_taken": books.not_taken(),
        "paid_by_a_team": books.paid_by_a_team(),
        "instant_p95_ms": round(p95(books.instant_seconds()) * 1_000),
        "batch_wait_p95_hours": round(p95(books.batch_waits()), 1),
        "reads_per_request": round(calls["reads"] / requests, 2),
        "writes_per_request": round(calls["writes"] / requests, 2),
        "cron_reads_a_day": round(crons["reads"] / DAYS),
        "cron_writes_a_day": round(crons["writes"] / DAYS),
        "overshoot_micros": weeks.overshoot,
        "double_charges": books.double_charges(),
        "lost_jobs": books.lost_jobs(),
        "unbalanced_wallets": books.unbalanced_wallets(),
        "forecast_error_share": _forecast_error(weeks, books),
        "alerts_missed": len(books.alerts_missed()),
        "alerts_false": len(books.alerts_false()),
        "alerts_named": sorted({*books.alerts_missed(), *books.alerts_false()}),
    }


def _forecast_error(weeks: Weeks, books: Books) -> float:
    """Return by which share of them the photos of the last week were more or fewer than forecast before it."""
    begins = FORECAST_AT.replace(hour=0, minute=0)
    came = sum(each.sent.at >= begins for each in books.called)
    return round(abs(sum(weeks.forecast[:FORECAST_DAYS]) / came - 1), 3)


def _compared(found: Mapping[str, Any], plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return an app's figures with what it saved against its baseline, and by what. Photos that only one of the two
    took are left out."""
    spent: dict[int, int] = found["by_photo"]
    base = {number: micros for number, micros in plain["by_photo"].items() if number in spent}
    total, micros = sum(base.values()), sum(spent[number] for number in base) + found["checks_micros"]
    by_cache = sum(base[number] for number in found["hits"]) - found["checks_micros"]
    by_batch = sum(base[number] - spent[number] for number in found["in_batches"])
    return {
        "requests": found["requests"],
        "baseline_micros": total,
        "micros": micros,
        "saved_share": round(1 - micros / total, 3),
        "saved_by_cache": round(by_cache / total, 3),
        "saved_by_batch": round(by_batch / total, 3),
        "hit_rate": round(len(found["hits"]) / len(base), 3),
        "spent_on": {
            **{
                why: round(sum(spent[number] for number in numbers if number in base) / total, 3)
                for why, numbers in found["asked_because"].items()
            },
            "checks": round(found["checks_micros"] / total, 3),
        },
        **{name: value for name, value in found.items() if name not in _PARTS},
    }
