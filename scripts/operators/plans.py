"""`set-plan`: what a user has subscribed to."""

import uuid
from typing import Annotated

import typer
from rich.console import Console

from functions.core.config.plans import Plan
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from scripts.operators.grants import known_wallet
from scripts.operators.repairs_by_hand import AuditEntry
from scripts.operators.session import (
    AsJson,
    By,
    Project,
    RefusedError,
    Why,
    Yes,
    ask,
    change,
    connected,
    login,
    show,
)
from scripts.operators.subscriptions import with_plan


def set_plan(
    uid: Annotated[str, typer.Argument(help="Whose plan.")],
    plan: Annotated[Plan, typer.Argument(help="The plan from now on.")],
    project: Project,
    why: Why,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a user on a plan: what the old one owes comes first, a month under way at once. Run again it does nothing."""
    with connected(project) as deps:
        wallet, runtime, now = known_wallet(uid, deps), deps.runtime(), deps.clock()
        changed = wallet.plan != plan
        if changed:
            planned = with_plan(wallet, uid, plan, runtime, now).wallet
            changes = [change("plan", wallet.plan, plan.value)]
            if planned.balance != wallet.balance:
                changes.append(change("balance", wallet.balance, planned.balance))
            ask(changes, f"The plan of {uid}: {why}", yes=yes, as_json=as_json)

            def decide(wallet: Wallet | None) -> Account:
                if wallet is None:
                    raise RefusedError(f"{uid} has no wallet any more")
                return with_plan(wallet, uid, plan, runtime, now)

            audit = AuditEntry(
                audit_id=f"{uid}:plan:{uuid.uuid4().hex}",
                action="set-plan",
                target=uid,
                by=by or login(),
                why=why,
                at=now,
                changed=tuple(changes),
            )
            wallet = deps.store.change_wallet(uid, decide, audit)

        def render(console: Console) -> None:
            done = "Done" if changed else "Nothing was changed"
            console.print(f"{done}: {uid} is on {wallet.plan}, the balance is {wallet.balance}.")

        answer = {"changed": changed, "plan": wallet.plan, "balance": wallet.balance}
        show(answer, render, as_json=as_json)
