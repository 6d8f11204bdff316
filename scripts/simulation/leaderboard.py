"""The leaderboard in a history: who joins, renames and leaves, and what has to be true of standings and boards."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from random import Random

from scripts.simulation.documents import Documents, Fields, moment

NAMES = ("Ana", "Anna Lena", "Ольга", None, None)

SAME_TIME = timedelta(minutes=2)
"""A call may have begun before another one that was written first."""


def drawn_actions(seed: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield when somebody takes part under a name, or no more, and when the boards are written."""
    dice = Random(f"leaderboard {seed}")  # noqa: S311  (repeatable, not secret)
    for _ in range(dice.randrange(12) if seed % 3 else 0):
        user, name = f"user-{dice.randrange(users)}", dice.choice(NAMES)
        for _ in range(dice.choice((1, 1, 2))):
            yield dice.uniform(0, end), "list", {"user": user, "name": name}
        yield dice.uniform(0, end), "rank", {}


def wrong_boards(documents: Documents, wallets: Mapping[str, Fields]) -> Iterator[str]:
    """Yield who is on a board, and takes no part or by another name."""
    for path, board in documents.items():
        if not path.startswith("leaderboards/"):
            continue
        points = [row["points"] for row in board["top"]]
        if points != sorted(points, reverse=True):
            yield f"{path} is in no order: {points}"
        for row in board["top"]:
            of_team = documents.get(f"teams/{row['uid']}/wallet/main", {}) if "/teams-" in path else None
            standing = wallets[row["uid"]]["standing"] if of_team is None else of_team.get("teamStanding")
            if standing is None or standing["name"] != row["name"]:
                yield f"{row['uid']} is on {path} as {row['name']}, and takes part as {standing}"


def wrong_standing(wallet: Fields, entries: list[Fields], written: Mapping[str, int]) -> Iterator[str]:
    """Yield what of a standing is not what the ledger says. `written` is when an entry came, by its id: a call that
    stood still is written after the user has joined, with a time before it."""
    standing = wallet["standing"]
    if standing is None:
        return
    if standing["ever"] != {"period": "ever", "points": wallet["points"]}:
        yield f"{wallet['points']} points, and on the board {standing['ever']}"
    joined: datetime = standing["joinedAt"]
    earned = [entry for entry in entries if entry["points"]]
    came = {entry["id"]: moment(written[entry["id"]]) for entry in earned}
    if any(abs(each - joined) < SAME_TIME for each in came.values()):
        return
    for board in ("week", "month"):
        period, points = _period(board, joined), 0
        for entry in (each for each in earned if came[each["id"]] > joined):
            own = _period(board, entry["ts"])
            period, points = (period, points + entry["points"]) if own <= period else (own, entry["points"])
        if standing[board] != {"period": period, "points": points}:
            yield f"{points} points since {period}, and on the board {standing[board]}"


def _period(board: str, at: datetime) -> str:
    day = at.date() - timedelta(days=at.weekday()) if board == "week" else at.date()
    return day.isoformat() if board == "week" else day.isoformat()[:7]
