"""Finding a batch again whose creation was not answered, at a provider that keeps no word of ours with it.

OpenAI keeps our id with a batch. Anthropic keeps none, and has a list of all batches of a workspace: when each was
created, and with how many lines. So a batch is found there by elimination:

    fits          created since our first attempt, with as many lines, and not known to be a stranger's
    nobody fits   it never arrived: it is created again
    somebody      it is taken *provisionally*, and waited for; never created again meanwhile
    its results   a line of our own jobs: it is ours. Lines, and none of ours: a stranger's, and we look again

Several batches may wait for the same one. Whose it is only its lines say, so nobody sends a batch twice for having been
the slower one to claim it; and whoever learns of another batch's sure claim, by its own reply or its lines, looks
again. It takes a complete list: what lags behind by more than a batch's lease would be created twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from functions.core.batches.batches import Batch
from functions.core.batches.provider_objects import Listed
from functions.core.shared.providers import Provider
from functions.core.shared.records import Fields

CLOCKS_APART = timedelta(minutes=10)
"""How far a provider's clock may be behind ours."""

STRANGERS_MAX = 20
"""Batches of others that one batch has waited for: so many are no accident, and it is given up."""


@dataclass(frozen=True)
class Terms:
    """How a provider takes batches, and what it does with them.

    `uploads`: a file comes first, which the creation names; else the creation has all lines. `carries_our_id`: a batch
    is found again by it. `keeps_results`: for weeks, unless it is told to delete them.
    """

    uploads: bool
    carries_our_id: bool
    keeps_results: bool


TERMS: Mapping[Provider, Terms] = {
    Provider.OPENAI: Terms(uploads=True, carries_our_id=True, keeps_results=False),
    Provider.ANTHROPIC: Terms(uploads=False, carries_our_id=False, keeps_results=True),
}


def listed_since(batch: Batch) -> datetime:
    """Return since when a batch can have been created at its provider."""
    return (batch.create_started_at or batch.created_at) - CLOCKS_APART


def fitting(batch: Batch, listed: Iterable[Listed]) -> list[str]:
    """Return the batches of a provider's list that can be this one, oldest first, by their ids there."""
    found = [
        each
        for each in listed
        if each.created_at >= listed_since(batch)
        and each.lines == batch.job_count
        and each.reported.provider_batch_id not in batch.strangers
    ]
    return [each.reported.provider_batch_id for each in sorted(found, key=lambda each: each.created_at)]


def chosen(batch: Batch, fitting: Sequence[str], holders: Sequence[Batch]) -> str | None:
    """Return which of those that fit to wait for, None if none of them can be this batch. `holders` are all batches of
    ours that have one of them: nobody's is taken first, then one that others wait for as well."""
    left = [each for each in fitting if not surely_anothers(batch, each, holders)]
    waited_for = {each.provider_batch_id for each in holders}
    return next((each for each in left if each not in waited_for), next(iter(left), None))


def surely_anothers(batch: Batch, provider_batch_id: str | None, holders: Iterable[Batch]) -> bool:
    """Whether another batch of ours is known to be this one at the provider: by the reply to its creation, or by its
    lines."""
    return any(
        each.provider_batch_id == provider_batch_id and not each.provisional and each.batch_id != batch.batch_id
        for each in holders
    )


class Whose(StrEnum):
    """Whose results they are."""

    OURS = "ours"
    STRANGERS = "strangers"
    UNKNOWN = "unknown"
    """There is no line to tell it by."""


def whose(names: Iterable[object], own: Iterable[str]) -> Whose:
    """Return whose results are, by the names in their lines, as far as they have to be read. `own` are the jobs of the
    batch."""
    jobs, seen = frozenset(own), False
    for name in names:
        if name in jobs:
            return Whose.OURS
        seen = True
    return Whose.STRANGERS if seen else Whose.UNKNOWN


def looking_again(batch: Batch, now: datetime) -> Fields:
    """Return the fields that make the next submitter look for a batch that was taken for this one."""
    return {
        "state": "uploaded",
        "openaiBatchId": None,
        "provisional": False,
        "strangers": [*batch.strangers, batch.provider_batch_id],
        "dueAt": now,
        "failedPolls": 0,
        "providerState": "",
        "answered": 0,
        "endedAt": None,
    }
