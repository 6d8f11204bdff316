"""A recommendation is tried on a hundred recent photos before it is offered: one batch, at half the price."""

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest

from functions.adapters.images import prepare
from functions.core.insights.plan import Plan
from functions.core.insights.saving_kinds import Kind, Savings, saving
from functions.core.jobs.trials import Trials, has_passed
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from functions.core.model.ways import Way
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.insights import admin_try_saving as admin_try_saving_module
from functions.use_cases.insights.admin_try_saving import AdminTrySaving, admin_try_saving
from functions.use_cases.operations.guard_budget import guard_budget
from scripts import inprocess
from scripts.inprocess import InProcessCloud
from tests import steps
from tests.app import photo
from tests.steps import UNLIMITED, classify, held, job, listed, statement, stored, ticks, wallet

CONFIG: dict[str, Any] = {"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}
SMALLER = {"images": {"nextSideMax": 384}, "flags": {"side": {"cohort": "test", "autoAdvance": True}}}
CHEAPER = {"model": {"next": "gpt-5-nano"}, "flags": {"model": {"cohort": "test", "autoAdvance": True}}}
SHORTER = {"flags": {"prompt": {"cohort": "test", "autoAdvance": True}}}
KEYED = {"anthropic_api_key": "stand-in"}
ELSEWHERE = {"providers": {"order": ["anthropic", "openai"], "batchOrder": ["anthropic", "openai"]}}
FEW = 4


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """A cloud with four answered photos, of which a trial takes four, and two recommendations that change answers."""
    monkeypatch.setattr(admin_try_saving_module, "PHOTOS", FEW)
    monkeypatch.setattr(steps, "PHOTO", photo(600))
    monkeypatch.setattr(inprocess, "unprepared", lambda data, rules: prepare(data, rules.side_max, rules.jpeg_quality))
    cloud = InProcessCloud(seed=1)
    cloud.configure(CONFIG)
    for n in range(FEW):
        classify(cloud, f"photo-{n}")
    listed_ones = [
        saving(kind, "trial", 0.1, (1, 1), "", "").model_copy(update={"changes": changes})
        for kind, changes in (
            (Kind.IMAGE_SIDE, SMALLER),
            (Kind.MODEL, CHEAPER),
            (Kind.PROVIDER, ELSEWHERE),
            (Kind.ANSWER_LENGTH, SHORTER),
        )
    ]
    found = Savings(cost=1, list=tuple(listed_ones), together=0.1)
    plan = Plan(made_at=cloud.clock(), first="2026-11-21", known=40, filled=0, past=(), savings=found)
    cloud.client.document("forecasts/current").set(plan.model_dump(by_alias=True))
    return cloud


def asked(
    cloud: InProcessCloud, kind: str = "image_side", settings: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Ask for a trial as an operator does."""
    answer = admin_try_saving(AdminTrySaving.model_validate({"kind": kind}), "ana", cloud.deps)
    cloud.restart(settings)
    return answer


def tried(cloud: InProcessCloud) -> Trials:
    """Let the batch lane and the guard do their part."""
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    poll_batches(cloud.deps)
    guard_budget(cloud.deps)
    cloud.restart()
    return Trials.model_validate(stored(cloud, "stats/trials"))


def test_a_trial_asks_once_more_in_one_batch_and_costs_nobody_anything(cloud: InProcessCloud) -> None:
    """Smaller photos, the same answers; no user's wallet or list changes, the budget has what it cost."""
    before = wallet(cloud), statement(cloud)
    assert asked(cloud) == {"begun": True, "photos": FEW, "why": None}
    assert asked(cloud) == {"begun": True, "photos": FEW, "why": None}
    known = tried(cloud)
    (batch,) = listed(cloud, "batches").values()
    assert (batch["sideMax"], batch["jobCount"], batch["doneCount"]) == (384, FEW, FEW)
    found = known.ended["image_side"].found
    assert found is not None
    assert (found.answered, found.same, found.left_out, known.running) == (FEW, FEW, 0, None)
    assert (found.before.input > found.after.input, found.before.micros > found.after.micros) == (True, True)
    assert found.after.micros == batch["costMicros"]
    assert (wallet(cloud), statement(cloud), held(cloud)) == (*before, 0)
    assert len(listed(cloud, "aiJobs")) == FEW
    assert (stored(cloud, "stats/queue")["trialUntil"], stored(cloud, "stats/queue")["queued"]) == (None, 0)
    (tally,) = [
        s["tally"]["batch"] for s in listed(cloud, "budget/2026-11-21/shards").values() if "batch" in s["tally"]
    ]
    assert tally["gpt-6-luna"]["checkedMicros"] == batch["costMicros"]
    assert tally["gpt-6-luna"]["checkedOutput"] == tally["gpt-6-luna"]["output"] == found.after.output > 0


def test_a_trial_that_fails_is_no_failure_of_users(cloud: InProcessCloud) -> None:
    """Of what nobody has asked for neither a failed nor a repeated attempt counts among the users' photos, nor does
    what it has cost."""
    cloud.configure({**CONFIG, "batch": {"attemptsMax": 2}})
    cloud.openai.faults.add(kind="cut_answer", endpoint="*", count=None)
    asked(cloud)
    tried(cloud)
    cloud.clock.advance(timedelta(hours=2))
    found = tried(cloud).ended["image_side"].found
    assert found is not None
    assert (found.answered, found.left_out) == (0, FEW)
    batches = listed(cloud, "batches").values()
    shards = listed(cloud, "budget/2026-11-21/shards").values()
    counted = sum((Counter(of["tally"]["batch"]["gpt-6-luna"]) for of in shards if "batch" in of["tally"]), Counter())
    assert counted["checkedMicros"] == sum(each["costMicros"] for each in batches) > 0
    assert counted["checkedOutput"] == counted["output"]
    assert {name: n for name, n in counted.items() if ":" in name} == {
        "checkedRetried:ANSWER_UNUSABLE": FEW,
        "checkedFailed:ANSWER_UNUSABLE": FEW,
    }
    assert not {"done", "started"} & counted.keys()


def test_four_photos_are_too_few_to_pass(cloud: InProcessCloud) -> None:
    """Four of four may be half of all: the lower bound is below the bar, which the model's own agreement lowers."""
    asked(cloud)
    found = tried(cloud).ended["image_side"].found
    assert found is not None
    assert (found.low < found.bar, found.bar, found.passed) == (True, 0.97, False)
    for done in listed(cloud, "aiJobs"):
        cloud.client.document(f"aiJobs/{done}").update({"result.category": "Non-Waste"})
    asked(cloud, "itself")
    known = tried(cloud)
    assert [known.ended[kind].found.bar for kind in ("itself", "image_side")] == [0.0, 0.0]  # type: ignore[union-attr]
    assert has_passed(known, "image_side", SMALLER, cloud.clock())


def test_another_answer_counts_against_it(cloud: InProcessCloud) -> None:
    """By where it sends its user."""
    first = next(iter(listed(cloud, "aiJobs")))
    cloud.client.document(f"aiJobs/{first}").update({"result.category": "Non-Waste"})
    asked(cloud)
    found = tried(cloud).ended["image_side"].found
    assert found is not None
    assert (found.answered, found.same) == (FEW, FEW - 1)


def test_a_photo_that_is_gone_is_left_out_and_counted(cloud: InProcessCloud) -> None:
    """Its user has removed it; nothing is refunded, since nothing was paid."""
    before = statement(cloud)
    del cloud.files.objects["users/ann/uploads/photo-2.jpg"]
    asked(cloud)
    found = tried(cloud).ended["image_side"].found
    assert found is not None
    assert (found.answered, found.left_out) == (FEW - 1, 1)
    assert statement(cloud) == before


def test_another_model_is_asked_by_its_own_batch(cloud: InProcessCloud) -> None:
    """The users' photos beside it go to the model that is in force, and first."""
    queued = classify(cloud, "queued", "batch")
    asked(cloud, "model")
    known = tried(cloud)
    sent = {batch["model"]: (batch["jobCount"], batch["sideMax"]) for batch in listed(cloud, "batches").values()}
    assert sent == {"gpt-6-luna": (1, 512), "gpt-5-nano": (FEW, 512)}
    assert job(cloud, queued)["status"] == "done"
    assert known.ended["model"].found is not None


def test_another_provider_is_asked_by_a_batch_of_its_own(cloud: InProcessCloud) -> None:
    """Before it is first for anybody; what its answers cost stands beside what they cost before."""
    cloud.restart(KEYED)
    assert asked(cloud, "provider", KEYED) == {"begun": True, "photos": FEW, "why": None}
    tried(cloud)
    (batch,) = listed(cloud, "batches").values()
    assert (batch["model"], batch["jobCount"]) == ("anthropic/claude-haiku-5-5", FEW)
    trial = cloud.deps.store.trials().ended["provider"]
    assert trial.found is not None
    assert (trial.base, trial.found.answered) == ("gpt-6-luna", FEW)
    assert 0 < trial.found.after.micros == batch["costMicros"]


def test_shorter_answers_are_asked_for_in_the_next_wording(cloud: InProcessCloud) -> None:
    """Their tokens are counted, against those of the wording that is in force."""
    asked(cloud, "answer_length")
    trial = tried(cloud).ended["answer_length"]
    (batch,) = listed(cloud, "batches").values()
    assert (batch["promptVersion"], batch["jobCount"]) == (PROMPT_NEXT, FEW)
    assert (trial.held_against, trial.prompt) == (Way("gpt-6-luna", PROMPT_VERSION, 512), PROMPT_NEXT)
    assert trial.found is not None
    assert (trial.found.answered, trial.found.after.output > 0) == (FEW, True)


def test_who_has_no_key_is_not_tried(cloud: InProcessCloud) -> None:
    """The plan is of a deploy that had one."""
    assert asked(cloud, "provider")["why"] == "anthropic/claude-haiku-5-5 cannot be asked in a batch."


def test_what_is_asked_first_is_what_a_trial_is_held_against(cloud: InProcessCloud) -> None:
    """Anthropic answers in the instant lane by now, and has answered none of these photos; what cannot be asked is
    passed over."""
    orders = {"providers": {"order": ["anthropic", "openai"]}}
    cloud.configure({**CONFIG, **orders})
    assert asked(cloud)["begun"]
    tried(cloud)
    cloud.restart(KEYED)
    assert asked(cloud)["why"] == "It takes 4 answered photos of the last 14 days; there are 0."


def test_what_cannot_be_tried_says_why(cloud: InProcessCloud) -> None:
    """Nothing is recommended, another trial is under way, or there are too few photos that can be compared."""
    asked(cloud)
    assert asked(cloud, "model")["why"] == "Another trial is under way."
    tried(cloud)
    cloud.client.document("forecasts/current").set({"savings": "damaged"})
    assert asked(cloud)["why"] == "It is not recommended now: there is nothing to try."
    assert asked(cloud, "itself")["begun"]
    tried(cloud)
    disputed = next(iter(listed(cloud, "aiJobs")))
    cloud.client.document(f"aiJobs/{disputed}").update({"dispute": {"reason": "other", "at": cloud.clock()}})
    assert asked(cloud, "itself")["why"] == "It takes 4 answered photos of the last 14 days; there are 3."
    assert not asked(cloud, "itself")["begun"]


def test_a_trial_waits_for_the_budget_and_ends_when_its_time_is_up(cloud: InProcessCloud) -> None:
    """It is held like any batch. After three days what there is counts: nothing."""
    cloud.configure(
        {**CONFIG, "budget": {"overrideMode": "closed", "overrideUntil": cloud.clock() + timedelta(days=9)}}
    )
    before = statement(cloud)
    asked(cloud)
    for hours in (1, 72):
        submit_batches(cloud.deps)
        guard_budget(cloud.deps)
        cloud.clock.advance(timedelta(hours=hours))
        assert Trials.model_validate(stored(cloud, "stats/trials")).running is not None
    guard_budget(cloud.deps)
    assert (listed(cloud, "batches"), listed(cloud, "cacheChecks"), statement(cloud)) == ({}, {}, before)
    found = Trials.model_validate(stored(cloud, "stats/trials")).ended["image_side"].found
    assert found is not None
    assert (found.answered, found.left_out, found.passed) == (0, FEW, False)


def test_a_run_that_finds_the_provider_down_gives_the_photos_back(cloud: InProcessCloud) -> None:
    """The next run sends them, in one batch."""
    asked(cloud)
    cloud.openai.faults.add(kind="server_error", endpoint="*", count=1)
    submit_batches(cloud.deps)
    assert {each["status"] for each in listed(cloud, "cacheChecks").values()} == {"queued"}
    ticks(cloud, timedelta(hours=2))
    guard_budget(cloud.deps)
    found = Trials.model_validate(stored(cloud, "stats/trials")).ended["image_side"].found
    assert found is not None
    assert found.answered == FEW


def test_an_unforeseen_error_of_a_trial_ends_the_run_only_if_nothing_else_was_sent(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users' photos go first."""

    def fail(*_: object) -> None:
        raise ValueError("odd")

    asked(cloud)
    monkeypatch.setattr("functions.use_cases.batches.submit_batches.send_batch", fail)
    with pytest.raises(RuntimeError, match="crashed"):
        submit_batches(cloud.deps)
