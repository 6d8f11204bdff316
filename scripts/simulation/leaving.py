"""Users who leave in a history, and what has to be true afterwards: nothing is given to them, and nothing names them
once they are erased, which is done at the end, when all is known of their jobs."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from scripts.simulation.documents import Documents, Fields

PERSONAL = (
    "imagePath",
    "imageDigest",
    "result",
    "requestedRegion",
    "requestedLanguage",
    "region",
    "language",
    "notify",
)
"""What of a job says something of the person. A day and a cost do not."""


def drawn_actions(seed: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield who leaves, in one history of five: in the midst of things, and at times twice at once."""
    dice = Random(f"leaving {seed}")  # noqa: S311  (repeatable, not secret)
    if seed % 5:
        return
    user, at = f"user-{dice.randrange(users)}", dice.uniform(0.0, end)
    for _ in range(dice.choice((1, 1, 2))):
        yield at, "leave", {"user": user}
        at += dice.choice((0.0, 0.05, 40.0))


def left_at(wallets: Mapping[str, Fields], uid: str) -> Any:
    """Return when a user left; None for others."""
    return wallets.get(uid, {}).get("closedAt")


def is_left(path: str, fields: Fields) -> bool:
    """Whether a document is the wallet of a user who left."""
    return path.endswith("/wallet/main") and fields.get("closedAt") is not None


def wrong_wallets(wallets: Mapping[str, Fields], ledgers: Mapping[str, list[Fields]]) -> Iterator[str]:
    """Yield what is wrong with the wallets of users who left: an entry after the last one, or something in them."""
    for uid, wallet in wallets.items():
        if wallet["closedAt"] is None:
            continue
        entries = ledgers.get(uid, [])
        if entries and (entries[-1]["reason"], entries[-1]["ts"]) != ("close", wallet["closedAt"]):
            yield f"{uid} left at {wallet['closedAt']}, and then had {entries[-1]['id']}"
        kept = {name: wallet[name] for name in ("balance", "purchased", "points", "scans", "recent", "pushTokens")}
        if any(kept.values()) or wallet["nextRefreshAt"] is not None:
            yield f"{uid} left, and has {kept}"


def traces(documents: Documents, uids: set[str], files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield what still names one of these users after they were erased."""
    for path, fields in documents.items():
        kind, *rest = path.split("/")
        if kind == "aiJobs" and fields["uid"] == "" and any(fields[name] for name in PERSONAL):
            yield f"{path} is nobody's, and says {[name for name in PERSONAL if fields[name]]}"
        if kind == "teams" and rest[1:] == ["wallet", "main"] and uids & fields["members"].keys():
            yield f"{path} still has somebody in it who left"
        if kind == "teams" and rest[1:2] == ["associations"] and rest[2] in uids:
            yield f"{path} is somebody's who left"
        named = kind in {"aiJobs", "bulkJobs"} and fields["uid"] in uids
        owned = kind == "users" and rest[0] in uids and rest[1:2] not in (["wallet"], ["ledger"])
        listed = kind == "budget" and not rest[1:] and uids & fields["users"].keys()
        said = kind == "users" and rest[0] in uids and rest[1:2] == ["ledger"] and fields["detail"] is not None
        if named or owned or listed or said or (kind == "deletions" and rest[0] in uids):
            yield f"{path} still names somebody who left"
    for path in files:
        if path.split("/")[0] in {"users", "bulks"} and path.split("/")[1] in uids:
            yield f"the file {path} of somebody who left is still there"
