"""`ahead`: the next five weeks, and what would cost less."""

from collections.abc import Iterator

from rich.console import Console

from functions.core.insights.plan import MonthAhead, Plan
from functions.core.shared.utc_days import clock_text
from scripts.operators.printing import dollars, table
from scripts.operators.session import Operation, command, looking

NONE_YET = "There is no forecast yet: plan_ahead makes the first one at 00:20 UTC."


@command(looking)
def ahead(operation: Operation) -> None:
    """Five weeks of photos and cost under the limits, when a limit is reached, and what would cost less, as of the last
    night. One read."""
    plan = operation.store.plan()
    if plan is None:
        operation.show({"plan": None}, NONE_YET)
        return
    operation.show({"plan": plan.as_json()}, lambda console: _render(plan, console))


def _render(plan: Plan, console: Console) -> None:
    console.print(f"Made {clock_text(plan.made_at)} from {plan.known} days, {plan.filled} of which were not noted.")
    if plan.month is None:
        console.print(f"Too few days for a forecast: {plan.known} of {plan.days_min}.")
        return
    console.print(_month(plan.month))
    console.print(table("day", ">instant", ">later", ">cost", ">from", ">to", ">waiting", rows=[*_days(plan)]))
    if plan.planning is not None:
        limits = dollars(plan.planning.limit), dollars(plan.planning.instant_limit)
        console.print("Closing at most one day in a hundred: {} a day; {} for the instant lane.".format(*limits))
    if plan.savings is not None:
        cost = plan.savings.cost
        rows = [
            (each.kind, each.way, f"{each.share:.1%}", dollars(round(each.share * cost))) for each in plan.savings.list
        ]
        console.print(table("saving", "way", ">share", ">in 30 days", rows=rows))


def _month(month: MonthAhead) -> str:
    between = "" if month.low is None or month.high is None else f" ({dollars(month.low)} to {dollars(month.high)})"
    chance = "not known yet" if month.chance is None else f"{month.chance:.0%}"
    when = f", about {month.reached_on}" if month.reached_on else ""
    ends = f"This month ends at {dollars(month.expected)}{between} of {dollars(month.limit)}."
    return f"{ends} Chance to reach the limit: {chance}{when}."


def _days(plan: Plan) -> Iterator[tuple[str, ...]]:
    lanes = [plan.lanes[name].expected for name in ("instant", "batch")]
    for day, instant, batch in zip(plan.days, *lanes, strict=True):
        ends = ["-" if each is None else dollars(each) for each in (day.low, day.high)]
        yield day.day, f"{instant:.0f}", f"{batch:.0f}", dollars(day.micros), *ends, str(day.waiting or "")
