"""The web SDK in a real browser: what an app's pages do, over WebChannel and REST."""

import re
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer
from localcloud.firestore.web import channel
from localcloud.tests.firestore.support import WEB_SDK, close, connect, install_web_sdk

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

PACKAGES = WEB_SDK / "node_modules" / "firebase"
FILES = ("firebase-app.js", "firebase-firestore.js", "firebase-firestore-lite.js")
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
PATIENCE_MS = 30_000

STREAMING: dict[str, Any] = {"experimentalAutoDetectLongPolling": False}  # by itself it polls where answers come late
POLLING = {"experimentalForceLongPolling": True}

RULES = """
rules_version = "2";
service cloud.firestore {
  match /databases/{database}/documents {
    match /rooms/{room} {
      allow read, write: if request.auth.uid == "ada";
    }
  }
}
"""

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser; skips where none is installed, saying which would do."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    install_web_sdk()
    with playwright.sync_playwright() as driver:
        # Without its sandbox, which it does not have where it runs as root: it sees no page but ours.
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


class _Files(BaseHTTPRequestHandler):
    """Serves the page and the SDK, whose files import each other from Google's address."""

    def do_GET(self) -> None:
        name = self.path.removeprefix("/")
        if name in FILES:
            text = (PACKAGES / name).read_text(encoding="utf-8")
            content = re.sub(r"https://www\.gstatic\.com/firebasejs/[\d.]+/", "/", text)
        else:
            content = (WEB_SDK / name).read_text(encoding="utf-8") if name == "page.mjs" else "<!doctype html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if name else "text/html")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Where the page is. Its origin is not Firestore's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def project(server: FirestoreServer) -> str:
    """A project that nobody has used, whose rooms are the user's who is signed in in the pages."""
    name = f"demo-{uuid.uuid4().hex[:12]}"
    files = [{"content": RULES}]
    url = f"http://{server.app_host}/emulator/v1/projects/{name}:securityRules"
    httpx.put(url, json={"rules": {"files": files}}).raise_for_status()
    return name


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser's profile of the test's own."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def open_page(context: Any, site: str, server: FirestoreServer, project: str) -> Open:
    """Opens a page that is connected to the server."""
    return partial(_open, context, site, server, project)


def _open(context: Any, site: str, server: FirestoreServer, project: str, **how: Any) -> Any:
    page = context.new_page()
    page.goto(site)
    page.evaluate("import('/page.mjs')")
    page.evaluate("how => connect(how)", {"port": int(server.app_host.split(":")[1]), "project": project, **how})
    return page


@pytest.fixture
def client(server: FirestoreServer, project: str) -> Iterator[Client]:
    """A server client of the same database."""
    client = connect(server.host, project)
    yield client
    close(client)


def wait_for(page: Any, condition: str, argument: Any = None) -> None:
    """Wait until the page's last snapshot fulfils a condition on `last` and `argument`."""
    page.wait_for_function(f"argument => {{ const last = seen.at(-1); return last && ({condition}) }}", arg=argument)


def listening(page: Any) -> Any:
    """Listen to the rooms, and return when the server's state of them is there."""
    page.evaluate("listen('rooms')")
    wait_for(page, "!last.cached")
    return page


@pytest.mark.parametrize(("settings", "mode"), [(STREAMING, "0"), (POLLING, "1")], ids=["streaming", "polling"])
def test_a_listener_follows_all_writes(open_page: Open, client: Client, settings: dict[str, Any], mode: str) -> None:
    """Writes of the page and of a server client reach the listener and each other, by both kinds of back channel."""
    page = open_page(settings=settings)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    listening(page)

    client.document("rooms/hall").set({"n": 1, "text": "grüße 🌍"})
    wait_for(page, "last.docs.hall?.text === 'grüße 🌍'")
    page.evaluate("write({path: 'rooms/attic', data: {n: 2.5, list: [true, null, {deep: 'ü'}]}})")
    wait_for(page, "!last.cached && last.docs.attic?.n === 2.5")

    assert client.document("rooms/attic").get().to_dict() == {"n": 2.5, "list": [True, None, {"deep": "ü"}]}
    client.document("rooms/hall").delete()
    wait_for(page, "!('hall' in last.docs)")
    assert {found[1] for url in addresses if (found := re.search(r"[?&]CI=(\d)", url))} == {mode}


