"""A day's sales, and what operators are told of them."""

from datetime import timedelta
from typing import Any

from functions.core.payments.payments import Facts, Payment, Reversal, Stage
from functions.core.payments.sales import (
    DAYS_KEPT,
    PAYMENTS_MAX,
    SILENT,
    Heard,
    Sales,
    SalesDay,
    Sold,
    TakenBack,
    complaints,
    counted,
    days_due,
    sales_day,
)
from functions.core.shared.alerts import AlertKind
from functions.core.shared.utc_days import day_of
from functions.core.wallet.ledger import Reason
from tests.builders import NOW

DAY = timedelta(days=1)
TODAY = day_of(NOW)
TAKEN = Reversal(minor=100, stage=Stage.TAKEN)


def paid(name: str = "stripe:pi_1", seconds: int = 5, **changes: Any) -> Payment:
    """Return a pack of $4.99 that was credited so many seconds after it was paid."""
    fields = {"payment_id": name, "reason": Reason.BUY, "uid": "ann", "product": "pack", "tokens": 100, "given": 100}
    facts = Facts(paid_minor=499, reversals=changes.pop("reversals", {}))
    times = {"met_at": NOW, "paid_at": NOW - timedelta(seconds=seconds)}
    return Payment(**{**fields, "currency": "usd", "facts": facts, **times, **changes}).noted(NOW)


def sold(*rows: SalesDay, **fields: Any) -> Sales:
    """Return what was counted: one pack on a day, unless other rows are given."""
    return Sales(days=rows or (sales_day(TODAY, [paid()], []),), **fields)


def test_a_day_is_the_sum_of_its_payments() -> None:
    """By product, seller and currency; money of a test system, and what is not paid, is none."""
    ours = [paid(), paid("stripe:pi_2"), paid("revenuecat:3", currency="inr"), paid("stripe:pi_4", product="pro")]
    nothing = [paid("revenuecat:5", sandbox=True), paid("stripe:pi_6", facts=Facts(), met_at=None)]
    assert sales_day(TODAY, [*ours, *nothing], []).sold == (
        Sold(product="pack", provider="revenuecat", currency="inr", payments=1, minor=499, tokens=100),
        Sold(product="pack", provider="stripe", currency="usd", payments=2, minor=998, tokens=200),
        Sold(product="pro", provider="stripe", currency="usd", payments=1, minor=499, tokens=100),
    )


def test_what_is_taken_back_counts_on_the_day_on_which_we_learn_of_it() -> None:
    """Refunds and disputes apart; one that was won, or only announced, takes nothing."""
    stages = {"re_1": TAKEN, "re_2": TAKEN, "du_3": Reversal(minor=None, stage=Stage.LOST)}
    nothing = {"re_4": Reversal(minor=9, stage=Stage.RETURNED), "dp_5": Reversal(minor=9, stage=Stage.ANNOUNCED)}
    changed = paid(reversals={**stages, **nothing}, reversals_at={"re_2": NOW - DAY})
    tested = paid(sandbox=True, reversals={"re_6": TAKEN})
    day = sales_day(TODAY, [], [changed, tested, paid(reversals={"re_7": TAKEN})])
    assert day.taken_back == (
        TakenBack(dispute=False, currency="usd", payments=2, minor=200),
        TakenBack(dispute=True, currency="usd", payments=1, minor=499),
    )
    assert changed.reversed_at == NOW
    later = changed.noted(NOW + DAY)
    assert (later.reversals_at["re_2"], later.reversed_at, later.met_at) == (NOW - DAY, NOW, NOW)


def test_how_long_a_payment_waits_for_its_tokens() -> None:
    """Half of them, and 95 of 100; a clock that is ahead of ours makes no wait."""
    waits = [paid(f"stripe:pi_{seconds}", seconds) for seconds in range(-1, 100)]
    day = sales_day(TODAY, waits, [])
    assert (day.credit_seconds_half, day.credit_seconds_most) == (49, 94)
    assert sales_day(TODAY, [paid(paid_at=None)], []).credit_seconds_half is None
    assert not day.more
    assert sales_day(TODAY, [], [paid()] * PAYMENTS_MAX).more


def test_who_has_no_wallet_is_noted_until_one_is_there() -> None:
    """Since when a payment waits; not any more once it has a payer."""
    waiting = paid(uid=None)
    assert waiting.unclaimed_since == NOW
    assert waiting.noted(NOW + DAY).unclaimed_since == NOW
    assert waiting.model_copy(update={"uid": "ann"}).noted(NOW).unclaimed_since is None


def test_each_day_is_counted_once_it_is_over() -> None:
    """At first yesterday alone; later the days that were missed, but no more than are kept."""
    yesterday = day_of(NOW - DAY)
    assert days_due(Sales(), NOW) == [yesterday]
    assert days_due(sold(SalesDay(day=yesterday)), NOW) == []
    assert days_due(sold(SalesDay(day=day_of(NOW - 3 * DAY))), NOW) == [day_of(NOW - 2 * DAY), yesterday]
    assert len(days_due(sold(SalesDay(day="2020-01-01")), NOW)) == DAYS_KEPT


def test_the_last_days_are_kept() -> None:
    """With what held when they were counted."""
    many = [SalesDay(day=f"day {number}") for number in range(DAYS_KEPT)]
    after = counted(sold(), many, 1, 300, 200, NOW)
    assert after == Sales(at=NOW, days=tuple(many), unclaimed=1, given=300, booked=200)


def test_operators_hear_of_books_that_do_not_agree() -> None:
    """And of nothing while they do."""
    heard = Heard(at={"stripe": NOW})
    assert complaints(sold(given=300, booked=300), heard, NOW) == {}
    assert complaints(sold(given=300, booked=200), heard, NOW) == {
        AlertKind.BILLING_DRIFT: "Payments say that they have given 300 tokens, the ledgers have 200 from them."
    }


def test_operators_hear_of_sales_without_an_event() -> None:
    """Of each seller who has sold; not while nobody buys."""
    told = complaints(sold(), Heard(), NOW)
    assert list(told) == [AlertKind.BILLING_SILENT]
    assert told == complaints(sold(), Heard(at={"stripe": NOW - SILENT - timedelta(seconds=1)}), NOW)
    assert complaints(sold(), Heard(at={"stripe": NOW - SILENT}), NOW) == {}
    assert complaints(sold(SalesDay(day=TODAY)), Heard(), NOW) == {}
