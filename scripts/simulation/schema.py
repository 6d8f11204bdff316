"""The documents that there may be, field by field: written down once more, apart from the code that writes them.

A type with a question mark may be null; a name with one may be missing.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from scripts.simulation.documents import Documents

_HOLD = "map?"

LATER = "later"
"""A field of a release to come, in a history in which one has been at work: see `actions`."""

SCHEMA: dict[str, dict[str, str]] = {
    "users/*": {"devices": "map", "preferences": "map"},
    "users/*/wallet/main": {
        "balance": "int",
        "totalEarned": "int",
        "totalSpent": "int",
        "entryCount": "int",
        "points": "int",
        "convertedPoints": "int",
        "scans": "int",
        "plan": "str",
        "streakDays": "int",
        "bonusDay": "str",
        "today": "map",
        "pushTokens": "list",
        "rateMinute": "int",
        "rateCount": "int",
        "contactAt": "time?",
        "nextRefreshAt": "time?",
        "blockedAt": "time?",
        "refreshShard": "int?",
        "refreshedPeriod": "str",
        "refreshFailures": "int",
        "recent": "list",
        "createdAt": "time",
        "updatedAt": "time",
    },
    "users/*/ledger/*": {
        "seq": "int",
        "delta": "int",
        "points": "int",
        "reason": "str",
        "ref": "str?",
        "detail": "map?",
        "balanceAfter": "int",
        "ts": "time",
    },
    "releasedTokens/*": {"expireAt": "time"},
    "devices/*": {"day": "str", "bonus": "int", "manual": "int", "expireAt": "time"},
    "aiJobs/*": {
        "uid": "str",
        "imagePath": "str",
        "imageDigest": "str?",
        "requestedMode": "str",
        "mode": "str",
        "region": "str",
        "language": "str",
        "requestedRegion": "str?",
        "requestedLanguage": "str?",
        "day": "str",
        "status": "str",
        "priority": "int",
        "tokensCost": "int",
        "points": "int",
        "createdAt": "time",
        "shard": "int",
        "queuedAt": "time?",
        "notify": "list",
        "estimatedCompletion": "time?",
        "attempts": "int",
        "batchId": "str?",
        "openedBy": "str",
        "leaseUntil": "time?",
        "result": "map?",
        "error": "map?",
        "chargeStands": "bool",
        "usage": "map?",
        "hold": _HOLD,
        "costMicros": "int",
        "completedAt": "time?",
        "expireAt": "time",
    },
    "batches/*": {
        "state": "str",
        "createdAt": "time",
        "dueAt": "time",
        "model": "str",
        "jobCount": "int",
        "inputFileId": "str?",
        "openaiBatchId": "str?",
        "polls": "int",
        "failedPolls": "int",
        "unendedPolls": "int",
        "providerState": "str",
        "answered": "int",
        "endedAt": "time?",
        "cancelRequested": "bool",
        "doneCount": "int",
        "failedCount": "int",
        "requeuedCount": "int",
        "costMicros": "int",
        "hold": _HOLD,
        "error": "str?",
        "completedAt": "time?",
        "expireAt": "time",
    },
    "config/runtime": {
        "tokens?": "map",
        "plans?": "map",
        "batch?": "map",
        "budget?": "map",
        "refresh?": "map",
        "instant?": "map",
        "images?": "map",
    },
    "config/runtime/audit/*": {"by": "str", "at": "time", "changed": "list"},
    "stats/queue": {"queued?": "int", "batchMinutes?": "number", "closedAt?": "time", "provider?": "map"},
    "stats/budget": {
        "day": "str",
        "mode": "str",
        "reopensAt": "time?",
        "committed": "map",
        "limits": "map",
        "holdPercents": "map",
        "doubtedDay": "str",
        "absurd": "int",
        "absurdMicros": "int",
    },
    "stats/refresh": {"workers": "map"},
    "budget/*": {
        "limit": "int",
        "reserved": "int",
        "spent": "int",
        "excess": "int",
        "costs": "map",
        "reviewedAt": "time?",
        "reviews": "int",
        "users": "map",
        "usersAt": "time?",
    },
    "budget/*/shards/*": {"limit": "int", "reserved": "int", "spent": "int", "excess": "int", "costs": "map"},
    "alerts/*": {
        "kind": "str",
        "day": "str",
        "text": "str",
        "createdAt": "time",
        "dueAt": "time?",
        "attempts": "int",
        "channels": "map",
        "expireAt": "time",
        "open": "bool",
        "since": "time?",
        "overAt": "time?",
        "key": "str",
        "uids": "list",
    },
    "deadLetters/*": {"kind": "str", "path": "str", "uid": "str", "reason": "str", "at": "time", "expireAt": "time"},
}

_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "number": (int, float),
    "str": (str,),
    "bool": (bool,),
    "time": (datetime,),
    "map": (dict,),
    "list": (list,),
}

_PATTERNS = [
    (re.compile(path.replace("*", "[^/]+")), {name.rstrip("?"): kind for name, kind in fields.items()}, fields)
    for path, fields in SCHEMA.items()
]


def problems(documents: Documents) -> Iterator[str]:
    """Yield what does not fit: documents where none belong, fields unknown, missing or of another type."""
    for path, document in documents.items():
        found = next((entry for entry in _PATTERNS if entry[0].fullmatch(path)), None)
        if found is None:
            yield f"{path}: no document belongs here"
            continue
        _, types, fields = found
        for name in document.keys() - types.keys() - {LATER}:
            yield f"{path}: unknown field {name}"
        for name in fields.keys() - document.keys():
            if not name.endswith("?"):
                yield f"{path}: {name} is missing"
        for name in types.keys() & document.keys():
            if not fits(document[name], types[name]):
                yield f"{path}: {name} is {document[name]!r}, not {types[name]}"


def fits(value: object, kind: str) -> bool:
    """Tell whether a value is of a type of the table."""
    if value is None:
        return kind.endswith("?")
    wanted = _TYPES[kind.rstrip("?")]
    return isinstance(value, wanted) and (not isinstance(value, bool) or bool in wanted)
