"""Packs and plans that are paid on the web: `start_checkout`, `stripe_webhook`, and what becomes of them at Stripe."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest

from functions.core.payments.refusals import AlreadySubscribed, BillingUnavailable, PurchaseNotHere, UnknownProduct
from functions.core.shared.errors import EcolaneError, KeyReused
from functions.use_cases.payments.stripe_webhook import stripe_webhook
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from localcloud.standins.deliveries import signature
from scripts.inprocess import SHOP_SECRET
from scripts.shop_in_process import SOLD, Shop
from tests.steps import alerts, classify, listed, wallet

DISPUTED, REFUND_FAILS, DEBIT, DEBIT_FAILS, FAILS_LATER = (
    "4000000000000259",
    "4000000000005126",
    "000123456789",
    "000111111116",
    "4000000000000341",
)


def test_a_pack_is_credited_by_its_event(shop: Shop) -> None:
    """Once, beside the welcome tokens; its payment is kept with what was paid."""
    shop.buy()
    assert (shop.bought(), shop.tokens(), wallet(shop.cloud)["balance"]) == ([("buy", 100)], (100, 0), 110)
    ((name, payment),) = listed(shop.cloud, "payments").items()
    assert name.startswith("stripe:pi_")
    assert (payment["product"], payment["facts"]["paidMinor"], payment["given"]) == ("tokens_100", 499, 100)


@pytest.mark.parametrize("payload", ["thin", "snapshot"])
def test_events_that_come_twice_late_and_out_of_order_change_nothing(payload: str) -> None:
    """Each is a hint to read the same; what is true is read once more."""
    shop = Shop().visited()
    shop.cloud.stripe.settings.webhook_payload = payload  # type: ignore[assignment]
    for fault in ("webhook_duplicated", "webhook_reordered", "webhook_delayed"):
        shop.cloud.stripe.faults.add(fault, count=4)
    shop.buy()
    for _ in range(4):
        shop.tick(minutes=30)
    assert (shop.bought(), shop.tokens()) == ([("buy", 100)], (100, 0))


def test_lost_events_are_made_up_for_by_the_cron() -> None:
    """Without a webhook the next run sees the page paid, and the payer's plan."""
    shop = Shop(deaf=True).visited()
    shop.buy()
    shop.buy("pro_month")
    assert shop.bought() == []
    assert shop.later(minutes=15)["pages"] == 2
    assert (sorted(shop.bought()), shop.plan()) == ([("buy", 100), ("period", 100)], "pro")
    assert shop.later(minutes=15)["pages"] == 0


def test_the_app_need_not_wait_for_an_event() -> None:
    """`sync_purchases` looks at the checkout that the buyer has come back from; another user's is nobody's business."""
    shop = Shop(deaf=True).visited()
    session = shop.buy()
    assert shop.sync("bob", checkoutId=session["checkoutId"])["purchased"] == 0
    assert shop.sync(checkoutId=session["checkoutId"]) == {"balance": 110, "purchased": 100, "owed": 0, "plan": "free"}
    assert (shop.bought(), shop.bought("bob")) == ([("buy", 100)], [])


def test_refunds_take_back_what_they_are_worth(shop: Shop) -> None:
    """In parts, each once; what was spent by then is owed, and the next purchase pays it first."""
    intent = shop.buy()["payment_intent"]
    shop.client.refunds.create({"payment_intent": intent, "amount": 250})
    shop.tick()
    assert shop.tokens() == (49, 0)
    for number in range(11):
        classify(shop.cloud, f"photo-{number}")
    assert shop.tokens() == (4, 0)
    shop.client.refunds.create({"payment_intent": intent, "amount": 249})
    shop.tick()
    assert (shop.tokens(), wallet(shop.cloud)["balance"]) == ((0, 45), 0)
    shop.buy()
    assert (shop.tokens(), wallet(shop.cloud)["balance"]) == ((55, 0), 55)


