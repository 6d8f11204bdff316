"""A change of the runtime config: checked, stored with its audit entry and alert, in force for the budget at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from functions.core.config.changes import proposed, require_seen, require_sense
from functions.core.config.reading import readable
from functions.core.model.prices import require_sound, retired
from functions.core.model.usage import UnknownPriceError
from functions.core.operations.change_alerts import change_alert
from functions.core.shared.alerts import AlertKind
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.lanes import Lane
from functions.core.shared.plain_text import cleaned
from functions.core.shared.utc_days import day_of, next_day
from functions.use_cases.budget.days import line_micros, reviewer
from functions.use_cases.rollouts.serving import priced

if TYPE_CHECKING:
    from functions.core.config.price_overrides import PriceOverride
    from functions.core.model.usage import ModelPrice
    from functions.core.shared.alerts import Alert
    from functions.core.shared.records import Fields
    from functions.wiring import Deps


def change_config(
    changes: dict[str, Any],
    by: str,
    deps: Deps,
    seen: Mapping[str, Any] = MappingProxyType({}),
    because: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Change the config, with an alert and its audit entry, which has `because`. Returns what `admin_set_config` does.

    The alert also goes to its earlier receivers: whoever takes an operator's account over takes them off first. Raises
    InvalidRequest for an unknown field, a value out of range or above the deploy's, a limit that buys no photo, a model
    without a price, or a price that would not hold, and SettingsChanged for a field that is not as it was `seen`;
    nothing is changed.
    """
    audit_id, most, photo_micros = deps.new_id(), deps.settings.daily_limit_micros_max, line_micros(deps)
    outcome: dict[str, Any] = {}
    today = deps.clock().astimezone(UTC).date()
    in_force = deps.runtime()

    def decide(stored: dict[str, Any]) -> tuple[dict[str, Any], Fields, Alert | None]:
        require_seen(stored, seen)
        new = proposed(stored, changes)
        require_sense(new, photo_micros, deps.clock())
        if new.config.budget.daily_limit_micros > most and "budget" in changes:
            field, dollars = "budget.dailyLimitMicros", most // 1_000_000
            raise InvalidRequest(f"{field}: this deploy allows ${dollars} a day (DAILY_BUDGET_USD_MAX).", field=field)
        model = new.config.model.next
        if model and "model" in changes and priced(model, deps) is None:
            raise InvalidRequest(f"model.next: {cleaned(model)} has no known price in both lanes.", field="model.next")
        if model and "model" in changes and retired(model, today):
            raise InvalidRequest(f"model.next: OpenAI has stopped {cleaned(model)}.", field="model.next")
        for override in set(new.config.model.prices) - set(readable(stored, in_force)[0].model.prices):
            require_sound(override, _listed(override, deps), today)
        outcome.update(config=new.config.as_json())
        audit = {"by": by, "at": deps.clock(), "changed": new.changed}
        if because:
            audit["because"] = dict(because)
        if not new.changed:
            return new.document, audit, None
        before = readable(stored, in_force)[0].budget.alert_uids
        kind, uids = AlertKind.CONFIG_CHANGED, dict.fromkeys([*in_force.budget.alert_uids, *before])
        return new.document, audit, change_alert(kind, "the config", audit, uids, deps.clock(), audit_id)

    outcome.update(changed=deps.store.change_runtime(audit_id, decide)["changed"])
    # A limit that was lowered is in force when this returns: holds go by the shards, and these are set anew.
    review_books = reviewer(deps)
    deps.store.review_day(day_of(deps.clock()), lambda document, books: review_books(document, books, None))
    tomorrow = day_of(next_day(deps.clock()))  # which the guard may have opened already
    deps.store.review_day(
        tomorrow, lambda document, books: review_books(document, books, None) if books.shards else None
    )
    return outcome


def _listed(override: PriceOverride, deps: Deps) -> ModelPrice | None:
    """Return what the price library has for an override's first day; None if it has nothing."""
    since = datetime.combine(override.since, time(), UTC)
    try:
        return deps.listed_price(override.name, since, batch=override.lane is Lane.BATCH)
    except UnknownPriceError:
        return None
