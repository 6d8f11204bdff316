"""What a change has come to: a photo's cost in the two weeks after it against the two before, at the mix of lanes of
then; if it is the mix that was to change, at that of each day.

The interval is Welch's: days are taken as independent of each other. What was promised and what came about correct
later promises of the same kind.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import fmean, variance

from functions.core.insights.day_notes import NotedDay
from functions.core.insights.saving_kinds import Kind
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Record

DAYS = 14
DAYS_MIN = 7
T_90 = (1.94, 1.89, 1.86, 1.83, 1.81, 1.80, 1.78, 1.77)
"""Student's t for nine of ten, with 6 to 13 degrees of freedom: those of the shorter side, which errs on the wide."""
KEPT_MAX = 1.5


class Change(Record):
    """A change that was recommended, as its audit entry has it: when, by whom, which fields, the `promised` share. A
    field was changed again on the day `until`, "" if none was. What begins in stages is `whole` with the last."""

    audit_id: str
    kind: str
    day: str
    by: str
    changed: tuple[dict[str, object], ...] = ()
    promised: float
    until: str = ""
    whole: str = ""


class Measured(Record):
    """What it has come to: the share of a photo's cost that it saved, from `low` to `high` in nine of ten cases, None
    before a week. `verdict`: `measuring`, then `saves`, `costs` or `undecided`."""

    change: Change
    days: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: str = "measuring"


def measured(change: Change, days: Mapping[str, NotedDay]) -> Measured:
    """Return what a change has come to, by the days before and after the one that it was made on."""
    made = date.fromisoformat(change.day)
    before = [each for back in range(1, DAYS + 1) if (each := days.get((made - timedelta(days=back)).isoformat()))]
    whole = date.fromisoformat(change.whole or change.day)
    later = [(whole + timedelta(days=on)).isoformat() for on in range(1, DAYS + 1)]
    after = [days[day] for day in later if day in days and (not change.until or day < change.until)]
    mix = {lane: sum(each.ended.get(lane, 0) for each in before) for lane in Lane}
    old, new = (_costs(days, mix, change.kind) for days in (before, after))
    if min(len(old), len(new)) < DAYS_MIN or not fmean(old):
        verdict = "undecided" if change.until else "measuring"
        return Measured(change=change, days=len(new), verdict=verdict)
    usual = fmean(old)
    share = 1 - fmean(new) / usual
    wide = (
        T_90[min(len(old), len(new)) - DAYS_MIN]
        * math.sqrt(variance(old) / len(old) + variance(new) / len(new))
        / usual
    )
    low, high = share - wide, share + wide
    verdict = (
        "saves"
        if low > 0
        else "costs"
        if high < 0
        else "undecided"
        if len(new) == DAYS or change.until
        else "measuring"
    )
    return Measured(
        change=change,
        days=len(new),
        share=round(share, 4),
        low=round(low, 4),
        high=round(high, 4),
        verdict=verdict,
    )


def _costs(days: Sequence[NotedDay], mix: Mapping[Lane, int], kind: str) -> list[float]:
    """Return what a photo of this mix cost on each day that had photos in each lane of it."""
    if kind == Kind.LANE_SHARE:
        return [sum(map(each.paid, Lane)) / photos for each in days if (photos := sum(each.ended.values()))]
    lanes = [lane for lane in Lane if mix[lane]]
    return [
        sum(mix[lane] * each.paid(lane) / each.ended[lane] for lane in lanes) / sum(mix.values())
        for each in days
        if lanes and all(each.ended.get(lane, 0) for lane in lanes)
    ]


def kept_shares(found: Sequence[Measured]) -> dict[str, float]:
    """Return how much of what was promised has come about, by kind, of changes that are measured to their end."""
    shares: dict[str, list[float]] = {}
    for each in found:
        if each.share is not None and each.days == DAYS and each.change.promised > 0:
            shares.setdefault(each.change.kind, []).append(each.share / each.change.promised)
    return {kind: round(min(max(fmean(each), 0.0), KEPT_MAX), 3) for kind, each in shares.items()}
