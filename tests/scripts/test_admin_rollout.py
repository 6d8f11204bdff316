"""`admin rollout` and `admin flag`, run as a person runs them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from functions.core.rollouts.counts import ArmCounts
from functions.core.rollouts.flags import ceilings
from functions.use_cases.operations.guard_rollouts import guard_rollouts
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.steps import stored
from tests.use_cases.operations.test_guard_rollouts import calls, count, look
from tests.use_cases.rollouts.test_serving import HALF, NEW, OLD, roll

HALF_A_MINUTE = timedelta(seconds=31)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """A cloud with a next model, which nobody gets yet, and which the command takes for the project."""
    cloud = InProcessCloud(seed=1)
    roll(cloud)
    monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
    return cloud


def run(*arguments: str, refused: bool = False) -> str:
    """Run the command, and agree to what it asks. Returns what it prints."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}
    result = CliRunner().invoke(app, arguments, input="y\n", env=environment)
    assert (result.exit_code != 0) is refused, result.output
    return " ".join(result.output.split())


def rules(cloud: InProcessCloud) -> dict[str, Any]:
    """Return the stored rules of the model's flag."""
    found: dict[str, Any] = stored(cloud, "config/runtime")["flags"].get("model", {})
    return found


def compared(cloud: InProcessCloud, new: ArmCounts, old: ArmCounts) -> None:
    """Let half of the users have the new model, and calls of both paths end."""
    roll(cloud, model=HALF)
    look(cloud)
    count(cloud, new=new, old=old)
    look(cloud)


def test_a_rollout_goes_by_stages(cloud: InProcessCloud) -> None:
    """Each is asked for, on record, and said in the list; the last one ends the comparison."""
    assert "off, 0 %" in run("rollout", "list")
    run("rollout", "start", "model", "--auto")
    assert rules(cloud) == {"cohort": "test", "autoAdvance": True}
    assert "model is on already (test); advance it instead" in run("rollout", "start", "model", refused=True)
    for stage in ("small", "large", "all"):
        assert stage in run("rollout", "advance", "model")
        assert rules(cloud)["cohort"] == stage
    assert "but its holdback; finish it" in run("rollout", "advance", "model", refused=True)
    run("rollout", "hold", "model")
    assert rules(cloud)["autoAdvance"] is False
    run("rollout", "finish", "model")
    assert rules(cloud)["holdbackPercent"] == 0
    assert "Nothing to do: model is so already" in run("rollout", "finish", "model")
    cloud.clock.advance(HALF_A_MINUTE)
    assert "running all, 100 %" in run("rollout", "list")
    assert "flags.model.cohort" in run("config", "history")


def test_a_side_that_is_finished_is_the_setting_of_all(cloud: InProcessCloud) -> None:
    """The new path's value takes the old one's place, and the flag is off, free for the next; not while it is stopped,
    nor without a value."""
    roll(cloud, side={"cohort": "large"})
    assert "images.nextSideMax names nothing" in run("rollout", "finish", "side", refused=True)
    run("config", "set", "images.nextSideMax=384")
    run("rollout", "stop", "side", "--why", "it looks odd")
    assert "is stopped: mia: it looks odd. Restart it first" in run("rollout", "finish", "side", refused=True)
    run("rollout", "restart", "side", "--why", "mended")
    done = run("rollout", "finish", "side")
    assert all(field in done for field in ("images.sideMax", "images.nextSideMax", "flags.side.cohort"))
    config = stored(cloud, "config/runtime")
    assert (config["images"], config["flags"]["side"]["cohort"]) == ({"sideMax": 384}, "off")


def test_a_side_that_the_deploy_keeps_from_some_is_not_finished(cloud: InProcessCloud) -> None:
    """The new value would be everybody's, and FLAGS a ceiling that no setting passes."""
    roll(cloud, side={"cohort": "large"})
    run("config", "set", "images.nextSideMax=384")
    cloud.restart({"flag_ceilings": ceilings("side=20")})
    assert "FLAGS keeps side at 20 % of the users" in run("rollout", "finish", "side", refused=True)
    assert "sideMax" not in stored(cloud, "config/runtime")["images"]


def test_a_percentage_by_hand_gives_way_to_the_next_stage(cloud: InProcessCloud) -> None:
    """It takes the cohort's place only as long as nobody goes on."""
    run("config", "set", "flags.model.cohort=test", "flags.model.percent=12")
    run("rollout", "advance", "model")
    assert (rules(cloud)["cohort"], "percent" in rules(cloud)) == ("small", False)


def test_both_paths_stand_side_by_side(cloud: InProcessCloud) -> None:
    """Calls, failures with their bounds, times and cost; `show` says where the flag stands, too."""
    assert "there is nothing to compare yet" in run("rollout", "compare", "model", refused=True)
    assert "state off" in run("rollout", "show", "model")
    compared(cloud, calls(1_000, 10, micros=120), calls(1_000, 12, micros=100))
    table = run("rollout", "compare", "model")
    for row in (
        "calls 1,000 1,000",
        "failed 12 10",
        "failed, of all 1.20% 1.00%",
        "with 95 % certainty 0.34% to 2.92% 0.24% to 2.62%",
        "half within 1.6 s 1.6 s",
        "cost of a call $0.0001 $0.00012",
    ):
        assert row in table
    shown = run("rollout", "show", "model")
    assert "verdict go_on" in shown
    assert table in shown
    data = json.loads(run("rollout", "show", "model", "--json"))
    assert data["watch"]["totals"]["new"]["ended"] == 1_000
    assert data["rules"]["cohort"] == "large"


