"""What `plan_ahead` stores for the operators' page: five weeks to come, as `core.insights.ahead` has found them."""

from datetime import datetime

from pydantic import Field

from functions.core.insights.forecast import DAYS_MIN
from functions.core.insights.measured import Measured
from functions.core.insights.saving_kinds import Savings
from functions.core.shared.records import Record


class PastDay(Record):
    """A day so far: photos asked for by lane, and its cost in micro-dollars."""

    day: str
    asked: dict[str, int]
    micros: int


class LaneAhead(Record):
    """A lane's forecast, photos a day from `first` on. `low` and `high` are what nine of ten days lie between, None
    until enough forecasts were issued to tell. `shown` is `mixed`, or `naive` while the rule has not beaten that over
    eight weeks: `error_to_naive`."""

    shown: str
    error_to_naive: float | None
    expected: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    photo_micros: float


class DayAhead(Record):
    """A day to come: its cost in micro-dollars as far as the limits let it, from `low` to `high` in nine of ten ways,
    and how many photos would wait."""

    day: str
    micros: int
    low: int | None
    high: int | None
    waiting: int


class MonthAhead(Record):
    """This month in micro-dollars: `spent` before today, `expected` at its end, from `low` to `high`; how likely demand
    reaches the monthly limit and when, if it does."""

    spent: int
    limit: int
    expected: int
    low: int | None
    high: int | None
    chance: float | None
    reached_on: str | None


class Planning(Record):
    """Daily limits in micro-dollars that leave no lane open on at most one day in a hundred, and that leave `instant`
    open but for one; and on which share of days each lane would be closed by the limit as it is."""

    limit: int
    instant_limit: int
    closed_share: float
    instant_closed_share: float


class Plan(Record):
    """What `plan_ahead` has found on a day. Stored in `forecasts/current`. Without 21 days there is no forecast, and
    `lanes` and `days` are empty. `hours` are 168, Monday first. `refused` is what was to apply itself and could not, by
    its kind, or to be undone, by its audit entry."""

    made_at: datetime
    first: str
    known: int
    filled: int
    days_min: int = DAYS_MIN
    past: tuple[PastDay, ...]
    lanes: dict[str, LaneAhead] = Field(default_factory=dict)
    days: tuple[DayAhead, ...] = ()
    month: MonthAhead | None = None
    planning: Planning | None = None
    weekdays: tuple[float, ...] | None = None
    hours: tuple[float, ...] | None = None
    months: dict[str, float] = Field(default_factory=dict)
    savings: Savings | None = None
    measured: tuple[Measured, ...] = ()
    refused: tuple[str, ...] = ()
