"""The operators' page: what it says first, figures that are sums of rows, and who may see it."""

import re
from datetime import timedelta

import pytest
from google.cloud.firestore import FieldFilter
from playwright.sync_api import Route, expect

from localcloud.cloud import LocalCloud
from tests.web.conftest import Opened, classify

NOTICED = 20_000

DRAWN = """
window.drawn = [];
window.lines = [];
const { fillText, stroke } = CanvasRenderingContext2D.prototype;
const { lineTo } = Path2D.prototype;
Path2D.prototype.lineTo = function (x, y) {
  this.reached = Math.max(this.reached ?? 0, x);
  return lineTo.call(this, x, y);
};
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  drawn.push([text, x, y]);
  return fillText.call(this, text, x, y);
};
CanvasRenderingContext2D.prototype.stroke = function (path) {
  if (path) lines.push([path.reached ?? 0, this.getLineDash().length > 0]);
  return path ? stroke.call(this, path) : stroke.call(this);
};
"""
"""Notes which texts are drawn on a canvas, and how far each line goes and whether it is dashed."""


@pytest.fixture(scope="module")
def busy(cloud: LocalCloud) -> LocalCloud:
    """A day with photos in both lanes, which the guard has looked at."""
    for number in range(3):
        classify(cloud, "ann", f"now-{number}", "instant") if number < 2 else None
        classify(cloud, "bob", f"later-{number}", "batch")
    cloud.advance(timedelta(hours=5))
    return cloud


def spent(cloud: LocalCloud) -> int:
    """Return the micro-dollars of all of the day's shards."""
    day = cloud.clock().date().isoformat()
    shards = cloud.firestore_client().collection("budget", day, "shards").stream()
    return sum(each.get("spent") for each in shards)


def test_the_sentence_says_whether_all_is_well(opened: Opened, busy: LocalCloud) -> None:
    """Money of the limit in one line, and the figures below are sums of the day's documents."""
    page = opened.operate()
    expect(page.get_by_text(re.compile(r"\$[\d.]+ of \$10\.00 today"))).to_be_visible()
    expect(page.get_by_text(f"${spent(busy) / 1e6:.6f}".rstrip("0")).first).to_be_visible()
    rows = page.get_by_role("table").first.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Instant2")
    expect(rows.nth(2)).to_contain_text("Later3")
    expect(page.get_by_text("100.0 % of 5 photos answered")).to_be_visible()


def test_figures_change_while_one_looks(opened: Opened, busy: LocalCloud) -> None:
    """A photo that is answered now is on the page now, by a listener; and the page says what its reads cost."""
    page = opened.operate()
    expect(page.get_by_text(re.compile("of 5 photos answered"))).to_be_visible()
    classify(busy, "cy", "while-looking", "instant")
    expect(page.get_by_text(re.compile("of 6 photos answered"))).to_be_visible(timeout=NOTICED)
    # Eight shards, four documents, no open alert; then the call: its hold, its settlement, and what else it wrote.
    expect(page.get_by_text(re.compile(r"This page has cost \$0\.0000\d+ in 1[4-9] reads"))).to_be_visible()


def test_every_chart_has_its_table(opened: Opened, busy: LocalCloud) -> None:
    """For whoever sees no lines: the same figures in rows."""
    del busy
    page = opened.operate()
    page.get_by_text("Show as table").click()
    expect(page.get_by_role("columnheader", name="Until (UTC)")).to_be_visible()
    expect(page.get_by_role("row", name="Limit until 24:00 $10.00")).to_be_visible()
    said = page.get_by_role(
        "img", name=re.compile(r"Spent until now: \$[\d.]+; the limit until midnight UTC is \$10\.00")
    )
    expect(said).to_be_visible()


def test_both_lines_of_the_chart_are_named_at_their_ends(opened: Opened, busy: LocalCloud) -> None:
    """What is drawn: the limit to midnight with its name at the right edge, and the last value at its point."""
    page = opened.page
    page.add_init_script(DRAWN)
    opened.operate()
    page.get_by_text("live").wait_for()
    edge = page.locator("section canvas").first.evaluate("canvas => canvas.width")
    limit, last = ([each for each in page.evaluate("drawn") if words in each[0]][-1] for words in ("Limit", "now"))
    assert limit[0] == "Limit $10.00"
    assert limit[1] > 0.9 * edge
    assert last[0] == f"${spent(busy) / 1e6:.6f}".rstrip("0") + " now"
    dashed = [x for x, on in page.evaluate("lines") if on]
    assert max(dashed) > 0.9 * edge > 0.9 * max(x for x, on in page.evaluate("lines") if not on)


