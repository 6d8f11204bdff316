"""What is bought in an app's store: `revenuecat_webhook`, `sync_purchases`, and what RevenueCat shows afterwards."""

import json
import time
from typing import Any

import pytest

from functions.core.payments.refusals import BillingUnavailable, NothingBought
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.payments.get_billing import GetBilling, get_billing
from functions.use_cases.payments.open_billing_portal import OpenBillingPortal, open_billing_portal
from functions.use_cases.payments.revenuecat_webhook import revenuecat_webhook
from localcloud.standins.deliveries import signature
from scripts.inprocess import SHOP_SECRET
from scripts.shop_in_process import Shop
from tests.steps import alerts, classify, listed, wallet

REVIEWER = {"sandboxUids": ["ann"], "sandboxTokensMax": 100}


def test_a_pack_is_credited_by_its_event(shop: Shop) -> None:
    """Once; also if the event comes twice, and the app says so, too."""
    shop.cloud.revenuecat.faults.add("webhook_duplicated")
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.tick()
    assert shop.sync() == {"balance": 110, "purchased": 100, "owed": 0, "plan": "free"}
    assert shop.bought() == [("buy", 100)]


def test_a_lost_event_is_made_up_for_by_the_app() -> None:
    """`sync_purchases` credits at once; it opens a wallet for who buys before the first photo."""
    shop = Shop(deaf=True).visited()
    shop.cloud.revenuecat.buy("bob", "tokens_100")
    assert shop.sync("bob") == {"balance": 110, "purchased": 100, "owed": 0, "plan": "free"}


def test_a_plan_goes_on_by_its_events_and_without_them() -> None:
    """Each period brings its tokens; cancelled it goes on to its end."""
    shop = Shop().visited()
    transaction = shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.tick()
    assert (shop.plan(), shop.bought()) == ("pro", [("period", 100)])
    shop.hear(deaf=True)
    for _ in range(31):
        shop.later(days=1)
    assert (shop.plan(), shop.bought()) == ("pro", [("period", 100)] * 2)
    (last,) = [name for name in listed(shop.cloud, "payments") if not name.endswith(transaction)]
    shop.cloud.revenuecat.unsubscribe(last.partition(":")[2])
    for _ in range(31):
        shop.later(days=1)
    assert (shop.plan(), shop.bought()) == ("free", [("period", 100)] * 2)


def test_a_payer_of_a_store_costs_a_read_and_a_write_a_day() -> None:
    """While nothing happens; whether the account was deleted is asked only of whoever Stripe would charge."""
    shop = Shop(deaf=True).visited()
    shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.sync()
    for _ in range(2):
        shop.later(days=1)
    shop.tick(days=1)
    shop.cloud.firestore.bill.reset()
    assert shop.later()["payers"] == 1
    totals = shop.cloud.firestore.bill.reset()["totals"]
    # Beside the payer's: a read for when the cron last ran, one each for no checkouts and no automatic packs, three for
    # the config, seven for the day's sales; and two writes, the run's own record and these.
    assert (totals["reads"], totals["writes"]) == (14, 3)


def test_a_refund_takes_the_tokens_back(shop: Shop) -> None:
    """At once by its event; without one after two looks, ten minutes apart."""
    first, second = (shop.cloud.revenuecat.buy("ann", "tokens_100") for _ in range(2))
    shop.tick()
    assert shop.tokens() == (200, 0)
    shop.cloud.revenuecat.refund(first)
    shop.tick()
    assert shop.tokens() == (100, 0)
    shop.hear(deaf=True)
    shop.cloud.revenuecat.refund(second)
    shop.later(days=1)
    assert shop.tokens() == (100, 0)
    shop.later(minutes=15)
    assert shop.tokens() == (0, 0)


def test_an_empty_answer_takes_nothing_from_anybody(shop: Shop) -> None:
    """As by the key of another project: the next look shows all again."""
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.tick()
    shop.cloud.revenuecat.faults.add("empty_answer")
    shop.later(days=1)
    assert shop.tokens() == (200, 0)
    shop.later(minutes=15)
    assert (shop.tokens(), shop.plan(), shop.payer()["shown"]["revenuecat"] != "") == ((200, 0), "pro", True)


