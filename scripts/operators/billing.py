"""`billing status`: what is sold, whether events arrive, and whether the books agree."""

from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.payments.currencies import said
from functions.core.payments.payments import Provider
from scripts.operators.printing import age, listing, table
from scripts.operators.session import Operation, RefusedError, command, looking

app = typer.Typer(help="Selling.", no_args_is_help=True)

DRIFT_READ_MAX = 100_000

app.callback()(lambda: None)  # with one command alone, typer would leave its name out


@app.command()
@command(looking)
def status(
    operation: Operation,
    drift: Annotated[
        bool, typer.Option("--drift", help="Whose payments and ledger differ. A read for each payment and entry.")
    ] = False,
) -> None:
    """Sales of the last days, events, what waits, and whether payments and ledgers agree. About ten reads."""
    store, now, rules = operation.store, operation.now, operation.deps.runtime().billing
    sales, heard = store.sales()
    given, booked = store.sum_given()
    run, waiting = store.last_run("reconcile_billing"), store.unclaimed_payments(100)
    data: dict[str, Any] = {
        "sellOn": list(rules.sell_on),
        "lastRun": run,
        "heard": dict(heard.at),
        "unclaimed": [each.payment_id for each in waiting],
        "given": given,
        "booked": booked,
        "days": [each.as_json() for each in sales.days],
    }
    if drift:
        data["drift"] = _drift(operation)

    def render(console: Console) -> None:
        agree = "agree" if given == booked else f"DIFFER by {given - booked}"
        rows = [
            ("sold", ", ".join(rules.sell_on) or "nowhere"),
            ("last look", age(run, now)),
            *((f"event of {name}", age(heard.at.get(name), now)) for name in Provider),
            ("unclaimed", len(waiting) or "-"),
            ("tokens", f"{given} given, {booked} in ledgers: they {agree}"),
        ]
        console.print(listing(rows))
        lines = [
            (day.day, each.product, each.provider, each.payments, said(each.minor, each.currency))
            for day in reversed(sales.days)
            for each in day.sold
        ]
        if lines:
            console.print(table("day", "product", "by", ">sold", ">paid", rows=lines))
        for uid, (ours, theirs) in data.get("drift", {}).items():
            console.print(f"{uid}: payments have given {ours}, the ledger has {theirs}", markup=False)

    operation.show(data, render)


def _drift(operation: Operation) -> dict[str, tuple[int, int]]:
    given, booked = operation.store.given_and_booked(DRIFT_READ_MAX)
    if max(len(given), len(booked)) >= DRIFT_READ_MAX:
        raise RefusedError(f"there are more than {DRIFT_READ_MAX} payments: too many to be compared here")
    pairs = {uid: (given.get(uid, 0), booked.get(uid, 0)) for uid in sorted({*given, *booked})}
    return {uid: each for uid, each in pairs.items() if each[0] != each[1]}
