"""What operators are shown of the cache, `stats/cacheReport`: counts of the last days, and what follows from them."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AwareDatetime, Field

from functions.core.cache.certification import THRESHOLDS, interval
from functions.core.cache.lookup import Tier
from functions.core.cache.state import CacheState, Family
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Kept, Record

DAYS_SHOWN = 7
DAYS_KEPT = 8
"""One more: what was disputed before the first day that is shown."""

Count = Annotated[int, Field(ge=0)]
ByLane = dict[str, Count]
ByAnswer = dict[str, dict[str, dict[str, Count]]]
"""Counts by model, prompt and category."""


class CacheDay(Kept):
    """A day (UTC): photos asked for and their cost by lane, hits and would-hits by tier and lane, hits that were chosen
    to be asked again, answers of the model, and how many of all answers were `disputed` by its end. `shared`: how many
    of the sampled photos were another user's, too ("True"), and were not."""

    photos: ByLane = Field(default_factory=dict)
    micros: ByLane = Field(default_factory=dict)
    hits: dict[str, ByLane] = Field(default_factory=dict)
    would: dict[str, ByLane] = Field(default_factory=dict)
    checks: Count = 0
    shared: dict[str, Count] = Field(default_factory=dict)
    answers: ByAnswer = Field(default_factory=dict)
    disputed: ByAnswer = Field(default_factory=dict)


class Rate(Record):
    """The photos of one lane: how many there were, hits by tier and would-hits, and what the hits have saved of the
    model's cost."""

    lane: str
    photos: int
    exact: int
    near: int
    would: int
    saved_micros: int


class Believed(Record):
    """How many comparisons there were, how many were wrong, and within what their share is (95 %). `bits` is the
    threshold within which they were, None for the same file."""

    family: str
    what: str
    bits: int | None
    checked: int
    wrong: int
    low: float
    high: float


class Disputed(Record):
    """How many answers of a model, with a prompt, were disputed, by category."""

    model: str
    prompt: str
    category: str
    answers: int
    disputed: int


class DayShown(Record):
    """A day in short."""

    day: str
    photos: int
    hits: int
    would: int


class Report(Record):
    """All of it. `saved_micros` is net of what the checks have cost."""

    at: AwareDatetime
    lanes: tuple[Rate, ...]
    checks: int
    saved_micros: int
    sampled: int
    shared: int
    serves: dict[str, int | None]
    believed: tuple[Believed, ...]
    disputed: tuple[Disputed, ...]
    days: tuple[DayShown, ...]


class CacheReport(Kept):
    """The stored document: the days, and the report that was made of them."""

    days: dict[str, CacheDay] = Field(default_factory=dict)
    report: dict[str, object] = Field(default_factory=dict)


class Disputes(Kept):
    """`stats/answers`: how many answers were disputed since ever."""

    disputed: ByAnswer = Field(default_factory=dict)


def with_day(
    days: Mapping[str, CacheDay], day: str, counted: CacheDay, answers: ByAnswer, disputed: ByAnswer, state: CacheState
) -> dict[str, CacheDay]:
    """Return the days, as many as are kept, with what was counted of one. Of a day that is over only the last look knew
    what was disputed by then, and how many hits were chosen."""
    known, latest = days.get(day), day >= max(days, default=day)
    more = {
        "answers": answers,
        "disputed": known.disputed if known and not latest else disputed,
        "checks": max(known.checks if known else 0, _chosen_on(state, day)),
    }
    every = {**days, day: counted.model_copy(update=more)}
    return {name: every[name] for name in sorted(every)[-DAYS_KEPT:]}


def _chosen_on(state: CacheState, day: str) -> int:
    chosen = [each for family in state.families.values() for each in (family.near_chosen, family.exact_chosen)]
    return sum(each.of_day for each in chosen if each.day == day)


