"""Changes by hand reach people: an alert of each, also to those whom the change takes off the list."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import Aborted

from functions.adapters.firestore.transactions import Transaction
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.errors import InvalidRequest
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, register


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud whose operator, root, is told; both have a device."""
    cloud = InProcessCloud(seed=1)
    for uid in ("root", "eve"):
        register(cloud, uid, f"token-of-{uid}")
    cloud.configure({"budget": {"alertUids": ["root"]}})
    return cloud


def change(cloud: InProcessCloud, by: str = "eve", **budget: Any) -> None:
    """Change the budget's rules as a function does."""
    admin_set_config(AdminSetConfig(changes={"budget": budget}), by, cloud.deps)


def test_who_takes_the_others_off_the_list_is_told_of_to_them(
    cloud: InProcessCloud, capfd: pytest.CaptureFixture[str]
) -> None:
    """Log, webhook and devices have who changed what, before and after: those of before and those of now."""
    took: list[str] = []
    cloud.restart(alerting=SimpleNamespace(send=lambda due: took.append(due.told)))
    change(cloud, alertUids=["eve"], dailyLimitMicros=50_000_000)
    cloud.clock.advance(timedelta(minutes=1))  # what the config was is kept for half a minute
    capfd.readouterr()
    guard_budget(cloud.deps)
    (pushed,) = cloud.messaging.alerts
    assert set(pushed[0]) == {"token-of-root", "token-of-eve"}
    assert 'budget.alertUids: ["root"] -> ["eve"]' in took[0]
    assert "eve changed the config: " in took[0]
    assert "budget.dailyLimitMicros: (default) -> 50000000" in took[0]
    logged = [json.loads(line) for line in capfd.readouterr().out.splitlines() if line.startswith("{")]
    (entry,) = [each for each in logged if each.get("kind") == "config_changed"]
    assert (entry["severity"], entry["text"]) == ("ALERT", took[0])


def test_each_change_is_told_and_each_once(cloud: InProcessCloud) -> None:
    """Three in a minute are three; a run of the guard more tells nothing again."""
    for micros in (5_000_000, 6_000_000, 7_000_000):
        change(cloud, dailyLimitMicros=micros)
    for _ in range(2):
        guard_budget(cloud.deps)
    assert len(cloud.messaging.alerts) == len(alerts(cloud, "config_changed")) == 3


def test_what_changes_nothing_is_not_told(cloud: InProcessCloud) -> None:
    """Neither what is so already, nor what was refused."""
    change(cloud, alertUids=["root"])
    with pytest.raises(InvalidRequest):
        change(cloud, dailyLimitMicros=-1)
    assert alerts(cloud, "config_changed") == {}


@pytest.mark.parametrize("seen", [{}, {"budget.dailyLimitMicros": None}], ids=["whatever there is", "as it was seen"])
def test_a_change_whose_reply_is_lost_is_answered(cloud: InProcessCloud, seen: dict[str, Any]) -> None:
    """Once, as if nothing had happened: lost for good, or so that the call tries again and meets its own change."""
    entries = cloud.client.collection("config", "runtime", "audit")
    with pytest.MonkeyPatch.context() as patch:
        commit = Transaction.commit

        def late(transaction: Transaction) -> None:
            commit(transaction)
            patch.undo()
            raise Aborted("nobody has heard of it")  # type: ignore[no-untyped-call]

        patch.setattr(Transaction, "commit", late)
        request = AdminSetConfig(changes={"budget": {"dailyLimitMicros": 5_000_000}}, seen=seen)
        answer = admin_set_config(request, "eve", cloud.deps)
    assert answer["changed"] == [{"field": "budget.dailyLimitMicros", "before": None, "after": 5_000_000}]
    cloud.firestore.faults.add("reply_lost", rpc="Commit")
    changed = admin_set_config(AdminSetConfig(changes={"budget": {"monthlyLimitMicros": 9_000_000}}), "eve", cloud.deps)
    assert [each["field"] for each in changed["changed"]] == ["budget.monthlyLimitMicros"]
    assert len(list(entries.stream())) == len(alerts(cloud, "config_changed")) == 2


def test_an_alert_of_a_large_change_fits_into_a_push_with_the_budget_first(cloud: InProcessCloud) -> None:
    """Whoever changes much hides nothing of it behind the rest: 4,096 bytes are FCM's limit."""
    uids = [f"{number:0>127}\u009b" for number in range(20)]
    changes = {
        "images": {"sideMax": 512},
        "budget": {"alertUids": uids, "dailyLimitMicros": 9_000_000},
        "tokens": {"welcome": 1},
    }
    admin_set_config(AdminSetConfig(changes=changes), "e" * 128, cloud.deps)
    (told,) = alerts(cloud, "config_changed").values()
    assert told["text"].index("budget.") < told["text"].index("images.")
    assert len(told["text"].encode()) < 3_000
    assert told["text"].isprintable()


def test_an_alert_without_the_new_fields_is_delivered(cloud: InProcessCloud) -> None:
    """One that the last release has stored has neither a key nor users of its own."""
    told = alert(AlertKind.DRIFT, "The shards were off.", cloud.clock())
    cloud.client.document(f"alerts/{told.alert_id}").set(told.model_dump(by_alias=True, exclude={"key", "uids"}))
    assert guard_budget(cloud.deps)["delivered"] == 1
    assert cloud.messaging.alerts[0][0] == ("token-of-root",)
