"""`admin_days`: operators see the last days, and what they would have been under other settings."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from functions.core.config.changes import proposed
from functions.core.insights.day_rows import COHORT_DAYS, DAYS, DayRow, complete, day_rows
from functions.core.insights.of_models import OfModel, of_models
from functions.core.insights.what_if import DAYS_LEAST, WhatIf, enough, what_if
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Record, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.insights.usage_day import UsageDay
    from functions.wiring import Deps


class AdminDays(Request):
    """`changes` of the config to try, as `admin_set_config` takes them. Nothing is changed."""

    changes: dict[str, Any] | None = None


class _Days(Record):
    days: list[DayRow]
    models: list[OfModel]
    days_least: int
    what_if: WhatIf | None


def admin_days(request: AdminDays, _uid: str, deps: Deps) -> dict[str, Any]:
    """Return, as JSON:

    - `days`: rows of the last 28 days that are over, oldest first, see `core.insights.day_rows.DayRow`
    - `models`: the same days' photos by lane and model, see `core.insights.of_models.OfModel`
    - `whatIf`: with `changes`, see `core.insights.what_if.WhatIf`; null as long as fewer than `daysLeast` days have
      photos

    Costs 56 reads at the most, or 66 with changes: 0.02 cents for a dozen looks. Raises InvalidRequest for an unknown
    field or a value out of range.
    """
    today = deps.clock().date()
    first, last, earliest = ((today - timedelta(days=back)).isoformat() for back in (DAYS, 1, DAYS + COHORT_DAYS))
    before = (today - timedelta(days=DAYS + 1)).isoformat()
    days = complete(deps.store.usage_days(first, last))
    earlier = deps.store.usage_days(earliest, before, ["rows"])
    tried = None if request.changes is None else _tried(request.changes, days, deps)
    rows, models = day_rows(days, earlier), of_models(days)
    return _Days(days=rows, models=models, days_least=DAYS_LEAST, what_if=tried).as_json()


def _tried(changes: dict[str, Any], days: Mapping[str, UsageDay], deps: Deps) -> WhatIf | None:
    """Return what the days would have been. What is in force is read anew: a change may be half a minute old."""
    now = deps.current.check()(deps.store.runtime_documents().config)
    then = proposed(now.as_json(), changes).config
    if not enough(days):
        return None
    model = deps.settings.openai_model
    prices = {lane.value: deps.model_price(model, batch=lane is Lane.BATCH) for lane in Lane}
    return what_if(days, now, then, model, prices)
