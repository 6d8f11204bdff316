"""What operators see of the days that are over: trends, and what a change would have meant before it is applied."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Route, expect

from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.core.insights.days import usage_day
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

DAYS = 30
MINUS = "\u2212"
TRENDS = ["Tokens by reason", "Users who came back", "By plan", "By lane and model", "Day by day (UTC)"]
TOKENS = {"welcome": 20, "bonus": 4, "charge": -19, "refund": 1, "upgrade": -4}


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product, thirty days old: on each, three instant and four batch photos for 1,000 micro-dollars, two
    new users, and one who was new the day before."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        cloud.cron.fire("guard_budget")
        note(cloud, DAYS)
        yield cloud


def note(cloud: LocalCloud, days: int) -> None:
    """Write so many days that are over as the guard has noted them."""
    for back in range(1, days + 1):
        day = (cloud.clock() - timedelta(days=back)).date().isoformat()
        usage = usage_day(day, instant=3, batch=4, visits={"all": 5, "0": 2, "1": 1, "7": 0, "28": 0}, tokens=TOKENS)
        cloud.firestore_client().document(f"usage/{day}").set(usage.model_dump(by_alias=True))


def column(table: "Locator", name: str) -> list[str]:
    """Return what a table's rows show in a column."""
    heads = table.locator("thead th").all_inner_texts()
    return [cell.strip() for cell in table.locator(f"tbody tr > :nth-child({heads.index(name) + 1})").all_inner_texts()]


def dollars(cells: list[str]) -> float:
    """Return the sum of what cells show."""
    return round(sum(float(cell.removeprefix("$")) for cell in cells), 6)


def settings(visit: Opened) -> "Page":
    """Open the settings."""
    page = visit.operate()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Find a setting").wait_for()
    return page


def change(page: "Page", field: str, value: str) -> None:
    """Write a value, and leave the field."""
    page.get_by_label(field).fill(value)
    page.get_by_label(field).blur()


def test_a_change_shows_what_it_would_have_meant_before_it_is_applied(opened: Opened) -> None:
    """Money and admission in sentences, each the sum of the days' rows below; nothing is changed by looking."""
    page = settings(opened)
    change(page, "tokens.instantPrice", "6")
    change(page, "budget.dailyLimitMicros", "1100")
    shown = page.get_by_role("region", name="Changes")
    expect(shown.get_by_text(re.compile(r"The last 28 days would have cost"))).to_be_visible()
    page.get_by_text("Day by day").click()
    table = page.get_by_role("table").first
    assert len(column(table, "Day (UTC)")) == 28
    sums = {name: dollars(column(table, name)) for name in ("Did cost", "As set now", "With the change")}
    said = shown.get_by_text(re.compile("would have cost")).inner_text()
    found = re.findall(r"\$(\d[\d.]*\d)", said)
    rows = [sums[name] for name in ("With the change", "As set now", "Did cost")]
    assert [float(each) for each in found] == [float(f"{each:.2g}") for each in rows]  # as many digits as matter
    assert sums["Did cost"] == sums["As set now"] == 0.028
    assert sums["With the change"] < sums["As set now"]
    for name, words in (("Moved", "of 84 instant photos moved to Later"), ("Waiting", "waited over a midnight")):
        total = sum(int(cell) for cell in column(table, name))
        assert total > 0
        expect(shown.get_by_text(re.compile(f"With this change: .*{total} {words}"))).to_be_visible()
    page.get_by_text("For a photo and a user").click()
    expect(page.get_by_role("row", name=re.compile("instant: price 5 tokens 6 tokens"))).to_be_visible()
    assert not opened.cloud.firestore_client().document("config/runtime").get().exists
    assert not Axe().run(page).violations_count


def test_what_the_days_cannot_show_is_named(opened: Opened) -> None:
    """A limit of one user is not replayed; a value out of range is refused in the functions' words."""
    page = settings(opened)
    change(page, "plans.free.instantPerDay", "1")
    expect(page.get_by_text("Not in these days: plans.free.instantPerDay.")).to_be_visible()
    change(page, "plans.free.instantPerDay", "-1")
    expect(page.get_by_text("plans.free.instantPerDay: must be at least 0.")).to_be_visible()
    page.get_by_role("button", name="Leave as it is").click()
    expect(page.get_by_text("What it would have meant")).to_have_count(0)
    opened.problems.clear()  # the browser reports the refused look


