"""Recommendations that apply themselves: those of the kinds that operators have named, within their bound.

    tried, if answers may change ► applied, one at a time, on record ► measured ► undone, if it costs more

The change of a model, or of the wording, begins with the first stage of its flag, which `guard_rollouts` takes further,
or back. What an operator has undone, or what was undone because it cost more, is not applied by itself again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from functions.core.config.events import Automatic
from functions.core.insights.measured import Measured
from functions.core.insights.saving_kinds import Saving
from functions.core.jobs.trials import VALID, Trials, has_passed

BY = "guard_budget"
"""Who applies them, for the audit."""


def to_undo(measured: Sequence[Measured]) -> Measured | None:
    """Return a change that was applied by itself, stands, and costs more than before; None if there is none."""
    return next((each for each in _own(measured) if each.verdict == "costs" and not each.change.until), None)


def to_apply(
    savings: Sequence[Saving], measured: Sequence[Measured], rules: Automatic, trials: Trials, now: datetime
) -> Saving | None:
    """Return the greatest saving that may apply itself now; None if there is none, or while one is being measured."""
    if any(each.verdict == "measuring" and not each.change.until for each in _own(measured)):
        return None
    may = _within(savings, measured, rules)
    return next((each for each in may if each.way == "apply" or has_passed(trials, each.kind, each.changes, now)), None)


def to_try(
    savings: Sequence[Saving], measured: Sequence[Measured], rules: Automatic, trials: Trials, now: datetime
) -> Saving | None:
    """Return the greatest saving that is to be tried before it may apply itself; None if none is, or one is tried."""
    if trials.running is not None:
        return None
    may = _within(savings, measured, rules)
    return next((each for each in may if each.way == "trial" and not _tried(trials, each, now)), None)


def _own(measured: Iterable[Measured]) -> list[Measured]:
    return [each for each in measured if each.change.by == BY]


def _within(savings: Sequence[Saving], measured: Sequence[Measured], rules: Automatic) -> list[Saving]:
    given_up = {each.change.kind for each in _own(measured) if each.change.until or each.verdict == "costs"}
    return [
        each
        for each in savings
        if each.kind in rules.kinds
        and each.kind not in given_up
        and each.way in {"apply", "trial"}
        and each.changes
        and each.share <= rules.percent_max / 100
    ]


def _tried(trials: Trials, saving: Saving, now: datetime) -> bool:
    trial = trials.ended.get(saving.kind)
    if trial is None or trial.found is None or trial.changes != saving.changes:
        return False
    return now - trial.found.at <= VALID


def leaves(changes: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the fields of nested changes by their dotted names."""
    found: dict[str, Any] = {}
    for name, value in changes.items():
        found |= leaves(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields by their dotted names as nested changes."""
    changes: dict[str, Any] = {}
    for name, value in fields.items():
        *sections, last = name.split(".")
        within = changes
        for section in sections:
            within = within.setdefault(section, {})
        within[last] = value
    return changes
