"""What the provider did not do, by door: how operators learn of an outage that each call meets, and refunds, by itself.

    a call fails       its process notes it in `stats/queue`: how often, since when, with which words
    a call succeeds    nothing, unless the process knows of a failure by then: it takes the note out
    the guard          tells operators, and tells them when it is over

So a provider that works costs nothing. Processes learn what others have noted when they read their settings anew.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from functions.core.model.provider_errors import Trouble
from functions.core.shared.alerts import AlertKind
from functions.core.shared.providers import Provider
from functions.core.shared.records import Open, Record
from functions.core.shared.utc_days import clock_text

FAILURES_MIN = 3
"""So many failures at one door without a success in between are no accident."""

STANDING_MIN = timedelta(minutes=3)
"""The doors of crons are tried every few minutes: one failure that is as old as this has met no success since."""

FORGOTTEN = timedelta(hours=2)
"""A failure that is so old and had no other after it says nothing any more: nobody asks."""


PROBED_EVERY = timedelta(minutes=30)
"""The longest that a cron waits before it asks a provider again that is down."""


class Door(StrEnum):
    """What the provider is asked for, each of which may fail alone."""

    INSTANT = "instant"
    ANTHROPIC = "anthropic"
    """The instant calls that go to Anthropic."""
    AZURE = "azure"
    """Those that go to Azure."""
    SUBMIT = "submit"
    POLL = "poll"
    """Batches that are given to OpenAI, and asked for there."""
    ANTHROPIC_SUBMIT = "anthropic_submit"
    ANTHROPIC_POLL = "anthropic_poll"


SUBMITTING: Mapping[Provider, Door] = {Provider.OPENAI: Door.SUBMIT, Provider.ANTHROPIC: Door.ANTHROPIC_SUBMIT}
"""The door by which each provider takes batches."""

CRONS = frozenset({*SUBMITTING.values(), Door.POLL, Door.ANTHROPIC_POLL})
"""The doors that crons are at, one process at a time."""


class Outage(Record):
    """Failures at one door since its last success, `since` the first; `trouble` and `problem` are the last one's.
    `failures` is a lower bound: a process writes every half minute at most."""

    failures: int = 0
    since: datetime | None = None
    last_at: datetime
    trouble: Open[Trouble] = Trouble.UNREACHABLE
    problem: str = ""

    @property
    def began(self) -> datetime:
        """When the first failure was; of a note that crossed with a success, the last one."""
        return self.since or self.last_at

    @property
    def probe_at(self) -> datetime:
        """When a cron asks again: at its next turns, then after as long as it lasts already, up to half an hour."""
        return self.last_at + min(self.last_at - self.began, PROBED_EVERY)

    def fresh(self, now: datetime) -> bool:
        """Whether it says anything about now."""
        return now - self.last_at < FORGOTTEN


WHAT: Mapping[str, str] = {
    Door.INSTANT: "instant photos that go to OpenAI fail, at least {failures} so far",
    Door.ANTHROPIC: "instant photos that go to Anthropic fail, at least {failures} so far",
    Door.AZURE: "instant photos that go to Azure fail, at least {failures} so far",
    Door.SUBMIT: "OpenAI takes no photos of the batch lane: {waiting} wait, of at least {users} users",
    Door.POLL: "OpenAI gives no results of batches: {at_provider} wait",
    Door.ANTHROPIC_SUBMIT: "Anthropic takes no photos of the batch lane: {waiting} wait, of at least {users} users",
    Door.ANTHROPIC_POLL: "Anthropic gives no results of batches: {at_provider} wait",
}


OURS: Mapping[str, AlertKind] = {
    Trouble.KEY_REFUSED: AlertKind.KEY_REFUSED,
    Trouble.QUOTA: AlertKind.PROVIDER_REFUSES,
    Trouble.CONFIGURATION: AlertKind.PROVIDER_REFUSES,
}
"""By what operators hear of trouble that they have to mend: it does not pass by itself."""


def standing(outages: Mapping[str, Outage], now: datetime) -> dict[str, Outage]:
    """Return, by door, what operators have to know: a refused key at once, anything else when it is no accident."""
    return {door: each for door, each in outages.items() if each.fresh(now) and _no_accident(door, each, now)}


def _no_accident(door: str, outage: Outage, now: datetime) -> bool:
    lasts = door in CRONS and now - outage.began >= STANDING_MIN
    return outage.trouble is Trouble.KEY_REFUSED or outage.failures >= FAILURES_MIN or lasts


def described(outages: Mapping[str, Outage], figures: Mapping[str, int]) -> str:
    """Return each door's trouble, since when, and whom it touches. `figures` are `waiting`, `users` and
    `at_provider`."""
    return " ".join(
        f"Since {clock_text(each.began)} ({each.problem}): "
        f"{WHAT.get(door, 'calls fail').format(failures=each.failures, **figures)}."
        for door, each in sorted(outages.items())
    )
