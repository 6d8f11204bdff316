"""Every view can be read without eyes, by a keyboard, in the dark and on a telephone."""

import uuid
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.app import photo
from tests.web.conftest import Opened, classify

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

SIZES: "dict[str, ViewportSize]" = {
    "telephone": {"width": 390, "height": 844},
    "desk": {"width": 1280, "height": 900},
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def signed_out(visit: Opened, _: Path) -> "Page":
    """The first thing anybody sees, with the form open."""
    page = visit.go()
    page.get_by_text("Use an e-mail address").click()
    return page


def empty(visit: Opened, _: Path) -> "Page":
    """Signed in, and no photo yet."""
    page = visit.start()
    page.get_by_text("No photo yet").wait_for()
    return page


def photos(visit: Opened, file: Path) -> "Page":
    """One answered, one queued."""
    page = visit.start()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    page.get_by_role("radio", name="Later").check()
    page.set_input_files("#file", file)
    page.get_by_text("in the queue").wait_for()
    return page


def result(visit: Opened, file: Path) -> "Page":
    """What it is, with everything unfolded."""
    page = visit.start()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.click()
    for summary in page.locator("summary").all():
        summary.click()
    return page


def wallet(visit: Opened, _: Path) -> "Page":
    """Tokens, with their limits."""
    page = visit.start()
    page.get_by_role("button", name="10 tokens").click()
    page.get_by_text("Today's limits").click()
    return page


def usage(visit: Opened, file: Path) -> "Page":
    """Tokens by month and lane."""
    page = visit.start()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    page.get_by_role("button", name="5 tokens", exact=True).click()
    page.get_by_role("button", name="Your usage by month").click()
    page.get_by_text("1 photo for 5 tokens").wait_for()
    return page


def bulk(visit: Opened, file: Path) -> "Page":
    """A folder of photos, handed in, and another one chosen."""
    page = visit.start()
    page.get_by_role("button", name="Photos of a folder").click()
    page.locator("#folder:enabled").set_input_files(file.parent)
    page.get_by_role("button", name="Upload 1 photo for 1 token").click()
    page.get_by_text("0 of 1 photo answered, on the way").wait_for()
    page.locator("#folder:enabled").set_input_files(file.parent)
    page.get_by_role("button", name="Upload 1 photo for 1 token").wait_for()
    return page


def board(visit: Opened, _: Path) -> "Page":
    """The leaderboard, on which the user is."""
    page = visit.start()
    page.get_by_role("button", name="10 tokens").click()
    page.get_by_role("button", name="Leaderboard").click()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_role("button", name="Take part").click()
    page.get_by_role("button", name="Change the name").wait_for()
    return page


def now(visit: Opened, _: Path) -> "Page":
    """The operators' first page, with its table."""
    page = visit.operate()
    page.get_by_text("Show as table").click()
    return page


def trends(visit: Opened, _: Path) -> "Page":
    """Days that are over, of which a new cloud has none: see test_days.py."""
    page = visit.operate()
    page.get_by_role("link", name="Trends").click()
    page.get_by_text("No day is over yet.").wait_for()
    return page


def savings(visit: Opened, _: Path) -> "Page":
    """Of which a new cloud has none: see test_savings.py."""
    page = visit.operate()
    page.get_by_role("link", name="Savings").click()
    page.get_by_text("Nothing can be said of savings yet").wait_for()
    return page


def ahead(visit: Opened, _: Path) -> "Page":
    """What is to come, of which a new cloud knows nothing: see test_ahead.py."""
    page = visit.operate()
    page.get_by_role("link", name="Ahead").click()
    page.get_by_text("There is no forecast yet.").wait_for()
    page.get_by_text("Add days").click()
    return page


def alerts(visit: Opened, _: Path) -> "Page":
    """What happened, and who changed what."""
    page = visit.operate()
    page.get_by_role("link", name="Alerts").click()
    page.get_by_role("heading", name="Changed settings").wait_for()
    return page


def settings(visit: Opened, _: Path) -> "Page":
    """Every field, and a change that is not applied."""
    page = visit.operate()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("tokens.welcome").fill("11")
    page.get_by_label("tokens.welcome").blur()
    page.get_by_text("Too few days").wait_for()
    return page


def users(visit: Opened, _: Path) -> "Page":
    """A user that is found."""
    classify(visit.cloud, "dan", uuid.uuid4().hex, "batch")
    page = visit.operate()
    page.get_by_role("link", name="Users").click()
    page.get_by_role("searchbox").fill("dan")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("rowheader", name="welcome").wait_for()
    page.get_by_role("cell", name="queued").first.wait_for()
    return page


VIEWS: tuple[Callable[[Opened, Path], "Page"], ...] = (
    signed_out,
    empty,
    photos,
    result,
    wallet,
    usage,
    board,
    bulk,
    now,
    trends,
    savings,
    ahead,
    alerts,
    settings,
    users,
)


@pytest.mark.parametrize("view", VIEWS, ids=[view.__name__ for view in VIEWS])
def test_nothing_is_in_the_way(opened: Opened, tmp_path: Path, view: Callable[[Opened, Path], "Page"]) -> None:
    """No violation that axe knows of, and nothing wider than the screen, on a telephone and a desk, in light and dark:
    the same visit is looked at in all four, as a window is resized and a day ends."""
    file = tmp_path / "bottle.jpg"
    file.write_bytes(photo(64))
    page, found = view(opened, file), list[Any]()
    for (size, viewport), scheme in product(SIZES.items(), SCHEMES):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        for each in Axe().run(page).response["violations"]:
            found.append((size, scheme, each["id"], [node["target"] for node in each["nodes"]]))
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found.append((size, scheme, "wider than the screen"))
    assert found == []


def test_a_keyboard_alone_is_enough(opened: Opened, tmp_path: Path) -> None:
    """From signing in to a photo's lane, its file and the wallet: each is reached by Tab, and said by its name."""
    file = tmp_path / "bottle.jpg"
    file.write_bytes(photo(64))
    page = opened.go()
    page.get_by_role("button", name="Start without an account").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="10 tokens").wait_for()
    page.locator("#file:enabled").wait_for(state="attached")
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.textContent.trim() || document.activeElement.value"
            )
        )
    assert {"To the page", "10 tokens", "file"} <= reached
    assert reached & {"instant", "batch"}
    page.get_by_role("button", name="10 tokens").press("Enter")
    expect(page.get_by_role("heading", name="Your tokens")).to_be_focused()
