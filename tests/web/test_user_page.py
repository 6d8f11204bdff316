"""The user's page: the whole way of a photo in both lanes, what it costs, and every refusal in words."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from google.cloud.firestore import FieldFilter
from playwright.sync_api import expect

from localcloud.cloud import LocalCloud
from tests.app import photo
from tests.conftest import Configure
from tests.web.conftest import Opened


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A photo on the user's machine."""
    path = tmp_path / "bottle.jpg"
    path.write_bytes(photo(640))
    return path


def test_an_instant_photo_is_answered_while_the_user_watches(opened: Opened, file: Path) -> None:
    """Price on the button, answer in the list, disposal on the card, and the balance says what it took."""
    page = opened.start()
    page.get_by_role("radio", name="Instant").check()
    expect(page.get_by_text("Classify now, 5 tokens")).to_be_visible()
    page.set_input_files("#file", file)
    answer = page.get_by_role("list").get_by_role("button").first
    answer.wait_for()
    expect(page.get_by_role("button", name="5 tokens").first).to_be_visible()
    answer.click()
    expect(page.get_by_text(re.compile(r"\d+ % sure"))).to_be_visible()
    expect(page.get_by_text(re.compile("Instant · 5 tokens"))).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("heading", name="Your photos")).to_be_visible()


def test_an_answer_that_is_given_again_says_so_and_can_be_disputed(
    opened: Opened, configure: Configure, file: Path
) -> None:
    """The card says from which photo it is; a button says that it is wrong, which can be said again if it was not
    heard, and its price comes back."""
    configure({"cache": {"exact": "on"}})
    page = opened.start()
    page.get_by_role("radio", name="Instant").check()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    expect(page.get_by_role("button", name="5 tokens").first).to_be_visible()
    page.set_input_files("#file", file)
    expect(page.get_by_role("button", name="4 tokens", exact=True).first).to_be_visible()
    page.get_by_role("list").get_by_role("button").first.click()
    expect(page.get_by_text("Answered from your photo")).to_be_visible()
    page.route("**/report_answer", lambda route: route.abort())
    page.get_by_role("button", name="This is wrong").click()
    expect(page.get_by_role("alert")).to_contain_text("Something went wrong on our side. Try again.")
    page.unroute("**/report_answer")
    opened.problems.clear()  # the browser reports the call that failed
    page.get_by_role("button", name="This is wrong").click()
    expect(page.get_by_text("1 token came back")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_queued_photo_is_answered_without_a_reload(opened: Opened, cloud: LocalCloud, file: Path) -> None:
    """It waits with its expected time; hours later its answer is there, by the listener alone."""
    page = opened.start()
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", file)
    expect(page.get_by_text("in the queue")).to_be_visible()
    expect(page.get_by_text(re.compile("Answer expected in"))).to_be_visible()
    cloud.advance(timedelta(hours=5))
    expect(page.get_by_text(re.compile("Waste ·|Non-Waste ·"))).to_be_visible()


def test_a_queued_photo_may_be_hurried_or_cancelled(opened: Opened, file: Path) -> None:
    """The difference in price is on the button; a cancelled one brings its token back."""
    page = opened.start()
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", [file, file])
    expect(page.get_by_text("in the queue")).to_have_count(2)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_text("Cancelled")).to_be_visible()
    expect(page.get_by_role("button", name="9 tokens")).to_be_visible()
    page.get_by_role("button", name="Now, 4 tokens").click()
    expect(page.get_by_text(re.compile("Waste ·|Non-Waste ·"))).to_be_visible()
    expect(page.get_by_role("button", name="5 tokens").first).to_be_visible()


def test_a_cancelled_photo_whose_price_stands_says_why(opened: Opened, file: Path) -> None:
    """An attempt at it was paid for and came to nothing, for the fourth time of the day."""
    page = opened.start()
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", file)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled")).to_be_visible()
    expect(page.get_by_text("is not refunded")).to_have_count(0)
    jobs = opened.cloud.firestore_client().collection("aiJobs")
    (job,) = jobs.where(filter=FieldFilter("uid", "==", opened.uid())).stream()
    error = {"code": "ANSWER_UNUSABLE", "message": "It could not be used."}
    job.reference.update({"error": error, "chargeStands": True})
    expect(page.get_by_text("so this one is not refunded")).to_be_visible()


