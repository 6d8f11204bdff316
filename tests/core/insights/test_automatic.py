"""Recommendations that apply themselves: which, when, and what is taken back."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.events import Automatic
from functions.core.insights.automatic import BY, leaves, nested, to_apply, to_try, to_undo
from functions.core.insights.measured import Change, Measured
from functions.core.insights.saving_kinds import Kind, Saving, saving
from functions.core.jobs.trials import VALID, Trial, Trials
from tests.builders import NOW
from tests.core.jobs.test_trials import SMALLER, TRIAL_ONE, outcome

RULES = Automatic(kinds=("attempts", "image_side"), percent_max=15)
PASSED = Trials(
    ended={"image_side": TRIAL_ONE.model_copy(update={"found": outcome(100).model_copy(update={"passed": True})})}
)


def offered(kind: Kind, way: str, share: float, changes: dict[str, Any] | None) -> Saving:
    """Return a recommendation."""
    return saving(kind, way, share, (1.0, 1.0), "", "").model_copy(update={"changes": changes})


ATTEMPTS = offered(Kind.ATTEMPTS, "apply", 0.02, {"batch": {"attemptsMax": 2}})
SIDE = offered(Kind.IMAGE_SIDE, "trial", 0.09, SMALLER)
LANE = offered(Kind.LANE_SHARE, "apply", 0.05, {"tokens": {"instantPrice": 6}})


def came(verdict: str, kind: str = "attempts", by: str = BY, until: str = "") -> Measured:
    """Return a change that was made."""
    change = Change(audit_id="a", kind=kind, day="2026-11-02", by=by, promised=0.1, until=until)
    return Measured(change=change, days=7, verdict=verdict)


def test_the_greatest_of_the_named_kinds_comes_first() -> None:
    """A change of answers only once it was tried; what is not named is left to people."""
    assert to_apply((SIDE, LANE, ATTEMPTS), (), RULES, Trials(), NOW) == ATTEMPTS
    assert to_apply((SIDE, LANE, ATTEMPTS), (), RULES, PASSED, NOW) == SIDE
    assert to_apply((LANE,), (), RULES, PASSED, NOW) is None
    assert to_apply((SIDE, ATTEMPTS), (), Automatic(), PASSED, NOW) is None


@pytest.mark.parametrize(
    "left",
    [
        offered(Kind.ATTEMPTS, "apply", 0.151, {"batch": {"attemptsMax": 2}}),
        offered(Kind.ATTEMPTS, "nothing", 0.02, {"batch": {"attemptsMax": 2}}),
        offered(Kind.ATTEMPTS, "apply", 0.02, None),
    ],
)
def test_what_is_beyond_the_bound_or_no_setting_is_left_to_people(left: Saving) -> None:
    """It is shown as it was."""
    assert to_apply((left,), (), RULES, Trials(), NOW) is None


def test_one_at_a_time_and_never_again_what_was_taken_back() -> None:
    """While one is measured nothing follows; other people's changes are no hindrance."""
    assert to_apply((ATTEMPTS,), (came("measuring", "image_side"),), RULES, Trials(), NOW) is None
    assert to_apply((ATTEMPTS,), (came("measuring", by="ana"),), RULES, Trials(), NOW) == ATTEMPTS
    assert to_apply((ATTEMPTS,), (came("saves", "image_side"),), RULES, Trials(), NOW) == ATTEMPTS
    for gone in (came("undecided", until="2026-11-09"), came("costs")):
        assert to_apply((ATTEMPTS,), (gone,), RULES, Trials(), NOW) is None
        assert to_apply(
            (ATTEMPTS,),
            (gone.model_copy(update={"change": gone.change.model_copy(update={"by": "ana"})}),),
            RULES,
            Trials(),
            NOW,
        )


def test_what_costs_more_is_undone_once() -> None:
    """Not what an operator has made, or what was changed since."""
    worse = came("costs")
    assert to_undo((came("saves"), came("costs", by="ana"), worse)) == worse
    assert to_undo((came("costs", until="2026-11-09"),)) is None


def test_what_changes_answers_is_tried_first_and_once() -> None:
    """A month later anew; one trial at a time."""
    assert to_try((ATTEMPTS, SIDE), (), RULES, Trials(), NOW) == SIDE
    assert to_try((ATTEMPTS, SIDE), (), RULES, Trials(running=TRIAL_ONE), NOW) is None
    failed = Trials(ended={"image_side": TRIAL_ONE.model_copy(update={"found": outcome(50)})})
    assert to_try((SIDE,), (), RULES, failed, NOW) is None
    assert to_try((SIDE,), (), RULES, failed, NOW + VALID + timedelta(seconds=1)) == SIDE
    other: Trial = TRIAL_ONE.model_copy(update={"changes": {}, "found": outcome(50)})
    assert to_try((SIDE,), (), RULES, Trials(ended={"image_side": other}), NOW) == SIDE


def test_changes_by_dotted_names_and_back() -> None:
    """As they are stored."""
    changes = {"model": {"next": "nano"}, "flags": {"model": {"cohort": "test", "autoAdvance": True}}}
    fields = {"model.next": "nano", "flags.model.cohort": "test", "flags.model.autoAdvance": True}
    assert (leaves(changes), nested(fields)) == (fields, changes)
