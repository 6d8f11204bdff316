"""`set-plan`: what a user has subscribed to."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from functions.core.config.plans import Plan
from functions.core.refresh.plan_changes import with_plan
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from scripts.operators.grants import known_wallet, still_there
from scripts.operators.printing import change
from scripts.operators.session import Operation, RefusedError, Uid, changing_for, command


@command(changing_for)
def set_plan(
    operation: Operation,
    uid: Uid,
    plan: Annotated[Plan, typer.Argument(help="The plan from now on.")],
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Its end (0:00 UTC); then the free plan holds.", show_default="none"),
    ] = None,
) -> None:
    """Put a user on a plan, for good or until a day. What the old plan owes is credited first, a month under way at
    once.

    The plan that the user has already, until then, changes nothing.
    """
    wallet, runtime = known_wallet(uid, operation.deps), operation.deps.runtime()
    ends = until and until.replace(tzinfo=UTC)
    if ends is not None and ends <= operation.now:
        raise RefusedError(f"{until:%Y-%m-%d} is over")
    bought = wallet.plan_seller is not None
    changed = wallet.plan != plan or (wallet.plan_until != ends and not (bought and ends is None))
    if changed:

        def decide(found: Wallet | None) -> Account:
            return with_plan(Account(still_there(uid, found)), uid, plan, runtime, operation.now, ends)

        planned = decide(wallet).wallet
        changes = [change("plan", wallet.plan, plan.value)] if wallet.plan != plan else []
        if wallet.plan_until != ends:
            changes.append(change("planUntil", wallet.plan_until, ends))
        if planned.balance != wallet.balance:
            changes.append(change("balance", wallet.balance, planned.balance))
        operation.ask(changes, f"The plan of {uid}: {operation.why}")
        wallet = operation.store.change_wallet(uid, decide, operation.audit("set-plan", uid, changes))
    ending = f" until {wallet.plan_until:%Y-%m-%d}" if wallet.plan_until else ""
    done = "Done" if changed else "Nothing was changed"
    operation.show(
        {"changed": changed, "plan": wallet.plan, "planUntil": wallet.plan_until, "balance": wallet.balance},
        f"{done}: {uid} is on {wallet.plan}{ending}, the balance is {wallet.balance}.",
    )
