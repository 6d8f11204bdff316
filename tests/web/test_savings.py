"""What operators see of savings, and do about them."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.core.insights.days import usage_day
from tests.web.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product, forty days old."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        for back in range(1, 41):
            day = (cloud.clock() - timedelta(days=back)).date().isoformat()
            usage = usage_day(day, instant=30 + back % 3, batch=30, visits={"all": 20})
            cloud.firestore_client().document(f"usage/{day}").set(usage.model_dump(by_alias=True))
        yield cloud


def savings(visit: Opened) -> "Page":
    """Open the page."""
    page = visit.operate()
    page.get_by_role("link", name="Savings").click()
    page.get_by_role("status").first.wait_for()
    return page


def plan(cloud: LocalCloud) -> dict[str, Any]:
    """Plan, and return what is stored."""
    cloud.cron.fire("plan_ahead")
    return cloud.firestore_client().document("forecasts/current").get().to_dict() or {}


def test_before_there_is_a_forecast_nothing_is_said(opened: Opened) -> None:
    """In words."""
    page = savings(opened)
    expect(page.get_by_text("Nothing can be said of savings yet")).to_be_visible()
    assert not Axe().run(page).violations_count


def test_a_saving_is_applied_in_one_click_and_undone(opened: Opened) -> None:
    """What it was and will be stands beside the button; the audit has the promise; what saves nothing has no button."""
    found = plan(opened.cloud)["savings"]
    config = opened.cloud.firestore_client().document("config/runtime")
    page = savings(opened)
    together = round(100 * found["together"])
    expect(page.get_by_text(re.compile(f"All changes together would save {together} % of it"))).to_be_visible()
    asked = f"gpt-6-luna is asked, in the wording {PROMPT_VERSION}, with photos of 512 pixels a side."
    expect(page.get_by_text(re.compile(rf"^As of 20\d\d-.* UTC: {asked}"))).to_be_visible()
    card = page.get_by_role("region", name="Move instant photos to Later")
    expect(card.get_by_text("tokens.instantPrice: default → 6")).to_be_visible()
    card.get_by_text("How this is computed").click()
    expect(card.get_by_text(re.compile(r"10% of \d+ instant photos x 100"))).to_be_visible()
    assert not Axe().run(page).violations_count
    nothing = page.get_by_role("region", name="What saves nothing, or nobody can know")
    expect(nothing.get_by_role("row", name=re.compile("^The provider's prompt cache"))).to_be_visible()
    expect(nothing.get_by_role("button")).to_have_count(0)
    model = page.get_by_role("region", name="Ask a cheaper model")
    expect(model.get_by_role("button", name="Try on 100 photos")).to_be_visible()
    expect(model.get_by_role("button", name="Apply")).to_have_count(0)
    card.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Applied: Move instant photos to Later.")).to_be_visible()
    assert config.get().get("tokens.instantPrice") == 6
    (entry,) = config.collection("audit").get()
    assert entry.get("because.kind") == "lane_share"
    expect(card.get_by_role("button", name="Apply")).to_be_disabled()
    plan(opened.cloud)
    measured = page.get_by_role("region", name="What changes have come to")
    expect(measured.get_by_role("row", name=re.compile("being measured, 0 days known"))).to_be_visible()
    assert not Axe().run(page).violations_count
    opened.cloud.firestore_client().document("forecasts/current").update({"refused": [entry.id]})
    expect(measured.get_by_role("row", name=re.compile("undoing it was refused: the log says why"))).to_be_visible()
    measured.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: Move instant photos to Later.")).to_be_visible()
    assert "instantPrice" not in (config.get().to_dict() or {}).get("tokens", {})
    expect(measured.get_by_text("changed since")).to_be_visible()


def test_who_was_slower_is_told(opened: Opened) -> None:
    """The page has not yet seen what another operator has set."""
    plan(opened.cloud)
    page = savings(opened)
    card = page.get_by_role("region", name="Move instant photos to Later")
    card.get_by_role("button", name="Apply").wait_for()
    refusal = {
        "error": {
            "status": "FAILED_PRECONDITION",
            "message": "tokens.instantPrice was changed meanwhile.",
            "details": {"reason": "SETTINGS_CHANGED", "field": "tokens.instantPrice"},
        }
    }
    headers = {"access-control-allow-origin": "*"}
    page.route("**/admin_set_config", lambda route: route.fulfill(status=400, json=refusal, headers=headers))
    card.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_be_visible()
    opened.problems.clear()  # the browser reports the refused call


def trial(
    cloud: LocalCloud, kind: str, same: int | None, asked: Mapping[str, Any] = MappingProxyType({}), **more: Any
) -> None:
    """Store a trial of what is recommended, as it is under way, or as it has ended; asked otherwise than now, if so."""
    changes: dict[str, Any] = next(
        (each["changes"] for each in plan(cloud)["savings"]["list"] if each["kind"] == kind), {}
    )
    now, sums = cloud.clock(), {"input": 83_000, "output": 23_000, "micros": 11_700}
    found = {"answered": 99, "same": same, "leftOut": 1, "low": 0.96, "high": 1.0, "before": sums, "at": now}
    now_asked = {
        "model": "gpt-6-luna",
        "base": "gpt-6-luna",
        "prompt": PROMPT_VERSION,
        "sideMax": 384,
        "baseSideMax": 512,
    }
    one = {
        "number": 1,
        "kind": kind,
        "changes": changes,
        **now_asked,
        **asked,
        "by": "ana",
        "at": now,
        "photos": 100,
        "found": None,
    }
    if same is not None:
        after = {**sums, "input": 62_000, "micros": 9_600}
        one["found"] = {**found, "after": after, "bar": 0.97, "passed": False, **more}
    held = {"running": one, "ended": {}} if same is None else {"running": None, "ended": {kind: one}}
    cloud.firestore_client().document("stats/trials").set({"number": 1, **held})


def test_a_change_of_answers_is_offered_only_once_it_was_tried(opened: Opened) -> None:
    """Who asks for it without enough photos is told so; under way nothing else begins; failed, it says why it is not
    offered; passed, it is applied."""
    plan(opened.cloud)
    page = savings(opened)
    card = page.get_by_role("region", name="Send smaller photos")
    apply = card.get_by_role("button", name="Apply: Send smaller photos")
    card.get_by_role("button", name="Try on 100 photos: Send smaller photos").click()
    expect(page.get_by_text("It takes 100 answered photos of the last 14 days; there are 0.")).to_be_visible()
    expect(apply).to_have_count(0)
    assert not Axe().run(page).violations_count
    trial(opened.cloud, "image_side", None)
    expect(card.get_by_text(re.compile("^Being tried on 100 photos since .* by ana"))).to_be_visible()
    expect(page.get_by_role("button", name="Try on 100 photos: Ask a cheaper model")).to_be_disabled()
    assert not Axe().run(page).violations_count
    trial(opened.cloud, "image_side", 98)
    expect(card.get_by_text("98 of 99 answers")).to_be_visible()
    expect(card.get_by_text("1 photo left out")).to_be_visible()
    expect(card.get_by_text("Tokens a photo: 838 → 626 in, 232 → 232 out")).to_be_visible()
    expect(
        card.get_by_text("It did not pass, and is not offered: the lower bound 96.0 % is below 97.0 %")
    ).to_be_visible()
    expect(card.get_by_role("button", name="Try again: Send smaller photos")).to_be_enabled()
    expect(apply).to_have_count(0)
    for other in ({"base": "gpt-5-nano"}, {"prompt": "2026-01-01"}, {"baseSideMax": 768}):
        trial(opened.cloud, "image_side", 99, other, low=0.9702, passed=True)
        expect(card.get_by_role("button", name="Try on 100 photos: Send smaller photos")).to_be_enabled()
        expect(apply).to_have_count(0)
    trial(opened.cloud, "image_side", 99, low=0.9702, passed=True)
    expect(card.get_by_text("It passed: the lower bound 97.0 % is not below 97.0 %")).to_be_visible()
    assert not Axe().run(page).violations_count
    apply.click()
    expect(page.get_by_text("Applied: Send smaller photos.")).to_be_visible()
    config = opened.cloud.firestore_client().document("config/runtime").get()
    assert (config.get("images"), config.get("flags.side")) == (
        {"nextSideMax": 384},
        {"cohort": "test", "autoAdvance": True},
    )
    document = opened.cloud.firestore_client().document("config/runtime")
    document.update({"flags.side.cohort": "small"})  # as guard_rollouts does
    trial(opened.cloud, "itself", 97)
    measured = page.get_by_role("region", name="What changes have come to")
    measured.get_by_role("button", name="Undo Send smaller photos").click()
    expect(page.get_by_text("Undone: Send smaller photos.")).to_be_visible()
    assert (document.get().get("images"), document.get().get("flags.side")) == ({}, {})
    of_itself = page.get_by_role("region", name="How often the model agrees with itself")
    expect(of_itself.get_by_text("97 of 99 answers")).to_be_visible()


def test_a_kind_may_apply_itself(opened: Opened) -> None:
    """As long as an operator says so. Another wording begins in the first stage of its flag, once it was tried in the
    words that the code has now."""
    plan(opened.cloud)
    config = opened.cloud.firestore_client().document("config/runtime")
    page = savings(opened)
    choice = page.get_by_role(
        "checkbox", name="Move instant photos to Later by itself from now on, up to 15 % of the cost"
    )
    choice.focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Move instant photos to Later: applies itself from now on.")).to_be_visible()
    assert config.get().get("ahead.automatic.kinds") == ["lane_share"]
    expect(choice).to_be_checked()
    assert not Axe().run(page).violations_count
    opened.cloud.firestore_client().document("forecasts/current").update({"refused": ["lane_share"]})
    card = page.get_by_role("region", name="Move instant photos to Later")
    expect(card.get_by_text("It was to apply itself, and was refused: the log says why")).to_be_visible()
    assert not Axe().run(page).violations_count
    choice.click()
    expect(page.get_by_text("Move instant photos to Later: no longer applies itself.")).to_be_visible()
    assert config.get().get("ahead.automatic.kinds") == []
    trial(opened.cloud, "answer_length", 100, {"prompt": "2026-11-29"}, low=0.9704, passed=True)
    shorter = page.get_by_role("region", name="Ask for shorter answers")
    apply = shorter.get_by_role("button", name="Apply: Ask for shorter answers")
    expect(shorter.get_by_role("checkbox")).not_to_be_checked()
    expect(shorter.get_by_role("button", name="Try on 100 photos")).to_be_enabled()
    expect(apply).to_have_count(0)
    trial(
        opened.cloud,
        "answer_length",
        100,
        {"prompt": PROMPT_NEXT, "basePrompt": PROMPT_VERSION},
        low=0.9704,
        passed=True,
    )
    expect(shorter.get_by_text("flags.prompt.cohort: default → test")).to_be_visible()
    expect(shorter.get_by_text("flags.prompt.autoAdvance: default → true")).to_be_visible()
    apply.click()
    expect(page.get_by_text("Applied: Ask for shorter answers.")).to_be_visible()
    assert config.get().get("flags.prompt") == {"cohort": "test", "autoAdvance": True}


def test_another_provider_is_asked_first_in_one_click_and_never_by_itself(opened: Opened) -> None:
    """Its order is a list; the other one stays behind it."""
    found = plan(opened.cloud)["savings"]
    orders = {"order": ["azure", "openai"]}
    one = {
        "kind": "provider",
        "way": "apply",
        "share": 0.2,
        "low": 0.17,
        "high": 0.23,
        "arithmetic": "",
        "risk": "Azure.",
    }
    listed = [*found["list"], {**one, "changes": {"providers": orders}}]
    client = opened.cloud.firestore_client()
    client.document("forecasts/current").update({"savings.list": listed})
    page = savings(opened)
    card = page.get_by_role("region", name="Ask another provider first")
    expect(card.get_by_text('providers.order: default → ["azure","openai"]')).to_be_visible()
    expect(card.get_by_role("checkbox")).to_have_count(0)
    assert not Axe().run(page).violations_count
    apply = card.get_by_role("button", name="Apply: Ask another provider first")
    apply.click()
    expect(page.get_by_text("Applied: Ask another provider first.")).to_be_visible()
    assert client.document("config/runtime").get().get("providers") == orders
    expect(apply).to_be_disabled()
