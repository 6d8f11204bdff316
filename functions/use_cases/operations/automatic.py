"""Applying recommendations by themselves: at most one change a plan, on record, and undone if it costs more."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from functions import log
from functions.core.insights.automatic import BY, leaves, nested, to_apply, to_try, to_undo
from functions.core.jobs.trials import PHOTOS
from functions.core.shared.errors import InvalidRequest, SettingsChanged
from functions.use_cases.insights.saving import CHANGES_MAX
from functions.use_cases.insights.trials import begin_trial
from functions.use_cases.operations.config_changes import change_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.insights.plan import Plan
    from functions.wiring import Deps


def apply_automatically(deps: Deps) -> int:
    """Undo what costs more, apply what may apply itself, or have it tried: once for each plan. Returns how many
    settings were changed. No read while no kind is named; else two, and up to 50 more while something is to be done."""
    rules, now = deps.runtime().ahead.automatic, deps.clock()
    plan = deps.store.plan() if rules.kinds else None
    if plan is None:
        return 0
    trials, listed = deps.store.trials(), plan.savings.list if plan.savings else ()
    undone, applied = to_undo(plan.measured), to_apply(listed, plan.measured, rules, trials, now)
    if (undone or applied) and _acted_since(plan, deps):
        return 0  # what it has come to, the next plan says
    if undone is not None:
        fields = {str(each["field"]): each for each in undone.change.changed}
        back = nested({name: each["before"] for name, each in fields.items()})
        return _changed(back, {name: each["after"] for name, each in fields.items()}, None, deps)
    if applied is not None and applied.changes:
        stored = deps.store.runtime_documents().config or {}
        wanted = leaves(applied.changes)
        seen = {name: _at(stored, name) for name in wanted}
        if seen == wanted:
            return 0  # an operator was faster
        return _changed(applied.changes, seen, {"kind": applied.kind, "promised": applied.share}, deps)
    tried = to_try(listed, plan.measured, rules, trials, now)
    if tried is not None and tried.changes:
        begin_trial(tried.kind, tried.changes, PHOTOS, BY, deps)
    return 0


def _acted_since(plan: Plan, deps: Deps) -> bool:
    changes = deps.store.recent_changes(CHANGES_MAX).values()
    return any(each["by"] == BY and each["at"] >= plan.made_at for each in changes)


def _at(stored: Mapping[str, Any], name: str) -> Any:
    """Return what is stored in a field by its dotted name, None for a default."""
    found: Any = stored
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _changed(changes: dict[str, Any], seen: dict[str, Any], because: dict[str, Any] | None, deps: Deps) -> int:
    """Change the config, unless an operator was faster or it is refused: then nothing is done before tomorrow."""
    try:
        outcome = change_config(changes, BY, deps, seen, because)
    except (InvalidRequest, SettingsChanged):
        log.warning(log.Event.CHANGE_REFUSED, by=BY, changes=changes, stack_trace=traceback.format_exc())
        return 0
    log.warning(log.Event.CONFIG_CHANGED, by=BY, changed=outcome["changed"])
    return len(outcome["changed"])
