"""The operators' page *Rollouts*: each state in words, both paths side by side, and what can be done about a flag."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from functions.core.rollouts.ab_testing import AbTest, compared, sample
from functions.core.rollouts.arms import Arm, decide
from functions.core.rollouts.counts import ArmCounts
from functions.core.rollouts.evidence import Verdict, bounds
from functions.core.rollouts.flags import ABOUT, Cohort, Flag, FlagRules, Metric, read_flags
from functions.core.rollouts.stops import By, FlagState, Stop, read_states
from functions.core.rollouts.watch import Stage, Watch
from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from tests.web.conftest import Opened, classify

SDK_GIVES_UP_MS = 2_000
"""After a failed connection it shows what it has in memory."""

OLD = ArmCounts(started=1_010, ended=1_000, failed=20, micros=250_000, ms={"4": 600, "6": 380, "8": 20})
NEW = ArmCounts(started=105, ended=100, failed=1, micros=30_000, ms={"5": 60, "11": 40})


@pytest.fixture(scope="module")
def cloud(browser: Browser) -> Iterator[LocalCloud]:
    """The running product, whose flags are set by these tests alone."""
    del browser
    with ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        yield cloud


def set_flags(cloud: LocalCloud, rules: object = None, states: Mapping[str, Any] | None = None) -> None:
    """Store rules as `config/runtime` has them, and states."""
    cloud.firestore_client().document("config/runtime").set({} if rules is None else {"flags": rules})
    cloud.firestore_client().document("stats/rollouts").set(dict(states or {}))


def watched(cloud: LocalCloud, **fields: Any) -> Watch:
    """Return what the guard has seen of both paths at 10 %."""
    now = cloud.clock()
    totals = {Arm.OLD: OLD, Arm.NEW: NEW}
    return Watch(
        epoch=2,
        at=now - timedelta(minutes=2),
        totals=totals,
        bounds={arm: bounds(counts.failed, counts.ended) for arm, counts in totals.items()},
        stage=Stage(share=10, since=now - timedelta(hours=3), ended=40),
    ).model_copy(update=fields)


def stored(watch: Watch | None = None, stopped: Stop | None = None) -> dict[str, Any]:
    """Return a flag's state as it is stored, in its epoch 2."""
    return FlagState(epoch=2, watch=watch, stopped=stopped).model_dump(by_alias=True)


def rollouts(opened: Opened) -> Page:
    """Open the page as an operator who has signed in just now."""
    page = opened.operate()
    page.get_by_role("link", name="Rollouts").click()
    page.get_by_role("heading", name="Which path does a user take?").wait_for()
    return page


def card(page: Page, flag: str) -> Any:
    """Return the part of the page that is about one flag."""
    return page.get_by_role("region", name=re.compile(f"^{flag}: "))


def readable(page: Page) -> bool:
    """Tell whether axe finds nothing, and nothing is wider than the screen."""
    fits = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return bool(fits) and not Axe().run(page).violations_count


RULES = (
    FlagRules(),
    FlagRules(cohort=Cohort.LISTED, allow=("uid-3", "Jürgen 🚲")),
    FlagRules(cohort=Cohort.TEST, deny=("uid-4",), allow=("uid-5", "uid-4")),
    FlagRules(cohort=Cohort.SMALL, salt="Spring"),
    FlagRules(cohort=Cohort.LARGE, percent=33),
    FlagRules(cohort=Cohort.ALL, holdback_percent=7),
    FlagRules(cohort=Cohort.OFF, percent=80),
    None,
)
SITUATIONS: tuple[dict[str, Any], ...] = ({}, {"ceiling": 0}, {"ceiling": 20}, {"stopped": True}, {"epoch": None})


def test_the_page_decides_as_the_core_does(opened: Opened) -> None:
    """Arm and reason of 200 users, in each flag, under each kind of rules and whatever else weighs."""
    page = rollouts(opened)
    uids = [*(f"uid-{n}" for n in range(198)), "Jürgen 🚲", "a|b"]
    cases = [
        (flag, rules, uid, more)
        for flag, rules, more in product(Flag, RULES, SITUATIONS)
        for uid in uids[:: len(more) + 1]
    ]
    sent = [[flag, rules.as_json() if rules else None, uid, more] for flag, rules, uid, more in cases]
    found = page.evaluate(
        """async (cases) => {
          const { decide } = await import("/operator/arms.js");
          const facts = await (await fetch("/operator/rollouts.json")).json();
          return Promise.all(cases.map(([flag, rules, uid, more]) => decide(flag, rules, uid, facts, more)));
        }""",
        sent,
    )
    expected = [decide(flag, rules, uid, **more) for flag, rules, uid, more in cases]
    assert [(each["arm"], each["why"]) for each in found] == [(each.arm, each.why) for each in expected]
    assert {each.arm for each in expected} == set(Arm)


