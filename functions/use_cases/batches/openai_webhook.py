"""`openai_webhook`: OpenAI says that a batch has ended, which brings its poll forward. Webhooks can be lost, late,
doubled or forged: one with a good signature changes the time of the next poll, and nothing else."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from functions import log
from functions.core.batches.batches import BatchState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from functions.wiring import Deps


def openai_webhook(body: bytes, headers: Mapping[str, str], deps: Deps) -> HTTPStatus:
    """Return 200 for an event that was taken or means nothing to us, 400 for one that is not OpenAI's."""
    event = deps.provider.read_webhook(body, headers, deps.settings.openai_webhook_secret)
    if event is None:
        log.warning(log.Event.WEBHOOK_REFUSED)
        return HTTPStatus.BAD_REQUEST
    kind, openai_batch_id = event
    stored = deps.store.find_batch(openai_batch_id) if openai_batch_id else None
    due = stored is not None and stored.batch.state is BatchState.SUBMITTED
    if stored is not None and due:
        # A poller that is faster has the newer version, and has seen what we would have it look at.
        deps.store.update_batch(stored.batch.batch_id, stored.version, {"dueAt": deps.clock()})
    log.info(log.Event.WEBHOOK_RECEIVED, kind=kind, openaiBatchId=openai_batch_id, due=due)
    return HTTPStatus.OK