def report(days: Mapping[str, CacheDay], state: CacheState, at: AwareDatetime) -> Report:
    """Return what the last days come to."""
    shown = dict(sorted(days.items())[-DAYS_SHOWN:])
    before = [day for name, day in sorted(days.items()) if name not in shown]
    lanes = tuple(_rate(lane, list(shown.values())) for lane in Lane)
    checks = sum(day.checks for day in shown.values())
    batch = next(rate for rate in lanes if rate.lane == Lane.BATCH)
    cost = checks * _each(batch, sum(day.micros.get(Lane.BATCH, 0) for day in shown.values()))
    return Report(
        at=at,
        lanes=lanes,
        checks=checks,
        saved_micros=sum(rate.saved_micros for rate in lanes) - cost,
        sampled=sum(sum(day.shared.values()) for day in shown.values()),
        shared=sum(day.shared.get(str(True), 0) for day in shown.values()),
        serves={name: family.near.serves for name, family in state.families.items()},
        believed=tuple(each for name, family in state.families.items() for each in _believed(name, family)),
        disputed=tuple(_disputed(list(shown.values()), before[-1].disputed if before else {})),
        days=tuple(_shown(name, day) for name, day in shown.items()),
    )


def _rate(lane: Lane, days: list[CacheDay]) -> Rate:
    hits = {tier: sum(day.hits.get(tier, {}).get(lane, 0) for day in days) for tier in Tier}
    would = sum(day.would.get(tier, {}).get(lane, 0) for day in days for tier in Tier)
    photos = sum(day.photos.get(lane, 0) for day in days)
    rate = Rate(lane=lane, photos=photos, exact=hits[Tier.EXACT], near=hits[Tier.NEAR], would=would, saved_micros=0)
    each = _each(rate, sum(day.micros.get(lane, 0) for day in days))
    return rate.model_copy(update={"saved_micros": (rate.exact + rate.near) * each})


def _each(rate: Rate, micros: int) -> int:
    """Return what a photo costs that the model is asked about."""
    asked = rate.photos - rate.exact - rate.near
    return micros // asked if asked > 0 else 0


def _believed(name: str, family: Family) -> Iterator[Believed]:
    yield _share(name, "the same file", None, family.exact_checked, family.exact_wrong)
    yield _share(name, "nearly the same, served", family.near.serves, family.near.checks, family.near.wrong)
    for bits in THRESHOLDS:
        if labels := family.near.labels.get(str(bits)):
            yield _share(name, "nearly the same, compared", bits, labels.checked, labels.wrong)


def _share(family: str, what: str, bits: int | None, checked: int, wrong: int) -> Believed:
    low, high = interval(wrong, checked)
    return Believed(family=family, what=what, bits=bits, checked=checked, wrong=wrong, low=low, high=high)


def _disputed(days: list[CacheDay], before: ByAnswer) -> Iterator[Disputed]:
    now = days[-1].disputed if days else {}
    for model, prompt, category in sorted({each for day in days for each in _names(day.answers)} | set(_names(now))):
        answers = sum(_of(day.answers, model, prompt, category) for day in days)
        disputed = _of(now, model, prompt, category) - _of(before, model, prompt, category)
        if answers or disputed:
            names = {"model": model, "prompt": prompt, "category": category}
            yield Disputed(**names, answers=answers, disputed=max(disputed, 0))


def _names(counts: ByAnswer) -> Iterator[tuple[str, str, str]]:
    return ((model, prompt, category) for model, of in counts.items() for prompt, by in of.items() for category in by)


def _of(counts: ByAnswer, model: str, prompt: str, category: str) -> int:
    return counts.get(model, {}).get(prompt, {}).get(category, 0)


def _shown(name: str, day: CacheDay) -> DayShown:
    hits, would = (sum(n for lanes in by.values() for n in lanes.values()) for by in (day.hits, day.would))
    return DayShown(day=name, photos=sum(day.photos.values()), hits=hits, would=would)
