"""`admin_rollout`: stops and restarts by hand, on record, whatever has become of the config."""

from datetime import timedelta

import pytest

from functions.core.rollouts.counts import ArmCounts
from functions.use_cases.operations.admin_rollout import AdminRollout, admin_rollout
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, job, stored
from tests.use_cases.rollouts.test_serving import HALF, NEW, NEXT, NOW_ASKED, counts, model_of, roll

HALF_A_MINUTE = timedelta(seconds=31)


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, in which half of the users have the new model."""
    cloud = InProcessCloud(seed=1)
    roll(cloud, model=HALF)
    return cloud


def asked(cloud: InProcessCloud, action: str, why: str = "it looks odd") -> dict[str, object]:
    """Call it as an operator does."""
    request = {"flag": "model", "action": action, "why": why}
    return admin_rollout(AdminRollout.model_validate(request), "ana", cloud.deps)


def test_a_stop_brings_everybody_back(cloud: InProcessCloud) -> None:
    """Within 30 seconds, on record and told; a second stop changes nothing."""
    assert model_of(cloud, NEW[0], "before") == NEXT
    assert asked(cloud, "stop") == {"flag": "model", "epoch": 1, "stopped": True, "changed": True}
    cloud.clock.advance(HALF_A_MINUTE)
    assert model_of(cloud, NEW[0], "afterwards") == NOW_ASKED
    (entry,) = cloud.client.collection("config", "runtime", "audit").get()
    assert (entry.get("by"), entry.get("action"), entry.get("changed")) == (
        "ana",
        "rollout stop",
        [{"field": "rollouts.model.stopped", "before": None, "after": "ana: it looks odd"}],
    )
    assert [each["text"] for each in alerts(cloud, "rollout_stopped").values()] == [
        "The flag model was stopped: ana: it looks odd."
    ]
    assert asked(cloud, "stop")["changed"] is False
    assert len(cloud.client.collection("config", "runtime", "audit").get()) == 1


def test_a_stop_needs_no_config(cloud: InProcessCloud) -> None:
    """A field that no release can read, and a state that none can: both are what a bad day begins with."""
    cloud.client.document("config/runtime").set({"flags": 7, "tokens": {"instantPrice": "five"}})
    assert asked(cloud, "stop")["changed"] is True
    cloud.client.document("stats/rollouts").set({"model": 7, "prompt": {"epoch": 2}})
    assert asked(cloud, "stop")["stopped"] is True
    assert stored(cloud, "stats/rollouts")["prompt"] == {"epoch": 2}


def test_a_restart_counts_anew(cloud: InProcessCloud) -> None:
    """Everybody goes the new path again; what runs is not restarted."""
    assert asked(cloud, "restart") == {"flag": "model", "epoch": 0, "stopped": False, "changed": False}
    classify(cloud, "before", uid=NEW[0])
    asked(cloud, "stop")
    assert asked(cloud, "restart") == {"flag": "model", "epoch": 2, "stopped": False, "changed": True}
    cloud.clock.advance(HALF_A_MINUTE)
    answer = classify(cloud, "after", uid=NEW[0])
    assert (answer["result"]["model"], job(cloud, answer)["arms"]) == (NEXT, {"model@2": "new"})
    assert counts(cloud, "model@2")["new"].ended == counts(cloud, "model@0")["new"].ended == 1
    assert counts(cloud, "model@1") == {}


def test_what_cannot_be_read_is_restarted_in_a_new_epoch(cloud: InProcessCloud) -> None:
    """No counter of an epoch that may have been is taken for one of this."""
    cloud.client.document("stats/rollouts").set({"model": {"epoch": "many"}})
    epoch = asked(cloud, "restart")["epoch"]
    assert epoch == int(cloud.clock().timestamp()) + 1
    cloud.clock.advance(HALF_A_MINUTE)
    classify(cloud, "after", uid=NEW[0])
    assert isinstance(counts(cloud, f"model@{epoch}")["new"], ArmCounts)


def test_what_is_said_is_one_line(cloud: InProcessCloud) -> None:
    """It goes into alerts and onto screens."""
    asked(cloud, "stop", "a line\u001b[31m\nand another")
    (told,) = alerts(cloud, "rollout_stopped").values()
    assert "\u001b" not in told["text"]
    assert "\n" not in told["text"]