GOOD_STOP = {"at": "2026-11-29T12:00:00Z", "by": "operator", "why": "x"}
STORED_RULES: tuple[object, ...] = (
    *(
        {"cohort": "test", **more}
        for more in ({}, {"percent": 101}, {"percent": "25"}, {"percent": 2.5}, {"percent": ""})
    ),
    *(
        {"allow": each}
        for each in ([], ["ann"], ["a/b"], "ann", ["x"] * 51, [1], ["__x__"], ["🚲" * 128], ["🚲" * 129])
    ),
    *({"salt": each} for each in ("🚲" * 32, "🚲" * 33, 1, None)),
    *({"autoAdvance": each} for each in (True, "yes", "maybe", 1, 2)),
    *({"holdbackPercent": each} for each in (0, 50, 51, -1, None, [1])),
    *({"testMetric": each} for each in ("slow", "clicks", None)),
    {"cohort": "everybody"},
    {"cohort": None},
    {"newer": {"field": 1}},
    None,
    [],
    "test",
)
WATCH = {"epoch": 1, "at": "2026-11-29T12:00:00Z", "stage": {"share": 10, "since": "2026-11-29T12:00:00Z"}}
STOPS: tuple[object, ...] = (GOOD_STOP, {**GOOD_STOP, "by": "else"}, {**GOOD_STOP, "at": "soon"}, {"by": "x"}, [])
WATCHES: tuple[dict[str, Any], ...] = (
    {},
    {"verdict": "later"},
    {"stage": {}},
    {"totals": {"new": {"ended": "x"}}},
)
STORED_STATES: tuple[object, ...] = (
    *({"epoch": each} for each in (0, 3, -1, "4", "x", None, 1.5)),
    *({"stopped": each} for each in STOPS),
    *({"watch": {**WATCH, **more}} for more in WATCHES),
    *({"watch": {**WATCH, "bounds": {"new": each}}} for each in ([0.1, 0.2], [0.1], [0.1, "b"], [0.1, 0.2, 0.3])),
    *({"watch": {**WATCH, "failing": each}} for each in ({"above": [0.5]}, {"above": 1}, {"oldCalls": 2.5})),
    {"watch": {"epoch": 1}},
    None,
    "broken",
)


def test_the_page_reads_as_the_core_does(opened: Opened) -> None:
    """What the functions take for unreadable, and no more, is shown as that: rules and states, field by field."""
    page = rollouts(opened)
    sections: list[object] = [*({"model": each} for each in STORED_RULES), {}, None, "broken", []]
    states = [{"model": each} for each in STORED_STATES]
    found = page.evaluate(
        """async ([sections, states]) => {
          const { flagView } = await import("/operator/rollouts.js");
          const facts = await (await fetch("/operator/rollouts.json")).json();
          return [
            sections.map((flags) => flagView("model", { flags }, {}, facts).rules.value !== null),
            states.map((stored) => flagView("model", {}, stored, facts).state.value !== null),
          ];
        }""",
        [sections, states],
    )
    rules = [read_flags(section)[Flag.MODEL] is not None for section in sections]
    read = [read_states(each, "stats/rollouts")[0][Flag.MODEL] is not None for each in states]
    assert [json.dumps(each) for each, a, b in zip(sections, found[0], rules, strict=True) if a != b] == []
    assert [json.dumps(each) for each, a, b in zip(states, found[1], read, strict=True) if a != b] == []
    assert {*rules} == {*read} == {True, False}


def test_a_list_of_flags_that_does_not_come_is_said(opened: Opened) -> None:
    """With the command that stops a flag without it."""
    opened.page.route("**/operator/rollouts.json", lambda route: route.abort())
    page = opened.operate()
    page.get_by_role("link", name="Rollouts").click()
    expect(page.get_by_role("alert")).to_contain_text("The list of flags could not be loaded.")
    assert readable(page)
    opened.problems.clear()  # the browser reports what it could not fetch


def test_who_looks_after_a_flag_and_until_when(opened: Opened, cloud: LocalCloud) -> None:
    """Nothing runs: one sentence, and for each flag what it does, its owner and its end."""
    set_flags(cloud)
    page = rollouts(opened)
    expect(page.get_by_text("Nothing is being rolled out.")).to_be_visible()
    for flag, about in ABOUT.items():
        expect(card(page, flag)).to_contain_text(f"{flag}: off")
        expect(card(page, flag)).to_contain_text(f"{about.does} Owner: {about.owner}.")
        expect(card(page, flag)).to_contain_text(f"gone from the code by {about.until}")
        expect(card(page, flag).get_by_role("button", name="Stop")).to_have_count(0)
    assert readable(page)


