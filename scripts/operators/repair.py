"""`repair`: a wallet that is damaged or gone, rebuilt from its ledger."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from functions.core.shared.records import Fields
from functions.core.wallet.ledger import LedgerEntry, Wallet
from scripts.operators.printing import change
from scripts.operators.repairs_by_hand import AuditEntry, first_gap, remade
from scripts.operators.session import Operation, RefusedError, Uid, changing_for, command, document_id

NOT_COMPARED = {"updatedAt", "refreshFailures"}  # fields that every repair changes


@command(changing_for)
def repair(operation: Operation, uid: Uid) -> None:
    """Rebuild a wallet from its ledger: balance, totals, points. Other fields that can be read stay: plan, streak,
    devices. A read for each entry of the ledger.
    """
    now = operation.now
    wallet, changed = _remade(uid, *operation.store.wallet_and_ledger(document_id(uid)), now)
    if changed:
        operation.ask(changed, f"The wallet of {uid}, rebuilt: {operation.why}")

        def decide(stored: Fields, entries: list[LedgerEntry]) -> tuple[Wallet, AuditEntry]:
            rebuilt, changed = _remade(uid, stored, entries, now)
            return rebuilt, operation.audit("repair", uid, changed)

        wallet = operation.store.repair_wallet(uid, decide)
    done = "Done" if changed else "Nothing to do"
    operation.show(
        {"changed": changed, "balance": wallet.balance, "plan": wallet.plan},
        f"{done}: {uid} has {wallet.balance} tokens, on plan {wallet.plan}.",
    )


def _remade(uid: str, stored: Fields, entries: list[LedgerEntry], now: datetime) -> tuple[Wallet, list[dict[str, Any]]]:
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


def _differences(stored: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> list[dict[str, Any]]:
    changed = []
    for name in sorted({*stored, *rebuilt} - NOT_COMPARED):
        before, after = stored.get(name), rebuilt[name]
        if before != (list(after) if isinstance(after, tuple) else after):
            counted = isinstance(after, tuple)
            changed.append(change(name, _short(before), f"{len(after)} of them" if counted else after))
    return changed


def _short(value: object) -> object:
    text = str(value)
    return value if len(text) <= 80 else f"{text[:80]}..."
