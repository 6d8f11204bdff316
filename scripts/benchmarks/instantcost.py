"""What one instant call bills in Firestore, charge and settlement together, for a user who has a wallet."""

import uuid
from collections import Counter
from typing import Any

from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.benchmarks.calls import classify
from scripts.inprocess import InProcessCloud

USERS = 20
CALLS_PER_USER = 10


def run() -> dict[str, Any]:
    """Return `reads_per_call` and `writes_per_call`. Settings are reread now and then, and these reads count."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"tokens": {"welcome": 50}})
    users = [f"user-{number}" for number in range(USERS)]
    for user in users:
        get_wallet(GetWallet(), user, cloud.deps)
    guard_budget(cloud.deps)  # opens the day, which is once a day and no call's
    cloud.firestore.bill.reset()
    statuses: Counter[str] = Counter()
    for user in users:
        for _ in range(CALLS_PER_USER):
            statuses[classify(cloud, user, uuid.uuid4().hex, "instant")["status"]] += 1
    calls = USERS * CALLS_PER_USER
    if statuses["done"] != calls:
        raise RuntimeError(f"not every call ended well: {dict(statuses)}")
    totals = cloud.firestore.bill.snapshot()["totals"]
    return {"reads_per_call": round(totals["reads"] / calls, 3), "writes_per_call": round(totals["writes"] / calls, 3)}
