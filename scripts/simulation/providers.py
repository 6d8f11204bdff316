"""Two providers in one history: every third deploys Anthropic beside OpenAI, in either order, in both lanes, and both
have troubles of their own. What is drawn here is drawn apart, so that the other histories stay what they are."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from scripts.simulation.documents import Fields
from scripts.simulation.faults import Focus, Kind

HAIKU = "anthropic/claude-haiku-5-5"
ORDERS = (["openai", "anthropic"], ["openai", "anthropic"], ["anthropic", "openai"])

_ALWAYS: dict[str, Any] = {"count": None}
OPENAI_TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "server_error", "endpoint": "POST /v1/chat/completions", "probability": 0.6, **_ALWAYS},
    {"kind": "reply_lost", "endpoint": "POST /v1/chat/completions", "probability": 0.4, **_ALWAYS},
    {"kind": "refused", "status": 401, "endpoint": "POST /v1/chat/completions", "probability": 0.5, **_ALWAYS},
)
ANTHROPIC_TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "overloaded", "probability": 0.3, **_ALWAYS},
    {"kind": "reply_lost", "probability": 0.3, **_ALWAYS},
    {"kind": "refusal", "probability": 0.3, **_ALWAYS},
    {"kind": "cut_answer", "probability": 0.3, **_ALWAYS},
    {"kind": "spend_limit", "probability": 0.5, **_ALWAYS},
)

BATCH_ORDERS = (["anthropic"], ["anthropic", "openai"], ["anthropic", "openai"], ["openai", "anthropic"])

_CREATE = {"endpoint": "POST /v1/messages/batches", **_ALWAYS}
BATCH_TROUBLE: tuple[dict[str, Any], ...] = (
    {"kind": "reply_lost", "probability": 0.6, **_CREATE},
    {"kind": "server_error", "probability": 0.6, **_CREATE},
    {"kind": "overloaded", "probability": 0.4, **_CREATE},
    {"kind": "results_late", "probability": 0.5, "minutes": 30.0, **_ALWAYS},
    {"kind": "line_error", "probability": 0.3, **_ALWAYS},
    {"kind": "missing_line", "probability": 0.2, **_ALWAYS},
    {"kind": "duplicate_line", "probability": 0.3, **_ALWAYS},
    {"kind": "unknown_line", "probability": 0.3, **_ALWAYS},
    {"kind": "batch_expires", "probability": 0.3, "share": 0.5, **_ALWAYS},
    {"kind": "not_found", "probability": 0.2, **_ALWAYS},
)
LIST_LATE = {"kind": "list_late", "probability": 0.5, "minutes": 5.0, **_ALWAYS}

BATCH_FOCUSES = (
    ("submit", "anthropic.POST messages/batches", Kind.REPLY_LOST),
    ("submit", "anthropic.POST messages/batches", Kind.CRASH_AFTER),
    ("submit", "anthropic.POST messages/batches", Kind.CRASH_BEFORE),
    ("submit", "anthropic.POST messages/batches", Kind.LATE_EFFECT),
    ("submit", "anthropic.GET messages/batches", Kind.UNAVAILABLE),
    ("poll", "anthropic.GET messages/batches/*/results", Kind.CRASH_AFTER),
    ("poll", "anthropic.DELETE messages/batches/*", Kind.REPLY_LOST),
)


def drawn_focus(seed: int, focus: Focus) -> Focus:
    """Return where series of faults strike: in half of these histories, calls about batches at Anthropic."""
    dice = _dice(seed, "focus")
    if not has_both(seed) or dice.random() < 0.5:
        return focus
    what, call, kind = dice.choice(BATCH_FOCUSES)
    return Focus(what, call, kind, dice.choice((0.2, 0.5, 0.8)))


def drawn_kind(seed: int) -> Kind:
    """Return what becomes of creations that are not answered: they arrive, or they do not."""
    return _dice(seed, "kind").choice((Kind.REPLY_LOST, Kind.LATE_EFFECT, Kind.CRASH_BEFORE, Kind.CRASH_AFTER))


def drawn_cache(seed: int) -> dict[str, int]:
    """Return how many tokens Anthropic's cache gives and takes, in every second of these histories."""
    return {"cache_read_tokens": 300, "cache_write_tokens": 50} if seed % 2 else {}


