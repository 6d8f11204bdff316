"""`python -m scripts.admin`: what operators ask, and change, from a shell. docs/operations.md says when.

With Google's application-default credentials, or `FIRESTORE_EMULATOR_HOST`. It runs the functions' own code in this
process: the figures are those of `admin_stats`, a change of the config that of `admin_set_config`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

if __package__ in {None, ""}:  # started as a file: what it imports lies beside its folder
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import typer

from scripts.operators import (
    ahead,
    billing,
    blocking,
    cache,
    claims,
    exporting,
    leaving,
    payments,
    plans,
    prices,
    providers,
    repair,
    retention,
    rollouts,
    settings,
    spending,
    stories,
    teams,
    users,
)
from scripts.operators import dead_letters as letters
from scripts.operators import grants as money
from scripts.operators import status as overview

app = typer.Typer(help="Ecolane for operators. Every command takes --json.", no_args_is_help=True, add_completion=False)

LOOKS: tuple[Callable[..., None], ...] = (
    overview.status,
    overview.queue,
    overview.batches,
    overview.budget,
    spending.costs,
    exporting.export,
    ahead.ahead,
    users.user,
    stories.find,
    stories.job,
    cache.cache,
    prices.prices,
    prices.simulate_price,
)
CHANGES: tuple[Callable[..., None], ...] = (
    money.grant,
    money.undo_grant,
    money.refund,
    plans.set_plan,
    blocking.block,
    blocking.unblock,
    leaving.erase,
    retention.retention,
    repair.repair,
    cache.warm,
    letters.retry,
    claims.operator,
)

for command in LOOKS:
    app.command(rich_help_panel="Look")(command)
for command in CHANGES:
    app.command(rich_help_panel="Change")(command)
app.add_typer(providers.app, name="providers", rich_help_panel="Look")
app.command("export-account", rich_help_panel="Look")(leaving.export)
app.add_typer(letters.app, name="letters", rich_help_panel="Change")
app.add_typer(teams.app, name="team", rich_help_panel="Change")
app.add_typer(settings.app, name="config", rich_help_panel="Change")
app.add_typer(payments.app, name="payments", rich_help_panel="Change")
app.add_typer(billing.app, name="billing", rich_help_panel="Look")
app.add_typer(rollouts.app, name="rollout", rich_help_panel="Change")
app.add_typer(rollouts.flag_app, name="flag", rich_help_panel="Look")

if __name__ == "__main__":
    app()
