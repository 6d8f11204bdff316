"""Achievements and the leaderboard on the user's page."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from localcloud.cloud import LocalCloud
from tests.app import photo
from tests.web.conftest import Opened


@pytest.fixture(autouse=True)
def achievements(cloud: LocalCloud) -> Iterator[None]:
    """Have one, for the first photo; and none after it, which processes know within a minute."""
    rule = {"name": "begun", "counter": "scans", "atLeast": 1, "tokens": 3}
    document = cloud.firestore_client().document("config/runtime")
    document.set({"achievements": {"open": True, "rules": [rule]}}, merge=True)
    cloud.clock.advance(timedelta(minutes=1))
    yield
    document.set({"achievements": {"open": False}}, merge=True)
    cloud.clock.advance(timedelta(minutes=1))


def test_a_slow_answer_takes_no_newer_ones_place(opened: Opened) -> None:
    """Whoever chooses another board sees that one, whichever answer comes last."""
    page = opened.start()
    held: list[Route] = []
    counts: dict[str, Any] = {"top": [], "updatedAt": None, "you": None}

    def answer(route: Route) -> None:
        board = (route.request.post_data_json or {})["data"]["board"]
        if board == "week":
            held.append(route)
        else:
            you = {"rank": 3, "exact": True, "points": 7, "displayName": "Ana"}
            route.fulfill(json={"result": {**counts, "you": you}})

    page.route("**/get_leaderboard", answer)
    page.get_by_role("button", name="10 tokens").click()
    page.get_by_role("button", name="Leaderboard").click()
    page.get_by_label("Points of").select_option("month")
    said = page.get_by_text("You have 7 points: rank 3.")
    expect(said).to_be_visible()
    held[0].fulfill(json={"result": counts})
    page.wait_for_timeout(300)  # until the page had time to show it
    expect(said).to_be_visible()


def test_points_lead_to_a_place_that_is_left_again(opened: Opened, cloud: LocalCloud, tmp_path: Path) -> None:
    """A photo unlocks an achievement, and brings the points of a place under a name that is checked; at ten past the
    hour it is on the list, and off it once the user leaves."""
    file = tmp_path / "bottle.jpg"
    file.write_bytes(photo(64))
    page = opened.start()
    page.get_by_role("button", name="10 tokens").click()
    page.get_by_role("button", name="Leaderboard").click()
    page.get_by_label("Your name").fill("admin")
    page.get_by_role("button", name="Take part").click()
    expect(page.get_by_role("alert")).to_contain_text("This name cannot be shown.")
    opened.problems.clear()  # the browser reports the call that was refused
    page.get_by_label("Your name").fill("Ana Ñ")
    page.get_by_role("button", name="Take part").click()
    expect(page.get_by_text("You have no points here yet")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Back").click()
    page.set_input_files("#file", file)
    page.get_by_role("list").get_by_role("button").first.wait_for()
    page.get_by_role("button", name="8 tokens", exact=True).click()
    page.get_by_text("Achievements: 1 of 1").click()
    expect(page.get_by_text("1 photo, for 3 tokens: done")).to_be_visible()
    cloud.cron.fire("rank_users")
    page.get_by_role("button", name="Leaderboard").click()
    expect(page.get_by_role("row").filter(has_text="Ana Ñ")).to_contain_text("(you)")
    expect(page.get_by_text("You have 10 points: rank ")).to_be_visible()
    page.get_by_label("Points of").select_option("ever")
    expect(page.get_by_role("row").filter(has_text="Ana Ñ")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Leave the leaderboard").click()
    expect(page.get_by_role("button", name="Take part")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Ana Ñ")).to_have_count(0)