def test_the_wallet_says_what_came_and_went(opened: Opened, file: Path) -> None:
    """The bonus is claimed by a button, once; each entry stands in words; limits are bars with figures."""
    page = opened.start()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    page.get_by_role("button", name=re.compile(r"^\d+ tokens?$")).first.click()
    page.get_by_role("button", name="Claim today's bonus").click()
    expect(page.get_by_text("Daily bonus: 2 tokens.")).to_be_visible()
    expect(page.get_by_text("Today's bonus is claimed")).to_be_visible()
    for words in ("Welcome", "Photo", "Daily bonus"):
        expect(page.get_by_text(words, exact=True).or_(page.get_by_text(re.compile(f"^{words}"))).first).to_be_visible()
    page.get_by_text("Today's limits").click()
    expect(page.get_by_text(re.compile(r"\d of \d+ instant photos"))).to_be_visible()


def test_usage_is_the_sum_of_the_users_own_entries(opened: Opened, file: Path) -> None:
    """By month and lane; what waiting has saved; the ledger as a file that has every entry."""
    page = opened.start()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", [file, file])
    expect(page.get_by_role("button", name="3 tokens", exact=True)).to_be_visible()
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_role("button", name="4 tokens", exact=True)).to_be_visible()
    page.get_by_role("button", name="4 tokens", exact=True).click()
    page.get_by_role("button", name="Your usage by month").click()
    expect(page.get_by_role("heading", name="Your usage")).to_be_focused()
    expect(page.get_by_text("3 photos for 6 tokens; 4 tokens saved against instant")).to_be_visible()
    rows = [[cell.strip() for cell in row.split("\t")] for row in page.locator("tbody tr").all_inner_texts()]
    month = f"{opened.cloud.clock():%Y-%m}"
    assert rows == [[month, "Instant", "1", "5", "0", "0"], [month, "Later", "2", "1", "1", "4"]]
    assert not Axe().run(page).violations_count
    with page.expect_download() as download:
        page.get_by_role("link", name="Save all 5 entries as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "time,what,tokens,balance,reference,why"
    assert [line.split(",")[1:4] for line in lines[1:3]] == [["Welcome", "10", "10"], ["Photo", "-5", "5"]]
    assert sum(int(line.split(",")[2]) for line in lines[1:]) == 4
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_role("heading", name="Your tokens")).to_be_visible()


def test_a_refusal_says_what_to_do(opened: Opened, file: Path, tmp_path: Path) -> None:
    """Too few tokens: what it costs, what there is, and the other lane; no photo at all: choose another one."""
    page = opened.start()
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    page.set_input_files("#file", text)
    expect(page.get_by_role("alert")).to_contain_text("This file is not a photo.")
    page.get_by_role("button", name="Remove").click()
    page.set_input_files("#file", [file, file])
    expect(page.get_by_role("button", name="0 tokens")).to_be_visible()
    page.set_input_files("#file", file)
    expect(page.get_by_role("alert")).to_contain_text("This costs 5 tokens and you have 0.")
    page.get_by_role("button", name="Later, 1 token").click()
    expect(page.get_by_role("alert")).to_contain_text("This costs 1 token and you have 0.")
    opened.problems.clear()  # the browser reports each refused call


def test_a_broken_connection_is_said_and_healed(opened: Opened, file: Path) -> None:
    """What is shown stays; the photo that was handed in meanwhile goes through afterwards."""
    page = opened.start()
    page.get_by_role("radio", name="Later").check()
    opened.context.set_offline(True)
    page.set_input_files("#file", file)
    expect(page.get_by_text(re.compile("Uploading|interrupted|offline")).first).to_be_visible()
    opened.context.set_offline(False)
    again = page.get_by_role("button", name="Try again")
    queued = page.get_by_text("in the queue")
    expect(again.or_(queued).first).to_be_visible()
    if again.is_visible():
        again.click()
    expect(queued).to_be_visible()
    opened.problems.clear()  # the browser reports what it could not fetch
