"""How soon the operators' page shows its figures, how soon a change is painted, and what a look costs.

The browser, the Firestore and the functions share this machine's cores; nothing is slowed down and nothing is near a
user. `first_figures_cold_ms` is a first visit by a link, signing in included; `first_figures_warm_ms` is the next one,
with its files, its user and its last figures in the browser: both are from the navigation to the frame with the figure
in it, the median of nine. `update_p95_ms` is from the beginning of a commit to the frame that shows it. Reads are
what the page counts and shows, through an hour of moved time in which every cron runs and `CALLS_AN_HOUR` photos are
answered.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import product
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Literal

import brotli  # type: ignore[import-untyped]
from axe_playwright_python.sync_playwright import Axe

from localcloud.cloud import LocalCloud
from localcloud.firestore import find_official
from scripts.browsers import browser
from scripts.dev import operators_page
from scripts.drawings import drawn_photos
from scripts.ecolane_cloud import ecolane_cloud

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

VISITS = 9
UPDATES = 200
CALLS_AN_HOUR = 20

SIZES = ((390, 844), (1280, 900))
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = ("trends", "providers", "cache", "rollouts", "alerts", "users", "settings")
VIEWS = ("/", "/operator", *(f"/operator#{page}" for page in PAGES))

_FIGURE = "main .figure.fresh"
_WATCH = f"""
const seen = (window.seen = []);
let last = "";
new MutationObserver(() => {{
  const text = document.querySelector("{_FIGURE}")?.textContent ?? "";
  if (!text || text === last) return;
  last = text;
  requestAnimationFrame(() => seen.push([text, performance.now(), performance.timeOrigin + performance.now()]));
}}).observe(document, {{ childList: true, subtree: true, characterData: true }});
"""
_BILL = "async () => (await import('/lib/live.js')).bill.reads"
_HIDE = """() => {
  Object.defineProperty(document, "hidden", { value: true, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def run() -> dict[str, Any]:
    """Return the figures by name. Those of Google's emulator are None where this machine has none."""
    with browser() as started:
        with _cloud("embedded") as cloud:
            figures: dict[str, Any] = {
                **_first_figures(started, cloud),
                "update_p95_ms": _update_p95(started, cloud),
                "update_p95_ms_official": None,
                "bytes_brotli": _bytes(started, cloud),
                "axe_violations": _violations(started, cloud),
                "photos_an_hour": CALLS_AN_HOUR,
                "reads_while_open_per_hour": _reads_an_hour(started, cloud, hidden=False),
                "reads_while_hidden_per_hour": _reads_an_hour(started, cloud, hidden=True),
            }
        if find_official()[0] is not None:
            with _cloud("official") as cloud:
                figures["update_p95_ms_official"] = _update_p95(started, cloud)
    return figures


@contextmanager
def _cloud(firestore: str) -> Iterator[LocalCloud]:
    with ecolane_cloud(openai="standin", firestore=firestore) as cloud:
        cloud.cron.fire("guard_budget")  # the day is there
        yield cloud


def _opened(context: "BrowserContext", address: str) -> "Page":
    """Open an address, and wait for the figures that are live."""
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(address)
    page.wait_for_function("() => window.seen.length > 0")
    return page


def _first_figures(started: "Browser", cloud: LocalCloud) -> dict[str, float]:
    cold, warm = list[float](), list[float]()
    for _ in range(VISITS):
        context = started.new_context()
        page = _opened(context, operators_page(cloud))
        cold.append(page.evaluate("() => window.seen[0][1]"))
        page.get_by_text("live").wait_for()
        page.close()
        warm.append(_opened(context, f"{cloud.page_url}/operator").evaluate("() => window.seen[0][1]"))
        context.close()
    return {"first_figures_cold_ms": round(median(cold)), "first_figures_warm_ms": round(median(warm))}


def _update_p95(started: "Browser", cloud: LocalCloud) -> float:
    """Commit new sums of a shard, one after the other, and return how long 95 % of them take at most, in
    milliseconds."""
    context = started.new_context()
    page = _opened(context, operators_page(cloud))
    page.get_by_text("live").wait_for()
    shard = cloud.firestore_client().document(f"budget/{cloud.clock():%Y-%m-%d}/shards/0")
    took = list[float]()
    for number in range(1, UPDATES + 1):
        before, began = page.evaluate("() => window.seen.length"), time.time()
        shard.update({"spent": number * 10_000})
        page.wait_for_function("before => window.seen.length > before", arg=before)
        took.append(page.evaluate("() => window.seen.at(-1)[2]") - 1000 * began)
    context.close()
    return round(quantiles(took, n=20)[-1], 1)


def _bytes(started: "Browser", cloud: LocalCloud) -> int:
    """Return the bytes of the files of a first visit to the operators' page, each compressed as Firebase Hosting
    does."""
    context = started.new_context()
    sizes: dict[str, int] = {}
    page = context.new_page()
    page.on(
        "response",
        lambda answer: (
            sizes.update({answer.url: len(brotli.compress(answer.body()))})
            if answer.url.startswith(cloud.page_url) and answer.ok
            else None
        ),
    )
    page.goto(operators_page(cloud))
    page.get_by_text("live").wait_for()
    context.close()
    return sum(sizes.values())


def _violations(started: "Browser", cloud: LocalCloud) -> int:
    """Return what axe finds on every view, in both schemes and at both widths."""
    found = 0
    for (width, height), scheme in product(SIZES, SCHEMES):
        # What is new fades in, and axe would measure the contrast of what is half there.
        context = started.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        _opened(context, operators_page(cloud)).close()
        for view in VIEWS:
            page = context.new_page()
            page.goto(cloud.page_url + view)
            page.locator("main :is(h2, input)").first.wait_for()
            page.wait_for_timeout(500)  # and what is live has come
            found += Axe().run(page).violations_count
            page.close()
        context.close()
    return found


def _reads_an_hour(started: "Browser", cloud: LocalCloud, *, hidden: bool) -> int:
    """Return what the page has read in an hour of the cloud's time."""
    context = started.new_context()
    page = _opened(context, operators_page(cloud))
    page.get_by_text("live").wait_for()
    if hidden:
        page.evaluate(_HIDE)
    before: int = page.evaluate(_BILL)
    for _ in range(CALLS_AN_HOUR):
        _classify(cloud)
        cloud.advance(timedelta(hours=1) / CALLS_AN_HOUR)
    page.wait_for_timeout(1_000)  # the last change has come
    after: int = page.evaluate(_BILL)
    context.close()
    return after - before


def _classify(cloud: LocalCloud) -> None:
    user, name = cloud.sign_up(), f"{uuid.uuid4().hex}.jpg"
    path = f"users/{user.uid}/uploads/{name}"
    photo = next(iter(drawn_photos().values()))
    cloud.storage_client().bucket(cloud.bucket).blob(path).upload_from_string(photo, content_type="image/jpeg")
    cloud.call("classify_image", {"requestId": uuid.uuid4().hex, "imagePath": path, "mode": "instant"}, user.id_token)
