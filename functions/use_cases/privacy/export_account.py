"""`export_account`: all that we hold of the caller, as JSON, in pages that the app puts into one file.

A page has one kind of thing, so no call holds years of use in memory, and each counts towards the rate of calls by what
it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.records import NO_CURSOR, Form, Request
from functions.use_cases.jobs.pages import EPOCH, JOB_CURSOR, cursor_after, position

if TYPE_CHECKING:
    from functions.wiring import Deps

_Page = tuple[list[dict[str, Any]], str | None]
"""What it has, and the cursor of the next one."""

_MACHINERY = {"openedBy", "hold", "leaseUntil", "shard", "arms", "priority", "tried", "expireAt"}
"""Of a job: how we worked it off, which says nothing of the person."""

_BULK_MACHINERY = {"listed", "refunds", "dueAt", "moves", "expireAt"}


class ExportAccount(Request):
    """Which page: `cursor` is the `nextCursor` of the page before."""

    limit: Annotated[int, Field(ge=1, le=100)] = 100
    cursor: (
        Annotated[
            str,
            Form(
                rf"entries:([1-9][0-9]{{0,11}})?|jobs:({JOB_CURSOR})?|bulks:([0-9]{{1,16}})?|photos:[!-~]{{0,1024}}",
                NO_CURSOR,
            ),
        ]
        | None
    ) = None


def export_account(request: ExportAccount, uid: str, deps: Deps) -> dict[str, Any]:
    """Return a page's `kind` and `items`: first the `account` (profile, tokens, what teams keep of the user, how
    many photos are recognised), then all ledger `entries`, the `jobs` of 90 days, `bulks` of them, and where the
    `photos` lie, which the app can read. `nextCursor` is null on the last page."""
    kind, _, after = (request.cursor or "account:").partition(":")
    items, following = _PAGES[kind](uid, after, request.limit, deps)
    return {"kind": kind, "items": items, "nextCursor": following}


def _account(uid: str, _after: str, _limit: int, deps: Deps) -> _Page:
    profile, wallet = deps.store.get_profile(uid), deps.store.get_wallet(uid)
    found = {
        "uid": uid,
        "profile": profile.as_json(),
        "tokens": _without(wallet.as_json(), {"recent"}) if wallet else None,
        "memberships": [
            {"teamId": team.team_id, **team.members[uid].as_json()} for team in deps.store.teams_of(uid, profile.teams)
        ],
        "recognisedPhotos": len(deps.store.cache_entries(uid)),
    }
    return [found], "entries:"


def _entries(uid: str, after: str, limit: int, deps: Deps) -> _Page:
    entries = deps.store.list_entries(uid, int(after) if after else None, limit)
    last = entries[-1].seq if entries else 1
    return [entry.as_json() for entry in entries], f"entries:{last}" if last > 1 else "jobs:"


def _jobs(uid: str, after: str, limit: int, deps: Deps) -> _Page:
    found = deps.store.list_jobs(uid, position(after), limit)
    more = len(found) + len(found.damaged) == limit and found
    items = [_without(stored.job.as_json(), _MACHINERY) for stored in found]
    return items, f"jobs:{cursor_after(found[-1].job)}" if more else "bulks:"


def _bulks(uid: str, after: str, limit: int, deps: Deps) -> _Page:
    before = EPOCH + timedelta(microseconds=int(after)) if after else None
    found = deps.store.list_bulks(uid, before, limit)
    more = len(found) + len(found.damaged) == limit and found
    items = [_without(stored.bulk.as_json(), _BULK_MACHINERY) for stored in found]
    last = (found[-1].bulk.created_at - EPOCH) // timedelta(microseconds=1) if more else 0
    return items, f"bulks:{last}" if more else "photos:"


def _photos(uid: str, after: str, _limit: int, deps: Deps) -> _Page:
    paths, token = deps.files.list_uploads(uid, after or None)
    return [{"imagePath": path} for path in paths], f"photos:{token}" if token else None


def _without(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


_PAGES: Mapping[str, Callable[[str, str, int, Deps], _Page]] = {
    "account": _account,
    "entries": _entries,
    "jobs": _jobs,
    "bulks": _bulks,
    "photos": _photos,
}
