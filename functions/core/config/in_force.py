"""`config/runtime` when not all of it can be read: each field stands alone, and a fault widens no budget.

a field out of range      keeps its last good value; in a new process the default, and for a limit of the budget what
                          the guard has noted in `stats/budget`
fields that do not agree  keep theirs together, a section at a time; half an override of the mode counts for none
no document any more      defaults, but no limit of the budget above the last one
Remote Config unknown     the document's values, but no daily limit above the last one

A limit that is neither readable nor noted is zero: nothing is spent until somebody has corrected it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic.alias_generators import to_camel

from functions.core.config.changes import overlaid
from functions.core.config.reading import readable
from functions.core.config.runtime import BudgetRules, RuntimeConfig

LIMITS = ("daily_limit_micros", "monthly_limit_micros", "per_user_daily_micros")
"""What bounds the bill: noted by the guard, so that a process that has just started knows the last good ones."""


@dataclass(frozen=True)
class Reading:
    """The config in force, and what is wrong: with the document, and which keys of Remote Config."""

    config: RuntimeConfig
    problems: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def read_config(
    document: Mapping[str, Any] | None,
    remote: Mapping[str, str] | None,
    last: RuntimeConfig | None,
    noted: Mapping[str, int],
) -> Reading:
    """Return the config in force: the document's, None if there is none, under the values of Remote Config.

    `remote` is None if it counts and is unknown, `last` the config so far, None in a new process, `noted` the guard's
    last limits in force (`noted_limits`), empty on a new project.
    """
    before = last.budget if last else _limited_to(noted) if noted else None
    overlay, refused = overlaid(document or {}, remote or {})
    config, told = readable(overlay, last or RuntimeConfig(budget=before or _limited_to({})))
    capped = []
    if before is not None:
        gone = document is None
        unknown = remote is None or "daily_budget_usd" in refused
        capped = [name for name in LIMITS if gone or (unknown and name == LIMITS[0])]
        lowest = {name: min(getattr(config.budget, name), getattr(before, name)) for name in capped}
        if gone and lowest != {name: getattr(config.budget, name) for name in capped}:
            told = [*told, "the document is gone: the last limits of the budget stay"]
        config = config.model_copy(update={"budget": config.budget.model_copy(update=lowest)})
    return Reading(config, tuple(told), tuple(refused))


def under_ceiling(reading: Reading, daily_limit_micros_max: int) -> Reading:
    """Return a reading whose daily limit is no higher than the deploy allows, whoever has written it."""
    budget = reading.config.budget
    if budget.daily_limit_micros <= daily_limit_micros_max:
        return reading
    lowered = budget.model_copy(update={"daily_limit_micros": daily_limit_micros_max})
    problem = f"budget.dailyLimitMicros: the deploy allows at most {daily_limit_micros_max}"
    config = reading.config.model_copy(update={"budget": lowered})
    return replace(reading, config=config, problems=(*reading.problems, problem))


def noted_limits(rules: BudgetRules) -> dict[str, int]:
    """Return the limits to note."""
    return {to_camel(name): getattr(rules, name) for name in LIMITS}


def _limited_to(noted: Mapping[str, int]) -> BudgetRules:
    nothing = dict.fromkeys(map(to_camel, LIMITS), 0)
    return readable({**nothing, **noted}, BudgetRules.model_validate(nothing))[0]
