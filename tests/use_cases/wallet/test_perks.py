"""Perks as the app buys them: once a key, at the agreed price, and only where they are sold."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest

from functions.use_cases.wallet.buy_perk import BuyPerk, buy_perk
from localcloud.cloud import LocalCloud
from scripts.inprocess import CrashError, InProcessCloud
from tests.app import App
from tests.conftest import Configure
from tests.steps import stored
from tests.test_crashes import Killer, When


@pytest.fixture
def sold(cloud: LocalCloud, configure: Configure) -> Iterator[None]:
    """Sell both, and nothing after it: a process may know the old config for a minute."""
    configure({"shop": {"priorityDay": 4, "streakSaver": 3}})
    yield
    configure({})
    cloud.clock.advance(timedelta(seconds=31))


@pytest.mark.usefixtures("sold")
def test_eight_calls_at_once_buy_one(app: App) -> None:
    """And all get its entry; the wallet shows what was bought, and what it costs."""
    asked = {"requestId": "one-day-of-it", "perk": "priorityDay", "maxTokens": 4}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.call("buy_perk", **asked), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert app.statement() == [("welcome", 10, 10), ("perk", -4, 6)]
    wallet = app.call("get_wallet")
    assert (wallet["perks"], wallet["streakSavers"]) == ({"priorityDay": 4, "streakSaver": 3}, 0)
    assert wallet["priorityUntil"] > wallet["updatedAt"]
    assert app.stored_job(app.classify()["jobId"])["priority"] == 1
    assert app.refused("buy_perk", **(asked | {"perk": "streakSaver"})).details["reason"] == "KEY_REUSED"
    dearer = app.refused("buy_perk", requestId="another-day", perk="priorityDay", maxTokens=3)
    assert (dearer.details["reason"], dearer.details["price"]) == ("PRICE_CHANGED", 4)


def test_what_has_no_price_is_not_sold(app: App) -> None:
    """As it is until an operator sets one; the offer is hidden by the same."""
    error = app.refused("buy_perk", requestId="one-day-of-it", perk="priorityDay", maxTokens=4)
    assert error.details["reason"] == "PURCHASE_NOT_HERE"
    assert app.call("get_wallet")["perks"] == {"priorityDay": None, "streakSaver": None}


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_has_bought_once(when: When) -> None:
    """Killed at each outside call, and called again with the same key."""
    for at in range(1, 20):
        cloud = InProcessCloud(seed=1)
        cloud.configure({"shop": {"streakSaver": 3}})
        request = BuyPerk.model_validate({"requestId": "one-of-them", "perk": "streakSaver", "maxTokens": 3})
        killer = Killer(at, when)
        with cloud.interrupting(killer), suppress(CrashError):
            buy_perk(request, "ana", cloud.deps)
        cloud.restart()
        cloud.clock.advance(timedelta(minutes=2))
        buy_perk(request, "ana", cloud.deps)
        wallet = stored(cloud, "users/ana/wallet/main")
        assert (wallet["balance"], wallet["streakSavers"]) == (7, 1)
        if not killer.dead:
            return
    raise AssertionError("it never came to its end")