def stops(cloud: LocalCloud, by: str) -> dict[str, Any]:
    """Return the state of a flag that somebody has stopped."""
    return stored(watched(cloud), Stop(at=cloud.clock() - timedelta(minutes=7), by=by, why="it failed"))


BROKEN = {"epoch": "many"}
STATES: Mapping[str, tuple[Any, Any, str, str]] = {
    "running": ({"cohort": "test"}, stored(), "prompt: running", "10 % of users take the new path."),
    "listed": ({"cohort": "listed"}, stored(), "prompt: running", "Only users who are named take the new path."),
    "by-percent": (
        {"cohort": "test", "percent": 15},
        stored(),
        "prompt: running",
        "15 % of users (by flags.prompt.percent)",
    ),
    "unreadable-rules": (
        {"cohort": "most"},
        stored(),
        "prompt: cannot be read",
        "flags.prompt.cohort in config/runtime",
    ),
    "unreadable-state": ({"cohort": "test"}, BROKEN, "prompt: cannot be read", "prompt.epoch in stats/rollouts"),
    "both-unreadable": ("?", "?", "prompt: cannot be read", "prompt in stats/rollouts"),
}


@pytest.mark.parametrize("name", STATES)
def test_each_state_is_said_in_words(opened: Opened, cloud: LocalCloud, name: str) -> None:
    """What it is, why, and the button that stops it, whatever cannot be read."""
    rules, state, word, why = STATES[name]
    set_flags(cloud, {"prompt": rules}, {"prompt": state})
    page = rollouts(opened)
    expect(card(page, "prompt")).to_contain_text(word)
    expect(card(page, "prompt")).to_contain_text(why)
    expect(card(page, "prompt").get_by_role("button", name="Stop prompt")).to_be_visible()
    assert readable(page)


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (By.DETECTOR, "Stopped by the guard: it failed."),
        (By.PROCESS, "Stopped by a process that saw it fail: it failed."),
        (By.OPERATOR, "Stopped by an operator: it failed."),
        ("newer", "Stopped by newer: it failed."),
    ],
)
def test_a_stopped_flag_says_by_whom_and_why(opened: Opened, cloud: LocalCloud, by: str, words: str) -> None:
    """And when; what it came to until then stays; no stage begins, and it can be restarted."""
    set_flags(cloud, {"prompt": {"cohort": "test"}}, {"prompt": stops(cloud, by)})
    page = rollouts(opened)
    expect(page.get_by_text("prompt is stopped.")).to_be_visible()
    expect(card(page, "prompt")).to_contain_text(f"{words} 7 min ago")
    expect(card(page, "prompt").get_by_role("table")).to_be_visible()
    expect(card(page, "prompt")).to_contain_text("The settings say test, 10 % of users: a restart begins there.")
    expect(card(page, "prompt").get_by_role("button", name=re.compile("Next stage|^Stop"))).to_have_count(0)
    expect(card(page, "prompt").get_by_role("button", name="Restart prompt")).to_be_visible()
    assert readable(page)


def test_a_flag_without_its_model_serves_nobody(opened: Opened, cloud: LocalCloud) -> None:
    """`model` needs `model.next`; the page says where to set it, and explains users' path by it."""
    set_flags(cloud, {"model": {"cohort": "all", "holdbackPercent": 0}})
    page = rollouts(opened)
    expect(card(page, "model")).to_contain_text("model.next names none: set it in Settings.")
    page.get_by_label("Id of the user").fill("ann")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("ann takes the old path. ERROR")).to_be_visible()
    cloud.firestore_client().document("config/runtime").set({"model": {"next": "gpt-5.6-luna"}}, merge=True)
    expect(card(page, "model")).to_contain_text("model: running")
    expect(page.get_by_text("ann takes the new path. SPLIT: the user is among 100 %")).to_be_visible()


