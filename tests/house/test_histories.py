"""Every function that is deployed is called in the simulation's histories, or it is said here why not."""

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts import contents
from scripts.simulation.actions import APP, CRON_CALLS
from scripts.simulation.history import history

ROOT = Path(__file__).parents[2]
FUNCTIONS = {each.name for each in contents.declared()}
DRAWN = 60  # histories, as many as `make test` runs

READS = "reads alone: it changes nothing that another call could meet"
LEFT_OUT = {
    **dict.fromkeys(("get_home", "quote", "get_bulk", "get_job", "list_jobs", "list_ledger"), READS),
    **dict.fromkeys(("get_leaderboard", "get_billing", "export_account", "admin_stats", "admin_days"), READS),
    "open_billing_portal": "stores nothing: it asks Stripe for a page",
    "save_preset": "a name for options that each call checks by itself",
    "unregister_device": "killed at each call in tests/test_crashes.py",
    "plan_ahead": "writes the operators' forecasts, once a day; a run that does not come leaves yesterday's",
    "admin_mark_alert": "one field of an alert, by which that is not repeated on its day",
    "admin_rollout": "its change_rollout is called, without the log line of who asked",
    "admin_try_saving": "its begin_trial is called, with what plan_ahead would have to recommend first",
}


def modules() -> list[Path]:
    """Return the simulation, with the shop that its histories of payments are played in."""
    return [
        *(ROOT / "scripts/simulation").glob("*.py"),
        ROOT / "scripts/shop_in_process.py",
        ROOT / "scripts/inprocess.py",
    ]


def imported(path: Path) -> Iterator[str]:
    """Yield what a module imports of use cases; what it does not use, the linter takes out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("functions.use_cases."):
            yield from (each.name for each in node.names)


def test_each_function_is_called_in_histories_or_it_is_said_why_not() -> None:
    """A function that none calls meets no fault, no race and no check there."""
    called = {name for path in modules() for name in imported(path)} & FUNCTIONS
    missing = FUNCTIONS - called - LEFT_OUT.keys()
    assert not missing, f"scripts/simulation/actions.py: have a history call {sorted(missing)}"
    needless = LEFT_OUT.keys() & called | LEFT_OUT.keys() - FUNCTIONS
    assert not needless, f"LEFT_OUT in this file: take {sorted(needless)} out"


def test_each_action_is_drawn_by_some_history() -> None:
    """What stands in the tables alone is never called."""
    drawn = {action.kind for seed in range(1, DRAWN + 1) for action in history(seed).actions}
    never = (APP.keys() | CRON_CALLS.keys()) - drawn
    assert not never, f"no history of {DRAWN} has {sorted(never)}: draw them"
