"""Webhooks: what other services call. The answer is a status and no word more: whoever calls may be anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from firebase_functions import https_fn
from flask import Request, Response

from functions import log
from functions.deploy.shop.selling import left_out_unless_sold, with_secret_names
from functions.edge.bodies import read_body
from functions.edge.http_errors import report

if TYPE_CHECKING:
    from functions.wiring import Deps

WEBHOOK_BYTES_MAX = 64 * 1024
"""Events of batches take a few hundred, those of an invoice some thousand."""


def on_webhook(
    *, sells: bool = False, **given: Any
) -> Callable[[Callable[[Request], Response]], Callable[[Request], Response]]:
    """Declare a webhook, with the options of `https_fn.on_request`. `sells`: left out of a deploy that sells
    nothing."""

    def decorate(function: Callable[[Request], Response]) -> Callable[[Request], Response]:
        return left_out_unless_sold(https_fn.on_request(**with_secret_names(given))(function), sells=sells)

    return decorate


def serve_webhook(request: Request, handle: Callable[[bytes, Mapping[str, str], Deps], HTTPStatus]) -> Response:
    """Serve one webhook. The handler gets the body as it was sent, the headers, and says which status is answered."""
    with log.serving(handle.__name__):
        try:
            from functions.wiring import deps as process_deps

            body = read_body(request, WEBHOOK_BYTES_MAX)
            if body is None:
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            else:
                status = handle(body, dict(request.headers), process_deps())
        except Exception as error:  # noqa: BLE001  (the sender is told to try again, and the log why)
            report(log.Event.CALL_CRASHED, error)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
    return Response(status=status)
