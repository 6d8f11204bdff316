"""Applying recommendations by themselves: at most one change a plan, on record, and undone if it costs more."""

from __future__ import annotations

import traceback
from datetime import timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from functions import log
from functions.core.config.changes import value_at
from functions.core.insights.automatic import BY, leaves, nested, to_apply, to_try, to_undo
from functions.core.jobs.trials import PHOTOS, comparable
from functions.core.shared.errors import InvalidRequest, SettingsChanged
from functions.use_cases.insights.saving import CHANGES_MAX, STAGES_BY
from functions.use_cases.insights.trials import begin_trial
from functions.use_cases.operations.config_changes import change_config
from functions.use_cases.rollouts.serving import first_model, way_in_force

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.insights.measured import Change
    from functions.core.insights.plan import Plan
    from functions.core.shared.records import Fields
    from functions.wiring import Deps

TRIED_WITHIN = timedelta(hours=1)
"""Of the plan that recommends it: where there are too few photos, thousands of reads find that out."""


def apply_automatically(deps: Deps) -> int:
    """Undo what costs more, apply what may apply itself, or have it tried: one of these for each plan. Returns how many
    settings were changed. No read while no kind is named; else two, and up to 50 more while something is to be done;
    3,000 to look for photos, in the plan's first hour. What is refused is logged, and waits for the next plan."""
    rules, now = deps.runtime().ahead.automatic, deps.clock()
    plan = deps.store.plan() if rules.kinds else None
    if plan is None:
        return 0
    listed = [each for each in plan.savings.list if each.kind not in plan.refused] if plan.savings else []
    trials = comparable(deps.store.trials(), way_in_force(first_model(deps), deps))
    undone = to_undo([each for each in plan.measured if each.change.audit_id not in plan.refused])
    applied = to_apply(listed, plan.measured, rules, trials, now)
    changes = deps.store.recent_changes(CHANGES_MAX) if undone or applied else {}
    if any(each["by"] == BY and each["at"] >= plan.made_at for each in changes.values()):
        return 0  # what it has come to, the next plan says
    if undone is not None:
        back = nested({str(each["field"]): each["before"] for each in undone.change.changed})
        return _changed(back, _left(undone.change, changes), None, (plan, undone.change.audit_id), deps)
    if applied is not None and applied.changes:
        stored = deps.store.runtime_documents().config or {}
        wanted = leaves(applied.changes)
        seen = {name: value_at(stored, name) for name in wanted}
        since = [each for each in changes.values() if each["at"] >= plan.made_at]
        if seen == wanted or any(row["field"] in wanted for each in since for row in each["changed"]):
            return 0  # an operator was faster
        because = {"kind": applied.kind, "promised": applied.share}
        return _changed(applied.changes, seen, because, (plan, applied.kind), deps)
    tried = to_try(listed, plan.measured, rules, trials, now) if now - plan.made_at < TRIED_WITHIN else None
    if tried is not None and tried.changes:
        begin_trial(tried.kind, tried.changes, PHOTOS, BY, deps)
    return 0


def _left(change: Change, changes: Mapping[str, Fields]) -> dict[str, Any]:
    """Return a change's fields as it has left them, and the stages that have begun since. `changes` are the newest
    first."""
    left = {str(each["field"]): each["after"] for each in change.changed}
    since = [entry for _, entry in takewhile(lambda item: item[0] != change.audit_id, changes.items())]
    for entry in reversed(since):
        if entry["by"] == STAGES_BY:
            left |= {each["field"]: each["after"] for each in entry["changed"] if each["field"] in left}
    return left


def _changed(
    changes: dict[str, Any], seen: dict[str, Any], because: dict[str, Any] | None, of: tuple[Plan, str], deps: Deps
) -> int:
    """Change the config, unless an operator was faster or it is refused: the plan notes so `of` what it has named, and
    tomorrow's knows more."""
    try:
        outcome = change_config(changes, BY, deps, seen, because)
    except (InvalidRequest, SettingsChanged):
        log.warning(log.Event.CHANGE_REFUSED, by=BY, changes=changes, stack_trace=traceback.format_exc())
        deps.store.note_refused(*of)
        return 0
    log.warning(log.Event.CONFIG_CHANGED, by=BY, changed=outcome["changed"])
    return len(outcome["changed"])