def drawn_batch_trouble(seed: int) -> tuple[dict[str, Any], ...]:
    """Return the faults that batches at Anthropic have all the time."""
    dice = _dice(seed, "batches")
    if not has_both(seed):
        return ()
    trouble = (dice.choice(BATCH_TROUBLE),) if dice.random() < 0.6 else ()
    return (*trouble, LIST_LATE) if dice.random() < 0.5 else trouble


def has_both(seed: int) -> bool:
    """Whether a history's deploy has both keys."""
    return seed % 3 == 0


def drawn_order(seed: int) -> dict[str, Any]:
    """Return what the history's config says of providers."""
    if not has_both(seed):
        return {}
    order, batch_order = _dice(seed).choice(ORDERS), _dice(seed, "batch order").choice(BATCH_ORDERS)
    return {"providers": {"order": order, "batchOrder": batch_order}}


def drawn_trouble(seed: int) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
    """Return the faults that OpenAI, and Anthropic, have all the time."""
    if not has_both(seed):
        return (), ()
    dice = _dice(seed)
    dice.random()
    openai = (dice.choice(OPENAI_TROUBLE),) if dice.random() < 0.7 else ()
    return openai, (dice.choice(ANTHROPIC_TROUBLE),) if dice.random() < 0.4 else ()


def _dice(seed: int, what: str = "") -> Random:
    return Random(f"providers {what}{seed}")  # noqa: S311  (repeatable, not secret)


def normalised(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return Anthropic's usage in the words of OpenAI's, with what its cache gave and took beside."""
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return {
        "prompt_tokens": usage["input_tokens"] + read + written,
        "completion_tokens": usage["output_tokens"],
        "read": read,
        "written": written,
    }


def misbooked(jobs: Mapping[str, Fields], shards: Mapping[str, Mapping[str, Fields]]) -> Iterator[str]:
    """Yield what the shards have under another model than the one that was asked, and legs that do not add up."""
    wanted, booked = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for name, job in jobs.items():
        hold = job["hold"]
        if job["mode"] != "instant" or not hold:
            continue
        second = hold["second"]
        of_second = second["settled"] if second else 0
        wanted[hold["day"], hold["model"]] += hold["settled"] - of_second
        if second:
            wanted[hold["day"], second["model"]] += of_second
        legs = defaultdict(int, {leg["model"]: leg["micros"] for leg in job["tried"]})
        told = legs[hold["model"]], legs[second["model"]] if second else 0
        if job["tried"] and told != (hold["settled"] - of_second, of_second):
            yield f"job {name} has settled {hold}, and tried {job['tried']}"
        if job["tried"] and job["costMicros"] < sum(legs.values()):
            yield f"job {name} cost {job['costMicros']}, and its legs {dict(legs)}"
    for day, parts in shards.items():
        for shard in parts.values():
            booked.update({(day, model): n for model, n in shard["costs"].get("instant", {}).items()})
    if +wanted != +booked:
        yield f"jobs have settled {dict(wanted - booked)} beyond what is booked, and lack {dict(booked - wanted)}"


def asked_too_often(jobs: Mapping[str, Fields], answers: Mapping[str, Any]) -> Iterator[str]:
    """Yield the jobs that a provider has answered for more often than it may have been asked: once in the instant lane
    by each, and for no photo that the first has refused for its own sake."""
    for name, job in jobs.items():
        by_model = Counter(answer.model for answer in answers[name] if not answer.batch)
        if by_model[HAIKU] > 1:  # in the instant lane
            yield f"job {name} was answered {by_model[HAIKU]} times by Anthropic"
        tried = [leg["came"] for leg in job["tried"]]
        if tried and tried[0] == "answered":
            yield f"job {name} was asked of a second provider after the first had answered"
