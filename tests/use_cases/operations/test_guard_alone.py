"""The guard: alerts come first, each check fails alone, and each channel is served by itself."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core import exceptions

from functions.adapters.alerting import AlertNotDeliveredError
from functions.core.shared.alert_delivery import ATTEMPTS_MAX
from functions.core.shared.alerts import Alert, AlertKind, alert
from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import register, stored

QUARTER = timedelta(minutes=15)


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud with an operator who has a device."""
    cloud = InProcessCloud(seed=1)
    register(cloud, "root", "token-of-root")
    cloud.configure({"budget": {"alertUids": ["root"]}})
    return cloud


class Webhook:
    """The operators' own address: keeps what it takes; `down` makes it refuse."""

    def __init__(self, cloud: InProcessCloud) -> None:
        """Stand in for the webhook."""
        self.took: list[str] = []
        self.down = False
        cloud.restart(alerting=self)

    def send(self, due: Alert) -> None:
        """Take an alert, or not."""
        if self.down:
            raise AlertNotDeliveredError("status 500")
        self.took.append(due.alert_id)


def raise_one(cloud: InProcessCloud, kind: AlertKind = AlertKind.DRIFT) -> str:
    """Store an alert that is due. Returns its path."""
    told = alert(kind, "The shards were off.", cloud.clock())
    cloud.deps.store.create_alert(told)
    return f"alerts/{told.alert_id}"


def run_guard(cloud: InProcessCloud, runs: int) -> None:
    """Run the guard so many times, every quarter of an hour."""
    for _ in range(runs):
        guard_budget(cloud.deps)
        cloud.clock.advance(QUARTER)


def test_a_push_that_fails_posts_nothing_again(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The webhook has got it once; the push is tried again, less and less often, and given up after a day."""
    webhook, tried, path = Webhook(cloud), [0], raise_one(cloud)

    def fail(*_: object) -> int:
        tried[0] += 1
        raise ConnectionError("no FCM")

    monkeypatch.setattr(cloud.messaging, "alert", fail)
    run_guard(cloud, 96)
    assert webhook.took == [path.removeprefix("alerts/")]
    assert tried[0] == ATTEMPTS_MAX
    fields = stored(cloud, path)
    assert fields["dueAt"] is None
    assert {name: each["done"] for name, each in fields["channels"].items()} == {"webhook": True, "push": False}
    assert admin_stats(AdminStats(), "root", cloud.deps)["alerts"][0]["delivered"] is False


def test_a_webhook_that_is_down_pushes_nothing_again(cloud: InProcessCloud) -> None:
    """The device has got it once; the webhook gets it as soon as it is up again."""
    webhook, path = Webhook(cloud), raise_one(cloud)
    webhook.down = True
    run_guard(cloud, 4)
    webhook.down = False
    run_guard(cloud, 4)
    assert (len(cloud.messaging.alerts), len(webhook.took)) == (1, 1)
    assert stored(cloud, path)["dueAt"] is None
    assert admin_stats(AdminStats(), "root", cloud.deps)["alerts"][0]["delivered"] is True


def test_an_alert_of_the_last_release_goes_on_by_both_channels(cloud: InProcessCloud) -> None:
    """One that was tried before, when there were no channels, is due by each."""
    webhook, path = Webhook(cloud), raise_one(cloud)
    fields = {"attempts": 5}
    cloud.client.document(path).update(fields)
    run_guard(cloud, 2)
    assert (len(cloud.messaging.alerts), len(webhook.took)) == (1, 1)
    assert (stored(cloud, path)["dueAt"], stored(cloud, path)["attempts"]) == (None, 6)


CHECKS = {
    "days": "measure_day",
    "users": "sampled_users",
    "a figure": "count_queued",
    "what holds": "open_alerts",
}


@pytest.mark.parametrize("call", CHECKS.values(), ids=CHECKS)
def test_each_check_fails_alone(
    cloud: InProcessCloud, call: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error that nobody has foreseen in one of them: the alerts are delivered, the others are looked at, and it is
    counted and logged with its trace."""
    webhook = Webhook(cloud)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(days=1))
    path = raise_one(cloud)

    def fail(*_: object) -> None:
        raise KeyError("a defect of ours")

    monkeypatch.setattr(cloud.deps.store, call, fail)
    counts = guard_budget(cloud.deps)
    assert counts["failed"] >= 1
    assert counts["delivered"] == 1
    assert webhook.took == [path.removeprefix("alerts/")]
    errors = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert all("a defect of ours" in each["stack_trace"] for each in errors if each["message"] == "guard_check_failed")
    assert len([each for each in errors if each["message"] == "guard_check_failed"]) == counts["failed"]
    assert (counts["days"] > 0) == (call != "measure_day")