def test_a_refund_that_fails_gives_the_tokens_again() -> None:
    """The bank did not take it."""
    shop = Shop().visited()
    intent = shop.buy(number=REFUND_FAILS)["payment_intent"]
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    assert shop.tokens() == (0, 0)
    shop.tick(minutes=31)
    assert shop.tokens() == (100, 0)


@pytest.mark.parametrize(("evidence", "left"), [("winning_evidence", 100), ("losing_evidence", 0)])
def test_a_dispute_takes_the_tokens_until_it_is_won(shop: Shop, evidence: str, left: int) -> None:
    """Operators are told once; won, they come back, lost, they do not."""
    shop.buy(number=DISPUTED)
    assert shop.tokens() == (100, 0)
    shop.tick(minutes=31)
    assert shop.tokens() == (0, 0)
    assert len(alerts(shop.cloud, "dispute_opened")) == 1
    (dispute,) = shop.client.disputes.list().data
    shop.client.disputes.update(dispute.id, {"evidence": {"uncategorized_text": evidence}})
    shop.tick()
    assert shop.tokens() == (left, 0)


def test_a_bank_debit_is_credited_when_it_is_known(shop: Shop) -> None:
    """Days after the page was left, and never if it fails; also without an event."""
    shop.buy(number=DEBIT_FAILS)
    shop.hear(deaf=True)
    shop.buy(number=DEBIT)
    assert shop.later(minutes=15)["pages"] == 2
    assert shop.bought() == []
    shop.later(hours=1)
    assert shop.bought() == [("buy", 100)]


def test_a_plan_is_paid_period_by_period(shop: Shop) -> None:
    """Tokens come with each paid invoice, not with the state; it holds until the end of what is paid."""
    subscription = shop.buy("pro_month")["subscription"]
    assert (shop.plan(), shop.bought()) == ("pro", [("period", 100)])
    shop.tick(days=30, minutes=30)
    assert (shop.plan(), shop.bought()) == ("pro", [("period", 100)])
    shop.tick(hours=1)
    assert shop.bought() == [("period", 100), ("period", 100)]
    shop.client.subscriptions.update(subscription, {"cancel_at_period_end": True})
    shop.tick()
    assert (shop.plan(), wallet(shop.cloud)["planSeller"]) == ("pro", "stripe")
    shop.tick(days=32)
    assert (shop.plan(), wallet(shop.cloud)["planSeller"]) == ("free", None)
    assert len(shop.bought()) == 2


def test_a_failed_renewal_has_its_days_of_grace() -> None:
    """Nothing is credited for the unpaid period, the plan stays for seven days, and then the cron ends it."""
    shop = Shop().visited()
    shop.buy("pro_month", number=FAILS_LATER)
    for _ in range(36):
        shop.later(days=1)
    assert (shop.plan(), shop.bought()) == ("pro", [("period", 100)])
    for _ in range(3):
        shop.later(days=1)
    assert (shop.plan(), shop.bought()) == ("free", [("period", 100)])


def test_a_plan_goes_on_without_any_event() -> None:
    """The cron alone renews it and ends it, at a read and a write a day while nothing happens."""
    shop = Shop(deaf=True).visited()
    subscription = shop.buy("pro_month")["subscription"]
    shop.later(minutes=15)
    for _ in range(2):
        shop.later(days=1)
    shop.tick(days=1)
    shop.cloud.firestore.bill.reset()
    assert shop.later()["payers"] == 1
    totals = shop.cloud.firestore.bill.reset()["totals"]
    # A read for when the cron last ran, one each for no checkouts and no automatic packs, and two for the payer, who
    # may have left; the config is three, the day's sales seven. A write is the run's own record, one the sales.
    assert (totals["reads"], totals["writes"]) == (15, 3)
    for _ in range(29):
        shop.later(days=1)
    assert shop.bought() == [("period", 100), ("period", 100)]
    shop.client.subscriptions.cancel(subscription)
    for _ in range(2):
        shop.later(days=1)
    assert shop.plan() == "free"


