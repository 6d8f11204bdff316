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
    require_same_bulk,
)
from functions.core.bulk.listing import Prefix, chosen, require_one, whole_price
from functions.core.bulk.quota import started
from functions.core.shared.locales import LanguageTag, Region
from functions.core.shared.records import Request, RequestId, TeamId
from functions.core.wallet.presets import NO_PRESET, BulkLane, PresetName, preset_of
from functions.core.wallet.token_prices import prices_now, require_within
from functions.use_cases.jobs.orders import ImagePath

if TYPE_CHECKING:
    from functions.wiring import Deps

LISTED_MAX = 1_000
"""Photos that a request can name one by one: more do not fit into it. More are meant by how their names begin."""


class StartBulk(Request):
    """The photos: `images`, or all whose file names begin with `prefix`. The same `requestId` starts one bulk job.
    `maxTokens` is the most that all of them may cost; `anyTime`: it may take days. A `preset`
    says what the call leaves open, for one read. `payer`: a team, see `functions.use_cases.jobs.orders.Options`."""

    request_id: RequestId
    prefix: Prefix | None = None
    images: Annotated[list[ImagePath], Field(min_length=1, max_length=LISTED_MAX)] | None = None
    region: Region | None = None
    language: LanguageTag | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    any_time: bool | None = None
    preset: PresetName | None = None
    payer: TeamId | None = None


def start_bulk(request: StartBulk, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the bulk job. Three reads and three writes.

    Raises:
        InvalidRequest: not one of `prefix` and `images`, a photo twice, more photos than may be, or no such preset.
        ImageNotFound: no photo's name begins so.
        NotYourImage: a path leads elsewhere.
        AccountBlocked, PlanRequired, MonthlyLimit, PriceChanged, InsufficientTokens, and of a team TeamNotFound and
            MemberLimit: nothing is charged.
        KeyReused: the key started another bulk job.
    """
    require_one(request.prefix, request.images)
    bulk_id, now, runtime = bulk_id_for(uid, request.request_id), deps.clock(), deps.runtime()
    if (known := deps.store.get_bulk(bulk_id)) is not None:
        return _again(known.bulk, request)
    preset = preset_of(deps.store.get_profile(uid).presets, request.preset) if request.preset else NO_PRESET
    payer = request.payer or preset.payer
    wallet = deps.store.get_wallet(uid, payer)
    prices, most = prices_now(runtime.tokens, deps.queue().queued), runtime.bulk.photos_max
    named = request.images or deps.files.named_uploads(uid, request.prefix or "", most + 1)
    paths = chosen(uid, named, request.prefix, most)
    any_time = preset.lane == BulkLane.ANY_TIME if request.any_time is None else request.any_time
    price = whole_price(len(paths), prices.batch, runtime.bulk, any_time=any_time)
    require_within(price, request.max_tokens or (preset.max_tokens and preset.max_tokens * len(paths)), prices)
    listed, deadline = "\n".join(paths), now + timedelta(days=runtime.bulk.days_max)
    bulk = Bulk(
        bulk_id=bulk_id,
        uid=uid,
        payer=payer,
        state=BulkState.TAKING,
        prefix=request.prefix,
        listed=sha256(listed.encode()).hexdigest(),
        count=len(paths),
        tokens_cost=price,
        points=runtime.tokens.points_per_classification,
        requested_region=request.region,
        requested_language=request.language,
        preset=request.preset,
        region=request.region or preset.region or runtime.default_region,
        language=request.language or preset.language or runtime.default_language,
        any_time=any_time,
        created_at=now,
        deadline=deadline,
        due_at=now,
        expire_at=expires(deadline),
    )
    started(wallet, bulk, runtime)  # what the wallet refuses stores no list
    deps.files.put_list(uid, bulk_id, bulk.listed, listed)
    stored = deps.store.open_bulk(bulk, lambda found: started(found, bulk, runtime))
    return _again(stored, request)


def _again(stored: Bulk, request: StartBulk) -> dict[str, Any]:
    """Answer with what is stored under the key. The photos of a prefix may be others by now: what was listed first
    counts."""
    listed = None if request.images is None else sha256("\n".join(request.images).encode()).hexdigest()
    wanted: dict[str, Any] = {"prefix": request.prefix, "images": listed, "preset": request.preset}
    wanted |= {"region": request.region, "language": request.language}
    left_open = request.preset is not None
    wanted |= {} if left_open and request.any_time is None else {"anyTime": bool(request.any_time)}
    wanted |= {} if left_open and request.payer is None else {"payer": request.payer}
    require_same_bulk(stored, wanted)
    return bulk_view(stored)