def test_a_stop_and_a_restart_by_hand(cloud: InProcessCloud) -> None:
    """With the reason, which the list and the flag show; also while the config cannot be read."""
    roll(cloud, model=HALF)
    assert "Done" in run("rollout", "stop", "model", "--why", "it looks odd")
    assert "model was stopped already" in run("rollout", "stop", "model", "--why", "again")
    assert "stopped by operator" in run("rollout", "list")
    assert "mia: it looks odd" in run("rollout", "show", "model")
    assert "is stopped: mia: it looks odd. Restart it first" in run("rollout", "advance", "model", refused=True)
    run("rollout", "restart", "model", "--why", "mended")
    assert stored(cloud, "stats/rollouts")["model"]["stopped"] is None
    cloud.client.document("config/runtime").set({"flags": {"model": 7}})
    cloud.clock.advance(HALF_A_MINUTE)
    assert "cannot be read; admin config unset flags.model" in run("rollout", "advance", "model", refused=True)
    assert "Done" in run("rollout", "stop", "model", "--why", "the config is broken")


def test_what_is_on_hold_goes_on_only_on_purpose(cloud: InProcessCloud) -> None:
    """The reason is said first."""
    compared(cloud, calls(300, micros=200), calls(300, micros=100))
    assert "on hold" in run("rollout", "list")
    refusal = run("rollout", "advance", "model", refused=True)
    assert "model is on hold: a call on the new path costs 200 micro-dollars, on the old one 100" in refusal
    assert "all" in run("rollout", "advance", "model", "--anyway")


def test_users_are_named_and_explained(cloud: InProcessCloud) -> None:
    """Which path, and why, in OpenFeature's words."""

    def told(uid: str) -> str:
        cloud.clock.advance(HALF_A_MINUTE)
        return run("flag", "explain", "model", uid)

    assert told(NEW[0]).endswith("takes the old path of model: DISABLED, it is off, stopped, or closed by FLAGS.")
    roll(cloud, model=HALF)
    assert told(NEW[0]).endswith("takes the new path of model: SPLIT, the user is among 50 %.")
    assert told(OLD[0]).endswith("takes the old path of model: DEFAULT, the user is not among 50 %.")
    run("rollout", "allow", "model", OLD[0])
    assert told(OLD[0]).endswith("takes the new path of model: TARGETING_MATCH, the user is on a list.")
    run("rollout", "allow", "model", OLD[0], "--remove")
    assert rules(cloud)["allow"] == []
    roll(cloud, model={"cohort": "everybody"})
    assert told(OLD[0]).endswith("takes the old path of model: ERROR, its rules or its state cannot be read.")


def test_a_test_says_its_size_first_and_its_result_last(cloud: InProcessCloud) -> None:
    """In between nothing of either path is shown."""
    compared(cloud, calls(1_000, 100), calls(1_000, 100))
    cloud.clock.advance(timedelta(hours=23))
    count(cloud, new=calls(1))
    look(cloud)
    asked = run("rollout", "test", "model", "--difference", "10")
    assert "It takes 199 calls of each path to find a difference of 10 points from 10.0%" in asked
    assert "that is about 0.2 days" in asked
    assert (rules(cloud)["testMetric"], rules(cloud)["testCalls"]) == ("failed", 199)
    look(cloud)
    count(cloud, new=calls(150, 30), old=calls(250, 25))
    look(cloud)
    for command in ("compare", "show"):
        told = run("rollout", command, "model")
        assert "150 of 199 calls of each path" in told
        assert "failed, of all" not in told
        assert "totals" not in run("rollout", command, "model", "--json")
    assert json.loads(run("rollout", "list", "--json"))[0]["newFailed"] is None
    count(cloud, new=calls(50, 10))
    look(cloud)
    assert "200 and 250" not in run("rollout", "compare", "model")
    assert "The test of failed, 250 and 200 calls: the new path differs by +10.00%, between +3.4" in run(
        "rollout", "compare", "model"
    )
    run("rollout", "test", "model", "--metric", "slow")
    look(cloud)
    assert "A test of slow is on" in run("rollout", "compare", "model")
    run("rollout", "stop", "model", "--why", "something else")
    assert "failed, of all" in run("rollout", "compare", "model"), "a stop ends a test"
    run("rollout", "restart", "model", "--why", "done")
    cloud.clock.advance(HALF_A_MINUTE)
    run("rollout", "test", "model", "--end")
    look(cloud)
    assert "testMetric" not in rules(cloud)
    assert "A test" not in run("rollout", "compare", "model")
    assert "Nothing to do" in run("rollout", "test", "model", "--end")


def test_somebody_else_was_faster(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been set between the look and the change stays."""
    roll(cloud, model={"cohort": "test"})
    ask = session.Operation.ask

    def meanwhile(operation: session.Operation, *given: Any, **more: Any) -> None:
        cloud.client.document("config/runtime").update({"flags.model.cohort": "off"})
        ask(operation, *given, **more)

    monkeypatch.setattr(session.Operation, "ask", meanwhile)
    assert "flags.model.cohort has been changed meanwhile" in run("rollout", "advance", "model", refused=True)
    assert rules(cloud)["cohort"] == "off"


def test_the_guard_alone_looks(cloud: InProcessCloud) -> None:
    """A command counts nothing."""
    compared(cloud, calls(5), calls(5))
    before = stored(cloud, "stats/rollouts")
    run("rollout", "show", "model")
    assert stored(cloud, "stats/rollouts") == before
    assert guard_rollouts(cloud.deps)["running"] == 1
