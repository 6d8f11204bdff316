"""What the operators' page shows when all is not as usual. Each state can be read without eyes, too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.web.conftest import Opened

FIGURE = "main .figure.fresh"


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product, whose clock is moved and whose documents are changed by these tests alone."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        cloud.cron.fire("guard_budget")
        yield cloud


@pytest.fixture
def opened(browser: Browser, cloud: LocalCloud) -> Iterator[Opened]:
    """A fresh visit. The browser reports what it could not fetch, which is what these tests are about."""
    visit = Opened(browser, cloud, reduced_motion="reduce")
    yield visit
    visit.context.close()


def accessible(page: Page) -> bool:
    """Tell whether axe finds nothing on the page as it is."""
    return not Axe().run(page).violations_count


def test_the_last_figures_stand_there_while_new_ones_come(opened: Opened) -> None:
    """With their age; nothing moves when the new ones are there."""
    page = opened.operate()
    page.get_by_text("live").wait_for()
    shown = page.locator(FIGURE).inner_text()
    page.route("**/google.firestore.v1.Firestore/**", lambda _: None)  # never answered
    page.reload()
    expect(page.get_by_role("status").filter(has_text="loading what is new")).to_be_visible()
    expect(page.locator(FIGURE)).to_have_text(shown)
    assert accessible(page)


def test_a_page_whose_module_is_on_its_way_says_so(opened: Opened) -> None:
    """Before there is anything of the page itself."""
    page = opened.page
    page.route("**/operator/now.js", lambda _: None)  # never comes
    opened.operate()
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    assert accessible(page)


def test_a_first_visit_waits_with_an_outline(opened: Opened) -> None:
    """There is nothing to show yet, and it says that it is loading."""
    page = opened.page
    page.route("**/google.firestore.v1.Firestore/**", lambda _: None)
    opened.operate()
    expect(page.get_by_label("Loading").first).to_be_visible()
    assert accessible(page)


def test_a_lost_connection_is_said_with_the_age_of_the_figures(opened: Opened) -> None:
    """They stay, and are live again when it is back."""
    page = opened.operate()
    page.get_by_text("live").wait_for()
    opened.context.set_offline(True)
    expect(page.get_by_role("status").filter(has_text="Connection lost")).to_be_visible()
    expect(page.locator(FIGURE)).to_be_visible()
    assert accessible(page)
    opened.context.set_offline(False)
    expect(page.get_by_text("live")).to_be_visible()


def test_a_day_without_a_photo_says_so(opened: Opened) -> None:
    """No chart without a line, and no share of nothing."""
    page = opened.operate()
    expect(page.get_by_text("of 0 photos answered")).to_be_visible()
    expect(page.get_by_text("No photo yet today.")).to_be_visible()
    assert accessible(page)


def test_where_nothing_has_happened_it_says_so(opened: Opened) -> None:
    """No alert, no change of a setting, no failed cron."""
    page = opened.operate()
    expect(page.get_by_role("region", name="Needs you").get_by_text("Nothing.")).to_be_visible()
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_text("There was none in the last weeks.")).to_be_visible()
    expect(page.get_by_text("Nobody has changed anything.")).to_be_visible()
    assert accessible(page)


def test_a_wallet_without_an_entry_says_so(opened: Opened) -> None:
    """Instead of an empty list: a wallet that was made anew, or whose entries have not come yet."""
    page = opened.start()
    uid = opened.uid()
    opened.cloud.firestore_client().document(f"users/{uid}/wallet/main").update({"recent": []})
    page.get_by_role("button", name="10 tokens").click()
    expect(page.get_by_text("Nothing has come or gone yet.")).to_be_visible()
    assert accessible(page)


def test_a_limit_that_is_reached_comes_first(opened: Opened) -> None:
    """What is closed, until when, and the money, in the one sentence."""
    today = opened.cloud.clock()
    state = opened.cloud.firestore_client().document("stats/budget")
    before = state.get().to_dict() or {}
    midnight = datetime.combine(today + timedelta(days=1), datetime.min.time(), UTC)
    state.set({**before, "day": f"{today:%Y-%m-%d}", "mode": "closed", "reopensAt": midnight})
    page = opened.operate()
    expect(page.get_by_role("status").filter(has_text="Nothing is sent to the provider until")).to_be_visible()
    assert accessible(page)
    state.set(before)
    expect(page.get_by_role("status").filter(has_text="Nothing is sent")).to_be_hidden()


def test_a_page_that_does_not_load_says_so(opened: Opened) -> None:
    """Each page is a file that comes when it is opened. Without it the others go on."""
    page = opened.operate()
    page.route("**/operator/users.js", lambda route: route.abort())
    page.get_by_role("link", name="Users", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="could not be loaded")).to_be_visible()
    page.get_by_role("link", name="Alerts", exact=True).click()
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()
    opened.problems.clear()  # the browser reports the file that failed


def test_a_guard_that_is_late_is_named(opened: Opened) -> None:
    """Last, since it moves the clock: figures are live, but nobody has reviewed them for two hours."""
    opened.cloud.clock.advance(timedelta(hours=2))
    page = opened.operate()
    today = f"{opened.cloud.clock():%Y-%m-%d}"
    slot = {"until": opened.cloud.clock() - timedelta(hours=2), "tally": {}, "arrivals": {}, "guards": 1}
    opened.cloud.firestore_client().document(f"usage/{today}").set({"slots": [slot]}, merge=True)
    expect(page.get_by_text("the guard is late: it looked last 2 hours ago")).to_be_visible()
    assert accessible(page)
