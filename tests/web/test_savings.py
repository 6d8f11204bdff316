"""What operators see of savings, and do about them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.core.insights.days import usage_day
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product, forty days old."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        for back in range(1, 41):
            day = (cloud.clock() - timedelta(days=back)).date().isoformat()
            usage = usage_day(day, instant=30 + back % 3, batch=30, visits={"all": 20})
            cloud.firestore_client().document(f"usage/{day}").set(usage.model_dump(by_alias=True))
        yield cloud


def savings(visit: Opened) -> "Page":
    """Open the page."""
    page = visit.operate()
    page.get_by_role("link", name="Savings").click()
    page.get_by_role("status").first.wait_for()
    return page


def plan(cloud: LocalCloud) -> dict[str, Any]:
    """Plan, and return what is stored."""
    cloud.cron.fire("plan_ahead")
    return cloud.firestore_client().document("forecasts/current").get().to_dict() or {}


def test_before_there_is_a_forecast_nothing_is_said(opened: Opened) -> None:
    """In words."""
    page = savings(opened)
    expect(page.get_by_text("Nothing can be said of savings yet")).to_be_visible()
    assert not Axe().run(page).violations_count


def test_a_saving_is_applied_in_one_click_and_undone(opened: Opened) -> None:
    """What it was and will be stands beside the button; the audit has the promise; what saves nothing has no button."""
    found = plan(opened.cloud)["savings"]
    config = opened.cloud.firestore_client().document("config/runtime")
    page = savings(opened)
    together = round(100 * found["together"])
    expect(page.get_by_text(re.compile(f"All changes together would save {together} % of it"))).to_be_visible()
    card = page.get_by_role("region", name="Move instant photos to Later")
    expect(card.get_by_text("tokens.instantPrice: default → 6")).to_be_visible()
    card.get_by_text("How this is computed").click()
    expect(card.get_by_text(re.compile(r"10% of \d+ instant photos x 100"))).to_be_visible()
    assert not Axe().run(page).violations_count
    nothing = page.get_by_role("region", name="What saves nothing, or nobody can know")
    expect(nothing.get_by_role("row", name=re.compile("^The provider's prompt cache"))).to_be_visible()
    expect(nothing.get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("region", name="Ask a cheaper model").get_by_role("button")).to_have_count(0)
    card.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applied: Move instant photos to Later.")).to_be_visible()
    assert config.get().get("tokens.instantPrice") == 6
    (entry,) = config.collection("audit").get()
    assert entry.get("because.kind") == "lane_share"
    expect(card.get_by_role("button", name="Apply")).to_be_disabled()
    plan(opened.cloud)
    measured = page.get_by_role("region", name="What changes have come to")
    expect(measured.get_by_role("row", name=re.compile("being measured, 0 days known"))).to_be_visible()
    assert not Axe().run(page).violations_count
    measured.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: Move instant photos to Later.")).to_be_visible()
    assert "instantPrice" not in (config.get().to_dict() or {}).get("tokens", {})
    expect(measured.get_by_text("changed since")).to_be_visible()


def test_who_was_slower_is_told(opened: Opened) -> None:
    """The page has not yet seen what another operator has set."""
    plan(opened.cloud)
    page = savings(opened)
    card = page.get_by_role("region", name="Move instant photos to Later")
    card.get_by_role("button", name="Apply").wait_for()
    refusal = {
        "error": {
            "status": "FAILED_PRECONDITION",
            "message": "tokens.instantPrice was changed meanwhile.",
            "details": {"reason": "SETTINGS_CHANGED", "field": "tokens.instantPrice"},
        }
    }
    headers = {"access-control-allow-origin": "*"}
    page.route("**/admin_set_config", lambda route: route.fulfill(status=400, json=refusal, headers=headers))
    card.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_be_visible()
    opened.problems.clear()  # the browser reports the refused call