def test_both_paths_stand_side_by_side(opened: Opened, cloud: LocalCloud) -> None:
    """Calls, in flight, failures with bounds, times and cost of either; drawn, and the same in a table."""
    set_flags(cloud, {"prompt": {"cohort": "test", "errorPercentMax": 4}}, {"prompt": stored(watched(cloud))})
    page = rollouts(opened)
    rows = card(page, "prompt").get_by_role("table").get_by_role("row")
    (old_low, old_high), (new_low, new_high) = (bounds(each.failed, each.ended) for each in (OLD, NEW))
    between = [
        f"{low:.2%} to {high:.2%}".replace("%", " %") for low, high in ((old_low, old_high), (new_low, new_high))
    ]
    expect(rows).to_have_text(
        [
            "Old pathNew path",
            "Calls1,000100",
            "In flight105",
            "Failed201",
            "Failed, of all2.00 %1.00 %",
            f"Between, with 95 % certainty{between[0]}{between[1]}",
            "Half within0.8 s1.6 s",
            "95 % within3.2 sover 51.2 s",
            "Cost of a call$0.00025$0.0003",
        ]
    )
    drawn = card(page, "prompt").get_by_role("img")
    expect(drawn).to_have_accessible_name(re.compile(r"Old path 2\.00 %, between .* New path 1\.00 %.*Limit 4\.00 %"))
    top = 1.1 * new_high
    line = drawn.locator("line.new")
    assert [float((line.get_attribute(name) or "").rstrip("%")) for name in ("x1", "x2")] == pytest.approx(
        [100 * new_low / top, 100 * new_high / top]
    )
    expect(card(page, "prompt")).to_contain_text("test, 10 % of users, since 3 hours ago: 60 calls of its new path.")
    expect(card(page, "prompt")).to_contain_text("Counted until 2 min ago.")
    assert readable(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read_at_every_size_in_light_and_dark(
    browser: Browser, cloud: LocalCloud, width: int, scheme: str
) -> None:
    """A stopped flag beside one that runs, named users, a question, a notice: axe finds nothing, and all of it fits."""
    rules = {"prompt": {"cohort": "test", "autoAdvance": True, "allow": ["ann"]}, "model": {"cohort": "small"}}
    set_flags(cloud, rules, {"prompt": stored(watched(cloud)), "model": stops(cloud, By.DETECTOR)})
    visit = Opened(browser, cloud, viewport={"width": width, "height": 844}, color_scheme=scheme)
    try:
        page = rollouts(visit)
        card(page, "prompt").get_by_text("Named users (1)").click()
        card(page, "model").get_by_role("button", name="Restart model").click()
        card(page, "model").get_by_role("form").locator(":focus").wait_for()  # what is asked moves what is below it
        page.get_by_label("Id of the user").fill("ann")
        page.get_by_role("button", name="Explain").click()
        page.get_by_text("prompt: ann takes").wait_for()
        expect(card(page, "prompt").get_by_role("img")).to_be_visible()
        assert readable(page)
        card(page, "prompt").get_by_role("button", name="Hold at this stage").click()
        page.get_by_role("button", name="Hold it").click()
        expect(card(page, "prompt")).to_contain_text("Done.")
        assert readable(page)
        assert visit.problems == []
    finally:
        visit.context.close()


def test_a_path_on_hold_says_why(opened: Opened, cloud: LocalCloud) -> None:
    """In the guard's words; a next stage is begun all the same only if one says so."""
    why = "a call on the new path costs 300 micro-dollars, on the old one 250"
    watch = watched(cloud, verdict=Verdict.HOLD, why=why)
    set_flags(cloud, {"prompt": {"cohort": "test"}}, {"prompt": stored(watch)})
    page = rollouts(opened)
    expect(page.get_by_text("prompt is on hold.")).to_be_visible()
    expect(card(page, "prompt")).to_contain_text(f"No stage begins by itself: {why}.")
    card(page, "prompt").get_by_role("button", name="Next stage: small, 25 %").click()
    expect(card(page, "prompt").get_by_role("form")).to_contain_text("It is on hold.")
    expect(page.get_by_role("button", name="Begin small all the same")).to_be_focused()
    assert readable(page)


def test_nothing_is_shown_while_a_test_is_on(opened: Opened, cloud: LocalCloud) -> None:
    """Only how far it is, of the path with fewer calls; afterwards the difference with its bounds, and all figures."""
    first = {Arm.OLD: ArmCounts(started=500, ended=500, failed=9), Arm.NEW: ArmCounts(started=20, ended=20)}
    since = cloud.clock() - timedelta(hours=1)
    test = AbTest(metric=Metric.FAILED, calls=200, since=since, first=first)
    watch = watched(cloud, test=test, verdict=Verdict.HOLD, why="1 of 100 calls on the new path failed")
    rules = {"prompt": {"cohort": "large", "testMetric": "failed", "testCalls": 200}}
    set_flags(cloud, rules, {"prompt": stored(watch)})
    page = rollouts(opened)
    expect(card(page, "prompt")).to_contain_text("is on since 60 min ago: 80 of 200 calls of each path.")
    expect(card(page, "prompt").get_by_role("progressbar")).to_have_attribute("value", "80")
    expect(card(page, "prompt").get_by_role("table").or_(card(page, "prompt").get_by_role("img"))).to_have_count(0)
    said = card(page, "prompt").inner_text()
    assert [figure for figure in ("failed on", "calls on the new path failed", "$") if figure in said] == []
    assert readable(page)

    samples = [sample(test, arm, watch.totals) for arm in (Arm.OLD, Arm.NEW)]
    result = compared(*samples)
    ended = watch.model_copy(update={"test": test.model_copy(update={"result": result})})
    set_flags(cloud, rules, {"prompt": stored(ended)})
    difference, low, high = (
        f"{100 * each:+.2f}".replace("-", "\N{MINUS SIGN}") for each in (result.difference, result.low, result.high)
    )
    expect(card(page, "prompt")).to_contain_text(
        "No difference is proven. Old path 2.20 % (11 of 500), new path 1.25 % (1 of 80)"
    )
    expect(card(page, "prompt")).to_contain_text(
        f"a difference of {difference} percentage points, between {low} and {high}"
    )
    expect(card(page, "prompt").get_by_role("table")).to_be_visible()
    card(page, "prompt").get_by_role("button", name="End the test").click()
    expect(card(page, "prompt").get_by_role("form")).to_contain_text("flags.prompt.testMetric: failed → none")
    expect(card(page, "prompt").get_by_role("form")).to_contain_text("flags.prompt.testCalls: 200 → 1000")
    page.get_by_role("button", name="End the test").click()
    expect(card(page, "prompt")).to_contain_text("Done. Functions see it within 30 seconds.")
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "large"}