def test_a_change_to_a_dearer_plan_is_a_new_period_at_full_price(shop: Shop) -> None:
    """What was bought stays, and the new plan's tokens come with its invoice."""
    subscription = shop.buy("plus_month")["subscription"]
    assert (shop.plan(), shop.tokens()) == ("plus", (30, 0))
    shop.tick(days=3)
    item = shop.client.subscriptions.retrieve(subscription)["items"].data[0].id
    changes = {"items": [{"id": item, "price": shop.prices["pro_month"]}], "proration_behavior": "none"}
    shop.client.subscriptions.update(subscription, {**changes, "billing_cycle_anchor": "now"})
    shop.tick()
    assert (shop.plan(), shop.tokens()) == ("pro", (130, 0))
    shop.client.subscriptions.update(
        subscription, {**changes, "items": [{"id": item, "price": shop.prices["plus_month"]}]}
    )
    shop.tick()
    assert shop.tokens() == (130, 0)


def test_a_refunded_period_takes_its_tokens_back(shop: Shop) -> None:
    """The refund is followed to the invoice, and so to the period."""
    shop.buy("pro_month")
    (intent,) = shop.client.payment_intents.list().data
    shop.client.refunds.create({"payment_intent": intent.id})
    shop.tick()
    assert (shop.bought(), shop.tokens()) == ([("period", 100), ("period", -100)], (0, 0))


# Checkouts


def test_one_key_opens_one_page(shop: Shop) -> None:
    """Repeated it is the same; with another product, or an hour later, it is refused."""
    first, again = (shop.start(key="the-same-key") for _ in range(2))
    assert first == again
    assert shop.cloud.stripe.requests["POST /v1/checkout/sessions"] == 2
    assert len(shop.client.checkout.sessions.list().data) == 1
    with pytest.raises(KeyReused):
        shop.start("pro_month", key="the-same-key")
    shop.tick(hours=1)
    with pytest.raises(KeyReused):
        shop.start(key="the-same-key")


def test_whoever_buys_before_anything_else_has_a_wallet(shop: Shop) -> None:
    """It is opened with the checkout, so the purchase waits for nobody."""
    shop.buy(uid="bob")
    assert (shop.bought("bob"), shop.wallet("bob")["balance"]) == ([("buy", 100)], 110)


def test_nothing_is_given_to_whoever_has_deleted_the_account() -> None:
    """What was paid by then waits, and operators are told; a refund of before takes nothing from a closed wallet."""
    shop = Shop().visited()
    intent = shop.buy()["payment_intent"]
    url = shop.start()["url"]
    delete_account(DeleteAccount(confirm="DELETE"), "ann", shop.cloud.deps)
    closed = shop.wallet()
    shop.cloud.stripe.pay(url.rpartition("/")[2])
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    for _ in range(2):
        shop.later(days=1)
    assert (shop.wallet(), shop.bought()) == (closed, [("buy", 100)])
    assert len(alerts(shop.cloud, "payment_waits")) == 1


@pytest.mark.parametrize("ended", [False, True])
def test_whoever_has_deleted_the_account_is_charged_no_more(*, ended: bool) -> None:
    """The plan is cancelled at Stripe by the next look, within a day, unless it was already; the closed wallet stays as
    it is."""
    shop = Shop().visited()
    subscription = shop.buy("pro_month")["subscription"]
    if ended:
        shop.hear(deaf=True)
        shop.client.subscriptions.cancel(subscription)
    delete_account(DeleteAccount(confirm="DELETE"), "ann", shop.cloud.deps)
    closed = shop.wallet()
    for _ in range(2):
        shop.later(days=1)
    assert shop.client.subscriptions.retrieve(subscription).status == "canceled"
    for _ in range(35):
        shop.later(days=1)
    assert len(shop.client.invoices.list().data) == 1
    assert shop.wallet() == closed


def test_a_key_whose_page_would_be_another_is_refused(shop: Shop) -> None:
    """The shop's own page has moved between two calls: Stripe has another content under the key."""
    shop.start(key="the-same-key")
    shop.cloud.configure({"billing": {**shop.billing, "returnUrl": "https://eco.example/moved"}})
    with pytest.raises(KeyReused, match="has changed"):
        shop.start(key="the-same-key")


