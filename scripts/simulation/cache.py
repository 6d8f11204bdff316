"""The cache in a history: who sends photos again and disputes answers, and what has to be true of those that are given
again. How photos are alike is written down here once more, apart from the code that is checked.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from functions.core.cache.fingerprints import COLOUR_BYTES, CUTS, Fingerprint
from functions.core.config.runtime import ImageRules
from scripts.simulation.documents import Documents, Fields

LANES = ("instant", "instant", "instant", "batch")
MODES = (*("on",) * 5, "shadow", "off")
BITS = (0, 0, 0, 3, 30, 52, 100)
"""By how many bits a photo that is sent again differs; at none it is the same file."""

QUESTIONS: tuple[dict[str, Any], ...] = (
    *({},) * 8,
    {"fresh": True},
    {"region": "Oslo"},
    {"language": "nb"},
    {"allowBatch": False},
)


class Sent(NamedTuple):
    """What a photo says of itself in the comment of its file: its path, and whose picture it is, so many bits away."""

    path: str
    picture: str
    bits: int


def comment_of(path: str, picture: str, bits: int) -> bytes:
    """Return the comment of a photo; that of a first one is its path."""
    return path.encode() if picture == path else f"{path}\n{picture}\n{bits}".encode()


def sent(data: bytes) -> Sent:
    """Return what a photo's comment says."""
    length = int.from_bytes(data[4:6]) - 2
    path, _, rest = data[6 : 6 + length].decode().partition("\n")
    picture, _, bits = rest.partition("\n")
    return Sent(path, picture or path, int(bits or 0))


def recognised(data: bytes, _rules: ImageRules) -> tuple[bytes, Fingerprint]:
    """Take a photo as it is, and know it by its comment. Two pictures are as far apart as chance has it."""
    photo = sent(data)
    known = int.from_bytes(hashlib.sha256(photo.picture.encode()).digest()) ^ ((1 << photo.bits) - 1)
    file = hashlib.sha256(f"{photo.picture} {photo.bits}".encode()).digest()[:16]
    return data, Fingerprint(file, (known,) * len(CUTS), bytes(COLOUR_BYTES))


def has_cache(seed: int) -> bool:
    """Whether a history has one."""
    return seed % 3 == 0


