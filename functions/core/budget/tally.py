"""What a day's calls came to, beside their cost: counts that ride on the writes of the day's shards.

A tally is counters by lane and model, each an integer that only grows:

started          instant calls that got a hold; those not ended yet are in flight
done             photos that got their result
checked          photos that were asked again, in the batch lane: see `core.jobs.checks`
checkedFailed:{code}, checkedRetried:{code}   those that ended without an answer, and attempts at them to be repeated
checkedMicros    what these have cost, answered or not
checkedOutput    tokens of their answers, of those in `output`
answer:{prompt}:{category}   the same by the version of the prompt and the category
failed:{code}    jobs that ended without one at the provider, by `core.jobs.jobs.Failure`
down             instant calls that this model did not answer, of those that were asked of two
doubtful         instant calls for which it may bill, and did not say how much: booked at the most; see `core.jobs.legs`
retried:{code}   attempts at the provider that failed and will be repeated
input, cached, output   tokens as billed; `input` contains the cached ones
wait:{n}         jobs that ended after at most 2^(n/2) seconds, and more than 2^((n-1)/2)

They are statistics: nobody repairs them, and no decision about money rests on them.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from functions.core.model.usage import Usage

Tally = dict[str, dict[str, dict[str, int]]]
"""Counters by lane, model and name."""

WAIT_LAST = 34
"""The bucket of everything above 26 hours, after which nobody waits any more."""


def wait_bucket(wait: timedelta) -> int:
    """Return the bucket of a wait. Two for each doubling: a quantile is known to within a fifth."""
    seconds = wait.total_seconds()
    return 0 if seconds <= 1 else min(math.ceil(2 * math.log2(seconds)), WAIT_LAST)


def wait_within(counters: Mapping[str, int], share: float) -> float | None:
    """Return within how many seconds this share of the jobs had ended, None if none has."""
    waits = sorted((int(name.removeprefix("wait:")), n) for name, n in counters.items() if name.startswith("wait:"))
    total, seen = sum(n for _, n in waits), 0
    for bucket, n in waits:
        seen += n
        if seen >= share * total:
            return float(2 ** (bucket / 2))
    return None


def of_usage(usage: Usage | None) -> Counter[str]:
    """Return the counters of a bill; none for an answer without one."""
    if usage is None:
        return Counter()
    return Counter(input=usage.input_tokens, cached=usage.cached_tokens, output=usage.output_tokens)


CHECKED: Mapping[str, str] = {"done": "checked", "failed": "checkedFailed", "retried": "checkedRetried"}
"""What the photos of users are counted under, and what those are that no user has asked about."""


def of_check(count: Mapping[str, int], micros: int) -> Counter[str]:
    """Return the counters of an attempt at a check that would be these of a user's photo, and its cost."""
    parted = {name: name.partition(":") for name in count}
    own = {f"{CHECKED.get(kind, kind)}{colon}{code}": count[name] for name, (kind, colon, code) in parted.items()}
    return Counter({**own, "checkedMicros": micros, "checkedOutput": count.get("output", 0)})


def of_answer(prompt: str, category: str) -> Counter[str]:
    """Return the counter of an answer, by the version of the prompt and the category."""
    return Counter({f"answer:{prompt}:{category}": 1})


def answers(tally: Tally) -> dict[str, dict[str, dict[str, int]]]:
    """Return the answers in a tally by model, prompt and category, of both lanes."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for (_, model, name), n in _flat(tally).items():
        kind, _, rest = name.partition(":")
        if kind == "answer":
            prompt, _, category = rest.partition(":")
            by = found.setdefault(model, {}).setdefault(prompt, {})
            by[category] = by.get(category, 0) + n
    return found


def of_wait(wait: timedelta) -> Counter[str]:
    """Return the counter of a job that has ended after this wait."""
    return Counter({f"wait:{wait_bucket(wait)}": 1})


def total(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of tallies."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for tally in tallies:
        sums.update(_flat(tally))
    return _nested(sums)


def since(seen: Tally, tally: Tally) -> Tally:
    """Return what has been counted beyond what was `seen`."""
    grown = _flat(tally)
    grown.subtract(_flat(seen))
    return _nested(grown)


def _flat(tally: Tally) -> Counter[tuple[str, str, str]]:
    return Counter(
        {
            (lane, model, name): n
            for lane, models in tally.items()
            for model, counters in models.items()
            for name, n in counters.items()
        }
    )


def _nested(counts: Mapping[tuple[str, str, str], int]) -> Tally:
    tally: Tally = {}
    for (lane, model, name), n in counts.items():
        if n:
            tally.setdefault(lane, {}).setdefault(model, {})[name] = n
    return tally
