"""`start_bulk`: thousands of photos by one request.

    list the photos             the same list for ever, whatever is uploaded later
    ► the list to Storage       under its digest: what a dead call leaves is nobody's
    ► charge the whole price, and store the bulk job, in one transaction

`run_bulk` does the rest.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.bulk.bulks import (
    Bulk,
    BulkState,
    bulk_id_for,
    bulk_view,
    expires,
    payload,
    require_same_bulk,
)
from functions.core.bulk.listing import Prefix, chosen, require_one, whole_price
from functions.core.bulk.quota import started
from functions.core.shared.locales import LanguageTag, Region
from functions.core.shared.records import Request, RequestId
from functions.core.wallet.token_prices import prices_now, require_within
from functions.use_cases.jobs.orders import ImagePath

if TYPE_CHECKING:
    from functions.wiring import Deps

LISTED_MAX = 1_000
"""Photos that a request can name one by one: more do not fit into it. More are meant by how their names begin."""


class StartBulk(Request):
    """The photos: `images`, or all whose file names begin with `prefix`. The same `requestId` starts one bulk job.
    `maxTokens` is the most that all of them may cost; `anyTime`: it may take days."""

    request_id: RequestId
    prefix: Prefix | None = None
    images: Annotated[list[ImagePath], Field(min_length=1, max_length=LISTED_MAX)] | None = None
    region: Region | None = None
    language: LanguageTag | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    any_time: bool = False


def start_bulk(request: StartBulk, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the bulk job. Three reads and three writes.

    Raises:
        InvalidRequest: not one of `prefix` and `images`, a photo twice, or more photos than may be.
        ImageNotFound: no photo's name begins so.
        NotYourImage: a path leads elsewhere.
        AccountBlocked, PlanRequired, MonthlyLimit, PriceChanged, InsufficientTokens: nothing is charged.
        KeyReused: the key started another bulk job.
    """
    require_one(request.prefix, request.images)
    bulk_id, now, runtime = bulk_id_for(uid, request.request_id), deps.clock(), deps.runtime()
    if (known := deps.store.get_bulk(bulk_id)) is not None:
        return _again(known.bulk, request)
    wallet = deps.store.get_wallet(uid)
    prices, most = prices_now(runtime.tokens, deps.queue().queued), runtime.bulk.photos_max
    named = request.images or deps.files.named_uploads(uid, request.prefix or "", most + 1)
    paths = chosen(uid, named, request.prefix, most)
    price = whole_price(len(paths), prices.batch, runtime.bulk, any_time=request.any_time)
    require_within(price, request.max_tokens, prices)
    listed, deadline = "\n".join(paths), now + timedelta(days=runtime.bulk.days_max)
    bulk = Bulk(
        bulk_id=bulk_id,
        uid=uid,
        state=BulkState.TAKING,
        prefix=request.prefix,
        listed=sha256(listed.encode()).hexdigest(),
        count=len(paths),
        tokens_cost=price,
        points=runtime.tokens.points_per_classification,
        requested_region=request.region,
        requested_language=request.language,
        region=request.region or runtime.default_region,
        language=request.language or runtime.default_language,
        any_time=request.any_time,
        created_at=now,
        deadline=deadline,
        due_at=now,
        expire_at=expires(deadline),
    )
    started(wallet, bulk, runtime)  # what the wallet refuses stores no list
    deps.files.put_list(uid, bulk_id, bulk.listed, listed)
    stored = deps.store.open_bulk(bulk, lambda found: started(found, bulk, runtime))
    require_same_bulk(stored, payload(bulk))
    return bulk_view(stored)


def _again(stored: Bulk, request: StartBulk) -> dict[str, Any]:
    """Answer a key that was used. The photos of a prefix may be others by now: what was listed first counts."""
    listed = None if request.images is None else sha256("\n".join(request.images).encode()).hexdigest()
    wanted = {"prefix": request.prefix, "images": listed, "region": request.region, "language": request.language}
    require_same_bulk(stored, {**wanted, "anyTime": request.any_time})
    return bulk_view(stored)
