"""`classify_images`: up to fifty photos into the batch lane, with one call and one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.jobs.opening import Asked
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Request, RequestId
from functions.core.wallet.presets import NO_PRESET, Preset, PresetName, preset_of
from functions.use_cases.jobs.intake import place
from functions.use_cases.jobs.orders import ImagePath, Options, Order, new_order

if TYPE_CHECKING:
    from functions.wiring import Deps

IMAGES_MAX = 50
"""Photos in one call."""


class Image(Request):
    """One of the photos, with an idempotency key of its own."""

    request_id: RequestId
    image_path: ImagePath


class ClassifyImages(Options):
    """The photos."""

    images: Annotated[list[Image], Field(min_length=1, max_length=IMAGES_MAX)]
    preset: PresetName | None = None


def classify_images(request: ClassifyImages, uid: str, deps: Deps) -> dict[str, Any]:
    """Return `results`, one for each photo and in their order, and the `balance` left if anything was charged.

    A result has the photo's `requestId` and either its `job` or its `error`, as `{reason, message, ...}`: one bad photo
    costs no other. A `preset` says what the call leaves open, for one read. Raises InvalidRequest if two photos carry
    the same `requestId`, or there is no such preset.
    """
    keys = [image.request_id for image in request.images]
    if len(set(keys)) < len(keys):
        raise InvalidRequest("images: every photo needs a requestId of its own.", field="images")
    wants, unknown = _preset(request.preset, uid, deps)
    options = request.region, request.language, deps.new_id(), deps.clock(), request.payer, request.preset
    asked = Asked(uid, "", "", Lane.BATCH, *options, wants=wants)
    orders = [
        new_order(replace(asked, request_id=image.request_id, image_path=image.image_path), deps)
        for image in request.images
    ]
    for order in orders:
        order.error = unknown  # a key that was used before is answered all the same
    left_open = {"max_tokens": request.max_tokens or wants.max_tokens, "payer": request.payer or wants.payer}
    balance = place(orders, request.model_copy(update=left_open), deps)
    if unknown and all(order.error is unknown for order in orders):
        raise unknown
    return {"results": [_result(key, order) for key, order in zip(keys, orders, strict=True)], "balance": balance}


def _preset(name: str | None, uid: str, deps: Deps) -> tuple[Preset, InvalidRequest | None]:
    """Return what a preset wants, and the refusal if the user has none of this name (any more)."""
    try:
        return preset_of(deps.store.get_profile(uid).presets, name) if name else NO_PRESET, None
    except InvalidRequest as unknown:
        return NO_PRESET, unknown


def _result(request_id: str, order: Order) -> dict[str, Any]:
    if order.error is None:
        return {"requestId": request_id, "job": order.view()}
    error = {"reason": order.error.reason, "message": order.error.message, **order.error.details}
    return {"requestId": request_id, "error": error}