def test_changes_by_hand_are_listed(opened: Opened, cloud: LocalCloud) -> None:
    """Who changed which field from what to what, and the alert of it."""
    page = opened.operate()
    cloud.set_custom_claims(cloud.sign_up("op@example.com").uid, {"admin": True})
    operator = cloud.sign_in("operator-by-hand")
    cloud.set_custom_claims(operator.uid, {"admin": True})
    cloud.call("admin_set_config", {"changes": {"tokens": {"welcome": 12}}}, cloud.sign_in(operator.uid).id_token)
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_text("tokens.welcome: the default → 12")).to_be_visible()
    expect(page.get_by_text("config changed").first).to_be_visible()


def test_who_is_no_operator_is_told_so(opened: Opened) -> None:
    """Nothing is shown or read; the line that makes one an operator is there to copy."""
    page = opened.start()
    page.goto(page.url.rstrip("/") + "/operator")
    expect(page.get_by_role("heading", name="Not an operator")).to_be_visible()
    expect(page.get_by_text("scripts.admin operator")).to_be_visible()


def test_a_setting_is_changed_and_taken_back(opened: Opened, cloud: LocalCloud) -> None:
    """Before and after stand there first; then the change is in the document, once, and one button undoes it."""
    page = opened.operate()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Find a setting").fill("instantPrice")
    price = page.get_by_label("tokens.instantPrice")
    price.fill("6")
    price.blur()
    expect(page.get_by_text("tokens.instantPrice: default → 6")).to_be_visible()
    page.get_by_role("button", name="Apply 1").dblclick()
    expect(page.get_by_text("Applied: tokens.instantPrice.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    config = cloud.firestore_client().document("config/runtime")
    assert config.get().get("tokens.instantPrice") == 6
    page.get_by_role("button", name="Undo the last change").click()
    expect(price).to_have_value("")
    assert "instantPrice" not in (config.get().to_dict() or {}).get("tokens", {})


def test_two_operators_at_once_one_wins(opened: Opened, cloud: LocalCloud) -> None:
    """The other is told that it has been changed meanwhile, and nothing of the second change is stored."""
    page = opened.operate()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Find a setting").fill("dailyBonus")
    bonus = page.get_by_label("tokens.dailyBonus")
    bonus.fill("4")
    bonus.blur()

    def meanwhile(route: Route) -> None:
        cloud.firestore_client().document("config/runtime").set({"tokens": {"dailyBonus": 3}}, merge=True)
        route.continue_()

    page.route("**/admin_set_config", meanwhile)
    page.get_by_role("button", name="Apply 1").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed tokens.dailyBonus meanwhile.")
    assert cloud.firestore_client().document("config/runtime").get().get("tokens.dailyBonus") == 3
    opened.problems.clear()  # the browser reports the refused call


def test_a_value_out_of_range_is_refused_in_words(opened: Opened) -> None:
    """By the functions, which have the last word: the field and its range."""
    page = opened.operate()
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Find a setting").fill("jpegQuality")
    quality = page.get_by_label("images.jpegQuality")
    quality.fill("7")
    quality.blur()
    page.get_by_role("button", name="Apply 1").click()
    expect(page.get_by_role("alert")).to_contain_text("images.jpegQuality: must be at least 40.")
    opened.problems.clear()  # the browser reports the refused call


def test_a_user_is_found_with_tokens_photos_and_ledger(opened: Opened, busy: LocalCloud) -> None:
    """By the uid; each photo with its status and cost, each entry with the balance after it."""
    page = opened.operate()
    page.get_by_role("link", name="Users").click()
    page.get_by_role("searchbox").fill("bob")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text(re.compile("tokens, 30 points, plan free"))).to_be_visible()
    expect(page.get_by_role("cell", name="done")).to_have_count(3)
    expect(page.get_by_role("rowheader", name="welcome")).to_be_visible()


def test_a_photo_is_found_as_a_timeline(opened: Opened, busy: LocalCloud) -> None:
    """By its job's id: asked for, tried in a batch, done at which cost."""
    job = next(
        iter(
            busy.firestore_client().collection("aiJobs").where(filter=FieldFilter("uid", "==", "bob")).limit(1).stream()
        )
    )
    page = opened.operate()
    page.get_by_role("link", name="Users").click()
    page.get_by_role("searchbox").fill(job.id)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("asked for in the lane batch, for 1 token")).to_be_visible()
    expect(page.get_by_text(f"1 attempt, the last in batch {job.get('batchId')}")).to_be_visible()
    expect(page.get_by_text(re.compile(r"done after .* at a cost of \$0\.0001"))).to_be_visible()
    page.get_by_role("searchbox").fill("nobody-we-know")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("There is no wallet of nobody-we-know")).to_be_visible()
