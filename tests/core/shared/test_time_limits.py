"""How the times of scheduled functions fit together."""

from datetime import timedelta

from functions.core.shared.time_limits import CALL_TIMEOUT, CRON_MINUTES, FUNCTION_TIMEOUT, RUN_TIME
from scripts.schedule_plan import cron_triggers


def test_a_run_begins_nothing_once_the_next_is_due() -> None:
    """Runs of one function seldom overlap, and none is cut off. `guard_rollouts` has but one thing to do."""
    in_steps = {**CRON_MINUTES, "guard_rollouts": 5}
    assert timedelta(minutes=min(in_steps.values())) >= RUN_TIME
    assert RUN_TIME + CALL_TIMEOUT < FUNCTION_TIMEOUT


def test_the_periods_are_those_that_are_deployed() -> None:
    """Each schedule of main.py in minutes, none forgotten."""
    deployed = {name: trigger.schedule for name, trigger in cron_triggers().items()}
    periods = {name: f"*/{minutes} * * * *" for name, minutes in CRON_MINUTES.items() if minutes < 60}
    longer = {60: "10 * * * *", 24 * 60: "20 0 * * *"}
    periods |= {name: longer[minutes] for name, minutes in CRON_MINUTES.items() if minutes >= 60}
    assert periods == deployed
