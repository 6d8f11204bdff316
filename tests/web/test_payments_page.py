"""The operators' page *Payments*: sales, refunds and disputes by day, and whether the books agree."""

from datetime import timedelta
from typing import TYPE_CHECKING

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from functions.core.payments.sales import Sales, SalesDay, Sold, TakenBack
from localcloud.cloud import LocalCloud
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def sales(cloud: LocalCloud, booked: int = 300, unclaimed: int = 0) -> dict[str, object]:
    """Return what is counted of two days."""
    at = cloud.clock()
    rows = (
        Sold(product="tokens_100", provider="stripe", currency="usd", payments=2, minor=998, tokens=200),
        Sold(product="pro_month", provider="revenuecat", currency="inr", payments=1, minor=79_900, tokens=100),
    )
    back = (
        TakenBack(dispute=False, currency="usd", payments=1, minor=250),
        TakenBack(dispute=True, currency="usd", payments=1, minor=499),
    )
    quiet = SalesDay(day=f"{at - timedelta(days=2):%Y-%m-%d}")
    day = f"{at - timedelta(days=1):%Y-%m-%d}"
    busy = SalesDay(day=day, sold=rows, taken_back=back, credit_seconds_half=2, credit_seconds_most=840)
    return Sales(at=at, days=(quiet, busy), unclaimed=unclaimed, given=300, booked=booked).model_dump(by_alias=True)


def test_it_adds_up_what_was_sold_and_taken_back(browser: "Browser", cloud: LocalCloud) -> None:
    """In one sentence first, each currency by itself; what does not agree comes by itself; on any screen, without
    eyes."""
    document = cloud.firestore_client().document("stats/sales")
    visit = Opened(browser, cloud, color_scheme="dark")
    page = visit.operate()
    page.get_by_role("link", name="Payments").click()
    expect(page.get_by_text("Nothing was counted yet.")).to_be_visible()
    assert not Axe().run(page).violations_count
    document.set({**sales(cloud), "days": [], "given": 0, "booked": 0})
    expect(page.get_by_text("No payment in 0 days.")).to_be_visible()
    document.set(sales(cloud))
    said = page.get_by_role("status").filter(has_text="3 payments in 2 days")
    expect(said).to_contain_text("brought $9.98 and ₹799.00; 1 refund took $2.50, 1 dispute $4.99.")
    expect(page.get_by_text("Yes: payments have given 300 tokens")).to_be_visible()
    rows = page.get_by_role("region", name="Day by day").get_by_role("row")
    expect(rows.nth(1)).to_contain_text("1: $2.50")
    expect(rows.nth(2)).to_contain_text("\u2013")
    products = page.get_by_role("region", name="By product")
    expect(products.get_by_role("row").filter(has_text="tokens_100")).to_contain_text("$9.98")
    document.set(sales(cloud, booked=200, unclaimed=1))
    expect(page.get_by_text("No: payments have given 300 tokens, the ledgers have 200")).to_be_visible()
    expect(page.get_by_text("1 payment waits for a payer")).to_be_visible()
    document.set(sales(cloud, unclaimed=2))
    expect(page.get_by_text("2 payments wait for a payer")).to_be_visible()
    assert not Axe().run(page).violations_count
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not Axe().run(page).violations_count
    document.delete()
    visit.context.close()
    assert visit.problems == []


def test_it_comes_when_it_is_opened(browser: "Browser", cloud: LocalCloud) -> None:
    """The first figures wait for nothing of it."""
    visit = Opened(browser, cloud)
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.operate()
    assert not [url for url in asked if url.endswith("payments.js")]
    page.get_by_role("link", name="Payments").click()
    expect(page.get_by_text("Nothing was counted yet.")).to_be_visible()
    assert [url for url in asked if url.endswith("payments.js")]
    visit.context.close()