def test_too_few_days_say_so(opened: Opened) -> None:
    """How many there are, and how many it takes; the change can be applied anyway."""
    client = opened.cloud.firestore_client()
    for day in client.collection("usage").stream():
        day.reference.delete()
    note(opened.cloud, 6)
    page = settings(opened)
    change(page, "tokens.instantPrice", "6")
    expect(page.get_by_text("Too few days: 6 days can be gone through so far, and a trial needs 7")).to_be_visible()
    expect(page.get_by_role("button", name="Apply 1")).to_be_enabled()
    assert not Axe().run(page).violations_count
    note(opened.cloud, DAYS)


def tab_to(page: "Page", words: str, key: str = "Tab") -> None:
    """Go from field to field by a key until one is reached whose name or text this is."""
    name = "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
    for _ in range(120):
        page.keyboard.press(key)
        if page.evaluate(name).startswith(words):
            return
    raise AssertionError(f"{words} is not reached by {key}")


def test_a_keyboard_alone_applies_a_change_and_takes_it_back(opened: Opened) -> None:
    """From the first Tab on: to the settings, into the field, to what it would have meant, apply, undo."""
    config = opened.cloud.firestore_client().document("config/runtime")
    page = opened.operate()
    tab_to(page, "Settings")
    page.keyboard.press("Enter")
    page.get_by_label("Find a setting").wait_for()
    tab_to(page, "Find a setting")
    page.keyboard.type("instantPrice")
    tab_to(page, "tokens.instantPrice")
    page.keyboard.type("6")
    page.keyboard.press("Shift+Tab")  # a field that is left is a change, of which is asked what it would have meant
    page.locator("summary", has_text="Day by day").first.wait_for()
    tab_to(page, "Day by day", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("columnheader", name="With the change")).to_be_visible()
    tab_to(page, "Apply 1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Applied: tokens.instantPrice.")).to_be_visible()
    assert config.get().get("tokens.instantPrice") == 6
    tab_to(page, "Undo the last change")
    page.keyboard.press("Enter")
    expect(page.get_by_label("tokens.instantPrice")).to_have_value("")
    assert "instantPrice" not in (config.get().to_dict() or {}).get("tokens", {})


def test_trends_are_sums_of_the_days_below(opened: Opened) -> None:
    """Tokens by reason, users who came back of those who could, photos and money; bars have their figures beside."""
    page = opened.operate()
    page.get_by_role("link", name="Trends").click()
    expect(page.get_by_text("The last 28 days brought 196 photos for $0.028; 50 % of new users")).to_be_visible()
    days = page.get_by_role("region", name="Day by day")
    tokens, returns = (page.get_by_role("region", name=name) for name in ("Tokens by reason", "Users who came back"))
    expect(tokens.get_by_text("672 earned, 616 spent")).to_be_visible()
    for reason, total in (("Welcome", 560), ("Photos", -532), ("Refunds", 28), ("Upgrades", -112)):
        row = tokens.get_by_role("row", name=re.compile(f"^{reason}"))
        expect(row).to_contain_text(f"{total:+}".replace("-", MINUS))
        assert sum(int(cell.replace(MINUS, "-")) for cell in column(days, reason)) == total
    assert sum(map(int, column(days, "Earned"))) == 672
    assert sum(map(int, column(days, "Spent"))) == 616
    expect(returns.get_by_role("row", name=re.compile("Back after 1 day"))).to_contain_text("285650.0 %")
    expect(returns.get_by_role("row", name=re.compile("Back after 28 days"))).to_contain_text(
        "04too few"
    )  # of two days
    expect(tokens.get_by_role("progressbar", name="+560 tokens")).to_be_visible()
    assert not Axe().run(page).violations_count


def test_lanes_and_models_show_their_last_week_beside_the_days_before(opened: Opened) -> None:
    """Of three instant photos a day there are too few in a week, and enough before; of batch photos, in both."""
    client = opened.cloud.firestore_client()
    for back in (1, 2):
        day = (opened.cloud.clock() - timedelta(days=back)).date().isoformat()
        dear = usage_day(day, instant=3, batch=6, micros=(200, 450), visits={"all": 5}, tokens=TOKENS)
        client.document(f"usage/{day}").set(dear.model_dump(by_alias=True))
    page = opened.operate()
    page.get_by_role("link", name="Trends").click()
    table = page.get_by_role("region", name="By lane and model")
    instant, later = (table.get_by_role("row", name=re.compile(f"^{lane}, gpt")) for lane in ("Instant", "Later"))
    few = "too few"
    expect(later).to_be_visible()
    assert instant.get_by_role("cell").all_inner_texts() == [
        *("21", "63", few, "$0.0002", few, "230", few, "0.0 %", few, "\u2013")
    ]
    assert later.get_by_role("cell").all_inner_texts() == [
        *("32", "84", "$0.00023", "$0.0001", "230", "230", "0.0 %", "0.0 %", "1.6 h", "1.6 h")
    ]
    assert not Axe().run(page).violations_count
    note(opened.cloud, DAYS)