def runtime(cloud: LocalCloud) -> dict[str, Any]:
    """Return the stored config."""
    return cloud.firestore_client().document("config/runtime").get().to_dict() or {}


def state(cloud: LocalCloud, flag: str) -> FlagState | None:
    """Return a flag's state as functions read it."""
    found = cloud.firestore_client().document("stats/rollouts").get().to_dict() or {}
    return read_states(found, "stats/rollouts")[0][Flag(flag)]


@pytest.mark.parametrize("broken", ["rules", "everything"])
def test_a_thumb_stops_a_flag_whatever_is_broken(opened: Opened, cloud: LocalCloud, broken: str) -> None:
    """One large button, a reason and one confirmation; it is stored and on record, and a restart undoes it."""
    states = {"prompt": stored(watched(cloud)) if broken == "rules" else BROKEN}
    set_flags(cloud, "no map", states)
    page = rollouts(opened)
    button = card(page, "prompt").get_by_role("button", name="Stop prompt")
    size = button.bounding_box()
    assert size is not None
    assert (size["height"] >= 56, size["width"] >= 300) == (True, True)
    button.click()
    expect(page.get_by_label("Why, for the record")).to_be_focused()
    page.get_by_role("button", name="Stop prompt for everybody").click()
    assert state(cloud, "prompt") == read_states(states, "")[0][Flag.PROMPT]  # not without a reason
    page.get_by_label("Why, for the record").fill("wrong answers")
    assert readable(page)
    page.get_by_role("button", name="Stop prompt for everybody").click()
    expect(card(page, "prompt")).to_contain_text("prompt: stopped")
    expect(card(page, "prompt")).to_contain_text("Stopped by an operator: operator: wrong answers.")
    expect(
        page.get_by_text("prompt is stopped: everybody is on the old path. Functions see it within 30")
    ).to_be_visible()
    after = state(cloud, "prompt")
    assert after is not None
    assert after.stopped is not None
    assert after.stopped.why == "operator: wrong answers"
    audit = cloud.firestore_client().collection("config/runtime/audit").order_by("at", direction="DESCENDING").limit(1)
    assert next(iter(audit.stream())).get("why") == "wrong answers"

    page.get_by_role("button", name="Restart prompt").click()
    page.get_by_label("Why, for the record").fill("mended")
    page.get_by_role("button", name="Restart prompt").click()
    expect(page.get_by_text("prompt is running anew.")).to_be_visible()
    again = state(cloud, "prompt")
    assert again == FlagState(epoch=after.epoch + 1)