def test_large_documents_and_many_of_them(open_page: Open, client: Client) -> None:
    """More than fits into one back channel arrives, and goes out."""
    page = listening(open_page())
    page.evaluate("write({path: 'rooms/large', data: {text: 'ü'.repeat(400_000)}})")
    batch = client.batch()
    for number in range(400):
        batch.set(client.document(f"rooms/r{number}"), {"text": "x" * 10_000})
    batch.commit()

    wait_for(page, "Object.keys(last.docs).length === 401 && !last.cached")
    assert client.document("rooms/large").get().get("text") == "ü" * 400_000


def test_calls_over_rest(open_page: Open, client: Client) -> None:
    """Transactions, aggregations, and the SDK's light version."""
    client.document("rooms/hall").set({"n": 1})
    answers = open_page().evaluate("restCalls()")

    assert answers == {"transaction": 1, "counted": {"count": 1, "total": 2}, "found": ["attic"]}
    assert client.document("rooms/hall").get().get("n") == 2


def test_rules_are_what_a_page_is_held_to(open_page: Open) -> None:
    """A listener and a write that the rules do not allow end with the SDK's code; the page goes on."""
    page = open_page()
    page.evaluate("listen('secrets')")
    wait_for(page, "last.error === 'permission-denied'")

    refused = page.evaluate("write({path: 'secrets/one', data: {}}).catch(error => error.code)")
    assert refused == "permission-denied"
    listening(page)


def test_a_refusal_has_its_code(open_page: Open) -> None:
    """What the server refuses is an error with the SDK's code, in a stream and over REST; the page goes on."""
    page = open_page()

    assert page.evaluate("refusal()") == ["not-found", "not-found"]
    page.evaluate("write({path: 'rooms/hall', data: {n: 1}})")
    assert page.evaluate("read('rooms/hall')") == {"n": 1}


@pytest.mark.parametrize("persistent", [False, True], ids=["alone", "one cache"])
def test_two_tabs_see_each_other(open_page: Open, persistent: bool) -> None:
    """What one tab writes the other one shows, with a connection each or one that they share."""
    first, second = (listening(open_page(persistent=persistent)) for _ in range(2))
    for writer, reader, name in ((first, second, "hall"), (second, first, "attic")):
        writer.evaluate("name => write({path: `rooms/${name}`, data: {n: 1}})", name)
        wait_for(reader, "argument in last.docs", name)


def test_a_write_without_a_network_comes_later(context: Any, open_page: Open, client: Client) -> None:
    """Offline, a page shows its write at once, outlives being closed, and delivers when the network is back."""
    page = listening(open_page(persistent=True))
    context.set_offline(True)
    page.evaluate("write({path: 'rooms/hall', data: {n: 1}, wait: false})")
    wait_for(page, "last.docs.hall?.n === 1")
    assert not client.document("rooms/hall").get().exists
    context.set_offline(False)
    page.close()

    again = open_page(persistent=True)
    again.evaluate("listen('rooms')")
    wait_for(again, "last.docs.hall?.n === 1 && !last.cached")
    assert client.document("rooms/hall").get().to_dict() == {"n": 1}


def test_a_listener_resumes(context: Any, open_page: Open, client: Client) -> None:
    """After a broken connection a listener hears of what it has missed, and of nothing else."""
    for name in ("hall", "attic"):
        client.document(f"rooms/{name}").set({"n": 1})
    page = listening(open_page())
    context.set_offline(True)
    wait_for(page, "last.cached")
    client.document("rooms/hall").set({"n": 2})
    context.set_offline(False)

    wait_for(page, "!last.cached && last.docs.hall.n === 2")
    assert page.evaluate("seen.slice(-2).flatMap(each => each.changed)") == ["hall"]


def test_a_page_outlives_the_server(open_page: Open, server: FirestoreServer, client: Client) -> None:
    """A server that starts again knows no session of before: pages open new ones and go on."""
    page = listening(open_page())
    server.stop()
    wait_for(page, "last.cached")
    server.start()

    page.evaluate("write({path: 'rooms/hall', data: {n: 1}})")
    wait_for(page, "last.docs.hall?.n === 1 && !last.cached")


def test_a_page_that_is_gone_is_forgotten(
    open_page: Open, server: FirestoreServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed page says no goodbye: its listener is gone as soon as nobody can come back to the session."""
    monkeypatch.setattr(channel, "VANISHED_SECONDS", 0.2)
    client.document("rooms/hall").set({"n": 1})
    page = listening(open_page())
    session = server.engine.session(f"projects/{client.project}/databases/(default)")
    page.wait_for_timeout(500)
    assert session.watchers
    page.close()
    ended = time.monotonic() + PATIENCE_MS / 1000
    while session.watchers and time.monotonic() < ended:
        time.sleep(0.05)

    assert not session.watchers