def drawn_config(seed: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections that a history begins with, in place of those of its config: with tokens for many photos."""
    dice = Random(f"cache {seed}")  # noqa: S311  (repeatable, not secret)
    return config_of(config, dice.choice(MODES), dice.choice(MODES)) if has_cache(seed) else {}


def config_of(config: Mapping[str, Any], exact: str, near: str) -> dict[str, Any]:
    """Return the sections of a config whose cache does this."""
    plan = {**config["plans"]["free"], "instantPerDay": 20, "batchPerDay": 100, "callsPerMinute": 60}
    return {
        "cache": {"exact": exact, "near": near},
        "tokens": {**config["tokens"], "welcome": 100},
        "plans": {"free": plan},
        "budget": {**config["budget"], "dailyLimitMicros": 10_000_000, "monthlyLimitMicros": 200_000_000},
    }


def drawn_actions(seed: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield what happens about the cache in a history that has one."""
    if has_cache(seed):
        yield from repeats(seed, 4, end, users)


def repeats(seed: int, photos: int, end: float, users: int) -> Iterator[tuple[float, str, Fields]]:
    """Yield when, what and with which details: photos are sent, and sent again, now and then by somebody else; answers
    are disputed, perhaps before they are there; and what is believed of near photos is set."""
    dice = Random(f"repeats {seed}")  # noqa: S311  (as above)
    for number in range(photos):
        at, user, first = dice.uniform(0, end), f"user-{dice.randrange(users)}", f"sent-first-{number}"
        keys = [first]
        yield at, "classify", {"user": user, "key": first, "mode": dice.choice(LANES)}
        for again in range(dice.randrange(1, 6)):
            at += dice.choice((0.05, 20.0, 40.0, 300.0, 900.0, 50_000.0))
            if dice.random() < 0.2:
                yield at, "dispute", {"user": user, "key": dice.choice(keys)}
            keys.append(f"sent-again-{number}-{again}")
            photo = {"key": keys[-1], "of": [user, first], "bits": dice.choice(BITS)}
            asked = {"user": "user-0" if dice.random() < 0.1 else user, "mode": dice.choice(LANES)}
            yield at, "classify", {**dice.choice(QUESTIONS), **photo, **asked}
        keys = [f"sent-beside-{number}-{beside}" for beside in range(2)]
        yield at + 5.0, "classify_many", {"user": user, "keys": keys, "twice": [f"sent-twice-{number}"]}
        yield at + 6.0, "classify", {"user": user, "key": f"sent-soon-{number}", "of": [user, keys[0]], "mode": "batch"}
        yield at - 10.0, "believe", {}


def believed(documents: Documents) -> Fields:
    """Return what `stats/cache` says when every family that jobs name serves within 56 bits."""
    notes = [job["cache"] for path, job in documents.items() if path.startswith("aiJobs/") and job.get("cache")]
    labels = {str(bits): {"checked": 368, "wrong": 0, "looks": 1, "passed": True} for bits in (31, 40, 48, 56)}
    near = {"labels": labels, "serves": 56, "recent": b"", "checks": 100, "wrong": 0}
    state = documents.get("stats/cache", {})
    families = {
        note["family"]: {**state.get("families", {}).get(note["family"], {"seenAt": note["answeredAt"]}), "near": near}
        for note in notes
    }
    return {**state, "families": families}


def served(job: Fields) -> bool:
    """Tell whether a job was answered by an earlier answer."""
    return bool(job.get("cache") and job["cache"]["served"])


def paid_back(job: Fields) -> bool:
    """Tell whether the price of such an answer came back."""
    return served(job) and job.get("dispute") is not None


def wrong_twins(
    kind: str, details: Mapping[str, Any], answer: Fields, jobs: Mapping[str, Fields], uploads: Mapping[str, bytes]
) -> Iterator[str]:
    """Yield each photo that is said to have been sent already, and was not: by this user, the same file, with the same
    question."""
    results = answer["results"] if kind == "classify_many" else [{"requestId": details["key"], "job": answer}]
    for result in results:
        if result.get("job", {}).get("alreadySent"):
            user, of = details["user"], jobs[result["job"]["jobId"]]
            asked = user, details.get("region"), details.get("language")
            if asked != (of["uid"], of["requestedRegion"], of["requestedLanguage"]):
                yield f"{asked} is shown the job of {of['uid']}, {of['requestedRegion']}, {of['requestedLanguage']}"
            mine, other = (
                sent(uploads[path]) for path in (f"users/{user}/uploads/{result['requestId']}.jpg", of["imagePath"])
            )
            if mine[1:] != other[1:]:
                yield f"{user} sent {mine} and is shown the job of {other}"


def wrong_hits(
    jobs: Mapping[str, Fields], documents: Documents, uploads: Mapping[str, bytes], configs: Sequence[Fields]
) -> Iterator[str]:
    """Yield each answer that was not to be given again, and each entry and label that is not what it should be."""
    dearest = max(config.get("tokens", {}).get("cachedPrice", 1) for config in configs)
    for name, job in jobs.items():
        if served(job):
            yield from (f"job {name} {wrong}" for wrong in _wrong_hit(job, jobs.get(job["cache"]["of"]), uploads))
            if job["costMicros"] or job["points"] or job["hold"] or job["tokensCost"] > dearest:
                yield f"job {name}, answered again, has {job['points']} points and cost {job['tokensCost']} tokens"
    for path, document in documents.items():
        if path.endswith("/cachedPhotos/main"):
            for job_id in document.get("entries", {}):
                if job_id in jobs and jobs[job_id]["uid"] != path.split("/")[1]:
                    yield f"{path} has an entry of {jobs[job_id]['uid']}"
    yield from _miscounted(documents)


def _wrong_hit(job: Fields, of: Fields | None, uploads: Mapping[str, bytes]) -> Iterator[str]:
    if of is None or of["uid"] != job["uid"] or of["status"] != "done" or served(of):
        yield f"of {job['uid']} has its answer from {of}"
        return
    if any(job[field] != of[field] for field in ("region", "language", "result")):
        yield f"asked {job['region']}, {job['language']} and has the answer for {of['region']}, {of['language']}"
    mine, other = (sent(uploads[each["imagePath"]]) for each in (job, of))
    bits = abs(mine.bits - other.bits)
    if mine.picture != other.picture or bits != job["cache"]["bits"] or bits > 56:
        yield f"shows {mine} and has the answer of {other}"


def wrong_checks(jobs: Mapping[str, Fields], checks: Mapping[str, Fields], documents: Documents) -> Iterator[str]:
    """Yield each check that is not of a hit, or in a trial of the model's own answer, that has not said what the two
    answers say, or was paid for."""
    paid = {fields["ref"] for path, fields in documents.items() if path.count("/") == 3 and "/ledger/" in path}
    for name, check in checks.items():
        *trial, of = name.removeprefix("check-").split("-")
        hit = jobs.get(of)
        if (
            hit is None
            or served(hit) == bool(trial)
            or hit["uid"] != check["uid"]
            or hit["imagePath"] != check["imagePath"]
        ):
            yield f"{name} is the check of {hit}"
        elif name in paid or check["tokensCost"] or check["points"]:
            yield f"somebody paid for {name}"
        elif check["status"] == "done" and check["cache"]["same"] not in {None, _alike(hit["result"], check["result"])}:
            yield f"{name} says {check['cache']['same']} of {hit['result']} and {check['result']}"


def _alike(one: Fields, other: Fields) -> bool:
    """Tell whether two results send their user the same way."""
    both = (one, other)
    danger, codes = ({each[name] for each in both} for name in ("hazardLevel", "recyclingCode"))
    ways = {(each["category"], each["disposal"]["primaryMethod"], each["requiresSpecialDisposal"]) for each in both}
    return len(ways) == 1 and (len(danger) == 1 or max(danger) < 3) and (len(codes) == 1 or None in codes)


def _miscounted(documents: Documents) -> Iterator[str]:
    jobs = [fields for path, fields in documents.items() if path.startswith(("aiJobs/", "cacheChecks/"))]
    labelled = sum(1 for job in jobs if job.get("cache") and job["cache"]["labelledAt"])
    exact = sum(
        family.get("exactChecked", 0) for family in documents.get("stats/cache", {}).get("families", {}).values()
    )
    if exact > labelled:
        yield f"{exact} labels of the same file are counted, of {labelled} in all"
