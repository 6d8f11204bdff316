"""What operators see of the weeks to come."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from functions.core.config.runtime import BudgetRules
from functions.core.insights.plan import Plan
from functions.core.shared.alerts import Alert
from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.core.insights.planned import busy, notes, planned
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAYS = 260


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product, in the midst of a month: what is left of it depends on the day."""
    del browser
    next_month = (datetime.now(UTC).replace(day=1) + timedelta(days=32)).replace(day=10, hour=6)
    with ecolane_cloud(openai="standin", firestore="embedded", begins=next_month) as cloud:
        yield cloud


def plan_of(cloud: LocalCloud, days: int, weeks: int, rules: BudgetRules | None = None) -> Plan:
    """Store the plan of so many days, after so many weekly ones before it."""
    today = cloud.clock().date()
    plan, _ = planned(notes(today - timedelta(days=days), days, busy), today, rules, weeks=weeks)
    cloud.firestore_client().document("forecasts/current").set(plan.model_dump(by_alias=True))
    return plan


def ahead(visit: Opened) -> "Page":
    """Open the page."""
    page = visit.operate()
    page.get_by_role("link", name="Ahead").click()
    page.get_by_role("status").first.wait_for()
    return page


def test_the_first_day_says_when_there_will_be_a_forecast(opened: Opened) -> None:
    """And a few days later how many it takes."""
    page = ahead(opened)
    expect(page.get_by_text("There is no forecast yet. The first one is made at 00:20 UTC.")).to_be_visible()
    opened.cloud.cron.fire("plan_ahead")
    expect(page.get_by_text("Too few days for a forecast: 0 of 21 are known.")).to_be_visible()
    assert not Axe().run(page).violations_count


def test_without_a_record_there_is_no_band_and_no_chance(opened: Opened) -> None:
    """Each says what it waits for."""
    plan_of(opened.cloud, 30, 0)
    page = ahead(opened)
    for words in ("No band yet", "It has no record yet", "cannot be said yet", "This takes eight forecasts"):
        expect(page.get_by_text(words).first).to_be_visible()
    assert not Axe().run(page).violations_count


def test_the_weeks_to_come_are_sums_of_their_days(opened: Opened) -> None:
    """Month, calendar and limit, with bands; a month that is nearly spent says how many photos would wait, and when."""
    free = plan_of(opened.cloud, DAYS, 0)
    assert free.month is not None
    limit = free.month.spent + free.days[0].micros + free.days[1].micros // 2
    plan = plan_of(opened.cloud, DAYS, 30, BudgetRules(monthly_limit_micros=limit, daily_limit_micros=100_000))
    page = ahead(opened)
    waits = plan.days[1]
    expect(page.get_by_text(re.compile(f"{waits.waiting} photos would wait on {waits.day}"))).to_be_visible()
    expect(page.get_by_text("is reached with a chance of 100 %")).to_be_visible()
    calendar = page.get_by_role("region", name="Cost by day")
    cells = calendar.locator("strong").all_inner_texts()
    over = [float(cell.removeprefix("$")) for cell in cells if "≈" not in cell]
    assert round(sum(over), 6) == pytest.approx(plan.month.spent / 1e6 if plan.month else None, abs=0.01)
    assert len(cells) == len(over) + 35
    expect(calendar.get_by_text(f"{waits.waiting} wait").first).to_be_visible()
    instant = page.get_by_role("region", name="Instant: photos a day")
    expect(instant.locator("polygon")).to_have_count(1)
    expect(instant.get_by_text("Band: nine of ten days lie within.")).to_be_visible()
    instant.get_by_text("Show as table").click()
    assert instant.locator("tbody tr").count() == 35
    expect(page.get_by_role("region", name="Which limit would do")).to_contain_text("at most one day in a hundred")
    expect(
        page.get_by_role("region", name="Busier and quieter").get_by_role("row", name=re.compile("^Sat"))
    ).to_be_visible()
    assert not Axe().run(page).violations_count


def test_an_event_is_added_and_removed_and_a_faster_operator_is_respected(opened: Opened) -> None:
    """In the config, on record; what is stored is what was seen."""
    config = opened.cloud.firestore_client().document("config/runtime")
    page = ahead(opened)
    page.get_by_text("Add days").click()
    page.get_by_label("Name").fill("Earth Day")
    page.get_by_label("First day").fill("2027-04-22")
    page.get_by_label("Last day").fill("2027-04-23")
    page.get_by_label("Percent").fill("180")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Earth Day is added.")).to_be_visible()
    expect(page.get_by_text("2027-04-22 to 2027-04-23, 180 %")).to_be_visible()
    assert config.get().get("ahead.events") == [
        {"name": "Earth Day", "since": "2027-04-22", "until": "2027-04-23", "percent": 180}
    ]
    page.get_by_label("Name").fill("Backwards")
    page.get_by_label("First day").fill("2027-05-02")
    page.get_by_label("Last day").fill("2027-05-01")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("an event ends before it begins")
    page.get_by_role("button", name="Remove Earth Day").click()
    expect(page.get_by_text("Earth Day is removed.")).to_be_visible()
    assert config.get().get("ahead.events") == []
    opened.problems.clear()  # the browser reports the refused call


def test_an_unusual_hour_is_marked_as_useful_or_expected(opened: Opened) -> None:
    """By a button, which says so; how many were useful stands above them all. Other alerts have no such buttons."""
    client, now = opened.cloud.firestore_client(), opened.cloud.clock()
    for kind in ("spend_unusual", "drift"):
        alert = Alert(kind=kind, day="2026-11-21", text="Odd.", created_at=now, due_at=None, expire_at=now)
        client.document(f"alerts/{alert.alert_id}").set(alert.model_dump(by_alias=True))
    page = opened.operate()
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("button", name="Expected")).to_have_count(1)
    expect(page.get_by_role("button", name="Useful")).to_have_count(1)
    page.get_by_role("button", name="Useful").click()
    expect(page.get_by_role("button", name="Useful")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Of 1 unusual hour or day that you marked, 1 was useful.")).to_be_visible()
    page.get_by_role("button", name="Expected").click()
    expect(page.get_by_text("that you marked, 0 were useful.")).to_be_visible()
    assert client.document("alerts/spend_unusual-2026-11-21").get().get("verdict") == "expected"
    assert not Axe().run(page).violations_count