@pytest.mark.parametrize("silent", [True, False])
def test_a_flag_is_stopped_before_anything_has_come(opened: Opened, cloud: LocalCloud, silent: bool) -> None:
    """The database answers nothing, or is out of reach, of which its SDK makes an empty document: no flag is said to be
    off, the button is there, and works."""
    set_flags(cloud, {"model": {"cohort": "test"}})
    database = "**/google.firestore.v1.Firestore/**"
    opened.page.route(database, lambda route: None if silent else route.abort())
    page = rollouts(opened)
    expect(page.get_by_text("Loading. A flag can be stopped meanwhile.")).to_be_visible()
    if not silent:
        page.wait_for_timeout(SDK_GIVES_UP_MS)
    expect(page.get_by_text("Nothing is being rolled out.")).to_have_count(0)
    assert readable(page)
    card(page, "model").get_by_role("button", name="Stop model").click()
    page.get_by_label("Why, for the record").fill("no time")
    page.keyboard.press("Enter")
    expect(page.get_by_text("model is stopped: everybody is on the old path.")).to_be_visible()
    opened.problems.clear()  # the browser reports what it could not fetch
    after = state(cloud, "model")
    assert after is not None
    assert after.stopped is not None


def test_a_lost_connection_is_said(opened: Opened, cloud: LocalCloud) -> None:
    """What was seen stays, with its age; a stop that gets no answer says so, and what to do."""
    set_flags(cloud, {"prompt": {"cohort": "test"}}, {"prompt": stored(watched(cloud))})
    page = rollouts(opened)
    page.get_by_text("live").wait_for()
    opened.context.set_offline(True)
    expect(page.get_by_role("status").filter(has_text="Connection lost.")).to_be_visible()
    expect(card(page, "prompt").get_by_role("table")).to_be_visible()
    card(page, "prompt").get_by_role("button", name="Stop prompt").click()
    page.get_by_label("Why, for the record").fill("gone")
    page.get_by_role("button", name="Stop prompt for everybody").click()
    expect(page.get_by_role("alert")).to_contain_text("No answer has come")
    assert readable(page)
    opened.context.set_offline(False)
    page.get_by_role("button", name="Stop prompt for everybody").click()
    expect(card(page, "prompt")).to_contain_text("prompt: stopped")
    opened.problems.clear()  # the browser reports what it could not fetch


def test_the_next_stage_is_begun_and_undone(opened: Opened, cloud: LocalCloud) -> None:
    """Before and after in numbers first; then it is stored, and one button takes it back."""
    set_flags(cloud, {"prompt": {"cohort": "test", "percent": 5}}, {"prompt": stored()})
    page = rollouts(opened)
    mine = card(page, "prompt")
    mine.get_by_role("button", name="Next stage: small, 25 %").click()
    for line in ("flags.prompt.cohort: test → small", "flags.prompt.percent: 5 → none", "5 % of users → 25 %"):
        expect(mine.get_by_role("form")).to_contain_text(line)
    mine.get_by_role("button", name="Leave it as it is").click()
    expect(mine.get_by_role("form")).to_have_count(0)
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "test", "percent": 5}
    mine.get_by_role("button", name="Next stage: small, 25 %").click()
    mine.get_by_role("button", name="Begin small").click()
    expect(mine).to_contain_text("Stage small, 25 % of users")
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "small"}
    mine.get_by_role("button", name="Undo the last change").click()
    expect(mine).to_contain_text("Stage test, 5 % of users")
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "test", "percent": 5}


def test_stages_are_held_and_finished(opened: Opened, cloud: LocalCloud) -> None:
    """The next stage begins by itself no more; everybody gets the new path, the holdback too."""
    set_flags(cloud, {"prompt": {"cohort": "all", "autoAdvance": True}}, {"prompt": stored()})
    page = rollouts(opened)
    mine = card(page, "prompt")
    mine.get_by_role("button", name="Hold at this stage").click()
    mine.get_by_role("button", name="Hold it").click()
    expect(mine).to_contain_text("Done. Functions see it within 30 seconds.")
    expect(mine.get_by_role("button", name="Hold at this stage")).to_have_count(0)
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "all", "autoAdvance": False}
    mine.get_by_role("button", name="Finish: everybody").click()
    expect(mine.get_by_role("form")).to_contain_text("95 % of users → 100 %")
    mine.get_by_role("button", name="Finish prompt").click()
    expect(mine).to_contain_text("Stage all, 100 % of users")
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "all", "autoAdvance": False, "holdbackPercent": 0}


