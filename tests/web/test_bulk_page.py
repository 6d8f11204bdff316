"""Photos of a folder, on the user's page: handed in at one price, followed to the report, or cancelled."""

import csv
import re
from datetime import timedelta
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.app import photo
from tests.conftest import Configure
from tests.web.conftest import Opened

PHOTOS = 3


def folder(tmp_path: Path) -> Path:
    """A folder with photos, and a file that is none."""
    for number in range(PHOTOS):
        (tmp_path / f"can {number}.jpg").write_bytes(photo(64))
    (tmp_path / "notes.txt").write_text("no photo", encoding="utf-8")
    return tmp_path


def test_a_folder_is_handed_in_and_its_report_downloaded(opened: Opened, tmp_path: Path) -> None:
    """The price is on the button; the bar moves by itself, and the report has a line for each photo."""
    page = opened.start()
    page.get_by_role("button", name="Photos of a folder").click()
    page.locator("#folder:enabled").set_input_files(folder(tmp_path))
    page.get_by_role("button", name="Upload 3 photos for 3 tokens").click()
    expect(page.get_by_text("0 of 3 photos answered, on the way")).to_be_visible()
    opened.cloud.advance(timedelta(hours=6))
    expect(page.get_by_text("3 of 3 photos answered, done")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report").click()
    rows = list(csv.DictReader(Path(waiting.value.path()).read_text(encoding="utf-8").splitlines()))
    assert [row["status"] for row in rows] == ["done"] * PHOTOS
    assert [re.sub(r"^.{36}-\d{5}-", "", row["photo"]) for row in rows] == ["can_0.jpg", "can_1.jpg", "can_2.jpg"]


def test_usage_counts_a_folder_and_what_came_back_of_it(opened: Opened, tmp_path: Path) -> None:
    """All its photos by one entry. Of those that were refunded some have its name, and some their own: these are told
    from photos whose charge was not read once the whole ledger was."""
    page = opened.start()
    page.get_by_role("button", name="Photos of a folder").click()
    page.locator("#folder:enabled").set_input_files(folder(tmp_path))
    page.get_by_role("button", name="Upload 3 photos for 3 tokens").click()
    expect(page.get_by_text("of 3 photos answered")).to_be_visible()
    page.get_by_role("button", name="7 tokens").click()
    page.get_by_role("button", name="Your usage by month").click()
    expect(page.get_by_text("3 photos for 3 tokens; 12 tokens saved against instant")).to_be_visible()
    entries = [
        {"reason": "refund", "ref": "job", "delta": 1, "detail": None},
        {"reason": "refund", "ref": "folder:1", "delta": 2, "detail": {"photos": "2"}},
        {"reason": "bulk", "ref": "folder", "delta": -5, "detail": {"photos": "5"}},
    ]
    sums = "async (of) => [true, false].map((all) => usage(of, {}, 5, all)[0])"
    load = f"async (of) => {{ const {{ usage }} = await import('/user/usage.js'); return ({sums})(of); }}"
    row = {"month": "2026-11", "lane": "batch", "photos": 5, "tokens": 3, "refunded": 2, "saved": 12}
    both = page.evaluate(load, [{**each, "ts": "2026-11-21T12:00:00Z"} for each in entries])
    assert both == [{**row, "tokens": 2, "refunded": 3}, row]


def test_a_folder_is_cancelled_and_paid_back(opened: Opened, tmp_path: Path) -> None:
    """Before any photo was taken on: all of it."""
    page = opened.start()
    page.get_by_role("button", name="Photos of a folder").click()
    page.locator("#folder:enabled").set_input_files(folder(tmp_path))
    page.get_by_label("They may take some days").check()
    page.get_by_role("button", name="Upload 3 photos for 3 tokens").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text(re.compile("being cancelled|cancelled"))).to_be_visible()
    expect(page.get_by_text(re.compile("0 tokens, "))).to_be_visible()
    expect(page.get_by_role("button", name="10 tokens")).to_be_visible()


def test_what_waiting_saves_is_said_before_it_is_paid(opened: Opened, configure: Configure, tmp_path: Path) -> None:
    """The operator's lower price stands beside the choice, and then on the button."""
    configure({"bulk": {"anyTimePercent": 50}})
    page = opened.start()
    page.get_by_role("button", name="Photos of a folder").click()
    page.locator("#folder:enabled").set_input_files(folder(tmp_path))
    page.get_by_label("They may take some days, for 2 tokens").check()
    page.get_by_role("button", name="Upload 3 photos for 2 tokens").click()
    expect(page.get_by_text(re.compile("of 3 photos answered"))).to_be_visible()
    expect(page.get_by_role("button", name="8 tokens")).to_be_visible()


