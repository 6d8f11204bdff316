"""Callables whose answer has parts, each made by itself: one that fails costs itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from functions.edge.callables import Answer, Call, R, report_damage, serve_call
from functions.edge.http_errors import error_body, https_error

if TYPE_CHECKING:
    from functions.wiring import Deps


def serve_parts(call: Call, handle: Callable[[R, str, Deps], Mapping[str, Callable[[], Any]]]) -> Answer:
    """Serve a call whose handler returns what makes each part of the answer: a part that fails is `{"error": ...}`."""

    @wraps(handle)
    def each(request: R, uid: str, deps: Deps) -> Answer:
        return {name: _part(make, deps) for name, make in handle(request, uid, deps).items()}

    return serve_call(call, each)


def _part(make: Callable[[], Any], deps: Deps) -> Any:
    try:
        try:
            return make()
        except Exception as error:
            report_damage(error, deps)
            raise
    except Exception as error:  # noqa: BLE001  (whatever it is, the other parts are shown)
        return {"error": error_body(https_error(error))}