@pytest.mark.parametrize(
    ("product", "billing", "refusal"),
    [
        ("tokens_100", {"sellOn": []}, PurchaseNotHere),
        ("tokens_100", {"products": [{"name": "tokens_100", **SOLD["tokens_100"]}]}, PurchaseNotHere),
        ("tokens_7", {}, UnknownProduct),
    ],
)
def test_what_is_not_sold_opens_no_page(product: str, billing: dict[str, Any], refusal: type[EcolaneError]) -> None:
    """And asks Stripe for none."""
    shop = Shop(**billing).visited()
    with pytest.raises(refusal):
        shop.start(product)
    assert shop.cloud.stripe.requests["POST /v1/checkout/sessions"] == 0


def test_nobody_pays_for_two_plans(shop: Shop) -> None:
    """A second one is refused while the first is in force; packs are sold all the same."""
    shop.buy("plus_month")
    with pytest.raises(AlreadySubscribed):
        shop.start("pro_month")
    shop.buy()
    assert shop.tokens() == (130, 0)


def test_a_deploy_without_stripes_key_sells_nothing_there(shop: Shop) -> None:
    """Whatever the config says."""
    shop.cloud.restart({"revenuecat_api_key": "sk_any"})
    with pytest.raises(PurchaseNotHere):
        shop.start()
    assert shop.later()["pages"] == 0


@pytest.mark.parametrize("fault", ["rate_limited", "bad_key", "server_error", "connection_reset", "malformed_json"])
def test_an_outage_of_stripes_is_told_and_loses_nothing(
    shop: Shop, fault: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The call says when to come back, and serves the same key then; the log says why, and no key."""
    shop.cloud.stripe.faults.add(fault, endpoint="POST *")
    with pytest.raises(BillingUnavailable) as refused:
        shop.start(key="the-same-key")
    assert refused.value.details == {"retryAfter": 30}
    assert shop.start(key="the-same-key")["url"]
    logged = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [each["provider"] for each in logged if each["message"] == "billing_failed"] == ["stripe"]
    assert "sk_test" not in str(logged)


# Events


def sent(shop: Shop, body: bytes, header: str | None = None) -> int:
    """Send an event, well signed if nothing else is given."""
    headers = {"Stripe-Signature": signature(SHOP_SECRET, int(time.time()), body) if header is None else header}
    return int(stripe_webhook(body, headers, shop.cloud.deps))


EVENT = b'{"type": "invoice.paid", "data": {"object": {"id": "in_1"}}}'


@pytest.mark.parametrize(
    "header",
    [
        "",
        signature("whsec_of_somebody_else", int(time.time()), EVENT),  # pragma: allowlist secret
        signature(SHOP_SECRET, int(time.time()) - 400, EVENT),
        signature(SHOP_SECRET, int(time.time()), b"{}"),
    ],
    ids=["none", "of somebody else", "too old", "of another body"],
)
def test_a_forged_event_costs_nothing(shop: Shop, header: str) -> None:
    """Not a read, not a call: unsigned, signed by another, old, or for another body."""
    asked = dict(shop.cloud.stripe.requests)
    shop.cloud.firestore.bill.reset()
    assert sent(shop, EVENT, header) == 400
    assert shop.cloud.firestore.bill.reset()["totals"]["reads"] == 0
    assert dict(shop.cloud.stripe.requests) == asked


def test_an_event_of_something_else_is_taken(shop: Shop) -> None:
    """The operator's account may sell other things: a price of theirs, a refund of theirs."""
    intent = shop.cloud.stripe.pay(
        shop.client.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": shop.prices["tokens_100"], "quantity": 1}],
                "success_url": "https://eco.example",
            }
        ).id
    )["payment_intent"]
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    assert all(each["pending_webhooks"] == 0 for each in shop.client.events.list({"limit": 100}).data)
    assert listed(shop.cloud, "payments") == {}