def test_today_shows_its_tokens_and_who_came_back(opened: Opened) -> None:
    """As the guard has counted its rows, with when that was."""
    today = opened.cloud.clock().date().isoformat()
    visits = {"all": 8, "0": 3, "1": 2, "7": 1, "28": 1}
    rows = {"countedAt": opened.cloud.clock() - timedelta(minutes=20), "jobs": {}, "visits": visits, "tokens": TOKENS}
    opened.cloud.firestore_client().document(f"usage/{today}").set({"rows": rows}, merge=True)
    page = opened.operate()
    users, tokens = (page.get_by_role("region", name=name) for name in ("Users today", "Tokens today"))
    expect(users.get_by_text("8 with a photo")).to_be_visible()
    for words, cells in (("New today", "3837.5 %"), ("1 day", "2825.0 %"), ("7 days", "1812.5 %"), ("28", "1812.5 %")):
        expect(users.get_by_role("row", name=re.compile(words))).to_contain_text(cells)
    expect(tokens.get_by_text("24 earned, 22 spent")).to_be_visible()
    expect(tokens.get_by_text("Counted 20 min ago")).to_be_visible()
    assert not Axe().run(page).violations_count


def test_plans_are_told_apart_from_thirty_users_on(opened: Opened) -> None:
    """Who came again, of the users of the day before; a plan with fewer users on its busiest day says how many."""
    days = [(opened.cloud.clock() - timedelta(days=back)).date().isoformat() for back in (2, 1)]
    client = opened.cloud.firestore_client()
    for day, users, again in zip(days, (40, 30), (9, 20), strict=True):
        plus = {"photos": 3 * users, "tokens": 6 * users, "users": users, "again": again}
        pro = {"photos": 29, "tokens": 29, "users": 29, "again": 29}
        client.document(f"usage/{day}").update({"rows.plans": {"plus": plus, "pro": pro}})
    page = opened.operate()
    page.get_by_role("link", name="Trends").click()
    plans = page.get_by_role("region", name="By plan")
    expect(plans.get_by_role("row", name=re.compile("^plus 210 420 40 3.0 6.0 .*50.0 %$"))).to_be_visible()
    expect(plans.get_by_role("row", name=re.compile("^pro 58 58 29 too few too few .*too few$"))).to_be_visible()
    assert not Axe().run(page).violations_count


def test_trends_that_cannot_be_had_can_be_asked_for_again(opened: Opened) -> None:
    """In words, with a button."""
    page = opened.page
    answers: list[Route] = []

    def refuse(route: Route) -> None:
        answers.append(route)
        route.abort()

    page.route("**/admin_days", refuse)
    opened.operate()
    page.get_by_role("link", name="Trends").click()
    expect(page.get_by_role("alert")).to_contain_text(
        "The last days cannot be shown: Something went wrong on our side."
    )
    expect(page.get_by_role("heading", level=2)).to_have_text(TRENDS)
    assert not Axe().run(page).violations_count
    page.unroute("**/admin_days")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_text("The last 28 days brought")).to_be_visible()
    assert answers
    opened.problems.clear()  # the browser reports the call that failed


def test_trends_have_their_headings_while_they_load(opened: Opened) -> None:
    """Where each will stand is there before it is."""
    opened.page.route("**/admin_days", lambda _: None)  # never answered
    page = opened.operate()
    page.get_by_role("link", name="Trends").click()
    expect(page.get_by_label("Loading")).to_be_visible()
    expect(page.get_by_role("heading", level=2)).to_have_text(TRENDS)
    assert not Axe().run(page).violations_count


def test_the_first_day_says_when_there_will_be_trends(opened: Opened) -> None:
    """Last, since it deletes the days."""
    for day in opened.cloud.firestore_client().collection("usage").stream():
        day.reference.delete()
    page = opened.operate()
    page.get_by_role("link", name="Trends").click()
    expect(page.get_by_text("No day is over yet.")).to_be_visible()
    expect(page.get_by_role("heading", level=2)).to_have_text(TRENDS)
    assert not Axe().run(page).violations_count