def test_a_preset_is_saved_used_changed_and_removed(opened: Opened, configure: Configure, tmp_path: Path) -> None:
    """What it keeps is asked for without being said again; more than its most tokens a photo is not sent. By the
    keyboard alone, and without eyes."""
    page = opened.start()
    page.get_by_role("button", name="Photos of a folder").click()
    expect(page.get_by_label("Preset")).to_have_count(0)
    page.get_by_text("Save a preset").press("Enter")
    for label, value in (("Name", "Attic"), ("Most tokens a photo", "1"), ("Language of the answers", "de")):
        page.get_by_label(label).fill(value)
    page.get_by_label("How soon").select_option("Any time in the next days")
    assert not Axe().run(page).violations_count
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.get_by_text("Attic is saved.")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="Photos of a folder").click()
    page.get_by_label("Preset").select_option("Attic")
    page.locator("#folder:enabled").set_input_files(folder(tmp_path))
    expect(page.get_by_label("They may take some days")).to_be_checked()
    page.get_by_role("button", name="Upload 3 photos for 3 tokens").click()
    expect(page.get_by_text(re.compile("of 3 photos answered"))).to_be_visible()
    bulks = [each.to_dict() or {} for each in opened.cloud.firestore_client().collection("bulkJobs").stream()]
    (bulk,) = (each for each in bulks if each["preset"] == "Attic")
    assert (bulk["anyTime"], bulk["language"], bulk.get("payer")) == (True, "de", None)
    configure({"tokens": {"batchPrice": 2}})
    page.locator("#folder:enabled").set_input_files(folder(tmp_path))
    expect(page.get_by_role("alert")).to_have_text("This is more than the 1 token a photo of your preset.")
    expect(page.get_by_role("button", name="Upload 3 photos for 6 tokens")).to_be_disabled()
    page.get_by_text("Change this preset").click()
    expect(page.get_by_label("Name")).to_have_value("Attic")
    page.get_by_label("Most tokens a photo").fill("2")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Upload 3 photos for 6 tokens")).to_be_enabled()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Attic is removed.")).to_be_visible()
    expect(page.get_by_label("Preset")).to_have_count(0)
    page.get_by_label("Name").fill("../nothing")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Take a name of 1 to 40 letters")
    opened.problems.clear()  # the browser reports the call that failed


def test_an_empty_folder_and_a_refusal_are_said(opened: Opened, tmp_path: Path) -> None:
    """In words; the same button tries again."""
    page = opened.start()
    page.get_by_role("button", name="Photos of a folder").click()
    (tmp_path / "notes.txt").write_text("no photo", encoding="utf-8")
    page.locator("#folder:enabled").set_input_files(tmp_path)
    expect(page.get_by_role("alert")).to_have_text("There is no photo in this folder.")
    for number in range(11):
        (tmp_path / f"{number}.jpg").write_bytes(photo(64))
    page.locator("#folder:enabled").set_input_files(tmp_path)
    page.get_by_role("button", name="Upload 11 photos for 11 tokens").click()
    expect(page.get_by_role("alert")).to_contain_text("This costs 11 tokens and you have 10.")
    expect(page.get_by_role("button", name="Upload 11 photos for 11 tokens")).to_be_visible()
    opened.problems.clear()  # the browser reports the call that failed


def test_an_upload_that_fails_stops_the_others_and_goes_on_by_the_same_button(opened: Opened, tmp_path: Path) -> None:
    """Nothing goes on behind the page's back, which would upload all again beside the next try."""
    page = opened.start()
    begun: list[str] = []

    def refused(route: Route) -> None:
        begun.append(route.request.url)
        page.wait_for_timeout(100)
        route.fulfill(status=403, json={}) if "-00000-" in route.request.url else route.continue_()

    page.route(re.compile("uploads%2F"), refused)
    page.get_by_role("button", name="Photos of a folder").click()
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(photo(64))
    page.locator("#folder:enabled").set_input_files(tmp_path)
    button = page.get_by_role("button", name="Upload 10 photos for 10 tokens")
    button.click()
    expect(page.get_by_role("alert")).to_contain_text("The upload was interrupted.")
    page.wait_for_timeout(1_500)
    assert len(begun) < 10
    page.unroute(re.compile("uploads%2F"))
    button.click()
    expect(page.get_by_text("of 10 photos answered")).to_be_visible()
    opened.problems.clear()  # the browser reports the upload that failed
