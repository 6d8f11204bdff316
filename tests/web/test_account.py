"""The user's data and account on the page: taken along, kept by Escape, and deleted for good."""

import json
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.app import photo
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def account(opened: Opened, tmp_path: "Path") -> Page:
    """The account of a user with a photo that was answered."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(photo())
    page = opened.start()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    page.get_by_role("button", name="5 tokens", exact=True).click()
    page.get_by_role("button", name="Your data and account").press("Enter")
    expect(page.get_by_role("heading", name="Your data and account")).to_be_focused()
    return page


def test_all_that_is_held_is_in_one_file(account: Page) -> None:
    """With a link to the photo, which opens it."""
    assert not Axe().run(account).violations_count
    with account.expect_download() as download:
        account.get_by_role("button", name="Download your data").press("Enter")
    expect(account.get_by_text("Your data is in the file ecolane.json.")).to_be_visible()
    assert download.value.suggested_filename == "ecolane.json"
    found = json.loads(download.value.path().read_text())
    assert list(found) == ["account", "entries", "jobs", "bulks", "photos"]
    assert [each["reason"] for each in found["entries"]] == ["charge", "welcome"]
    (held,) = found["photos"]
    assert held["imagePath"] == found["jobs"][0]["imagePath"]
    assert account.context.request.get(held["link"]).ok


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_account_is_deleted_after_a_question(account: Page, opened: Opened, scheme: str) -> None:
    """By the keyboard alone: Escape keeps it, and puts the focus back; then for good, and nobody is signed in."""
    account.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    delete = account.get_by_role("button", name="Delete your account")
    delete.press("Enter")
    dialog = account.get_by_role("dialog", name="Delete your account?")
    expect(dialog).to_contain_text("You give up 5 tokens")
    expect(dialog.get_by_role("button", name="Keep my account")).to_be_focused()
    assert not Axe().run(account).violations_count
    account.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(delete).to_be_focused()
    delete.press("Enter")
    expect(dialog.get_by_role("button", name="Keep my account")).to_be_focused()
    account.keyboard.press("Tab")
    account.keyboard.press("Enter")
    gone = account.get_by_role("dialog", name="Your account is deleted")
    expect(gone).to_contain_text("Everything that names you is erased by")
    assert not Axe().run(account).violations_count
    gone.get_by_role("button", name="Sign out").click()
    expect(account.get_by_role("button", name="Start without an account")).to_be_visible()
    opened.problems.clear()  # calls of the page behind the dialog are refused from then on


def test_a_refusal_is_told_where_it_was_asked(account: Page, opened: Opened) -> None:
    """Of the export beside its button, of leaving in the dialog, which stays open."""
    account.route("**/export_account", lambda route: route.abort())
    account.get_by_role("button", name="Download your data").click()
    expect(account.get_by_role("alert")).to_be_visible()
    account.route("**/delete_account", lambda route: route.abort())
    account.get_by_role("button", name="Delete your account").click()
    account.get_by_role("button", name="Delete it for good").click()
    expect(account.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    account.get_by_role("button", name="Keep my account").click()
    expect(account.get_by_role("dialog")).to_have_count(0)
    opened.problems.clear()  # the browser reports the calls that were aborted
