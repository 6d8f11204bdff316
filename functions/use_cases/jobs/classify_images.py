"""`classify_images`: up to fifty photos into the batch lane, with one call and one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.jobs.opening import Asked
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Request, RequestId
from functions.core.wallet.presets import Preset, PresetName, preset_of
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
    if request.preset is not None:
        request = _filled(request, preset_of(deps.store.get_profile(uid).presets, request.preset))
    options, opened_by, now = (request.region, request.language), deps.new_id(), deps.clock()
    orders = [
        new_order(
            Asked(uid, image.request_id, image.image_path, Lane.BATCH, *options, opened_by, now, request.payer), deps
        )
        for image in request.images
    ]
    balance = place(orders, request, deps)
    return {"results": [_result(key, order) for key, order in zip(keys, orders, strict=True)], "balance": balance}


def _filled(request: ClassifyImages, preset: Preset) -> ClassifyImages:
    """Return the request with what it leaves open as the preset has it."""
    left_open = [name for name in ("region", "language", "max_tokens") if getattr(request, name) is None]
    return request.model_copy(update={name: getattr(preset, name) for name in left_open})


def _result(request_id: str, order: Order) -> dict[str, Any]:
    if order.error is None:
        return {"requestId": request_id, "job": order.view()}
    error = {"reason": order.error.reason, "message": order.error.message, **order.error.details}
    return {"requestId": request_id, "error": error}