def test_an_event_comes_again_if_stripe_cannot_be_asked() -> None:
    """503 has Stripe send it again; an object that is not everywhere yet is no reason to forget it."""
    shop = Shop().visited()
    shop.cloud.stripe.faults.add("server_error", endpoint="GET *")
    shop.cloud.stripe.faults.add("not_found", endpoint="GET *")
    shop.buy()
    assert shop.bought() == []
    shop.tick(seconds=6)
    shop.tick(minutes=6)
    assert shop.bought() == [("buy", 100)]


def test_what_the_webhook_refused_is_found_by_the_cron() -> None:
    """Stripe lists events that nobody took: here a refund while the webhook's secret was wrong."""
    shop = Shop().visited()
    intent = shop.buy()["payment_intent"]
    shop.cloud.restart({**vars(shop.cloud.deps.settings), "stripe_webhook_secret": "whsec_of_somebody_else"})
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    assert shop.tokens() == (100, 0)
    assert shop.later(minutes=1)["events"] == 2  # the purchase once more, and the refund
    assert shop.tokens() == (0, 0)


def test_a_price_that_no_product_has_waits_for_the_operator() -> None:
    """Told once; credited by the next look after the product was named."""
    shop = Shop().visited()
    hidden = [each for each in shop.billing["products"] if each["name"] != "pro_month"]
    checkout = shop.start("pro_month")
    shop.cloud.configure({"billing": {**shop.billing, "products": hidden}})
    shop.cloud.stripe.pay(checkout["url"].rpartition("/")[2])
    shop.tick()
    assert (shop.plan(), shop.bought()) == ("free", [])
    assert len(alerts(shop.cloud, "payment_waits")) == 1
    shop.cloud.configure({"billing": shop.billing})
    shop.later(days=1)
    assert (shop.plan(), shop.bought()) == ("pro", [("period", 100)])


def test_one_payer_that_fails_costs_itself(shop: Shop) -> None:
    """The others are looked at, and this one again in an hour; a run in which all fail is a failure."""
    shop.visited("bob")
    for uid in ("ann", "bob"):
        shop.buy("pro_month", uid)
    shop.later(hours=2)
    shop.cloud.stripe.faults.add("server_error", endpoint="GET /v1/subscriptions")
    counts = shop.later(days=1)
    assert (counts["payers"], counts["failed"]) == (1, 1)
    assert shop.later(hours=1)["payers"] == 1
    shop.cloud.stripe.faults.add("server_error", endpoint="GET *", count=None)
    with pytest.raises(RuntimeError):
        shop.later(days=1)


def test_a_payer_whom_another_run_has_looked_at_is_read_anew(shop: Shop) -> None:
    """The version guards a subscription's state: what was fetched before is not stored over what was fetched after."""
    subscription = shop.buy("pro_month")["subscription"]
    shop.later(minutes=15)
    shop.hear(deaf=True)
    shop.client.subscriptions.update(subscription, {"cancel_at_period_end": True})
    meanwhile = 0

    def interrupt(call: str, when: str) -> None:
        nonlocal meanwhile
        if (call, when) == ("stripe.newest_invoice", "after") and not meanwhile:
            meanwhile += 1
            shop.cloud.client.document("billing/ann").update({"sandboxTokens": 1})

    shop.cloud.interrupt = interrupt
    assert shop.later()["failed"] == 0
    payer = shop.payer()
    assert (payer["subscriptions"][f"stripe:{subscription}"]["renews"], payer["sandboxTokens"]) == (False, meanwhile)


def test_nobody_else_is_faster_for_ever(shop: Shop) -> None:
    """After some rounds the payer is left for an hour."""
    shop.buy("pro_month")
    shop.later(minutes=15)
    writes = 0

    def interrupt(call: str, when: str) -> None:
        nonlocal writes
        if (call, when) == ("stripe.newest_invoice", "after"):
            writes += 1
            shop.cloud.client.document("billing/ann").update({"sandboxTokens": writes})

    shop.cloud.interrupt = interrupt
    shop.cloud.clock.advance(timedelta(days=2))
    counts = shop.later()
    assert (writes, counts["failed"], counts["payers"]) == (5, 1, 0)
