"""The operators' page *Providers*: who answers, how well, how fast and at what price; and who is known to fail."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from functions.core.budget.day_review import BudgetDay
from functions.core.model.provider_errors import Trouble
from functions.core.model.provider_outage import Door, Outage, standing
from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.web.conftest import Opened, classify

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NONE = "\N{EN DASH}"
HAIKU = "anthropic/claude-haiku-5-5"


@pytest.fixture(scope="module")
def cloud(browser: "Browser") -> Iterator[LocalCloud]:
    """The running product."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        yield cloud


def providers(visit: Opened) -> "Page":
    """Open the page."""
    page = visit.operate()
    page.get_by_role("link", name="Providers").click()
    page.get_by_role("status").first.wait_for()
    return page


def cells(page: "Page", card: str, row: str) -> str:
    """Return a row's words, its model's by name."""
    region = page.get_by_role("region", name=card)
    return " ".join(region.get_by_role("row").filter(has_text=row).first.inner_text().split())


def book(cloud: LocalCloud, back: int, **fields: Any) -> None:
    """Store a day's book as the guard does."""
    day = (cloud.clock() - timedelta(days=back)).date().isoformat()
    stored = BudgetDay(reviewed_at=cloud.clock(), **fields).model_dump(by_alias=True)
    cloud.firestore_client().document(f"budget/{day}").set(stored)


def test_who_answers_how_well_and_at_what_price(browser: "Browser", cloud: LocalCloud) -> None:
    """Before anything was asked; after a photo; and with two providers on two days. In the dark, on a telephone and on
    a desk, without eyes."""
    visit = Opened(browser, cloud, color_scheme="dark")
    page = providers(visit)
    expect(page.get_by_role("status").first).to_contain_text("No instant photo was answered yet today.")
    assert not Axe().run(page).violations_count
    classify(cloud, "ann", "one", "instant")
    cloud.cron.fire("guard_budget")
    expect(page.get_by_role("status").first).to_contain_text("Of today's 1 instant photo: OpenAI 100.0 %.")
    luna = {
        "done": 30,
        "failed:ANSWER_UNUSABLE": 1,
        "failed:PROVIDER_REJECTED": 1,
        "down": 8,
        "wait:2": 29,
        "wait:6": 1,
    }
    haiku = {"done": 10, "doubtful": 2, "wait:3": 10}
    instant = {"tally": {"instant": {"gpt-6-luna": luna, HAIKU: haiku}}}
    book(cloud, 0, **instant, costs={"instant": {"gpt-6-luna": 6_000, HAIKU: 2_500}})
    book(
        cloud,
        1,
        tally={"batch": {"gpt-6-luna": {"done": 5, "checkedMicros": 100}}},
        costs={"batch": {"gpt-6-luna": 600}},
    )
    cloud.firestore_client().document("config/runtime").set({"providers": {"order": ["openai", "anthropic"]}})
    said = page.get_by_role("status").first
    expect(said).to_contain_text("Of today's 40 instant photos: OpenAI 75.0 %, Anthropic 25.0 %.")
    expect(page.get_by_text("Instant: OpenAI, then Anthropic · Later: OpenAI")).to_be_visible()
    assert cells(page, "Today", "gpt-6-luna") == "Instant OpenAI gpt-6-luna 75.0 % 30 2 8 2.0 s 2.0 s $0.0002"
    assert cells(page, "Today", "haiku") == "Instant Anthropic claude-haiku-5-5 25.0 % 10 0 2 2.8 s 2.8 s $0.00025"
    assert cells(page, "Seven days", "Later") == f"Later OpenAI gpt-6-luna 100.0 % 5 0 0 {NONE} {NONE} $0.0001"
    assert not Axe().run(page).violations_count
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not Axe().run(page).violations_count
    visit.context.close()
    assert visit.problems == []


def test_a_standing_outage_comes_first(opened: Opened) -> None:
    """What the guard would tell, at each door, in words; an accident, and what is long over, is none."""
    cloud, queue = opened.cloud, opened.cloud.firestore_client().document("stats/queue")
    now = cloud.clock()
    page = providers(opened)
    card = page.get_by_role("region", name="Known outages")
    expect(card.get_by_text("None.")).to_be_visible()
    notes: dict[str, Outage] = {
        Door.INSTANT: Outage(failures=9, since=now - timedelta(minutes=5), last_at=now, problem="status 503"),
        Door.ANTHROPIC: Outage(failures=1, last_at=now, trouble=Trouble.KEY_REFUSED, problem="status 401"),
        Door.AZURE: Outage(failures=2, last_at=now, problem="an accident"),
        Door.SUBMIT: Outage(failures=1, since=now - timedelta(minutes=4), last_at=now, problem="status 500"),
        Door.POLL: Outage(failures=9, last_at=now - timedelta(hours=3), problem="long over"),
    }
    told = {door: each.model_dump(by_alias=True) for door, each in notes.items()}
    queue.set({"provider": told}, merge=True)
    said = page.get_by_role("status").first
    expect(said).to_contain_text(re.compile(r"Instant photos at OpenAI: failing since \d{4}-\d\d-\d\d"))
    rows = card.get_by_role("row")
    expect(rows).to_have_count(1 + len(standing(notes, now)))
    expect(rows.filter(has_text="status 503")).to_contain_text("at least 9")
    expect(rows.filter(has_text="Instant photos at Anthropic")).to_contain_text("status 401")
    expect(rows.filter(has_text="Handing batches to OpenAI")).to_contain_text("status 500")
    assert not Axe().run(page).violations_count
    every = {door: notes[Door.INSTANT].model_dump(by_alias=True) for door in Door}
    queue.set({"provider": every}, merge=True)
    expect(rows).to_have_count(1 + len(Door))
    names = card.get_by_role("rowheader").all_inner_texts()
    assert not {name.strip() for name in names} & set(Door)
    queue.set({"provider": {}})
    expect(card.get_by_text("None.")).to_be_visible()
