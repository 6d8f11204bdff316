"""Admin endpoints under `/__/`, for other processes: health, faults, request counts, settings, tick."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from werkzeug.wrappers import Request

from localcloud.openai.counts import RequestCounts
from localcloud.openai.faults import Faults


class Steered(Protocol):
    """The engine of a stand-in, as an admin steers it."""

    faults: Faults

    @property
    def settings(self) -> BaseModel:
        """What can be changed while it runs."""

    def tick(self) -> int:
        """Move to where the clock is; return how many events were accepted."""


class Admin:
    """Answers admin requests with status and JSON."""

    def __init__(self, engine: Steered, counts: RequestCounts) -> None:
        """Steer `engine`, and show and reset `counts`."""
        self._engine = engine
        self._counts = counts
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "/__/healthz"): lambda _: {"status": "ok"},
            ("GET", "/__/faults"): lambda _: engine.faults.list(),
            ("POST", "/__/faults"): lambda request: {"id": engine.faults.add(**_object(request))},
            ("DELETE", "/__/faults"): self._remove_faults,
            ("GET", "/__/requests"): lambda _: dict(counts),
            ("POST", "/__/requests/reset"): lambda _: counts.reset(),
            ("POST", "/__/tick"): lambda _: {"webhooks_accepted": engine.tick()},
            ("GET", "/__/settings"): lambda _: _public(engine.settings),
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
            return {"removed": self._engine.faults.remove(fault_id)}
        self._engine.faults.clear()
        return {"removed": True}

    def _change_settings(self, request: Request) -> Any:
        changes = _object(request)
        settings = self._engine.settings
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
