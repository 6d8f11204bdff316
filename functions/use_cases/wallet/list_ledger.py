"""`list_ledger`: the caller's whole history, newest first, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.records import NO_CURSOR, Form, Request

if TYPE_CHECKING:
    from functions.wiring import Deps

CURSOR_PREFIX = "seq-"


class ListLedger(Request):
    """Which page: `cursor` is the `nextCursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 20
    cursor: Annotated[str, Form(rf"{CURSOR_PREFIX}[1-9][0-9]{{0,11}}", NO_CURSOR)] | None = None


def list_ledger(request: ListLedger, uid: str, deps: Deps) -> dict[str, Any]:
    """Return `entries` as JSON, and `nextCursor`, which is null on the last page."""
    before = int(request.cursor.removeprefix(CURSOR_PREFIX)) if request.cursor else None
    entries = deps.store.list_entries(uid, before, request.limit)
    last = entries[-1].seq if entries else 1
    return {
        "entries": [entry.as_json() for entry in entries],
        # Entries are numbered from 1 without a gap, so the last page is known without reading past it.
        "nextCursor": f"{CURSOR_PREFIX}{last}" if last > 1 else None,
    }
