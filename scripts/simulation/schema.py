"""The documents that there may be, field by field: written down once more, apart from the code that writes them."""

import re
from collections.abc import Iterator
from datetime import datetime

from scripts.simulation.documents import Documents

LATER = "later"  # a field of a release to come, in a history in which one has been at work: see `actions`

_JOB = {
    "str": "uid imagePath requestedMode mode region language day status openedBy",
    "str?": "imageDigest requestedRegion requestedLanguage batchId bulkId payer? preset? plan",
    "int": "priority tokensCost tokensBought points shard attempts costMicros",
    "int?": "visitAge",
    "time": "createdAt expireAt",
    "time?": "queuedAt estimatedCompletion leaseUntil completedAt paidAt?",
    "list": "notify tried",
    "map": "arms",
    "map?": "result error usage hold cache dispute",
    "bool": "chargeStands",
    "bool?": "shared visitAgain",
}

_WALLET = {
    "int": (
        "balance totalEarned totalSpent entryCount purchased owed points convertedPoints scans streakDays "
        "rateMinute rateCount refreshFailures corrections topUpBelow streakSavers"
    ),
    "str": "plan bonusDay refreshedPeriod promptedDay",
    "str?": "planSeller",
    "map": "today",
    "list": "pushTokens recent achieved months",
    "time?": "contactAt nextRefreshAt blockedAt planUntil closedAt topUpAt priorityUntil",
    "map?": "standing",
    "int?": "refreshShard",
    "time": "createdAt updatedAt",
}

_LEDGER = {
    "int": "seq delta points bought balanceAfter",
    "str": "reason day",
    "str?": "ref",
    "map?": "detail",
    "time": "ts",
}

SCHEMA: dict[str, dict[str, str]] = {
    "users/*": {"map": "devices? preferences? presets? counted?", "list": "teams?"},
    "users/*/wallet/main": _WALLET,
    "teams/*/wallet/main": {
        **_WALLET,
        "int": f"{_WALLET['int']} associateCount",
        "str": f"{_WALLET['str']} name",
        "map": "today members",
        "map?": "teamStanding",
    },
    "teams/*/associations/*": {
        "str": "role month",
        "time": "joinedAt",
        "time?": "blockedAt",
        "int": "used allotted rateMinute rateCount",
        "int?": "monthlyLimit",
        "map": "today",
        "list": "months",
    },
    "users/*/cachedPhotos/main": {"map": "entries?", "time": "expireAt"},
    "users/*/ledger/*": _LEDGER,
    "teams/*/ledger/*": _LEDGER,
    "invites/*": {"str": "teamId role invitedBy", "int?": "monthlyLimit", "str?": "usedBy", "time": "expireAt"},
    "audit/*": {"str": "action target by why", "time": "at", "list": "changed"},
    "removals/*": {"str": "teamId uid", "time": "at nextAt", "bool": "leaves"},
    "releasedTokens/*": {"time": "expireAt"},
    "deletions/*": {"time": "requestedAt nextAt", "int": "failures", "list": "days"},
    "devices/*": {"str": "day", "int": "bonus manual", "time": "expireAt"},
    "aiJobs/*": _JOB,
    "bulkJobs/*": {
        "str": "uid state listed region language",
        "str?": "prefix waiting requestedRegion requestedLanguage preset payer?",
        "int": "count taken done failed cancelled tokensCost tokensBought refunded refunds points moves",
        "bool": "anyTime",
        "time": "createdAt deadline expireAt",
        "time?": "dueAt completedAt",
    },
    "cacheChecks/*": _JOB,
    "cacheShared/*": {"str": "by", "time": "expireAt"},
    "batches/*": {
        "str": "state model promptVersion providerState",
        "map": "arms",
        "time": "createdAt dueAt expireAt",
        "int": "jobCount polls failedPolls unendedPolls answered doneCount failedCount requeuedCount costMicros",
        "int?": "sideMax",
        "str?": "inputFileId openaiBatchId error",
        "time?": "createStartedAt endedAt completedAt",
        "bool": "cancelRequested provisional",
        "list": "strangers",
        "map?": "hold",
    },
    "config/runtime": {
        "map": (
            "tokens? plans? batch? bulk? budget? refresh? instant? images? model? cache? flags? providers? billing? "
            "achievements? leaderboard? shop?"
        )
    },
    "config/runtime/audit/*": {
        "str": "by action? why?",
        "time": "at",
        "list": "changed",
        "map": "because?",
    },
    "stats/queue": {
        "int": "queued?",
        "number": "batchMinutes?",
        "time": "closedAt?",
        "time?": "trialUntil?",
        "map": "provider?",
    },
    "stats/trials": {"int": "number", "map": "ended", "map?": "running"},
    "stats/budget": {
        "str": "day mode doubtedDay",
        "time?": "reopensAt",
        "map": "committed limits holdPercents",
        "int": "absurd absurdMicros shardCount",
    },
    "stats/rollouts": {"map": "model? prompt? side?"},
    "stats/answers": {"map": "disputed"},
    "stats/cacheReport": {"map": "days report"},
    "stats/cache": {"map": "families", "time?": "labelledUntil chosenUntil"},
    "stats/refresh": {"map": "workers"},
    "leaderboards/*": {"str": "period?", "time?": "at?", "list": "top?", "map?": "counts?"},
    "budget/*": {
        "int": "limit reserved spent excess reviews rounds shardCount",
        "map": "costs tally users",
        "time?": "reviewedAt usersAt",
    },
    "budget/*/shards/*": {"int": "limit reserved spent excess", "map": "costs tally rollouts"},
    "forecasts/*": {
        "str?": "closed day",
        "map?": "days issued lanes month planning months usual daily",
    },
    "usage/*": {"list": "slots", "int": "rounds", "map?": "rows"},
    "alerts/*": {
        "str": "kind day text key verdictBy",
        "str?": "verdict",
        "time": "createdAt expireAt",
        "time?": "dueAt since overAt verdictAt",
        "int": "attempts",
        "map": "channels data",
        "bool": "open",
        "list": "uids",
    },
    "deadLetters/*": {"str": "kind path uid reason", "time": "at expireAt"},
}
"""By path, the fields of each type. A type with a question mark may be null, a name with one missing."""

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
    (re.compile(path.replace("*", "[^/]+")), {name: kind for kind, names in kinds.items() for name in names.split()})
    for path, kinds in SCHEMA.items()
]


def problems(documents: Documents) -> Iterator[str]:
    """Yield what does not fit: documents where none belong, fields unknown, missing or of another type."""
    for path, document in documents.items():
        fields = next((fields for pattern, fields in _PATTERNS if pattern.fullmatch(path)), None)
        if fields is None:
            yield f"{path}: no document belongs here"
            continue
        types = {name.rstrip("?"): kind for name, kind in fields.items()}
        for name in document.keys() - types.keys() - {LATER}:
            yield f"{path}: unknown field {name}"
        for name in fields.keys() - document.keys():
            if not name.endswith("?"):
                yield f"{path}: {name} is missing"
        for name in types.keys() & document.keys():
            if not _fits(document[name], types[name]):
                yield f"{path}: {name} is {document[name]!r}, not {types[name]}"


def _fits(value: object, kind: str) -> bool:
    if value is None:
        return kind.endswith("?")
    wanted = _TYPES[kind.rstrip("?")]
    return isinstance(value, wanted) and (not isinstance(value, bool) or bool in wanted)
