"""Plans and purchases on the user's page: bought on Stripe's page by its stand-in, without an account anywhere."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from localcloud.cloud import LocalCloud
from scripts.sample_shop import open_shop
from tests.app import photo
from tests.web.conftest import Opened


@pytest.fixture
def shop(opened: Opened, cloud: LocalCloud) -> Page:
    """The wallet of a new user, where something is sold."""
    open_shop(cloud)
    cloud.clock.advance(timedelta(seconds=31))
    page = opened.start()
    page.get_by_role("button", name="10 tokens").click()
    page.get_by_role("heading", name="Plans and purchases").wait_for()
    return page


def test_a_pack_is_bought_in_the_browser(shop: Page) -> None:
    """From the offer to Stripe's page and back: the tokens are there, and the ledger says where from."""
    expect(shop.get_by_text("20 photos at once, or 100 for later").first).to_be_visible()
    shop.get_by_role("button", name="Buy 100 tokens for $4.99").click()
    shop.get_by_role("button", name="Pay by card", exact=True).click()
    expect(shop.get_by_text("Thank you. You have 100 bought tokens now")).to_be_visible()
    expect(shop.get_by_role("button", name="110 tokens")).to_be_visible()
    expect(shop.get_by_role("listitem").filter(has_text="Tokens bought")).to_contain_text("+100")


def test_what_photos_have_cost_stands_beside_what_they_would_have(
    opened: Opened, cloud: LocalCloud, tmp_path: Path
) -> None:
    """By month: in money, in the other lane, and with the cheapest plan."""
    open_shop(cloud)
    cloud.clock.advance(timedelta(seconds=31))
    page, file = opened.start(), tmp_path / "bottle.jpg"
    file.write_bytes(photo(64))
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", file)
    page.get_by_role("button", name="9 tokens").click()
    expect(page.get_by_text("A photo costs 5 tokens ($0.20) at once, and 1 token ($0.04) for later.")).to_be_visible()
    page.get_by_text("What it has cost").click()
    row = page.get_by_role("row").filter(has_text=re.compile(r"\d{4}-\d\d"))
    expect(row).to_contain_text("$0.04$0.20$0.04Plus, $4.99")
    assert not Axe().run(page).violations_count


def test_packs_are_bought_by_themselves_up_to_a_limit(opened: Opened, cloud: LocalCloud, shop: Page) -> None:
    """Once a card is saved with a pack; the page says what was spent, and turns it off again, also where nothing is
    sold any more."""
    shop.get_by_label("Save my card").check()
    shop.get_by_role("button", name="Buy 25 tokens for $1.99").click()
    shop.get_by_role("button", name="Pay by card", exact=True).click()
    expect(shop.get_by_text("Thank you.")).to_be_visible()
    shop.get_by_label("At most a month").fill("10")
    shop.get_by_role("button", name="Buy by itself").click()
    expect(shop.get_by_text("$0.00 of $10.00 spent this month.")).to_be_visible()
    cloud.firestore_client().document("config/runtime").update({"billing.sellOn": []})
    cloud.clock.advance(timedelta(seconds=31))
    shop.reload()
    shop.get_by_role("button", name=re.compile(r"^\d+ tokens$")).first.click()
    shop.get_by_role("button", name="Turn off").click()
    expect(shop.get_by_text("spent this month")).to_be_hidden()
    assert opened.problems == []


def test_a_declined_card_costs_nothing_and_a_plan_can_be_cancelled(opened: Opened, shop: Page) -> None:
    """The page stays open for another card; the plan is shown with its end, and Stripe's portal cancels it."""
    shop.get_by_role("button", name="Buy Pro for $8.99").click()
    shop.get_by_role("button", name="Pay by a card that is declined").click()
    expect(shop.get_by_role("alert")).to_contain_text("declined")
    shop.get_by_role("button", name="Pay by card", exact=True).click()
    expect(shop.get_by_text("Your plan: Pro, renewed by")).to_be_visible()
    shop.get_by_role("button", name="Buy Plus for $4.99").click()
    expect(shop.get_by_role("alert")).to_contain_text("You pay for the plan pro already.")
    shop.get_by_role("button", name="Change or cancel your plan").click()
    shop.get_by_role("button", name="Cancel").click()
    shop.get_by_role("link", name="Back").click()
    shop.get_by_role("button", name=re.compile(r"\d+ tokens")).first.click()
    expect(shop.get_by_text("Your plan: Pro, until")).to_be_visible()
    opened.problems.clear()  # the browser reports the card and the call that were refused