def test_a_side_that_is_finished_is_the_setting_of_all(opened: Opened, cloud: LocalCloud) -> None:
    """Its value takes the old one's place, the flag is free for the next, and one click takes it back; without a value
    there is nothing to run."""
    set_flags(cloud, {"side": {"cohort": "all"}}, {"side": stored()})
    page = rollouts(opened)
    mine = card(page, "side")
    expect(mine).to_contain_text("side: without a value")
    expect(mine).to_contain_text("images.nextSideMax names none: set it in Settings.")
    cloud.firestore_client().document("config/runtime").update({"images": {"nextSideMax": 384}})
    expect(mine).to_contain_text("95 % of users take the new path.")
    mine.get_by_role("button", name="Finish: everybody").click()
    for line in ("images.sideMax: none → 384", "images.nextSideMax: 384 → none", "flags.side.cohort: all → none"):
        expect(mine.get_by_role("form")).to_contain_text(line)
    assert readable(page)
    mine.get_by_role("button", name="Finish side").click()
    expect(mine).to_contain_text("side: off")
    assert (runtime(cloud)["images"], runtime(cloud)["flags"]["side"]) == ({"sideMax": 384}, {})
    mine.get_by_role("button", name="Undo the last change").click()
    expect(mine).to_contain_text("95 % of users take the new path.")
    assert (runtime(cloud)["images"], runtime(cloud)["flags"]["side"]) == ({"nextSideMax": 384}, {"cohort": "all"})


def test_users_are_named_and_explained(opened: Opened, cloud: LocalCloud) -> None:
    """Allowed, then denied, then neither; the explanation of their path follows each time."""
    set_flags(cloud, {"prompt": {"cohort": "listed"}}, {"prompt": stored()})
    page = rollouts(opened)
    mine = card(page, "prompt")
    page.get_by_label("Id of the user").fill("ann/b")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_text("This is no user's id.")).to_be_visible()
    page.get_by_label("Id of the user").fill("ann")
    page.get_by_role("button", name="Explain").click()
    told = page.get_by_role("listitem").filter(has_text=re.compile("^prompt: ann takes"))
    expect(told).to_contain_text("the old path. DEFAULT: the user is not among 0 %.")
    mine.get_by_text("Named users (0)").click()
    for button, confirm, said in (
        ("Allow…", "Allow", "the new path. TARGETING_MATCH: the user is on a list."),
        ("Deny…", "Deny", "the old path. TARGETING_MATCH: the user is on a list."),
    ):
        mine.get_by_label("User to name in prompt").or_(mine.get_by_text(re.compile("Named users"))).first.wait_for()
        if not mine.get_by_label("User to name in prompt").is_visible():
            mine.get_by_text(re.compile("Named users")).click()
        mine.get_by_label("User to name in prompt").fill("ann")
        mine.get_by_role("button", name=button).click()
        mine.get_by_role("button", name=confirm, exact=True).click()
        expect(told).to_contain_text(said)
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "listed", "allow": [], "deny": ["ann"]}
    mine.get_by_text("Named users (1)").click()
    assert readable(page)
    mine.get_by_role("button", name="Take ann off").click()
    mine.get_by_role("button", name="Take off", exact=True).click()
    expect(told).to_contain_text("DEFAULT")
    assert runtime(cloud)["flags"]["prompt"]["deny"] == []


def test_a_ceiling_that_the_guard_has_seen_is_said(opened: Opened, cloud: LocalCloud) -> None:
    """The page does not know `FLAGS`; where the guard has seen less than the rules say, both are told. No share at all
    serves nobody."""
    rules = {"prompt": {"cohort": "all", "holdbackPercent": 0}}
    set_flags(cloud, rules, {"prompt": stored(watched(cloud))})
    uids = (f"uid-{n}" for n in range(1_000))
    outside = next(uid for uid in uids if decide(Flag.PROMPT, FlagRules(cohort=Cohort.TEST), uid).arm is Arm.OLD)
    page = rollouts(opened)
    expect(page.get_by_text("prompt runs for 10 % of users.")).to_be_visible()
    expect(card(page, "prompt")).to_contain_text("The guard has seen 10 %: the deploy's ceiling, FLAGS, keeps it there")
    page.get_by_label("Id of the user").fill(outside)
    page.get_by_role("button", name="Explain").click()
    told = page.get_by_text(f"{outside} takes the old path. DEFAULT: the user is not among 10 %, as the guard has seen")
    expect(told).to_contain_text("the new path. SPLIT: the user is among 100 %.")
    closed = watched(cloud, stage=Stage(share=0, since=cloud.clock()))
    set_flags(cloud, rules, {"prompt": stored(closed)})
    expect(card(page, "prompt")).to_contain_text("Nobody takes the new path.")
    expect(page.get_by_text(f"prompt: {outside} takes the old path. DISABLED")).to_be_visible()


