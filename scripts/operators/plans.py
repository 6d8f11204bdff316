"""`set-plan`: what a user has subscribed to."""

from typing import Annotated

import typer

from functions.core.config.plans import Plan
from functions.core.refresh.plan_changes import with_plan
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from scripts.operators.grants import known_wallet, still_there
from scripts.operators.printing import change
from scripts.operators.session import Operation, Uid, changing_for, command


@command(changing_for)
def set_plan(
    operation: Operation, uid: Uid, plan: Annotated[Plan, typer.Argument(help="The plan from now on.")]
) -> None:
    """Put a user on a plan. What the old plan owes is credited first, a month under way at once.

    The plan that the user has already changes nothing.
    """
    wallet, runtime = known_wallet(uid, operation.deps), operation.deps.runtime()
    changed = wallet.plan != plan
    if changed:

        def decide(found: Wallet | None) -> Account:
            return with_plan(Account(still_there(uid, found)), uid, plan, runtime, operation.now)

        planned = decide(wallet).wallet
        changes = [change("plan", wallet.plan, plan.value)]
        if planned.balance != wallet.balance:
            changes.append(change("balance", wallet.balance, planned.balance))
        operation.ask(changes, f"The plan of {uid}: {operation.why}")
        wallet = operation.store.change_wallet(uid, decide, operation.audit("set-plan", uid, changes))
    done = "Done" if changed else "Nothing was changed"
    operation.show(
        {"changed": changed, "plan": wallet.plan, "balance": wallet.balance},
        f"{done}: {uid} is on {wallet.plan}, the balance is {wallet.balance}.",
    )
