"""What operators are shown and told of sales: once a day, by `reconcile_billing`."""

from scripts.shop_in_process import Shop
from tests.steps import alerts, stored


def test_a_day_of_sales_is_counted_once_it_is_over(shop: Shop) -> None:
    """What was sold, taken back and is unclaimed, and that the books agree; nobody is told of anything."""
    shop.buy()
    shop.buy("pro_month")
    intent = shop.buy()["payment_intent"]
    shop.client.refunds.create({"payment_intent": intent, "amount": 250})
    shop.cloud.revenuecat.buy("nobody", "tokens_100")
    shop.tick()
    shop.later(minutes=15)
    assert stored(shop.cloud, "stats/sales")["days"] != [], "yesterday was counted, on which nothing was sold"
    shop.later(days=1)
    sales = stored(shop.cloud, "stats/sales")
    rows = [(each["product"], each["provider"], each["payments"], each["minor"]) for each in sales["days"][-1]["sold"]]
    assert rows == [
        ("pro_month", "stripe", 1, 899),
        ("tokens_100", "revenuecat", 1, 499),
        ("tokens_100", "stripe", 2, 998),
    ]
    (back,) = sales["days"][-1]["takenBack"]
    assert (back["dispute"], back["payments"], back["minor"]) == (False, 1, 250)
    assert (sales["unclaimed"], sales["given"], sales["booked"]) == (1, 249, 249)
    assert alerts(shop.cloud, "billing_drift") == alerts(shop.cloud, "billing_silent") == {}


def test_books_that_do_not_agree_are_told_of(shop: Shop) -> None:
    """Once a day: somebody has written into a ledger by hand."""
    shop.buy()
    (payment,) = shop.payments()
    shop.cloud.client.document(f"users/ann/ledger/buy:{payment}").update({"bought": 7})
    for _ in range(3):
        shop.later(days=1)
    told = alerts(shop.cloud, "billing_drift")
    assert len(told) == 3
    assert "given 100 tokens, the ledgers have 7" in next(iter(told.values()))["text"]


def test_sales_without_an_event_are_told_of() -> None:
    """The webhook is not set up, or not any more: the cron has credited what it should have told us of."""
    shop = Shop(deaf=True).visited()
    shop.buy()
    shop.later(minutes=15)
    shop.later(days=1)
    (told,) = alerts(shop.cloud, "billing_silent").values()
    assert "bought by stripe" in told["text"]


def test_that_events_arrive_is_stored_now_and_then(shop: Shop) -> None:
    """Once an hour and process: an event that changes nothing writes nothing else."""
    shop.buy()
    first = stored(shop.cloud, "stats/heard")["at"]["stripe"]
    shop.tick(minutes=30)
    shop.buy()
    assert stored(shop.cloud, "stats/heard")["at"]["stripe"] == first
    shop.tick(minutes=31)
    shop.buy()
    assert stored(shop.cloud, "stats/heard")["at"]["stripe"] > first
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.tick()
    assert set(stored(shop.cloud, "stats/heard")["at"]) == {"stripe", "revenuecat"}
