"""Recommendations that apply themselves: on record, one at a time, tried first, and taken back."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.insights.measured import Change, Measured
from functions.core.insights.plan import Plan
from functions.core.insights.saving_kinds import Kind, Savings, saving
from functions.use_cases.operations import automatic
from functions.use_cases.operations.config_changes import change_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, listed, stored

NAMED = {"ahead": {"automatic": {"kinds": ["attempts", "image_side"]}}}
STAGED = {"cohort": "test", "autoAdvance": True}
SMALLER = {"images": {"nextSideMax": 384}, "flags": {"side": STAGED}}
OFFERED = (
    (Kind.IMAGE_SIDE, "trial", SMALLER),
    (Kind.ATTEMPTS, "apply", {"batch": {"attemptsMax": 2}}),
)


def planned(cloud: InProcessCloud, *measured: Measured) -> None:
    """Store today's plan, with two recommendations, and what was measured of earlier ones."""
    found = tuple(saving(kind, way, 0.1, (1, 1), "", "").model_copy(update={"changes": c}) for kind, way, c in OFFERED)
    savings = Savings(cost=1, list=found, together=0.1)
    plan = Plan(
        made_at=cloud.clock(), first="2026-11-21", known=40, filled=0, past=(), savings=savings, measured=measured
    )
    cloud.client.document("forecasts/current").set(plan.model_dump(by_alias=True))


def a_cloud(config: dict[str, Any]) -> InProcessCloud:
    """Return a cloud with these settings and a plan."""
    cloud = InProcessCloud(seed=1)
    cloud.configure(config)
    planned(cloud)
    return cloud


def guarded(cloud: InProcessCloud) -> list[dict[str, Any]]:
    """Let the guard run, and return the audit, oldest first."""
    cloud.clock.advance(timedelta(minutes=15))
    cloud.restart()
    guard_budget(cloud.deps)
    return sorted(listed(cloud, "config/runtime/audit").values(), key=lambda entry: entry["at"])


def test_nothing_applies_itself_unless_an_operator_says_so() -> None:
    """Not a field is changed."""
    cloud = a_cloud({})
    assert (guarded(cloud), stored(cloud, "config/runtime")) == ([], {})


def test_a_named_kind_applies_itself_once_on_record_and_told() -> None:
    """With the promise that it is measured by; the next one waits until this one was measured."""
    cloud = a_cloud(NAMED)
    for _ in range(2):
        (entry,) = guarded(cloud)
    assert stored(cloud, "config/runtime")["batch"] == {"attemptsMax": 2}
    assert (entry["by"], entry["because"]) == ("guard_budget", {"kind": "attempts", "promised": 0.1})
    assert entry["changed"] == [{"field": "batch.attemptsMax", "before": None, "after": 2}]
    assert len(alerts(cloud, "config_changed")) == 1


def test_what_an_operator_has_set_already_is_not_set_again() -> None:
    """No audit entry says what did not happen."""
    assert guarded(a_cloud({**NAMED, "batch": {"attemptsMax": 2}})) == []


def test_what_an_operator_has_set_since_the_plan_stays() -> None:
    """The plan has not seen it; tomorrow's does."""
    cloud = a_cloud(NAMED)
    cloud.clock.advance(timedelta(minutes=5))
    change_config({"batch": {"attemptsMax": 5}}, "ana", cloud.deps)
    (entry,) = guarded(cloud)
    assert (entry["by"], stored(cloud, "config/runtime")["batch"]) == ("ana", {"attemptsMax": 5})


def test_what_costs_more_is_undone_by_itself_once() -> None:
    """To what it was before, which stays so."""
    cloud = a_cloud({**NAMED, "batch": {"attemptsMax": 2}})
    changed = ({"field": "batch.attemptsMax", "before": None, "after": 2},)
    change = Change(audit_id="a", kind="attempts", day="2026-11-10", by="guard_budget", promised=0.1, changed=changed)
    planned(cloud, Measured(change=change, days=14, verdict="costs"))
    for _ in range(2):
        (entry,) = guarded(cloud)
    assert entry["changed"] == [{"field": "batch.attemptsMax", "before": 2, "after": None}]
    assert stored(cloud, "config/runtime")["batch"] == {}


@pytest.mark.parametrize(
    ("kind", "flag", "brings", "value"),
    [("model", "model", "model.next", "gpt-5-nano"), ("image_side", "side", "images.nextSideMax", 384)],
)
def test_what_costs_more_is_undone_from_the_stage_that_it_has_reached(
    kind: str, flag: str, brings: str, value: object
) -> None:
    """The guard of rollouts has taken it further meanwhile; what an operator has changed stays."""
    cloud = a_cloud({"ahead": {"automatic": {"kinds": [kind]}}})
    section, field = brings.split(".")
    began: dict[str, Any] = {section: {field: value}, "flags": {flag: {"cohort": "test"}}}
    change_config(began, "guard_budget", cloud.deps)
    for cohort in ("small", "all"):
        cloud.clock.advance(timedelta(days=1))
        change_config({"flags": {flag: {"cohort": cohort}}}, "guard_rollouts", cloud.deps)
    audit_id, entry = min(listed(cloud, "config/runtime/audit").items(), key=lambda item: item[1]["at"])
    of = {"audit_id": audit_id, "by": "guard_budget", "changed": tuple(entry["changed"])}
    change = Change(kind=kind, day="2026-11-01", promised=0.1, **of)
    cloud.clock.advance(timedelta(days=15))
    cloud.restart()
    planned(cloud, Measured(change=change, days=14, verdict="costs"))
    entry = guarded(cloud)[-1]
    assert (entry["by"], {each["field"]: (each["before"], each["after"]) for each in entry["changed"]}) == (
        "guard_budget",
        {brings: (value, None), f"flags.{flag}.cohort": ("all", None)},
    )


