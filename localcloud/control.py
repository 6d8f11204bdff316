"""A few buttons for a running local cloud, over HTTP:

    POST /advance {"minutes": 60}            move the clock; cron fires and batches come through on the way
    POST /fire {"name": "submit_batches"}    run one scheduled function now
    GET  /status                             time, next tick, functions, and what it all runs on

Bad input is a 400 whose `error` says what was expected.
"""

from collections import Counter
from datetime import timedelta
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import BadRequest, HTTPException

from localcloud.cloud import ClockError, LocalCloud
from localcloud.cron import Tick
from localcloud.serving import HOST, BackgroundServer

MINUTES_MAX = 31 * 24 * 60


class ControlServer:
    """The buttons of one cloud, from `start` to `stop`, at `url`."""

    def __init__(self, cloud: LocalCloud, port: int = 0) -> None:
        """Take the port.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        self._cloud = cloud
        self._server = BackgroundServer(self._app(), "control", port)
        self.url = f"http://{HOST}:{self._server.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()

    def _app(self) -> Flask:
        app = Flask("control")
        app.add_url_rule("/advance", "advance", self._advance, methods=["POST"])
        app.add_url_rule("/fire", "fire", self._fire, methods=["POST"])
        app.add_url_rule("/status", "status", self._status, methods=["GET"])
        app.register_error_handler(HTTPException, _refusal)
        return app

    def _advance(self) -> Response:
        minutes = _body().get("minutes")
        # bool is an int in Python, and true is no number of minutes.
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 < minutes <= MINUTES_MAX:
            raise BadRequest(f'send {{"minutes": n}} with a number above 0 and at most {MINUTES_MAX}')
        try:
            ticks = self._cloud.advance(timedelta(minutes=minutes))
        except ClockError as error:
            raise BadRequest(str(error)) from error
        return jsonify(
            now=self._now(),
            fired=Counter(tick.name for tick in ticks),
            failed=[_shown(tick) for tick in ticks if not tick.ok],
        )

    def _fire(self) -> Response:
        name = _body().get("name")
        schedules = self._cloud.cron.schedules
        if not isinstance(name, str) or name not in schedules:
            raise BadRequest(f'send {{"name": ...}} with one of: {", ".join(schedules)}')
        return jsonify(_shown(self._cloud.cron.fire(name)))

    def _status(self) -> Response:
        cloud = self._cloud
        next_due = cloud.cron.next_due()
        return jsonify(
            now=self._now(),
            movedSeconds=round(cloud.clock.offset.total_seconds()),
            nextTick=None if next_due is None else next_due.isoformat(timespec="seconds"),
            schedules=cloud.cron.schedules,
            functions=[trigger.name for trigger in cloud.triggers()],
            firestore={"kind": cloud.firestore.kind, "why": cloud.firestore.why},
            openai="stand-in" if cloud.openai_is_standin else cloud.openai_base_url or "none",
            anthropic="none" if cloud.anthropic is None else "stand-in",
            azure="none" if cloud.azure is None else "stand-in",
            stripe="none" if cloud.stripe is None else "stand-in",
            revenuecat="none" if cloud.revenuecat is None else "stand-in",
        )

    def _now(self) -> str:
        return self._cloud.clock().isoformat(timespec="seconds")


def _body() -> dict[str, Any]:
    body = request.get_json(force=True, silent=True)  # curl -d sends no JSON content type
    if not isinstance(body, dict):
        raise BadRequest("send a JSON object")
    return body


def _shown(tick: Tick) -> dict[str, object]:
    schedule_time = tick.schedule_time.isoformat(timespec="seconds")
    return {"name": tick.name, "scheduleTime": schedule_time, "status": tick.status, "body": tick.body}


def _refusal(error: HTTPException) -> tuple[Response, int]:
    return jsonify(error=error.description), error.code or 500
