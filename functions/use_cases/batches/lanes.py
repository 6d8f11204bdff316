"""The providers that take batches, as one run of the submitter sees them: who is asked now, and who is tried first with
one photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions import log
from functions.core.model.provider_outage import SUBMITTING
from functions.core.shared.providers import Provider

if TYPE_CHECKING:
    from functions.core.model.refusals import ProviderDownError
    from functions.wiring import Deps


class Lanes:
    """A provider that is known to take nothing is `closed`, but at the times at which it is asked again. It is closed
    for the rest of a run if it fails in it: another one takes what it would have got."""

    def __init__(self, deps: Deps) -> None:
        """Look at the outages that are noted."""
        now, noted = deps.clock(), deps.queue().provider
        self._order = deps.runtime().providers.batch_order
        outages = {provider: noted[door] for provider, door in SUBMITTING.items() if door in noted}
        self.closed = {provider for provider, outage in outages.items() if now < outage.probe_at}
        self._unproved = outages.keys() - self.closed

    @property
    def some_open(self) -> bool:
        """Whether a photo can be sent to anybody. OpenAI gets those that no other provider may see."""
        return not {*self._order, Provider.OPENAI} <= self.closed

    @property
    def probing(self) -> bool:
        """Whether who comes first took nothing last time: it gets one job alone before the others."""
        return next((each for each in self._order if each not in self.closed), None) in self._unproved

    def failed(self, provider: Provider, problem: ProviderDownError) -> None:
        """Ask a provider no more in this run. Unsent jobs are in the queue or under a lease."""
        log.warning(log.Event.BATCH_DELAYED, cause=str(problem), provider=provider)
        self.closed.add(provider)

    def took(self, provider: Provider) -> None:
        """Send a provider that has taken a batch whole ones."""
        self._unproved.discard(provider)
