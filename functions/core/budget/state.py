"""Where the budget stands, in one small document that every process caches: the mode, the month, and doubts.

The month needs no adding up: the state has the most that each of its days can cost: its whole limit while it is open,
what it used once it is over.
"""

from datetime import datetime, timedelta

from pydantic import Field

from functions.core.budget.anomalies import UsageAnomalies
from functions.core.budget.holds import Mode
from functions.core.budget.shards import SHARDS_MIN
from functions.core.config.runtime import BudgetRules
from functions.core.shared.records import Kept, Open
from functions.core.shared.utc_days import day_of, next_day

ABSURD_MAX = 3
"""So many absurd answers on one day are no slip."""

DANGER_PERCENT = 10
"""Percent of the day's limit: once implausible answers, if true, cost so much more than is booked, nothing more is sent
that day. Less is no danger, and closes nothing."""


class BudgetState(Kept):
    """Where the budget stands, as processes cache it. Stored in `stats/budget`. `committed`: micro-dollars by day.

    `shard_count`: how many shards the day has. `hold_percents`: models whose answers have exceeded their estimate.
    `absurd` counts the implausible answers of `doubted_day`; if true, they cost `absurd_micros` more than is booked.
    `limits` are the last ones in force: see `core.config.in_force`.
    """

    day: str = "1970-01-01"
    mode: Open[Mode] = Mode.NORMAL
    shard_count: int = Field(default=SHARDS_MIN, ge=1)
    reopens_at: datetime | None = None
    committed: dict[str, int] = Field(default_factory=dict)
    limits: dict[str, int] = Field(default_factory=dict)
    hold_percents: dict[str, int] = Field(default_factory=dict)
    doubted_day: str = ""
    absurd: int = Field(default=0, ge=0)
    absurd_micros: int = Field(default=0, ge=0)

    def month_of(self, day: str) -> dict[str, int]:
        """Return what the days of this day's month can cost at most, as far as they are known."""
        return {each: micros for each, micros in self.committed.items() if each[:7] == day[:7]}

    def hold_percent(self, model: str) -> int:
        """Return how many percent of an estimate are held for a call to this model."""
        return max(self.hold_percents.get(model, 100), 100)

    def closed_by_doubt(self, rules: BudgetRules, now: datetime) -> bool:
        """Whether too many of today's reports are implausible, and would endanger money if true."""
        danger = self.absurd_micros * 100 >= rules.daily_limit_micros * DANGER_PERCENT
        return self.doubted_day == day_of(now) and self.absurd >= ABSURD_MAX and danger


def mode_now(state: BudgetState, rules: BudgetRules, now: datetime) -> Mode:
    """Return the mode in force: an operator's while it lasts; closed on a day of dangerous doubts; else the guard's. On
    a day that no guard has reviewed yet the holds alone decide."""
    if rules.override_mode is not None and overridden_until(rules, now) is not None:
        return Mode(rules.override_mode)
    return _guarded_mode(state, rules, now)


def overridden_until(rules: BudgetRules, now: datetime) -> datetime | None:
    """Return until when an operator's mode is in force, None if there is none."""
    return rules.override_until if rules.override_until is not None and now < rules.override_until else None


def _guarded_mode(state: BudgetState, rules: BudgetRules, now: datetime) -> Mode:
    if state.closed_by_doubt(rules, now):
        return Mode.CLOSED
    if state.day != day_of(now):
        return Mode.NORMAL
    return Mode(state.mode) if state.mode in set(Mode) else Mode.CLOSED  # one of a newer release: nothing is spent


def doubted(state: BudgetState, anomalies: UsageAnomalies, now: datetime) -> BudgetState:
    """Return the state after answers that cost more than was held for them: the next ones hold as much as that."""
    today = day_of(now)
    same_day = state.doubted_day == today
    absurd = anomalies.absurd + (state.absurd if same_day else 0)
    micros = anomalies.absurd_micros + (state.absurd_micros if same_day else 0)
    percents = state.hold_percents
    if anomalies.percent > state.hold_percent(anomalies.model):
        percents = {**percents, anomalies.model: anomalies.percent}
    changes = {"hold_percents": percents, "doubted_day": today, "absurd": absurd, "absurd_micros": micros}
    return state.model_copy(update=changes)


def lifting(rules: BudgetRules, state: BudgetState, now: datetime) -> datetime:
    """Return when the mode in force ends: an operator's when it was said to, unless the guard's own goes on longer."""
    until = overridden_until(rules, now)
    if until is None or _guarded_mode(state, rules, now) is not Mode.NORMAL:
        return max(until or now, reopening(rules, state, now))
    return until


def reopening(rules: BudgetRules, state: BudgetState, now: datetime) -> datetime:
    """Return when there is budget again: at the next midnight, or with the next month if this one's is used up."""
    tomorrow = next_day(now)
    if sum(state.month_of(day_of(now)).values()) < rules.monthly_limit_micros:
        return tomorrow
    return (tomorrow.replace(day=1) + timedelta(days=32)).replace(day=1) if tomorrow.day > 1 else tomorrow
