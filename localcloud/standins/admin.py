"""Admin endpoints under `/__/`, for other processes: health, faults, request counts, settings, tick."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Request

from localcloud.standins.counts import RequestCounts
from localcloud.standins.faults import Faults


class Steered(Protocol):
    """A stand-in, as an admin steers it."""

    faults: Faults
    settings: BaseModel
    requests: RequestCounts

    def tick(self) -> int:
        """Move to where the clock is; return how many events were accepted."""


class Admin:
    """Answers admin requests with status and JSON."""

    def __init__(self, standin: Steered) -> None:
        """Steer `standin`, of which nothing is asked before the first request."""
        self._standin = standin
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "/__/healthz"): lambda _: {"status": "ok"},
            ("GET", "/__/faults"): lambda _: standin.faults.list(),
            ("POST", "/__/faults"): lambda request: {"id": standin.faults.add(**_object(request))},
            ("DELETE", "/__/faults"): self._remove_faults,
            ("GET", "/__/requests"): lambda _: dict(standin.requests),
            ("POST", "/__/requests/reset"): lambda _: standin.requests.reset(),
            ("POST", "/__/tick"): lambda _: {"webhooks_accepted": standin.tick()},
            ("GET", "/__/settings"): lambda _: _public(standin.settings),
            ("PATCH", "/__/settings"): self._change_settings,
        }

    def answer(self, request: Request) -> tuple[int, Any]:
        """Return status and JSON: 400 with the reason for bad input, 404 for an unknown path."""
        route = self._routes.get((request.method, request.path))
        if route is None:
            return 404, {"error": f"there is no {request.method} {request.path}"}
        try:
            return 200, route(request)
        except (ValueError, TypeError, ValidationError) as error:
            return 400, {"error": str(error)}

    def _remove_faults(self, request: Request) -> Any:
        if fault_id := request.args.get("id"):
            return {"removed": self._standin.faults.remove(fault_id)}
        self._standin.faults.clear()
        return {"removed": True}

    def _change_settings(self, request: Request) -> Any:
        changes = _object(request)
        settings = self._standin.settings
        type(settings).model_validate({**settings.model_dump(), **changes})  # all of them are right, or none is made
        for name, value in changes.items():
            setattr(settings, name, value)
        return _public(settings)


def _object(request: Request) -> dict[str, Any]:
    body = json.loads(request.get_data() or b"{}")
    if not isinstance(body, dict):
        raise TypeError("expected a JSON object")
    return body


def _public(settings: BaseModel) -> dict[str, Any]:
    return settings.model_dump(exclude={"webhook_secret", "webhook_authorization"})