def test_photos_are_looked_for_in_the_first_hour_of_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too few, the guard does not read thousands of jobs every quarter of an hour."""
    monkeypatch.setattr(automatic, "PHOTOS", 1)
    cloud = a_cloud({"ahead": {"automatic": {"kinds": ["image_side"]}}})
    assert guarded(cloud) == []
    classify(cloud, "photo-one")
    cloud.clock.advance(timedelta(minutes=45))
    assert guarded(cloud) == []
    assert "trials" not in listed(cloud, "stats")
    planned(cloud)
    guarded(cloud)
    assert stored(cloud, "stats/trials")["running"]["kind"] == "image_side"


def test_what_passed_against_another_model_is_tried_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release asks another one since."""
    monkeypatch.setattr(automatic, "PHOTOS", 1)
    cloud = a_cloud({"ahead": {"automatic": {"kinds": ["image_side"]}}})
    classify(cloud, "photo-one")
    guarded(cloud)
    trial = stored(cloud, "stats/trials")["running"]
    found = {"at": cloud.clock(), "answered": 1, "same": 1, "leftOut": 0, "low": 1.0, "high": 1.0, "passed": True}
    ended = {**trial, "base": "gpt-5-nano", "found": {**found, "before": {}, "after": {}}}
    cloud.client.document("stats/trials").set({"number": 1, "running": None, "ended": {"image_side": ended}})
    assert guarded(cloud) == []
    assert stored(cloud, "stats/trials")["running"]["number"] == 2


def test_a_change_of_answers_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """On as many photos as it takes; it is applied once it has passed, and not before."""
    monkeypatch.setattr(automatic, "PHOTOS", 1)
    cloud = InProcessCloud(seed=1)
    cloud.configure({"ahead": {"automatic": {"kinds": ["image_side"]}}})
    classify(cloud, "photo-one")
    planned(cloud)
    assert guarded(cloud) == []
    trials = stored(cloud, "stats/trials")
    assert (trials["running"]["kind"], trials["running"]["by"]) == ("image_side", "guard_budget")
    found = {"at": cloud.clock(), "answered": 1, "same": 1, "leftOut": 0, "low": 1.0, "high": 1.0, "passed": True}
    sums: dict[str, Any] = {"before": {}, "after": {}}
    ended = {**trials["running"], "found": {**found, **sums}}
    cloud.client.document("stats/trials").set({"number": 1, "running": None, "ended": {"image_side": ended}})
    (entry,) = guarded(cloud)
    assert entry["because"]["kind"] == "image_side"
    config = stored(cloud, "config/runtime")
    assert (config["images"], config["flags"]) == ({"nextSideMax": 384}, {"side": STAGED})


def refused_plan(cloud: InProcessCloud) -> None:
    """Store a plan that recommends what the config does not take."""
    plan = stored(cloud, "forecasts/current")
    plan["savings"]["list"][1]["changes"] = {"batch": {"attemptsMax": 99}}
    cloud.client.document("forecasts/current").set(plan)


def test_a_change_that_is_refused_is_logged_once_and_waits_for_the_next_plan(capfd: pytest.CaptureFixture[str]) -> None:
    """The guard's other work goes on, and says nothing of it every quarter of an hour."""
    cloud = a_cloud(NAMED)
    refused_plan(cloud)
    for _ in range(3):
        assert guarded(cloud) == []
    assert capfd.readouterr().out.count("change_refused") == 1
    assert stored(cloud, "forecasts/current")["refused"] == ["attempts"]
    cloud.clock.advance(timedelta(days=1))
    planned(cloud)
    (entry,) = guarded(cloud)
    assert entry["because"]["kind"] == "attempts"


def test_an_undoing_that_is_refused_is_logged_once(capfd: pytest.CaptureFixture[str]) -> None:
    """An operator has set the field since the plan, which it does not know."""
    cloud = a_cloud({"ahead": {"automatic": {"kinds": ["cache"]}}, "batch": {"attemptsMax": 4}})
    changed = ({"field": "batch.attemptsMax", "before": None, "after": 2},)
    change = Change(audit_id="a", kind="attempts", day="2026-11-10", by="guard_budget", promised=0.1, changed=changed)
    planned(cloud, Measured(change=change, days=14, verdict="costs"))
    for _ in range(3):
        assert guarded(cloud) == []
    assert capfd.readouterr().out.count("change_refused") == 1
    assert stored(cloud, "forecasts/current")["refused"] == ["a"]


def test_what_was_refused_of_a_plan_is_not_noted_in_the_next() -> None:
    """It was made meanwhile."""
    cloud = a_cloud(NAMED)
    refused_plan(cloud)
    old = cloud.deps.store.plan()
    cloud.clock.advance(timedelta(days=1))
    planned(cloud)
    assert old is not None
    cloud.deps.store.note_refused(old, "attempts")
    assert stored(cloud, "forecasts/current")["refused"] == []


def test_without_a_plan_that_can_be_read_nothing_is_done() -> None:
    """Or without one that has savings."""
    cloud = a_cloud(NAMED)
    for plan in ({}, {**stored(cloud, "forecasts/current"), "savings": None}):
        cloud.client.document("forecasts/current").set(plan)
        assert guarded(cloud) == []
