"""What is unusual in the last hour, for the guard's alerts, and what was on a day that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.insights.day_watch import Daily
from functions.core.insights.deviations import Direction
from functions.core.insights.last_hour import last_hour
from functions.core.insights.unusual import Finding, Metric, unusual
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.utc_days import day_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.core.insights.day_watch import DayFinding
    from functions.core.insights.usage_day import UsageDay
    from functions.wiring import Deps

KINDS = {
    Metric.DEMAND: AlertKind.DEMAND_UNUSUAL,
    Metric.SPEND: AlertKind.SPEND_UNUSUAL,
    Metric.FAILURES: AlertKind.FAILURES_UNUSUAL,
    Metric.WAIT: AlertKind.WAIT_UNUSUAL,
}
OF_THE_HOUR = frozenset(KINDS.values())
RECENT = 50


def unusual_now(usage: UsageDay | None, deps: Deps) -> Mapping[AlertKind, Finding]:
    """Return what is unusual in today's last hour, by the alert of it. Nothing while too few days are known to say what
    is usual. One read."""
    day, watched = day_of(deps.clock()), deps.store.watched()
    hour = last_hour(day, usage, deps.clock()) if usage is not None else None
    if hour is None or watched.usual is None or watched.day != day:
        return {}
    limit = deps.runtime().budget.daily_limit_micros
    return {KINDS[metric]: finding for metric, finding in unusual(watched.usual, hour, limit).items()}


def tell_of_days(found: Mapping[Daily, DayFinding], deps: Deps) -> int:
    """Notify operators of days that were unusual, once for each, unless the guard did so while the day lasted. Returns
    of how many."""
    texts = {}
    for metric, of in found.items():
        figures = f"{of.actual:.0f}, about {of.expected:.0f} were expected"
        if metric is Daily.DEMAND:
            texts[AlertKind.DEMAND_UNUSUAL] = of.day, f"Photos asked for on {of.day}: {figures}."
        elif of.direction is Direction.FALL:
            text = f"Users who came back on {of.day}, the day after their first photo: {figures}."
            texts[AlertKind.RETENTION_UNUSUAL] = of.day, text
    told = {(each.kind, each.day) for each in deps.store.recent_alerts(RECENT)} if texts else set()
    new = [alert(kind, text, deps.clock()) for kind, (day, text) in texts.items() if (kind, day) not in told]
    return sum(deps.store.create_alert(each) for each in new)
