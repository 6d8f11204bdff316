"""`repair`: a wallet that is damaged or gone, made anew from its ledger."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.shared.records import Fields
from functions.core.wallet.ledger import LedgerEntry, Wallet
from scripts.operators.grants import document_id
from scripts.operators.repairs_by_hand import AuditEntry, first_gap, remade
from scripts.operators.session import AsJson, By, Project, RefusedError, Why, Yes, ask, change, connected, login, show

NOT_COMPARED = {"updatedAt", "refreshFailures"}
"""Made anew with the rest, and no news."""


def repair(
    uid: Annotated[str, typer.Argument(help="Whose wallet.")],
    project: Project,
    why: Why,
    by: By = "",
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make a wallet anew from its ledger: balance, totals, points. Whatever else can be read in it stays: plan, streak,
    devices. A read for each entry of the ledger.
    """
    with connected(project) as deps:
        now = deps.clock()
        wallet, changed = _remade(uid, *deps.store.wallet_and_ledger(document_id(uid)), now)
        if changed:
            ask(changed, f"The wallet of {uid}, made anew: {why}", yes=yes, as_json=as_json)
            audit = AuditEntry(
                audit_id=f"{uid}:repair:{uuid.uuid4().hex}",
                action="repair",
                target=uid,
                by=by or login(),
                why=why,
                at=now,
            )

            def decide(stored: Fields, entries: list[LedgerEntry]) -> tuple[Wallet, AuditEntry]:
                anew, changed = _remade(uid, stored, entries, now)
                return anew, audit.model_copy(update={"changed": tuple(changed)})

            wallet = deps.store.repair_wallet(uid, decide)

        def render(console: Console) -> None:
            done = "Done" if changed else "Nothing to do"
            console.print(f"{done}: {uid} has {wallet.balance} tokens, on plan {wallet.plan}.")

        show({"changed": changed, "balance": wallet.balance, "plan": wallet.plan}, render, as_json=as_json)


def _remade(uid: str, stored: Fields, entries: list[LedgerEntry], now: Any) -> tuple[Wallet, list[dict[str, Any]]]:
    if not entries:
        raise RefusedError(f"{uid} has no ledger, and so no wallet: the app's first call opens one")
    gap = first_gap(entries)
    if gap is not None:
        raise RefusedError(
            f"the ledger of {uid} has a gap at entry {gap}: a number is missing, or a balance is wrong. "
            "Copy it from a backup first (docs/operations.md, Backups)"
        )
    wallet = remade(stored, entries, uid, now)
    return wallet, _differences(stored, wallet.model_dump(by_alias=True))


def _differences(stored: Mapping[str, Any], anew: Mapping[str, Any]) -> list[dict[str, Any]]:
    changed = []
    for name in sorted({*stored, *anew} - NOT_COMPARED):
        before, after = stored.get(name), anew[name]
        if before != (list(after) if isinstance(after, tuple) else after):
            counted = isinstance(after, tuple)
            changed.append(change(name, _short(before), f"{len(after)} of them" if counted else after))
    return changed


def _short(value: object) -> object:
    text = str(value)
    return value if len(text) <= 80 else f"{text[:80]}..."
