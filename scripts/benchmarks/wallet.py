"""Wallet transactions a second through the product's adapter, over the wire, from eight threads; and what got lost."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

from functions.adapters.firestore import FirestoreStore
from functions.core.wallet.accounts import Account, open_account
from functions.core.wallet.ledger import Reason, Wallet
from functions.core.wallet.quotas import DeviceDay
from scripts.ecolane_cloud import ecolane_cloud

THREADS = 8
SECONDS = 5.0
WALLETS = 200


def run() -> dict[str, Any]:
    """Return transactions a second on one wallet and on many, and updates that are missing from a balance (0)."""
    with ecolane_cloud() as cloud:
        store = FirestoreStore(cloud.firestore_client())
        one, lost_on_one = _measure(store, ["the-one"])
        many, lost_on_many = _measure(store, [f"wallet-{number}" for number in range(WALLETS)])
    return {
        "tx_per_s_one_wallet": round(one, 1),
        "tx_per_s_many_wallets": round(many, 1),
        "lost_updates": lost_on_one + lost_on_many,
    }


def _measure(store: FirestoreStore, users: list[str]) -> tuple[float, int]:
    for user in users:
        store.open_wallet(user, lambda wallet: open_account(wallet, 0, datetime.now(UTC)))
    numbers = count()
    end = time.perf_counter() + SECONDS

    def work(_thread: int) -> int:
        posted = 0
        while time.perf_counter() < end:
            _post(store, users[next(numbers) % len(users)])
            posted += 1
        return posted

    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        posted = sum(pool.map(work, range(THREADS)))
    rate = posted / (time.perf_counter() - started)
    balances = [wallet.balance for user in users if (wallet := store.get_wallet(user))]
    return rate, posted - sum(balances)


def _post(store: FirestoreStore, user: str) -> None:
    key, now = uuid.uuid4().hex, datetime.now(UTC)

    def decide(wallet: Wallet | None, _device: DeviceDay | None) -> tuple[Account, None]:
        return open_account(wallet, 0, now).earn(1, Reason.MANUAL, key, now, cap=10**9), None

    store.post_entry(user, f"manual:{key}", decide)
