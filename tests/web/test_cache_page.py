"""The operators' page *Cache*: what came again, how often it was wrong, what users dispute; and when there is
nothing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from functions.core.cache.certification import Labels, NearTier
from functions.core.cache.report import CacheDay, CacheReport, report
from functions.core.cache.state import CacheState, Family
from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route


@pytest.fixture(scope="module")
def cloud(browser: "Browser") -> Iterator[LocalCloud]:
    """The running product."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        yield cloud


def stored(cloud: LocalCloud) -> dict[str, Any]:
    """Return what the guard stores of two days."""
    at = cloud.clock()
    near = NearTier(
        labels={"31": Labels(checked=368), "56": Labels(checked=500, wrong=9)}, serves=31, checks=200, wrong=2
    )
    state = CacheState(families={"0a1b2c3d": Family(near=near, exact_checked=120, exact_wrong=1, seen_at=at)})
    day = CacheDay(
        photos={"instant": 60, "batch": 40},
        micros={"instant": 9_320, "batch": 4_680},
        hits={"exact": {"instant": 15}, "near": {"instant": 5}},
        would={"near": {"batch": 10}},
        checks=4,
        answers={"gpt-6-luna": {"waste-3": {"Dry Waste": 50}}},
        disputed={"gpt-6-luna": {"waste-3": {"Dry Waste": 1}}},
    )
    days = {f"{at - timedelta(days=1):%Y-%m-%d}": day, f"{at:%Y-%m-%d}": day}
    return CacheReport(days=days, report=report(days, state, at).as_json()).model_dump(by_alias=True)


def test_it_shows_what_came_again_and_how_far_it_is_believed(browser: "Browser", cloud: LocalCloud) -> None:
    """In one sentence first; on a telephone and on a desk, in the dark, without eyes. What is new comes by itself."""
    document = cloud.firestore_client().document("stats/cacheReport")
    document.delete()
    visit = Opened(browser, cloud, color_scheme="dark")
    page = visit.operate()
    page.get_by_role("link", name="Cache").click()
    expect(page.get_by_text("Nothing was counted yet.")).to_be_visible()
    assert not Axe().run(page).violations_count
    document.set(stored(cloud))
    said = page.get_by_role("status").filter(has_text="Of 200 photos in 2 days")
    expect(said).to_contain_text("20.0 % were answered by an earlier answer")
    expect(said).to_contain_text("30.0 % came again")
    believed = page.get_by_role("region", name="How often it was wrong")
    expect(believed.get_by_text("0a1b2c3d serves photos within 31 of 256 bits.")).to_be_visible()
    expect(believed.get_by_role("row").filter(has_text="compared, 56 bits")).to_contain_text("0.83 %")
    disputed = page.get_by_role("region", name="Answers that users dispute").get_by_role("row")
    expect(disputed.filter(has_text="Dry Waste")).to_contain_text("1.00 %")
    assert not Axe().run(page).violations_count
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not Axe().run(page).violations_count
    visit.context.close()
    assert visit.problems == []


def test_it_says_that_it_waits(browser: "Browser", cloud: LocalCloud) -> None:
    """An outline, until the document is there."""
    visit = Opened(browser, cloud)
    page = visit.operate()
    page.route("**/google.firestore.v1.Firestore/**", lambda _: None)  # never answered
    page.get_by_role("link", name="Cache").click()
    expect(page.get_by_role("status", name="Loading")).to_be_visible()
    assert not Axe().run(page).violations_count
    visit.context.close()


def test_it_says_that_it_may_not_read(browser: "Browser", cloud: LocalCloud) -> None:
    """Refused by the rules: the word for it, in place of the figures. The document asked for is one of nobody's."""
    visit = Opened(browser, cloud)
    page = visit.operate()

    def of_nobody(route: "Route") -> None:
        asked = route.request.post_data or ""
        route.continue_(post_data=asked.replace("stats%2FcacheReport", "nobody%2FcacheReport"))

    page.route("**/google.firestore.v1.Firestore/Listen/**", of_nobody)
    page.get_by_role("link", name="Cache").click()
    expect(page.get_by_role("alert").filter(has_text="cannot be shown: permission-denied")).to_be_visible()
    assert not Axe().run(page).violations_count
    visit.context.close()
