"""`delete_account`: the user leaves. Here the account is closed; `erase_accounts` removes what is left of the person.

That takes rights which no function that users call should have: to delete sign-ins and photos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from functions import log
from functions.core.privacy.deletion import UPLOADS_END, closing
from functions.core.shared.records import Request
from functions.core.shared.utc_days import iso_text
from functions.core.teams.teams import without_user
from functions.use_cases.shared.set_aside import report_damaged

if TYPE_CHECKING:
    from functions.wiring import Deps


class DeleteAccount(Request):
    """That it is meant: the app asks first, and says how many tokens are given up."""

    confirm: Literal["DELETE"]


def delete_account(_request: DeleteAccount, uid: str, deps: Deps) -> dict[str, Any]:
    """Return since when the account is closed (`closedAt`), and when everything is erased (`erasedBy`); photos that are
    at a provider then are erased when they come back, within a day. What needs the user's tokens is refused from
    now on. The user leaves all teams, see `core.teams.teams.without_user`; one whose wallet is damaged once that is
    repaired, and operators hear of it. Calling again changes nothing."""
    now = deps.clock()
    wallet, damaged = deps.store.close_account(
        uid, now, lambda stored: closing(stored, now), lambda team: without_user(team, uid, now)
    )
    report_damaged(deps, damaged)
    closed = wallet.closed_at or now
    if closed == now:
        log.info(log.Event.ACCOUNT_CLOSED)
    return {"closedAt": iso_text(closed), "erasedBy": iso_text(closed + UPLOADS_END)}
