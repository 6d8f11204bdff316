"""`cancel_bulk`: a bulk job that is not wanted any more. What was not taken on is refunded at once; `run_bulk` cancels
and refunds what is queued. What is at a provider goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.bulk.bulks import bulk_view, require_owner
from functions.core.shared.records import JobId, Request
from functions.use_cases.jobs.pages import cancelled_bulk

if TYPE_CHECKING:
    from functions.wiring import Deps


class CancelBulk(Request):
    """Which bulk job."""

    bulk_id: JobId


def cancel_bulk(request: CancelBulk, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the bulk job. Cancelling it again, or one that has ended, changes nothing. Three reads and three writes.
    Raises JobNotFound for none, and for somebody else's."""
    stored = deps.store.get_bulk(request.bulk_id)
    bulk = require_owner(stored.bulk if stored else None, uid)
    return bulk_view(require_owner(cancelled_bulk(bulk, deps), uid))