def test_what_is_bought_before_the_first_visit_waits(shop: Shop) -> None:
    """Operators are told; whoever comes claims it, also under another name by a transfer."""
    shop.cloud.revenuecat.buy("$RCAnonymousID:1", "tokens_100")
    shop.cloud.revenuecat.buy("bob", "tokens_100")
    shop.tick()
    assert len(alerts(shop.cloud, "payment_waits")) == 1
    assert [each["uid"] for each in listed(shop.cloud, "payments").values()] == [None, None]
    assert shop.sync("bob")["purchased"] == 100
    shop.cloud.revenuecat.transfer("$RCAnonymousID:1", "ann")
    shop.tick()
    assert shop.tokens() == (100, 0)


def test_a_transfer_brings_the_plan_and_leaves_the_tokens(shop: Shop) -> None:
    """Both users are looked at: one has the plan now, and neither has lost or won a token."""
    shop.visited("bob")
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.tick()
    shop.cloud.revenuecat.transfer("ann", "bob")
    shop.tick()
    assert [shop.plan("ann"), shop.plan("bob")] == ["free", "pro"]
    for _ in range(3):
        shop.later(days=1)
    assert [shop.tokens("ann"), shop.tokens("bob")] == [(200, 0), (0, 0)]


@pytest.mark.parametrize(("billing", "tokens", "plan"), [({}, 0, "free"), (REVIEWER, 100, "pro")])
def test_purchases_in_the_sandbox_count_for_reviewers_alone(billing: dict[str, Any], tokens: int, plan: str) -> None:
    """App Review buys in the sandbox and has to see it work, up to a cap; others get nothing for no money."""
    shop = Shop(**billing).visited()
    for _ in range(2):
        shop.cloud.revenuecat.buy("ann", "tokens_100", sandbox=True)
    shop.cloud.revenuecat.subscribe("ann", "pro_month", sandbox=True)
    shop.tick()
    assert (shop.tokens(), shop.plan()) == ((tokens, 0), plan)


def test_a_look_at_the_stores_leaves_what_was_bought_on_the_web(shop: Shop) -> None:
    """The two providers know nothing of each other's purchases."""
    shop.buy()
    for _ in range(3):
        shop.sync()
        shop.later(days=1)
    assert (shop.bought(), shop.tokens()) == ([("buy", 100)], (100, 0))


def test_store_and_web_are_one_plan(shop: Shop) -> None:
    """The higher of both holds, and what remains when one ends."""
    shop.buy("plus_month")
    transaction = shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.tick()
    assert shop.plan() == "pro"
    shop.cloud.revenuecat.refund(transaction)
    shop.tick()
    assert (shop.plan(), wallet(shop.cloud)["planSeller"]) == ("plus", "stripe")


