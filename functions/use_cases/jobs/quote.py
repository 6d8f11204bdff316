"""`quote`: what each lane costs now and how long it takes, and which one suits the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.bulk.bulks import PHOTOS_MAX
from functions.core.shared.records import Request, TeamId
from functions.use_cases.jobs.quoting import quoted

if TYPE_CHECKING:
    from functions.wiring import Deps


class Quote(Request):
    """Which team is to pay, if one is; and how many photos a bulk job is to have, if one is wanted."""

    payer: TeamId | None = None
    photos: Annotated[int, Field(ge=1, le=PHOTOS_MAX)] | None = None


def quote(request: Quote, uid: str, deps: Deps) -> dict[str, Any]:
    """Return prices (tokens), waits (minutes), balance, queue position and the recommended lane.

    The price shown is the price paid when `maxTokens` is sent along with the photo. With the budget used up,
    `instant.closedBecause` is `BUDGET` until `instant.opensAt`; batch photos are still taken, and those that have not
    been sent wait until `batch.pausedUntil`, which is part of `batch.waitMinutes`. With a `payer` the balance is the
    team's, and `member` has what the caller may spend of it this month. With `photos`, `bulk` has what a bulk job of so
    many costs, for any time as well. One read. Raises TeamNotFound.
    """
    return quoted(deps.store.get_wallet(uid, request.payer), uid, deps, request.photos)
