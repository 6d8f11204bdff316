"""If it dies here: every way to a payment, killed before and after each call that leaves the process.

What must be true in the end is the same wherever it died: each payment is credited once, and the wallet is the sum of
its ledger. After a crash the provider sends its event again, the app repeats its call, and the cron runs.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from scripts.inprocess import SELLING
from scripts.shop_in_process import Shop
from tests.steps import listed
from tests.test_crashes import WHENS, Killer, When

Scenario = tuple[Callable[[Shop], Any], Callable[[Shop], Any], int]
"""What was before, what is killed, and the bought tokens in the end."""


def web(product: str) -> Callable[[Shop], Any]:
    """Somebody has paid, and nobody has heard of it yet."""

    def prepare(shop: Shop) -> None:
        url = shop.start(product, key="the-only-key")["url"]
        shop.cloud.stripe.pay(url.rpartition("/")[2])

    return prepare


def for_a_team(shop: Shop) -> None:
    """The same for a team, by its owner."""
    url = shop.start(key="the-only-key", payer=shop.team())["url"]
    shop.cloud.stripe.pay(url.rpartition("/")[2])


def refunded(shop: Shop) -> None:
    """A pack was credited, and refunded by half since."""
    intent = shop.buy()["payment_intent"]
    shop.client.refunds.create({"payment_intent": intent, "amount": 250})


def in_a_store(shop: Shop) -> None:
    """A pack and a plan were bought on a phone."""
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.cloud.revenuecat.subscribe("ann", "pro_month")


def start_and_pay(shop: Shop) -> None:
    """Start a checkout, and pay once there is a page."""
    url = shop.start(key="the-only-key")["url"]
    shop.cloud.stripe.pay(url.rpartition("/")[2])


def out_of_tokens(shop: Shop) -> None:
    """Somebody whose card is saved, and who has allowed automatic packs, has spent everything."""
    shop.buy(saveCard=True)
    shop.allow(500)
    shop.spend()


SCENARIOS: dict[str, Scenario] = {
    "set_pay_per_use": (out_of_tokens, lambda shop: shop.allow(400), 40),
    "start_checkout": (lambda _: None, lambda shop: shop.start(key="the-only-key"), 100),
    "stripe_webhook, a pack": (web("tokens_100"), Shop.tick, 100),
    "stripe_webhook, for a team": (for_a_team, Shop.tick, 100),
    "stripe_webhook, a plan": (web("pro_month"), Shop.tick, 100),
    "stripe_webhook, a refund": (refunded, Shop.tick, 49),
    "revenuecat_webhook": (in_a_store, Shop.tick, 200),
    "sync_purchases": (in_a_store, Shop.sync, 200),
    "reconcile_billing, an automatic pack": (out_of_tokens, lambda shop: shop.later(minutes=15), 40),
    "reconcile_billing": (web("pro_month"), lambda shop: shop.later(minutes=15), 100),
}


def opened(name: str) -> Shop:
    """Return a shop in which a scenario can begin."""
    shop = Shop(deaf=name in {"start_checkout", "sync_purchases", "reconcile_billing"}).visited()
    SCENARIOS[name][0](shop)
    return shop


def outside_calls(name: str, when: When) -> int:
    """Return how many outside calls a scenario begins or comes back from when nothing goes wrong."""
    shop, counter = opened(name), Killer(at=0, when=when)
    shop.cloud.interrupt = counter
    SCENARIOS[name][1](shop)
    return counter.calls


CRASHES = [(name, at, when) for name in SCENARIOS for when in WHENS for at in range(1, outside_calls(name, when) + 1)]


@pytest.mark.parametrize(("name", "at", "when"), CRASHES, ids=[f"{n} {w} {a}" for n, a, w in CRASHES])
def test_a_payment_survives_a_crash_anywhere(name: str, at: int, when: When) -> None:
    """It is credited once, whatever the run has come to."""
    shop, killer = opened(name), Killer(at, when)
    shop.cloud.interrupt = killer
    with suppress(BaseException):  # nobody is there to catch it; and a client library may cover it with an own error
        SCENARIOS[name][1](shop)
    assert killer.dead
    shop.cloud.restart(SELLING)
    if name == "start_checkout":
        start_and_pay(shop)
    for _ in range(4):  # the locks of what was killed go, the events come again, and the cron runs
        shop.later(minutes=31)
    if name == "sync_purchases":
        shop.sync()
    payee = f"teams/{shop.team()}" if name.endswith("for a team") else "ann"
    assert shop.tokens(payee) == (SCENARIOS[name][2], 0)
    assert shop.wallet(payee)["balance"] == sum(each["delta"] for each in shop.entries(payee))
    given = sum(each["given"] for each in listed(shop.cloud, "payments").values())
    assert given == sum(bought for _, bought in shop.bought(payee))