@pytest.mark.parametrize("fault", ["rate_limited", "bad_key", "server_error", "connection_reset"])
def test_an_outage_of_revenuecats_is_told_and_loses_nothing(
    shop: Shop, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The event comes again, and the app is told when to."""
    shop.cloud.revenuecat.faults.add(fault, count=2)
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.tick()
    assert shop.bought() == []
    with pytest.raises(BillingUnavailable) as refused:
        shop.sync()
    assert refused.value.details == {"retryAfter": 30}
    shop.tick(minutes=6)
    assert shop.bought() == [("buy", 100)]
    assert "sk_any" not in capfd.readouterr().err


@pytest.mark.parametrize("answer", [{}, {"subscriber": []}])
def test_an_answer_that_is_none_is_told_to_operators(shop: Shop, answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And takes nothing from anybody."""
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.tick()
    monkeypatch.setattr(type(shop.cloud.revenuecat), "_subscriber", lambda *_: (200, answer))
    for _ in range(3):
        shop.later(days=1)
    assert (shop.tokens(), len(alerts(shop.cloud, "payment_waits"))) == ((100, 0), 3)


EVENT = json.dumps({"event": {"type": "INITIAL_PURCHASE", "app_user_id": "ann"}}).encode()


@pytest.mark.parametrize(
    "header", ["", signature("of somebody else's", int(time.time()), EVENT)], ids=["none", "of somebody else"]
)
def test_a_forged_event_costs_nothing(shop: Shop, header: str) -> None:
    """Not a read, not a call; nor does one in a deploy without secrets."""
    shop.cloud.firestore.bill.reset()
    headers = {"X-Revenuecat-Webhook-Signature": header}
    assert revenuecat_webhook(EVENT, headers, shop.cloud.deps) == 400
    shop.cloud.restart()
    good = {"X-Revenuecat-Webhook-Signature": signature(SHOP_SECRET, int(time.time()), EVENT)}
    assert revenuecat_webhook(EVENT, good, shop.cloud.deps) == 400
    assert shop.cloud.firestore.bill.reset()["totals"]["reads"] == 0
    assert shop.cloud.revenuecat.requests["GET /v1/subscribers/{app_user_id}"] == 0


# What the app shows


def shown(shop: Shop) -> dict[str, Any]:
    """Return what ann is shown."""
    return get_billing(GetBilling(), "ann", shop.cloud.deps)


def test_get_billing_shows_the_plan_and_what_is_sold(shop: Shop) -> None:
    """A stranger's first look writes nothing; the price of a photo and what a product's tokens come to in photos."""
    assert get_billing(GetBilling(), "stranger", shop.cloud.deps)["balance"] == 0
    assert wallet(shop.cloud, "stranger") == {}
    first = shown(shop)
    assert (first["plan"], first["seller"], first["planUntil"], first["renews"]) == ("free", None, None, False)
    assert (first["sellOn"], first["photoTokens"]) == (["web"], {"instant": 5, "batch": 1})
    assert first["products"][0] == {
        "name": "tokens_100",
        "tokens": 100,
        "plan": None,
        "minor": 499,
        "currency": "usd",
        "storeIds": ["tokens_100"],
        "onWeb": True,
        "photos": {"instant": 20, "batch": 100},
        "unlimited": False,
    }
    transaction = shop.cloud.revenuecat.subscribe("ann", "pro_month", days=30)
    shop.tick()
    paid = shown(shop)
    assert (paid["plan"], paid["seller"], paid["purchased"], paid["renews"]) == ("pro", "revenuecat", 100, True)
    assert paid["planUntil"] == "2026-12-28T12:00:31Z"
    shop.cloud.revenuecat.fail(transaction)
    shop.tick(days=31)
    assert shown(shop)["overdue"] is True


def test_get_billing_says_what_photos_have_cost_and_would_have(shop: Shop) -> None:
    """One at once and one for later, at 4.99 cents a token; the refund of the second one is taken off."""
    classify(shop.cloud, "now")
    queued = classify(shop.cloud, "later", "batch")
    shop.cloud.firestore.bill.reset()
    first = shown(shop)
    assert shop.cloud.firestore.bill.reset()["totals"]["reads"] == 2
    assert (first["photo"]["instant"], first["photo"]["currency"]) == ({"tokens": 5, "minor": 25}, "usd")
    (month,) = first["months"]
    assert {name: month[name] for name in ("month", "instant", "batch", "tokens", "minor")} == {
        "month": "2026-11",
        "instant": 1,
        "batch": 1,
        "tokens": 6,
        "minor": 30,
    }
    assert (month["allInstant"]["minor"], month["allBatch"]["minor"]) == (50, 10)
    assert [(each["plan"], each["minor"]) for each in month["plans"]] == [("plus", 499), ("pro", 899)]
    cancel_job(CancelJob.model_validate({"jobId": queued["jobId"]}), "ann", shop.cloud.deps)
    assert [(each["batch"], each["tokens"]) for each in shown(shop)["months"]] == [(0, 5)]


def test_a_plan_is_managed_where_it_was_bought(shop: Shop) -> None:
    """Stripe's page cancels it, or the store does; without a plan there is nothing to manage."""

    def portal() -> dict[str, Any]:
        return open_billing_portal(OpenBillingPortal(), "ann", shop.cloud.deps)

    with pytest.raises(NothingBought):
        portal()
    shop.buy("plus_month")
    assert portal()["seller"] == "stripe"
    assert portal()["url"].startswith("http://stripe.example/p/session/")
    shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.tick()
    assert portal() == {"seller": "revenuecat", "url": None}


def test_a_damaged_payer_is_set_aside(shop: Shop) -> None:
    """Operators hear of it, and the others are looked at."""
    shop.cloud.client.document("billing/eve").set({"lookAt": shop.cloud.clock(), "customer": 1})
    shop.cloud.client.document("checkouts/x").set({"lookAt": shop.cloud.clock()})
    assert shop.later()["damaged"] == 2
    assert shop.later()["damaged"] == 0
    assert len(alerts(shop.cloud, "document_damaged")) == 1
