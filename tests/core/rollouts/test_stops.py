"""The document of stops: each flag in it stands alone."""

from datetime import UTC, datetime

from functions.core.rollouts.ab_testing import AbTest
from functions.core.rollouts.evidence import Verdict
from functions.core.rollouts.flags import Flag, Metric
from functions.core.rollouts.stops import (
    By,
    FlagState,
    Stop,
    bringing,
    held_because,
    in_test,
    or_unread,
    read_states,
    stop_alert,
    with_restart,
    with_stop,
)
from functions.core.rollouts.watch import Stage, Watch

AT = datetime(2026, 11, 29, tzinfo=UTC)


def test_a_project_without_the_document_has_stopped_nothing() -> None:
    """No document, or no field, is the first epoch."""
    assert read_states({}, "here") == (dict.fromkeys(Flag, FlagState()), ())


def test_a_state_is_read_as_it_was_written() -> None:
    """A newer release's fields stay in it."""
    state = FlagState(
        epoch=4,
        stopped=Stop(at=AT, by=By.DETECTOR, why="12 % failed"),
        later="kept",
    )
    stored = state.model_dump(by_alias=True)
    states, damaged = read_states({"model": stored, "a flag of the next release": 1}, "here")
    assert (states[Flag.MODEL], damaged) == (state, ())
    assert stored["later"] == "kept"


def test_a_flag_that_cannot_be_read_costs_itself_alone() -> None:
    """The other flag's stop is in force; what is wrong is named, without its value."""
    stop = {"at": AT, "by": "operator", "why": "by hand"}
    states, damaged = read_states({"model": {"epoch": "many"}, "prompt": {"stopped": stop}}, "here")
    assert states[Flag.MODEL] is None
    assert states[Flag.PROMPT] == FlagState(stopped=Stop(**stop))
    assert [str(each) for each in damaged] == ["here: model.epoch: must be a whole number"]
    assert [each.field for each in read_states({"model": 7}, "here")[1]] == ["model"]


def test_another_value_begins_another_epoch() -> None:
    """The same goes on, and so does what an earlier release has seen, which did not note it."""
    seen = FlagState(epoch=3, watch=Watch(epoch=3, at=AT, stage=Stage(share=10, since=AT), value="384"))
    assert bringing(seen, "384") is seen
    assert bringing(seen, "256") == FlagState(epoch=4)
    unnoted = seen.model_copy(update={"watch": Watch(epoch=3, at=AT, stage=Stage(share=10, since=AT))})
    assert bringing(unnoted, "384") is unnoted
    assert bringing(FlagState(), "384") == FlagState()


def test_a_stop_is_made_once() -> None:
    """Four processes may see the same failures: the first stops the flag and begins its next epoch, the others find it
    so. What is late by a restart stops nothing."""
    stop = Stop(at=AT, by=By.PROCESS, why="7 in a row")
    stopped = with_stop(FlagState(epoch=2), 2, stop)
    assert stopped == FlagState(epoch=3, stopped=stop)
    assert stopped is not None
    assert with_stop(stopped, 2, stop) is with_stop(stopped, 3, stop) is with_stop(FlagState(epoch=4), 2, stop) is None


HELD = Watch(epoch=2, at=AT, stage=Stage(share=10, since=AT), verdict=Verdict.HOLD, why="both fail")


def test_a_restart_begins_anew() -> None:
    """In an epoch of its own, with nothing seen; after what cannot be read, in one that none has reached."""
    state = FlagState(epoch=3, stopped=Stop(at=AT, by=By.OPERATOR, why="by hand"), watch=HELD)
    assert with_restart(state) == FlagState(epoch=4)
    assert or_unread(state, AT) is state
    assert or_unread(None, AT) == FlagState(epoch=int(AT.timestamp()))


def test_what_is_on_hold_says_why() -> None:
    """As long as it runs."""
    stop = Stop(at=AT, by=By.OPERATOR, why="by hand")
    assert held_because(FlagState(epoch=2, watch=HELD)) == "both fail"
    for state in (None, FlagState(), FlagState(epoch=2, watch=HELD, stopped=stop)):
        assert held_because(state) == ""
    test = AbTest(metric=Metric.FAILED, calls=10, since=AT, first={})
    testing = FlagState(epoch=2, watch=HELD.model_copy(update={"test": test}))
    assert held_because(testing) == "the reason has figures of its test, and is shown after it"
    assert (in_test(testing), in_test(testing.model_copy(update={"stopped": stop})), in_test(None)) == (
        True,
        False,
        False,
    )
    fine = HELD.model_copy(update={"verdict": Verdict.GO_ON, "why": ""})
    assert held_because(FlagState(epoch=2, watch=fine)) == ""


def test_each_stop_is_told_once() -> None:
    """Of a flag and epoch, whoever stops it."""
    told = stop_alert("model", 2, Stop(at=AT, by=By.PROCESS, why="7 in a row"))
    assert (told.alert_id, told.text) == (
        "rollout_stopped-2026-11-29-model-2",
        "The flag model was stopped: 7 in a row.",
    )
