"""The leaderboard's ranks and reads: of a million users, counted by the code that ranks; and of some thousands in
Firestore's stand-in, by real queries and their bill, beside what is reckoned for those."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

from functions.core.leaderboard.ranks import TOP, Counts, Leaders, Range, Row, Steps, counted, rank_of
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, empty_wallet
from functions.core.wallet.standing import Board, joined, scored
from functions.use_cases.leaderboard.get_leaderboard import GetLeaderboard, get_leaderboard
from functions.use_cases.leaderboard.rank_users import COUNTED_EVERY, rank_users
from functions.use_cases.wallet.record_manual_classification import (
    RecordManualClassification,
    record_manual_classification,
)
from scripts.inprocess import InProcessCloud

USERS, STORED, ASKED = 1_000_000, 2_000, 60
DAY = timedelta(days=1)

POINTS: dict[str, Callable[[Random], int]] = {
    "a_few_have_most": lambda dice: int(10 * dice.paretovariate(1.1)),
    "many_have_little": lambda dice: 10 * (1 + int(dice.expovariate(1 / 60))),
    "evenly": lambda dice: dice.randrange(1, 100_000),
    "few_values": lambda dice: 10 * dice.randrange(1, 30),
}


def run() -> dict[str, Any]:
    """Return, by how points are spread, the error of the worst rank, and reads; and the same of a run in Firestore."""
    return {"users": USERS, **{name: _spread(_users(name, USERS)) for name in POINTS}, "in_firestore": _stored()}


def _users(spread: str, number: int) -> list[int]:
    """Return the points of so many users, the fewest first."""
    dice = Random(spread)  # noqa: S311  (repeatable, not secret)
    return sorted(POINTS[spread](dice) for _ in range(number))


def _spread(users: Sequence[int]) -> dict[str, Any]:
    first, reads_first = _counted(users, (users[-TOP], 1))
    steps, reads = _counted(users, first[0])
    top = tuple(Row(uid=str(n), name="x", points=points) for n, points in enumerate(users[: -TOP - 1 : -1]))
    now = InProcessCloud(seed=1).clock()
    leaders = Leaders(
        period="p", at=now, top=top, counts=Counts(period="p", at=now, floors=steps[0], reaching=steps[1])
    )
    errors = [_error(users, points, leaders) for points in set(users)]
    return {
        "rank_error_percent_max": round(100 * max(errors), 3),
        "steps": len(steps[0]),
        "reads_of_a_first_count": reads_first,
        "reads_of_a_count": reads,
        "reads_a_day": len(Board) * 24 * (TOP + 1) + sum(round(DAY / each) for each in COUNTED_EVERY.values()) * reads,
    }


def _counted(users: Sequence[int], floors: Sequence[int]) -> tuple[Steps, int]:
    """Count as `rank_users` does. Returns the steps, and the reads that Firestore bills for it."""
    reads = 0

    def count(points: Range) -> int:
        nonlocal reads
        least, below = points
        found = (len(users) if below is None else bisect_left(users, below)) - bisect_left(users, least)
        reads += max(-(-found // 1000), 1)
        return found

    return counted(tuple(dict.fromkeys(floors)), count, lambda: True), reads


def _error(users: Sequence[int], points: int, leaders: Leaders) -> float:
    true, rank = 1 + len(users) - bisect_right(users, points), rank_of("me", points, leaders)
    return abs(rank.number - true) / true if rank else 1.0


def _stored() -> dict[str, Any]:
    """Rank users who are stored, and look; then have one of them earn."""
    cloud, users = InProcessCloud(seed=1), _users("many_have_little", STORED)
    now = cloud.clock()
    for number, points in enumerate(users):
        standing = scored(joined(f"User {number}", 0, now), points, now)
        account = Account(empty_wallet(now)).post(0, Reason.WELCOME, None, now, points=points)
        wallet = account.with_fields(standing=standing).wallet
        cloud.client.document(f"users/user-{number}/wallet/main").set(wallet.model_dump(by_alias=True))
    cloud.deps.runtime()
    cloud.firestore.bill.reset()
    rank_users(cloud.deps)
    reads = cloud.firestore.bill.reset()["totals"]["reads"]
    errors = []
    for number in range(0, STORED, STORED // ASKED):
        you = get_leaderboard(GetLeaderboard(board=Board.EVER), f"user-{number}", cloud.deps)["you"]
        true = 1 + STORED - bisect_right(users, users[number])
        errors.append(abs(you["rank"] - true) / true)
    looked = cloud.firestore.bill.reset()["totals"]["reads"]
    named = {"requestId": "one-more-can", "deviceId": "device-of-one", "itemName": "Can", "category": "Dry Waste"}
    record_manual_classification(RecordManualClassification.model_validate(named), "user-7", cloud.deps)
    earned = cloud.firestore.bill.reset()["totals"]
    reckoned = len(Board) * (TOP + 1 + _counted(users, (users[-TOP], 1))[1])
    return {
        "users": STORED,
        "rank_error_percent_max": round(100 * max(errors), 3),
        "reads_of_a_first_run": reads,
        "reckoned": reckoned,
        "reads_of_a_look": looked / len(errors),
        "reads_writes_of_an_entry": [earned["reads"], earned["writes"]],
    }
