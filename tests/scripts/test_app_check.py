"""`admin status` says which products a script may use without the app, as Google's API tells it."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from scripts.inprocess import InProcessCloud
from scripts.operators import app_check
from tests.scripts.test_admin import Run, cloud, run

__all__ = ["cloud", "run"]  # fixtures


@dataclass
class Api:
    """Google's side: what it answers with, and what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b"{}"
    wait: float = 0
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """A small server in place of Google's."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.asked.append(self.path)
            self.send_response(api.status)
            self.end_headers()
            for byte in api.body:
                time.sleep(api.wait)
                self.wfile.write(bytes([byte]))

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(app_check, "URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), None))  # type: ignore[no-untyped-call]
    yield api
    server.shutdown()
    server.server_close()


def services(**modes: str) -> bytes:
    """Return the answer of a project that has set these."""
    names = {f"{name}.googleapis.com": mode for name, mode in modes.items()}
    return json.dumps(
        {"services": [{"name": f"projects/7/services/{name}", "enforcementMode": mode} for name, mode in names.items()]}
    ).encode()


def asked(run: Run) -> Any:
    """Return what status says, of a project that is Google's."""
    done = run("status", "--json", "--project", "my-ecolane")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["appCheck"]


def test_status_says_which_products_are_open(cloud: InProcessCloud, run: Run, api: Api) -> None:
    """What was never set is open, and so is what is only counted."""
    api.body = services(firestore="ENFORCED", firebasestorage="UNENFORCED")
    assert asked(run) == {
        "Functions": "open",
        "Firestore": "enforced",
        "Storage": "open",
        "Authentication": "open",
    }
    assert api.asked[0].startswith("/v1beta/projects/my-ecolane/services")
    printed = run("status", "--project", "my-ecolane").stdout
    assert "App Check is open Functions, Storage, Authentication; enforced Firestore" in printed


@pytest.mark.parametrize(
    ("status", "body"),
    [(403, b"{}"), (500, b""), (302, b""), (200, b"<html>"), (200, b"[]"), (200, b'{"services": [{}]}')],
)
def test_what_could_not_be_asked_is_a_line_and_no_error(
    cloud: InProcessCloud, run: Run, api: Api, status: int, body: bytes
) -> None:
    """Everything else is shown."""
    api.status, api.body = status, body
    assert asked(run)["Storage"].startswith("unknown: ")
    assert "unknown" in run("status", "--project", "my-ecolane").stdout


def test_an_answer_in_drops_is_waited_for_once(
    cloud: InProcessCloud, run: Run, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deadline, for all of it."""
    monkeypatch.setattr(app_check, "SECONDS", 0.3)
    api.body, api.wait = services(firestore="ENFORCED"), 0.05
    assert asked(run)["Firestore"] == "unknown: no answer in 0 s"


def test_an_emulator_is_never_asked_about(
    cloud: InProcessCloud, run: Run, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a local cloud nor a project that is only a name."""
    assert json.loads(run("status", "--json").stdout)["appCheck"] is None
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    assert asked(run) is None
    assert api.asked == []
