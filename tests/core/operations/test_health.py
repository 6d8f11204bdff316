"""What is not as it should be, and when an operator is told."""

from datetime import UTC, datetime, time, timedelta

import pytest

from functions.core.budget.holds import Mode
from functions.core.model.provider_errors import Trouble
from functions.core.model.provider_outage import Outage
from functions.core.operations.health import CronRun, Figures, complaints, cron_rows, late
from functions.core.rollouts.flags import ABOUT
from functions.core.shared.alerts import AlertKind
from tests.builders import NOW


def ago(**time: int) -> CronRun:
    """Return the runs of a function that succeeded so long ago."""
    return CronRun(finished_at=NOW - timedelta(**time), duration_ms=5)


@pytest.mark.parametrize(
    ("function", "run", "is_late"),
    [
        ("poll_batches", ago(minutes=19), False),
        ("poll_batches", ago(minutes=20), True),
        ("guard_budget", ago(minutes=39), False),
        ("guard_budget", ago(minutes=40), True),
        ("poll_batches", CronRun(), False),
        ("poll_batches", CronRun(failed_at=NOW), True),
    ],
)
def test_a_run_is_late_when_two_have_been_missed(function: str, run: CronRun, *, is_late: bool) -> None:
    """Two of its times and the longest that a run may take; one that never ran is not set up yet."""
    assert late(function, run, NOW) is is_late


def test_a_quiet_day_is_no_complaint() -> None:
    """Nothing queued too long, nothing overdue, all runs there: nobody is told anything."""
    assert complaints(Figures(), Mode.NORMAL, NOW) == {}
    busy = Figures(queued=5_000, oldest_asked_at=NOW - timedelta(minutes=119), crons={"poll_batches": ago(minutes=5)})
    assert complaints(busy, Mode.NORMAL, NOW) == {}


def test_each_trouble_is_told_with_its_names() -> None:
    """An alert says which batch, which function, how many."""
    figures = Figures(
        queued=7,
        oldest_asked_at=NOW - timedelta(hours=3),
        overdue_batches=("batch-1", "batch-2"),
        slow_batches=("batch-3 (in_progress)", "batch-4"),
        crons={"recover_jobs": ago(hours=1), "a_function_of_an_older_version": ago(days=9)},
        dead_letters=2,
        config_problems=("tokens.welcome: too many",),
    )
    told = complaints(figures, Mode.NORMAL, NOW)
    assert told == {
        AlertKind.QUEUE_OLD: "Photos waiting: 7, the oldest since 2026-11-21 09:00 UTC.",
        AlertKind.BATCH_STUCK: "Nobody has looked at these batches for over an hour: batch-1, batch-2.",
        AlertKind.BATCH_SLOW: "These batches take long: batch-3 (in_progress), batch-4.",
        AlertKind.CRON_LATE: "These have not succeeded when they should have: recover_jobs.",
        AlertKind.CONFIG_INVALID: "The config cannot be read in full; last good values stay: tokens.welcome: too many.",
        AlertKind.DEAD_LETTERS: "Users, jobs, batches or documents given up or set aside: 2.",
    }


def test_a_queue_that_waits_for_the_budget_is_no_complaint() -> None:
    """That the budget is used up has an alert of its own."""
    waiting = Figures(queued=1, oldest_asked_at=NOW - timedelta(hours=9))
    assert complaints(waiting, Mode.CLOSED, NOW) == {}
    assert set(complaints(waiting, Mode.BATCH_ONLY, NOW)) == {AlertKind.QUEUE_OLD}


def test_operators_see_every_cron_in_one_of_four_states() -> None:
    """Also one that has never run, which is a deploy without its schedule."""
    rows = cron_rows(
        {
            "submit_batches": ago(minutes=1),
            "poll_batches": ago(hours=1),
            "guard_budget": CronRun(finished_at=NOW - timedelta(minutes=15), failed_at=NOW),
        },
        NOW,
    )
    assert {name: row["state"] for name, row in rows.items()} == {
        "submit_batches": "ok",
        "poll_batches": "late",
        "recover_jobs": "never",
        "refresh_credits": "never",
        "guard_budget": "failing",
        "guard_rollouts": "never",
        "plan_ahead": "never",
        "rank_users": "never",
        "run_bulk": "never",
        "reconcile_billing": "never",
        "erase_accounts": "never",
    }
    assert rows["submit_batches"]["finishedAt"] == "2026-11-21T11:59:00Z"
    assert rows["submit_batches"]["durationMs"] == 5


def test_a_queue_that_was_opened_again_is_given_its_time() -> None:
    """What waited while both lanes were closed could not be sent: it is old two hours after they were opened."""
    waited = NOW - timedelta(hours=9)
    just_open = Figures(queued=1, oldest_asked_at=waited, closed_at=NOW - timedelta(minutes=5))
    assert complaints(just_open, Mode.NORMAL, NOW) == {}
    assert set(complaints(just_open, Mode.NORMAL, NOW + timedelta(hours=2))) == {AlertKind.QUEUE_OLD}
    asked_later = Figures(queued=1, oldest_asked_at=NOW - timedelta(hours=3), closed_at=waited)
    assert set(complaints(asked_later, Mode.NORMAL, NOW)) == {AlertKind.QUEUE_OLD}


def outage(trouble: Trouble, failures: int = 1, minutes: int = 5) -> Outage:
    """Return failures that began so long ago."""
    since = NOW - timedelta(minutes=minutes)
    return Outage(failures=failures, since=since, last_at=NOW, trouble=trouble, problem="status 503, code None")


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (Trouble.KEY_REFUSED, AlertKind.KEY_REFUSED),
        (Trouble.QUOTA, AlertKind.PROVIDER_REFUSES),
        (Trouble.CONFIGURATION, AlertKind.PROVIDER_REFUSES),
        (Trouble.OVERLOADED, AlertKind.PROVIDER_DOWN),
        (Trouble.UNREACHABLE, AlertKind.PROVIDER_DOWN),
    ],
)
def test_an_outage_is_told_by_who_can_end_it_and_whom_it_touches(trouble: Trouble, kind: AlertKind) -> None:
    """With the code, since when, and how many photos of how many users wait; what follows from it is not told too."""
    figures = Figures(
        queued=7,
        oldest_asked_at=NOW - timedelta(hours=3),
        waiting_users=4,
        outages={"submit": outage(trouble)},
    )
    what = "OpenAI takes no photos of the batch lane: 7 wait, of at least 4 users."
    told = f"Since 2026-11-21 11:55 UTC (status 503, code None): {what}"
    assert complaints(figures, Mode.NORMAL, NOW) == {kind: told}


def test_what_is_on_hold_or_overdue_is_told() -> None:
    """Each flag with its reason; a flag that is still in the code after its end, whether or not it is on."""
    held = Figures(held_flags={"prompt": "both fail", "model": "a call costs 151"})
    assert complaints(held, Mode.NORMAL, NOW) == {
        AlertKind.ROLLOUT_HELD: "On hold: model: a call costs 151; prompt: both fail."
    }
    last = max(about.until for about in ABOUT.values())
    after = datetime.combine(last, time(), UTC) + timedelta(days=1)
    assert complaints(Figures(), Mode.NORMAL, after - timedelta(days=1)) == {}
    assert complaints(Figures(), Mode.NORMAL, after) == {
        AlertKind.FLAG_OVERDUE: "Flags that were to be gone by now: model, prompt, side."
    }
