"""A recommendation that is tried: which photos, what has come of them, and whether it passed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.core.cache.lookup import Tier, gist_of
from functions.core.cache.notes import TRIAL, CacheNote
from functions.core.jobs.checks import is_check
from functions.core.jobs.jobs import Dispute, Job, Status
from functions.core.jobs.trials import (
    ITSELF,
    VALID,
    Found,
    Sums,
    Trial,
    Trials,
    comparable,
    eligible,
    found_of,
    has_passed,
    photo_of,
    with_end,
)
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION
from functions.core.model.ways import Way
from tests.builders import BATCH_PRICE, NOW, USAGE, classification, job

RESULT = classification()
DONE = job(status=Status.DONE, result=RESULT.as_json(), usage=USAGE, completed_at=NOW, cost_micros=720, attempts=2)
SMALLER = {"images": {"nextSideMax": 384}, "flags": {"side": {"cohort": "test", "autoAdvance": True}}}
BASE = Way(RESULT.model, PROMPT_VERSION, 512)
TRIAL_ONE = Trial(
    number=1,
    kind="image_side",
    changes=SMALLER,
    base=RESULT.model,
    base_side_max=512,
    model=RESULT.model,
    prompt=PROMPT_VERSION,
    side_max=384,
    by="ana",
    at=NOW,
    photos=3,
)


def known(served: bool) -> CacheNote:
    """Return what a job keeps of the cache."""
    return CacheNote(of="1" * 32, answered_at=NOW, tier=Tier.EXACT, bits=0, family="f", served=served)


@pytest.mark.parametrize(
    ("changes", "compared"),
    [
        ({}, True),
        ({"cache": known(served=False)}, True),
        ({"cache": known(served=True)}, False),
        ({"status": Status.FAILED}, False),
        ({"usage": None}, False),
        ({"dispute": Dispute(reason="other", at=NOW)}, False),
        ({"result": {"category": "of a newer release"}}, False),
        ({"result": {**RESULT.as_json(), "model": "another"}}, False),
        ({"result": {**RESULT.as_json(), "provider": "anthropic"}}, False),
        ({"result": {**RESULT.as_json(), "promptVersion": "older"}}, False),
        ({"result": {**RESULT.as_json(), "sideMax": 384}}, False),
        ({"result": {**RESULT.as_json(), "sideMax": 512}}, True),
    ],
)
def test_a_trial_takes_the_models_own_undisputed_answers(changes: dict[str, Any], compared: bool) -> None:
    """Of the model and the prompt that are in force: another's would say nothing of the change."""
    assert eligible(DONE.model_copy(update=changes), Way(RESULT.model, RESULT.prompt_version, 512)) is compared


def test_a_photo_of_a_trial_is_a_check_that_begins_anew() -> None:
    """It costs nobody anything, knows which answer it is compared with, and is found by its trial."""
    photo = photo_of(DONE, 7, NOW)
    assert is_check(photo.job_id)
    assert (photo.opened_by, photo.attempts, photo.cost_micros, photo.tokens_cost) == ("trial-7", 0, 0, 0)
    assert photo.cache is not None
    assert (photo.cache.tier, photo.cache.of, photo.cache.kept) == (TRIAL, DONE.job_id, gist_of(RESULT))
    assert photo_of(DONE.model_copy(update={"completed_at": None}), 7, NOW).cache is not None


def ended(same: bool | None, of: str = "a", **changes: Any) -> Job:
    """Return a photo of a trial after its answer."""
    note = known(served=False).model_copy(update={"of": of, "same": same})
    return DONE.model_copy(update={"cache": note, "cost_micros": 300, **changes})


def test_what_came_of_a_trial_is_counted_over_the_photos_that_can_be_compared() -> None:
    """The others are left out, and counted; costs are those of the batch lane, before and after."""
    photos = [ended(True), ended(False, "b"), ended(None, "c"), ended(True, usage=None), ended(True, "gone")]
    found = found_of(
        TRIAL_ONE.model_copy(update={"photos": 5}),
        [*photos, DONE],
        {"a": USAGE, "b": USAGE, "c": USAGE},
        BATCH_PRICE,
        NOW,
    )
    assert (found.answered, found.same, found.left_out) == (2, 1, 3)
    assert found.low == pytest.approx(0.0253, abs=1e-4)
    assert found.high == pytest.approx(0.9747, abs=1e-4)
    assert found.before == Sums(input=2_000, output=400, micros=720)
    assert found.after == Sums(input=2_000, output=400, micros=600)
    nothing = found_of(TRIAL_ONE, [], {}, BATCH_PRICE, NOW)
    assert (nothing.answered, nothing.left_out, nothing.low, nothing.high) == (0, 3, 0.0, 1.0)


