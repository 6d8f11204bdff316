"""The functions server: every function of main.py in one process, under its Firebase emulator URL.

    python -m localcloud.functions --source main.py --project demo-local --region us-central1 --port 5001

serves `/{project}/{region}/{name}` as Cloud Run does: each function behind the functions framework's own
application, all of them behind the framework's gunicorn with as many threads as an instance takes callers.
Besides:

    GET /__/healthz     204 as soon as calls are answered
    GET /__/functions   {"functions": [{"name", "trigger": "callable" | "https" | "schedule", and for a schedule
                        "schedule": "*/5 * * * *", "timeZone": "UTC"}]}

An unknown name is a 404 that lists the names there are.
"""

import argparse
import importlib
import json
import os
import secrets
import signal
import sys
import threading
import types
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from firebase_functions.params import Expression
from functions_framework import _function_registry, create_app
from functions_framework._http.gunicorn import GunicornApplication

from localcloud.clock import FILE_VARIABLE, MovableClock
from localcloud.project import PROJECT, REGION, load_hook
from localcloud.serving import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

DEFAULT_THREADS = 80  # one process stands for the instances of every function: five of 16 callers
_GRACE_SECONDS = 5  # what calls under way get on SIGTERM; Cloud Run gives 10
_KEEP_ALIVE_SECONDS = 75  # longer than clients keep idle connections, so that none writes into a closing one


class Dispatcher:
    """The WSGI application in front: finds the function by the path and hands the request on."""

    def __init__(self, apps: "dict[str, WSGIApplication]", triggers: list[dict[str, str]], prefix: str) -> None:
        """Serve `apps`, by function name, under `prefix` (`/{project}/{region}/`)."""
        self.triggers = triggers
        self._apps = apps
        self._prefix = prefix

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Answer one request."""
        path = environ["PATH_INFO"]
        if path == "/__/healthz":
            start_response("204 No Content", [])
            return []
        if path == "/__/functions":
            return _json(start_response, HTTPStatus.OK, {"functions": self.triggers})
        name, _, rest = path.removeprefix(self._prefix).partition("/")
        app = self._apps.get(name) if path.startswith(self._prefix) else None
        if app is None:
            message = f"{path} is no function; these are served under {self._prefix}: {', '.join(self._apps)}"
            error = {"status": "NOT_FOUND", "message": message}
            return _json(start_response, HTTPStatus.NOT_FOUND, {"error": error, "functions": [*self._apps]})
        # What Cloud Run does: the function sees the path below its own, and every request carries a trace.
        environ["SCRIPT_NAME"], environ["PATH_INFO"] = self._prefix + name, "/" + rest
        environ.setdefault("HTTP_X_CLOUD_TRACE_CONTEXT", f"{secrets.token_hex(16)}/{secrets.randbits(63)};o=1")
        return app(environ, start_response)


def load(source: Path, project: str, region: str) -> Dispatcher:
    """Import `source` and make each of its functions answer.

    Raises:
        LookupError: the file declares no function.
    """
    sys.path.insert(0, str(source.parent))
    module = importlib.import_module(source.stem)
    triggers = triggers_of(module)
    if not triggers:
        raise LookupError(f"{source} declares no function: nothing in it carries a firebase_functions decorator")
    names = [trigger["name"] for trigger in triggers]
    # The framework executes its source anew for each function, which is once per process in production. A second time
    # in one process fails where main.py declares a deploy-time parameter, so that all get the module imported here.
    imported = types.SimpleNamespace(loader=types.SimpleNamespace(exec_module=lambda _: None))
    with mock.patch.object(_function_registry, "load_function_module", return_value=(module, imported)):
        apps = {name: create_app(name, str(source)) for name in names}  # type: ignore[no-untyped-call]
    os.environ.pop("FUNCTION_TARGET")  # the framework leaves the last name there, which is true of no request
    return Dispatcher(apps, triggers, f"/{project}/{region}/")


def triggers_of(module: types.ModuleType) -> list[dict[str, str]]:
    """Return every function that `module` declares as `GET /__/functions` shows it, in its order there."""
    return [_trigger(value) for value in vars(module).values() if hasattr(value, "__firebase_endpoint__")]


def _trigger(function: types.FunctionType) -> dict[str, str]:
    """Describe a function by what firebase-functions wrote into its manifest entry."""
    endpoint = function.__firebase_endpoint__  # type: ignore[attr-defined]
    if endpoint.scheduleTrigger is not None:
        described = {"trigger": "schedule", "schedule": _text(endpoint.scheduleTrigger["schedule"])}
        zone = endpoint.scheduleTrigger["timeZone"]
        # Left out, the manifest holds a sentinel, and the Firebase CLI deploys the job in UTC.
        described["timeZone"] = _text(zone) if isinstance(zone, str | Expression) else "UTC"
    else:
        described = {"trigger": "callable" if endpoint.callableTrigger is not None else "https"}
    return {"name": function.__name__, **described}


def _text(value: "str | Expression[str]") -> str:
    return str(value.value if isinstance(value, Expression) else value)


def _json(start_response: "StartResponse", status: HTTPStatus, content: dict[str, Any]) -> list[bytes]:
    body = json.dumps(content).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def _install_clock(hook: str) -> None:
    """Hand the moved time to the project, which otherwise takes the machine's and looks at its settings later."""
    try:
        load_hook(hook)(MovableClock(Path(os.environ[FILE_VARIABLE])))
    except Exception as wrong:  # noqa: BLE001  (whatever the project finds wrong with its settings)
        sys.exit(f"The functions do not start: {wrong}")


def _stop_with_parent() -> None:
    """Stop when standard input ends: its other end is the parent's, and the kernel closes it however the
    parent dies.

    Linux could send a signal instead (PR_SET_PDEATHSIG), but that goes out when the *thread* that started us
    ends.
    """

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # not through sys.stdin, whose lock a thread must not hold when Python ends
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m localcloud.functions", description="Serve main.py.")
    parser.add_argument("--source", type=Path, default=Path("main.py"), help="the file with the functions")
    parser.add_argument("--project", default=PROJECT, help="first part of every path")
    parser.add_argument("--region", default=REGION, help="second part of every path")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--clock-hook", help=f"module:function, called with the moved clock of ${FILE_VARIABLE}")
    parser.add_argument("--threads", type=int, default=DEFAULT_THREADS, help="callers an instance answers at once")
    parser.add_argument("--processes", type=int, default=1, help="instances behind the one port")
    parser.add_argument("--stop-with-parent", action="store_true", help="end when standard input does")
    return parser.parse_args()


def main() -> None:
    """Serve until SIGTERM, which lets the calls under way end."""
    arguments = _arguments()
    if arguments.stop_with_parent:
        _stop_with_parent()
    app = load(arguments.source.resolve(), arguments.project, arguments.region)
    if arguments.clock_hook is not None:
        _install_clock(arguments.clock_hook)
    GunicornApplication(  # type: ignore[no-untyped-call]
        app,
        HOST,
        arguments.port,
        debug=False,
        threads=arguments.threads,
        workers=arguments.processes,
        keepalive=_KEEP_ALIVE_SECONDS,
        graceful_timeout=_GRACE_SECONDS,
        control_socket_disable=True,  # or it leaves a socket in the home directory
    ).run()


if __name__ == "__main__":
    main()
