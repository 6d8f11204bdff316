"""Forecasts as they were issued: what later ones are weighted, shown and bounded by."""

from collections.abc import Mapping
from datetime import date

from pydantic import Field

from functions.core.insights.forecast import INTERVAL_ISSUES, Forecast, Issue
from functions.core.insights.methods import Method
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Kept


class Issues(Kept):
    """Forecasts as they were issued on one weekday: photos a day by first day, lane and method. Stored in
    `forecasts/weekday-{n}`, Monday is 0; those of a year."""

    issued: dict[str, dict[str, dict[str, list[float]]]] = Field(default_factory=dict)

    def of_lane(self, lane: Lane) -> list[Issue]:
        """Return a lane's, oldest first, as far as this release knows the methods."""
        known = set(Method)
        return [
            Issue(
                date.fromisoformat(first), {Method(name): days for name, days in lanes[lane].items() if name in known}
            )
            for first, lanes in sorted(self.issued.items())
            if lane in lanes
        ]

    def with_issue(self, first: date, made: Mapping[Lane, Forecast]) -> "Issues":
        """Return them with today's; what was issued stays as it was."""
        new = {
            lane.value: {str(name): [round(each, 2) for each in days] for name, days in of.issue.by_method.items()}
            for lane, of in made.items()
        }
        found = {first.isoformat(): new, **self.issued}
        return self.model_copy(update={"issued": dict(sorted(found.items())[-INTERVAL_ISSUES:])})
