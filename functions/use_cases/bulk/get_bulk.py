"""`get_bulk`: how far a bulk job is, and a link to its report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.bulk.bulks import bulk_view, require_owner
from functions.core.shared.records import JobId, Request

if TYPE_CHECKING:
    from functions.wiring import Deps


class GetBulk(Request):
    """Which bulk job."""

    bulk_id: JobId


def get_bulk(request: GetBulk, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the bulk job and `reportUrl`, good for a quarter of an hour; None until there is a report. One read.
    Raises JobNotFound for none, and for somebody else's."""
    stored = deps.store.get_bulk(request.bulk_id)
    bulk = require_owner(stored.bulk if stored else None, uid)
    url = deps.files.report_link(uid, bulk.bulk_id) if bulk.ended else None
    return {**bulk_view(bulk), "reportUrl": url}