def test_two_operators_at_once_one_wins(opened: Opened, cloud: LocalCloud) -> None:
    """The other is told that it has been changed meanwhile."""
    set_flags(cloud, {"prompt": {"cohort": "test"}}, {"prompt": stored()})
    page = rollouts(opened)

    def meanwhile(route: Route) -> None:
        set_flags(cloud, {"prompt": {"cohort": "large"}}, {"prompt": stored()})
        route.continue_()

    page.route("**/admin_set_config", meanwhile)
    page.get_by_role("button", name="Next stage: small").click()
    page.get_by_role("button", name="Begin small").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed flags.prompt.cohort meanwhile.")
    assert runtime(cloud)["flags"]["prompt"] == {"cohort": "large"}
    opened.problems.clear()  # the browser reports the refused call


def test_a_keyboard_alone_stops_a_flag(opened: Opened, cloud: LocalCloud) -> None:
    """Each step is reached by Tab and Enter; Escape leaves it as it is, and the place is not lost."""
    set_flags(cloud, {"model": {"cohort": "test"}}, {"model": stored()})
    cloud.firestore_client().document("config/runtime").set({"model": {"next": "gpt-5.6-luna"}}, merge=True)
    page = rollouts(opened)
    expect(page.get_by_role("heading", name="model: running")).to_be_visible()
    page.locator("#main").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop model")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why, for the record")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="model: running")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Stop model")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Why, for the record")).to_be_focused()
    page.keyboard.type("by keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(card(page, "model")).to_contain_text("model: stopped")
    expect(page.get_by_role("heading", name="model: stopped")).to_be_focused()


def test_only_operators_see_it(opened: Opened, cloud: LocalCloud) -> None:
    """Anybody else is told so, and reads no state."""
    set_flags(cloud, {"prompt": {"cohort": "test"}}, {"prompt": stored()})
    page = opened.start()
    page.goto(page.url.rstrip("/") + "/operator#rollouts")
    expect(page.get_by_role("heading", name="Not an operator")).to_be_visible()
    expect(page.get_by_text("prompt")).to_have_count(0)


def test_calls_are_counted_while_one_looks(opened: Opened, cloud: LocalCloud) -> None:
    """Photos of users on both paths: the guard's next look is on the page by the listener, with the sums of the day."""
    set_flags(cloud, {"prompt": {"cohort": "large"}})
    cloud.clock.advance(timedelta(minutes=2))  # the functions have seen it
    page = rollouts(opened)
    expect(card(page, "prompt")).to_contain_text("Nothing is counted yet")
    uids = [f"looker-{n}" for n in range(6)]
    for uid in uids:
        classify(cloud, uid, uid, "instant")
    cloud.cron.fire("guard_rollouts")
    arms = [decide(Flag.PROMPT, FlagRules(cohort=Cohort.LARGE), uid).arm for uid in uids]
    calls = card(page, "prompt").get_by_role("row").filter(has_text=re.compile("^Calls"))
    expect(calls).to_have_text(f"Calls{arms.count(Arm.OLD)}{arms.count(Arm.NEW)}")
    expect(card(page, "prompt").get_by_role("row").filter(has_text=re.compile("^Failed, of all"))).to_contain_text(
        "0.00 %"
    )


@pytest.mark.parametrize(
    ("problem", "words"),
    [("signInAgain", "Sign in again: changes are taken for 15 minutes after it."), ("secondFactor", "second factor")],
)
def test_who_has_to_prove_themselves_is_told_how(opened: Opened, cloud: LocalCloud, problem: str, words: str) -> None:
    """In words, with the answer that functions give; a session that is too old leads to signing in again."""
    set_flags(cloud, {"prompt": {"cohort": "test"}}, {"prompt": stored()})
    page = rollouts(opened)
    details = {"reason": "NOT_ADMIN", "problem": problem}
    refusal = {"error": {"status": "PERMISSION_DENIED", "message": "No.", "details": details}}
    headers = {"access-control-allow-origin": "*"}
    page.route("**/admin_rollout", lambda route: route.fulfill(status=403, json=refusal, headers=headers))
    page.get_by_role("button", name="Stop prompt").click()
    page.get_by_label("Why, for the record").fill("late")
    page.get_by_role("button", name="Stop prompt for everybody").click()
    expect(page.get_by_role("alert")).to_contain_text(words)
    opened.problems.clear()  # the browser reports the refused call
    if problem == "signInAgain":
        page.get_by_role("button", name="Sign in again").click()
        expect(page.get_by_role("heading", name="Ecolane for operators")).to_be_visible()
