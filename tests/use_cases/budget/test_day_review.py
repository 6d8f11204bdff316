"""The guard's review of a day: drift and lost shards are repaired, once, whoever dies or runs beside it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from functions.core.budget.holds import Mode
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.register_device import RegisterDevice, register_device
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, job, stored, today
from tests.use_cases.budget.books import add_cost, books, configure


@pytest.mark.parametrize("field", ["reserved", "spent"])
@pytest.mark.parametrize("wrong", [-50_000, 70_000])
def test_a_drift_is_repaired_and_told(cloud: InProcessCloud, field: str, wrong: int) -> None:
    """Whoever has changed a shard by hand: the guard finds what the calls say, books it, and raises an alert, once."""
    answer = classify(cloud, "one")
    guard_budget(cloud.deps)
    shard = cloud.client.document(f"budget/{today(cloud)}/shards/2")
    shard.update({field: (shard.get().to_dict() or {})[field] + wrong})
    assert guard_budget(cloud.deps)["repaired"] == 1
    assert books(cloud)[1:] == (0, job(cloud, answer)["costMicros"])
    assert set(alerts(cloud)) == {f"drift-{today(cloud)}"}
    assert guard_budget(cloud.deps)["repaired"] == 0


def test_shards_that_were_deleted_come_back(cloud: InProcessCloud) -> None:
    """With what was spent on them, so that the limit still holds."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    for number in range(8):
        cloud.client.document(f"budget/{today(cloud)}/shards/{number}").delete()
    guard_budget(cloud.deps)
    assert books(cloud) == (10_000_000 - (10_000_000 - cost) % 8, 0, cost)


def test_guards_at_once_repair_once(cloud: InProcessCloud) -> None:
    """Four guards measure the same drift; it is booked once, and one alert is raised and delivered."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    guard_budget(cloud.deps)
    cloud.client.document(f"budget/{today(cloud)}/shards/2").update({"reserved": 90_000})
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: guard_budget(cloud.deps), range(4)))
    assert books(cloud)[1:] == (0, cost)
    assert sum(count["raised"] for count in counts) == 1
    assert sum(count["delivered"] for count in counts) == 1


def test_a_repair_measured_before_another_guards_is_not_made(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard that measured a drift which another has repaired since, at the very same time, leaves it alone."""
    cost = job(cloud, classify(cloud, "one"))["costMicros"]
    guard_budget(cloud.deps)
    cloud.client.document(f"budget/{today(cloud)}/shards/2").update({"reserved": 90_000})
    honest = cloud.deps.store.measure_day
    stale = {today(cloud): honest(today(cloud))}
    guard_budget(cloud.deps)
    monkeypatch.setattr(cloud.deps.store, "measure_day", lambda day: stale.get(day) or honest(day))
    guard_budget(cloud.deps)
    assert books(cloud)[1:] == (0, cost)


def test_a_guard_that_dies_anywhere_leaves_it_to_the_next(cloud: InProcessCloud) -> None:
    """Killed before and after each of its calls: the next one ends with the same books, and the alert goes out."""
    for when in ("before", "after"):
        for at in range(1, 100):
            cloud = InProcessCloud(seed=1)
            configure(cloud, alertUids=["root"])
            register_device(RegisterDevice(deviceId="device-1", pushToken="token", platform="web"), "root", cloud.deps)
            add_cost(cloud, 8_500_000)
            cloud.clock.advance(timedelta(seconds=31))
            if not killed(cloud, at, when, guard_budget):
                break
            cloud.restart()
            cloud.clock.advance(timedelta(minutes=15))
            guard_budget(cloud.deps)
            assert books(cloud)[2] == 8_500_000
            cloud.clock.advance(timedelta(seconds=31))
            assert cloud.deps.budget().mode is Mode.BATCH_ONLY
            assert stored(cloud, f"alerts/batch_only-{today(cloud)}")["dueAt"] is None
        else:
            raise AssertionError("more calls than were tried")


def killed(cloud: InProcessCloud, at: int, when: str, run: Callable[[Any], Any]) -> bool:
    """Run until the n-th outside call, and die there. False if there was no such call."""
    calls = 0

    def count(_call: str, moment: str) -> None:
        nonlocal calls
        calls += moment == when
        if calls >= at:
            raise KeyboardInterrupt

    with cloud.interrupting(count):
        try:
            run(cloud.deps)
        except BaseException:  # noqa: BLE001  (a client library may cover it with an error of its own)
            return True
    return False