def outcome(same: int, answered: int = 100) -> Found:
    """Return what came of a hundred photos."""
    photos = [ended(n < same, str(n)) for n in range(answered)]
    return found_of(
        TRIAL_ONE.model_copy(update={"photos": 100}),
        photos,
        dict.fromkeys(map(str, range(100)), USAGE),
        BATCH_PRICE,
        NOW,
    )


@pytest.mark.parametrize(
    ("same", "itself", "passed"),
    [(100, None, True), (99, None, False), (99, 98, True), (98, 98, False), (98, 96, True), (100, 100, True)],
)
def test_a_trial_passes_by_what_the_model_agrees_with_itself(same: int, itself: int | None, passed: bool) -> None:
    """The lower end of nine in ten cases against 97 % of that; it counts as always while nobody has looked."""
    trials = with_end(Trials(number=1, running=TRIAL_ONE), outcome(same))
    if itself is not None:
        of_itself = TRIAL_ONE.model_copy(update={"kind": ITSELF, "changes": {}})
        trials = with_end(trials.model_copy(update={"running": of_itself}), outcome(itself))
    assert trials.running is None
    assert has_passed(trials, "image_side", SMALLER, NOW) is passed


def test_a_trial_is_of_its_changes_and_grows_old() -> None:
    """Another size was not tried; a month later other photos come."""
    trials = with_end(Trials(running=TRIAL_ONE), outcome(100))
    assert has_passed(trials, "image_side", SMALLER, NOW + VALID)
    assert not has_passed(trials, "image_side", SMALLER, NOW + VALID + timedelta(seconds=1))
    assert not has_passed(trials, "image_side", {**SMALLER, "images": {"nextSideMax": 256}}, NOW)
    assert not has_passed(trials, "model", SMALLER, NOW)


def test_a_trial_says_nothing_of_another_model_or_wording() -> None:
    """A release has made it another question: nor is it held against what the earlier model agreed with itself."""
    trials = with_end(Trials(running=TRIAL_ONE), outcome(100))
    assert comparable(trials, BASE) == trials
    for way in (replace(BASE, model="another"), replace(BASE, prompt="another"), replace(BASE, side_max=768)):
        assert not comparable(trials, way).ended
        asked = {"base": way.model, "prompt": way.prompt, "side_max": way.side_max, "base_side_max": way.side_max}
        itself = TRIAL_ONE.model_copy(update={"kind": ITSELF, "changes": {}, **asked})
        later = with_end(
            with_end(Trials(running=itself), outcome(50)).model_copy(update={"running": TRIAL_ONE}), outcome(98)
        )
        assert not has_passed(later, "image_side", SMALLER, NOW)


def test_a_trial_of_a_release_that_did_not_say_the_side_counts() -> None:
    """For the month that it is valid: which side it was cannot be told by now."""
    trials = with_end(Trials(running=TRIAL_ONE.model_copy(update={"base_side_max": None})), outcome(100))
    assert comparable(trials, BASE) == trials


def test_another_wording_is_compared_with_the_one_in_force() -> None:
    """Until either is gone from the code, by what the model agrees with itself in the words that are in force."""
    shorter = TRIAL_ONE.model_copy(
        update={"kind": "answer_length", "base_prompt": PROMPT_VERSION, "prompt": PROMPT_NEXT}
    )
    of_itself = TRIAL_ONE.model_copy(update={"kind": ITSELF, "changes": {}})
    trials = with_end(
        with_end(Trials(running=of_itself), outcome(96)).model_copy(update={"running": shorter}), outcome(98)
    )
    assert has_passed(trials, "answer_length", SMALLER, NOW)
    assert comparable(trials, BASE) == trials
    assert not comparable(trials, replace(BASE, prompt=PROMPT_NEXT)).ended
    gone = Trials(ended={"answer_length": shorter.model_copy(update={"prompt": "2026-11-29"})})
    assert not comparable(gone, BASE).ended


def test_a_trial_without_an_answer_has_not_passed() -> None:
    """Nor does it say how often the model agrees with itself; one that ended elsewhere changes nothing."""
    of_itself = TRIAL_ONE.model_copy(update={"kind": ITSELF, "changes": {}})
    trials = with_end(Trials(running=of_itself), outcome(0, answered=0))
    found = trials.ended[ITSELF].found
    assert found is not None
    assert (found.passed, found.bar) == (False, 0.97)
    assert with_end(trials, found) == trials
    odd = trials.model_copy(update={"running": TRIAL_ONE, "ended": {"model": TRIAL_ONE}})
    assert with_end(odd, found).ended["model"].found is None
    assert not has_passed(odd, "model", SMALLER, NOW)
