"""Alerts of the budget: to the log, the webhook and the operators' devices, once each."""

import json
from datetime import timedelta

import pytest

from functions.adapters.alerting import AlertNotDeliveredError
from functions.core.shared.alerts import Alert
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.register_device import RegisterDevice, register_device
from scripts.inprocess import InProcessCloud
from tests.use_cases.budget.books import add_cost, configure


def test_alerts_go_to_the_log_the_webhook_and_the_operators_devices(
    cloud: InProcessCloud, capfd: pytest.CaptureFixture[str]
) -> None:
    """Once each, however often the guard looks; at ALERT severity in the log."""
    sent: list[Alert] = []
    cloud.restart(alerting=_Webhook(sent))
    configure(cloud, alertUids=["root", "nobody"])
    register_device(RegisterDevice(deviceId="device-1", pushToken="token-1", platform="web"), "root", cloud.deps)
    add_cost(cloud, 10_000_000)
    for _ in range(3):
        guard_budget(cloud.deps)
        cloud.clock.advance(timedelta(minutes=15))
    assert [alert.kind for alert in sent] == ["closed"]
    assert [(tokens, kind) for tokens, kind, _, _ in cloud.messaging.alerts] == [(("token-1",), "closed")]
    logged = [json.loads(line) for line in capfd.readouterr().out.splitlines() if "operator_alert" in line]
    assert [(entry["severity"], entry["kind"]) for entry in logged] == [("ALERT", "closed")]


def test_an_alert_that_nobody_takes_is_delivered_later(cloud: InProcessCloud) -> None:
    """A webhook that is down delays its alert, twice as long each time, and nothing else."""
    sent: list[Alert] = []
    cloud.restart(alerting=_Webhook(sent, failures=2))
    add_cost(cloud, 8_000_000)
    delivered = []
    for _ in range(5):
        delivered.append(guard_budget(cloud.deps)["delivered"])
        cloud.clock.advance(timedelta(minutes=15))
    assert delivered == [0, 0, 0, 1, 0]
    assert len(sent) == 1


class _Webhook:
    """Takes alerts, after so many failures."""

    def __init__(self, sent: list[Alert], failures: int = 0) -> None:
        self.sent, self.failures = sent, failures

    def send(self, alert: Alert) -> None:
        """Take an alert."""
        if self.failures:
            self.failures -= 1
            raise AlertNotDeliveredError("status 500")
        self.sent.append(alert)