def test_a_check_that_fails_ends_no_alert(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told of the mode is not over because nobody could look at it."""
    cloud.configure({"budget": {"dailyLimitMicros": 1}})
    guard_budget(cloud.deps)
    path = f"alerts/closed-{cloud.clock().date().isoformat()}"
    assert stored(cloud, path)["open"]
    monkeypatch.setattr(cloud.deps.store, "measure_day", lambda _day: 1 / 0)
    guard_budget(cloud.deps)
    assert stored(cloud, path)["open"]


def test_a_run_in_which_nothing_succeeds_fails(cloud: InProcessCloud) -> None:
    """And one whose store is down ends with what the store said, after one try."""
    cloud.restart(store=SimpleNamespace())
    with pytest.raises(RuntimeError, match="every check failed"):
        guard_budget(cloud.deps)
    asked = []

    def down(*_: object) -> None:
        asked.append(1)
        raise exceptions.ServiceUnavailable("down")  # type: ignore[no-untyped-call]

    cloud.restart(store=SimpleNamespace(due_alerts=down))
    with pytest.raises(exceptions.ServiceUnavailable):
        guard_budget(cloud.deps)
    assert len(asked) == 1


def test_a_damaged_alert_is_set_aside(cloud: InProcessCloud) -> None:
    """It cannot be told; those beside it are, and so is that it is damaged."""
    webhook, path = Webhook(cloud), raise_one(cloud)
    cloud.client.document(path).update({"text": 5, "createdAt": "yesterday"})
    other = raise_one(cloud, AlertKind.USAGE_UNREPORTED)
    guard_budget(cloud.deps)
    assert other.removeprefix("alerts/") in webhook.took
    assert stored(cloud, path)["dueAt"] > cloud.clock()
    assert any(took.startswith("document_damaged") for took in webhook.took)
    shown = admin_stats(AdminStats(), "root", cloud.deps)
    assert {each["kind"] for each in shown["alerts"]} >= {"usage_unreported", "document_damaged"}


def test_a_damaged_alert_of_something_that_holds_is_written_anew(cloud: InProcessCloud) -> None:
    """What it was to say is known."""
    cloud.configure({"budget": {"dailyLimitMicros": 1}})
    path = f"alerts/closed-{cloud.clock().date().isoformat()}"
    cloud.client.document(path).set({"kind": "closed", "open": True})
    guard_budget(cloud.deps)
    assert "nothing more is sent" in stored(cloud, path)["text"]


def test_a_damaged_wallet_of_one_operator_leaves_the_others_told(cloud: InProcessCloud) -> None:
    """Their devices get the push."""
    register(cloud, "eve", "token-of-eve")
    cloud.configure({"budget": {"alertUids": ["root", "eve"]}})
    cloud.client.document("users/root/wallet/main").update({"pushTokens": "lost"})
    Webhook(cloud)
    raise_one(cloud)
    guard_budget(cloud.deps)
    assert cloud.messaging.alerts[0][0] == ("token-of-eve",)


def test_a_dead_token_of_an_operator_is_removed(cloud: InProcessCloud) -> None:
    """The next alert goes to the operator's other device alone."""
    for name in ("phone", "tablet"):
        register(cloud, "eve", f"token-of-the-{name}", deviceId=f"{name}-of-eve")
    cloud.configure({"budget": {"alertUids": ["eve"]}})
    cloud.messaging.dead_tokens.add("token-of-the-phone")
    Webhook(cloud)
    raise_one(cloud)
    guard_budget(cloud.deps)
    assert set(cloud.messaging.alerts[0][0]) == {"token-of-the-phone", "token-of-the-tablet"}
    assert cloud.deps.store.push_tokens_of("eve") == ("token-of-the-tablet",)


STATS: dict[str, dict[str, Any]] = {
    "stats/queue": {"queued": -1, "batchMinutes": "long"},
    "stats/crons": {"runs": {"submit_batches": {"finishedAt": "yesterday"}, "poll_batches": 5}},
    "stats/refresh": {"workers": 7},
    "budget/2026-11-20": {"costs": 5, "limit": 7},
    "batches/from-tomorrow": {"state": "archived"},
    "aiJobs/from-tomorrow": {"status": "waiting_for_review"},
}


@pytest.mark.parametrize("path", STATS)
def test_operators_see_the_rest_of_what_is_damaged(cloud: InProcessCloud, path: str) -> None:
    """`admin_stats` and the guard go on beside each kind of damaged document, and one in a state of a newer release,
    and name it."""
    cloud.client.document(path).set(STATS[path])
    counts = guard_budget(cloud.deps)
    assert counts["failed"] == 0
    shown = admin_stats(AdminStats(), "root", cloud.deps)
    assert shown["budget"]["mode"] == "normal"
    assert shown["crons"]["guard_budget"]["state"] == "never"
    if path != "stats/refresh":  # figures for people, of which nothing is checked
        assert any(each["path"].startswith(path) for each in shown["damaged"])
        told = [each.get("text") for each in cloud.client.collection("alerts").stream()]
        assert any(path in text for text in told) or path.startswith("budget/")  # a day that never was is not reviewed
