"""The pages in a real browser, in front of the whole local cloud."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import LocalCloud, custom_token
from scripts import browsers
from scripts.ecolane_cloud import ecolane_cloud
from tests.app import photo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """The machine's own browser; skips with the line that installs one."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(browsers.browser())
        except browsers.NoBrowserError as missing:
            pytest.skip(str(missing))
        from playwright.sync_api import expect  # noqa: PLC0415  (it is there, if a browser is)

        expect.set_options(timeout=PATIENCE_MS)
        yield started


@pytest.fixture(scope="module")
def cloud(browser: "Browser") -> Iterator[LocalCloud]:
    """The running product, on a morning: a day has hours to come at whatever hour the tests run. Only where there is a
    browser."""
    del browser
    morning = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(hour=6), UTC)
    with ecolane_cloud(openai="standin", firestore="embedded", begins=morning) as cloud:
        yield cloud


class Opened:
    """A page of the site, with whatever went wrong in it."""

    def __init__(self, browser: "Browser", cloud: LocalCloud, **options: Any) -> None:
        self.cloud, self._url = cloud, cloud.page_url
        self.context = browser.new_context(**{"viewport": {"width": 390, "height": 844}, **options})
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)

    def go(self, path: str = "/") -> "Page":
        """Open a path of the site."""
        self.page.goto(self._url + path)
        return self.page

    def start(self) -> "Page":
        """Open the user's page and go on without an account, to where photos are handed in."""
        page = self.go()
        page.get_by_role("button", name="Start without an account").click()
        page.get_by_role("button", name="10 tokens").wait_for()
        page.locator("#file:enabled").wait_for(state="attached")  # the prices are known
        return page

    def uid(self) -> str:
        """Who is signed in on this page."""
        user = self.page.evaluate("async () => (await import('/vendor/firebase.js')).getAuth().currentUser.uid")
        assert isinstance(user, str)
        return user

    def operate(self, path: str = "/operator", uid: str = "operator") -> "Page":
        """Open an operator's page, signed in."""
        token = custom_token(uid, {"admin": True})
        self.page.goto(f"{self._url}/operator#token={token}")
        self.page.get_by_role("navigation").wait_for()
        return self.go(path) if path != "/operator" else self.page


def classify(cloud: LocalCloud, uid: str, key: str, mode: str) -> None:
    """Hand a photo in as an app does."""
    user = cloud.sign_in(uid)
    path = f"users/{uid}/uploads/{key}.jpg"
    cloud.storage_client().bucket(cloud.bucket).blob(path).upload_from_string(photo(64), content_type="image/jpeg")
    cloud.call("classify_image", {"requestId": f"request-{key}", "imagePath": path, "mode": mode}, user.id_token)


@pytest.fixture
def opened(browser: "Browser", cloud: LocalCloud) -> Iterator[Opened]:
    """A fresh visit; it fails if anything went wrong in the page that nobody has looked for."""
    visit = Opened(browser, cloud)
    yield visit
    visit.context.close()
    assert visit.problems == []
