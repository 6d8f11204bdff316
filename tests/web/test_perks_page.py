"""What tokens buy beside answers, on the user's page."""

from datetime import timedelta

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from localcloud.cloud import LocalCloud
from tests.conftest import Configure
from tests.web.conftest import Opened


def test_priority_and_a_streak_saver_are_bought_with_their_price(
    opened: Opened, cloud: LocalCloud, configure: Configure
) -> None:
    """What each does and costs stands there; what is active, and until when, once it is bought. A price that has
    risen meanwhile is said and takes nothing; one more than may be kept is refused in words. What is no longer sold is
    shown as long as it is there."""
    shop = {"priorityDay": 3, "streakSaver": 2, "streakSaversMax": 1}
    configure({"shop": shop})
    page = opened.start()
    page.get_by_role("button", name="10 tokens").click()
    perks = page.get_by_role("region", name="Extras for tokens")
    perks.get_by_role("button", name="Priority for a day: buy for 3 tokens").click()
    expect(perks.get_by_text("Priority for a day bought for 3 tokens.")).to_be_visible()
    expect(perks.get_by_text("Active until ")).to_be_visible()
    expect(page.get_by_role("button", name="7 tokens", exact=True)).to_be_visible()
    configure({"shop": {**shop, "streakSaver": 4}})
    perks.get_by_role("button", name="Streak saver: buy for 2 tokens").click()
    expect(perks.get_by_role("alert")).to_contain_text("The price is 4 tokens now. Nothing was charged.")
    saver = perks.get_by_role("button", name="Streak saver: buy for 4 tokens")
    saver.click()
    expect(perks.get_by_text("You have 1.")).to_be_visible()
    saver.click()
    expect(perks.get_by_role("alert")).to_contain_text("You have as many streak savers as you can have.")
    expect(page.get_by_role("button", name="3 tokens", exact=True).first).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    opened.problems.clear()  # the browser reports the calls that were refused
    configure({})
    cloud.clock.advance(timedelta(days=1))
    page.reload()
    page.get_by_role("button", name="3 tokens", exact=True).click()
    expect(perks.get_by_text("You have 1.")).to_be_visible()
    expect(perks.get_by_text("Priority")).to_have_count(0)
    expect(perks.get_by_role("button")).to_have_count(0)
