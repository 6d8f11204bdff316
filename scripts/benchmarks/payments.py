"""How soon a payment is credited, what a forged event costs, and what a payer costs on a day without news. Providers
answer after 200 ms where time is measured; one process, warm."""

import json
import time
from datetime import timedelta
from typing import Any

import httpx2

from functions.adapters.payments.stripe import Stripe
from functions.core.payments.hints import hint_of
from functions.use_cases.payments.revenuecat_webhook import revenuecat_webhook
from functions.use_cases.payments.stripe_webhook import stripe_webhook
from localcloud.standins.deliveries import signature
from scripts.ecolane_cloud import ecolane_cloud
from scripts.functions_alone import answered, served
from scripts.inprocess import SELLING, SHOP_SECRET
from scripts.sample_shop import open_shop
from scripts.shop_in_process import Shop

PROVIDER_SECONDS = 0.2
EVENTS, LOST, FORGED, PAYERS, COLD = 40, 30, 1_000, 20, 8


class _Slow(httpx2.BaseTransport):
    """A provider that takes its time."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        time.sleep(PROVIDER_SECONDS)
        return self._inner.handle_request(request)


def run() -> dict[str, Any]:
    """Return minutes from a payment to its tokens if its event is lost; milliseconds of a delivered event, of one that
    starts its process, and of `sync_purchases`; reads and calls of forged events; reads and writes of a payer's day."""
    return {**_delivered(), **_cold(), "lost_event_minutes_max": _lost(), **_forged(), **_day()}


def _delivered() -> dict[str, Any]:
    shop = Shop(deaf=True).visited()
    slow = httpx2.Client(transport=_Slow(shop.cloud.stripe.transport()))
    for number in range(EVENTS // 4):
        session = shop.buy("tokens_100")
        if number % 2:
            shop.client.refunds.create({"payment_intent": session["payment_intent"], "amount": 100})
    shop.buy("pro_month")
    events = [each.to_dict() for each in reversed(shop.client.events.list({"limit": 100}).data)]
    shop.cloud.restart(SELLING, stripe=Stripe(slow, shop.cloud.stripe.base_url, "sk_test_any"))
    took = []
    for event in (each for each in events if hint_of(each).object_id is not None):
        body, began = json.dumps(event).encode(), time.perf_counter()
        headers = {"Stripe-Signature": signature(SHOP_SECRET, int(time.time()), body)}
        assert stripe_webhook(body, headers, shop.cloud.deps) == 200  # noqa: S101  (a benchmark of what works)
        took.append((time.perf_counter() - began) * 1_000)
    checkout, began = shop.buy("tokens_100")["checkoutId"], time.perf_counter()
    shop.sync(checkoutId=checkout)
    synced = (time.perf_counter() - began) * 1_000
    return {
        "events": len(took),
        "delivered_event_ms_p95": round(sorted(took)[int(len(took) * 0.95)]),
        "sync_purchases_ms": round(synced),
    }


def _cold() -> dict[str, int]:
    """Deliver each event to a process that it starts: here providers answer at once, over a socket."""
    took = []
    with ecolane_cloud() as cloud:
        shop, token = cloud.stripe, cloud.sign_in(cloud.sign_up().uid).id_token
        if shop is None:
            raise RuntimeError("this cloud sells nothing")
        open_shop(cloud)
        secret, shop.settings.webhook_url = str(shop.settings.webhook_secret), None
        cloud.clock.advance(timedelta(minutes=1))  # processes see the products
        for number in range(COLD):
            asked = {"requestId": f"cold-request-{number}", "product": "tokens_100"}
            page = cloud.call("start_checkout", asked, token)["url"]
            session = shop.pay(page.rpartition("/")[2])["id"]
            event = {"type": "checkout.session.completed", "data": {"object": {"id": session}}}
            body, began = json.dumps(event).encode(), time.perf_counter()
            with served("stripe_webhook", cloud.environment) as server:
                headers = {"Stripe-Signature": signature(secret, int(time.time()), body)}
                if answered(server, body, headers).status_code != 200:
                    raise RuntimeError(f"the event was not taken: {server.printed()}")
                took.append((time.perf_counter() - began) * 1_000)
    return {"cold_events": COLD, "cold_event_ms_p95": round(sorted(took)[int(COLD * 0.95)])}


def _lost() -> float:
    """Buy at each minute of a quarter of an hour, while the cron runs every quarter and no event arrives."""
    shop, waited = Shop(deaf=True).visited(), []
    for number in range(LOST):
        shop.cloud.clock.advance(timedelta(minutes=number % 15))
        shop.buy("tokens_100")
        paid = shop.cloud.clock()
        shop.later(minutes=15 - number % 15)
        waited.append((shop.entries()[-1]["ts"] - paid) / timedelta(minutes=1))
    if len(shop.bought()) != LOST:
        raise RuntimeError(f"only {len(shop.bought())} of {LOST} packs were credited")
    return float(max(waited))


def _forged() -> dict[str, int]:
    shop = Shop(deaf=True).visited()
    shop.cloud.firestore.bill.reset()
    asked = _calls(shop)
    body = b'{"type": "invoice.paid", "data": {"object": {"id": "in_1"}}}'
    for number in range(FORGED):
        forged = signature(f"whsec_of_somebody_else_{number}", int(time.time()), body)
        stripe_webhook(body, {"Stripe-Signature": forged}, shop.cloud.deps)
        revenuecat_webhook(body, {"X-Revenuecat-Webhook-Signature": forged}, shop.cloud.deps)
    reads = shop.cloud.firestore.bill.reset()["totals"]["reads"]
    return {"forged_events": 2 * FORGED, "forged_event_reads": reads, "forged_event_calls": _calls(shop) - asked}


def _calls(shop: Shop) -> int:
    return sum(sum(each.requests.values()) for each in (shop.cloud.stripe, shop.cloud.revenuecat))


def _day() -> dict[str, float]:
    users = [f"user-{number}" for number in range(PAYERS)]
    shop = Shop(deaf=True).visited(*users)
    for uid in users:
        shop.buy("pro_month", uid)
    for _ in range(4):
        shop.later(days=1)
    shop.cloud.firestore.bill.reset()
    shop.later(days=1)
    totals = shop.cloud.firestore.bill.reset()["totals"]
    return {
        "reads_a_payer_and_day": round(totals["reads"] / PAYERS, 2),
        "writes_a_payer_and_day": round(totals["writes"] / PAYERS, 2),
    }
