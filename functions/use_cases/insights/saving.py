"""What would save money, and what the changes that were made for it have come to."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from functions.core.cache.lookup import Tier
from functions.core.config.provider_rules import Asked
from functions.core.config.runtime import CacheMode
from functions.core.insights.answer_savings import Models
from functions.core.insights.measured import Change, kept_shares, measured
from functions.core.insights.saving_kinds import Again, Costs, in_batches
from functions.core.insights.savings import Known, savings
from functions.core.jobs.trials import VALID, comparable
from functions.core.model.image_tokens import FORMULAS, undated
from functions.core.model.prices import retired
from functions.core.shared.lanes import Lane
from functions.core.shared.providers import Provider, split
from functions.core.shared.utc_days import day_of
from functions.use_cases.rollouts.serving import can_ask, first_model, way_in_force

if TYPE_CHECKING:
    from datetime import date

    from functions.core.insights.day_notes import DayNotes
    from functions.core.insights.plan import Plan
    from functions.core.model.usage import ModelPrice
    from functions.wiring import Deps

CHANGES_MAX = 50
STAGES_BY = "guard_rollouts"
MONTH_DAYS, PRICE_DAYS = 30, 28


def with_savings(plan: Plan, notes: DayNotes, today: date, deps: Deps) -> Plan:
    """Return the plan with what would save money in its next 30 days, and what has. Up to 53 reads."""
    found = tuple(measured(change, notes.days) for change in _changes(deps))
    if not plan.lanes:
        return plan.model_copy(update={"measured": found})
    costs = Costs(
        cost=sum(day.micros for day in plan.days[:MONTH_DAYS]),
        photos={lane: sum(plan.lanes[lane].expected[:MONTH_DAYS]) for lane in Lane},
        photo_micros={lane: plan.lanes[lane].photo_micros for lane in Lane},
    )
    since = (today - timedelta(days=PRICE_DAYS)).isoformat()
    days = [noted for day, noted in notes.days.items() if day >= since]
    rules = deps.runtime()
    again = _again(deps) if rules.cache.exact is CacheMode.SHADOW else None
    models, now = _models(today, deps), deps.clock()
    tried = comparable(deps.store.trials(), way_in_force(models.asked[Lane.INSTANT], deps)).ended
    valid = {kind: each for kind, each in tried.items() if each.found and now - each.found.at <= VALID}
    stopped = {flag for flag, state in deps.store.flag_states().items() if state and state.stopped}
    known = Known(kept_shares(found), again, valid, stopped)
    return plan.model_copy(update={"measured": found, "savings": savings(costs, days, rules, models, known)})


def _again(deps: Deps) -> Again:
    """Return how many photos of the last days the cache would have known, as its report has counted them. One read."""
    photos, known = Counter[str](), Counter[str]()
    for day in deps.store.cache_report().days.values():
        photos.update(day.photos)
        known.update(day.would.get(Tier.EXACT, {}))
    return Again(photos, known)


def _models(today: date, deps: Deps) -> Models:
    """Return who is asked first, and the prices of what could be: OpenAI's models that go on, and those of other
    providers that this deploy has a key for. One of Azure's needs OpenAI's batches to be tried, or is the same."""
    asked = {lane: first_model(deps, lane) for lane in Lane}
    providers = {each: deps.settings.model_of(each) for each in (Provider.OPENAI, *get_args(Asked))}
    same = {undated(split(each)[1]) for each in asked.values()}
    own = {name for name in FORMULAS if not retired(name, today)}
    prices: dict[str, dict[str, ModelPrice]] = {}
    for name in {*asked.values(), *providers.values(), *own}:
        lanes = [lane for lane in Lane if can_ask(name, deps, batch=lane is Lane.BATCH)]
        tried = in_batches(name)
        if undated(tried) in same or can_ask(tried, deps, batch=True):
            prices[name] = {lane: deps.model_price(name, batch=lane is Lane.BATCH) for lane in lanes}
    return Models(asked, prices, {each: name for each, name in providers.items() if prices.get(name)})


def _changes(deps: Deps) -> list[Change]:
    """Return the changes that followed a recommendation, the newest first."""
    changes: list[Change] = []
    again: dict[str, str] = {}  # by field, the day on which it was changed after that
    staged: dict[str, str] = {}  # by field, the day of its last stage, which the guard began
    for audit_id, entry in deps.store.recent_changes(CHANGES_MAX).items():
        because, day = entry.get("because"), day_of(entry["at"])
        fields = [each["field"] for each in entry["changed"]]
        if isinstance(because, dict):
            until = min((again[field] for field in fields if field in again), default="")
            whole = max((staged[field] for field in fields if field in staged), default=day)
            known = {**because, "audit_id": audit_id, "day": day, "by": entry["by"], "until": until, "whole": whole}
            with suppress(ValidationError):  # a newer release's
                changes.append(Change.model_validate({**known, "changed": entry["changed"]}))
        if entry["by"] == STAGES_BY:
            staged = {**dict.fromkeys(fields, day), **staged}
        else:
            again.update(dict.fromkeys(fields, day))
            staged = {field: last for field, last in staged.items() if field not in fields}
    return changes
