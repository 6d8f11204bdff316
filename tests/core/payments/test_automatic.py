"""Automatic packs: what is intended, what counts for the user's cap, and what ends it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from functions.core.config.billing import PayPerUseRules
from functions.core.payments.automatic import PayPerUse, after_refund, allowed, intended, intent_asked, paid, refused
from functions.core.payments.refusals import SpendingLimit
from tests.builders import NOW

RULES, SAVED = PayPerUseRules(), ("cus_1", "pm_1")
ALLOWED = allowed(None, 500)
DECEMBER = NOW + timedelta(days=10)


def pending(known: PayPerUse = ALLOWED, now: Any = NOW) -> PayPerUse:
    """Return the state with a pack intended."""
    return intended(known, "ann", SAVED, RULES, now)


def test_what_is_intended_counts_before_anybody_is_asked() -> None:
    """Two packs of $2.00 in $5.00; a third one is refused until the next month, which begins with nothing spent."""
    assert (ALLOWED.spent_in(NOW), pending().spent_in(NOW), pending().month) == (0, 200, "2026-11")
    twice = pending(paid(pending()))
    with pytest.raises(SpendingLimit) as limited:
        pending(paid(twice))
    assert limited.value.details == {
        "monthMaxMinor": 500,
        "spentMinor": 400,
        "currency": "usd",
        "resetsAt": "2026-12-01T00:00:00Z",
    }
    assert (twice.spent_in(DECEMBER), pending(paid(twice), DECEMBER).spent_minor) == (0, 200)


def test_a_clock_that_goes_back_opens_no_month_again() -> None:
    """What was spent in the later month counts on."""
    december = paid(pending(now=DECEMBER))
    assert (december.spent_in(NOW), pending(december).month, pending(december).spent_minor) == (200, "2026-12", 400)


def test_each_pack_has_a_key_of_its_own() -> None:
    """The same one for every attempt at it, because it is stored; another one for the next."""
    first = pending()
    second = pending(paid(first))
    assert first.pending is not None
    assert second.pending is not None
    assert first.pending.key != second.pending.key
    assert intent_asked(first.pending, "ann") == {
        "amount": 200,
        "currency": "usd",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "off_session": True,
        "confirm": True,
        "metadata": {"uid": "ann", "product": "pay_per_use", "tokens": "40", "pack": first.pending.key},
    }


def test_a_pack_that_is_refused_ends_it_and_counts_for_nothing() -> None:
    """In its own month; one of the month before is not taken off the new one. A new cap lets it go on."""
    stopped = refused(pending(), "card_declined")
    assert (stopped.on, stopped.pending, stopped.spent_minor, stopped.stopped) == (False, None, 0, "card_declined")
    again = allowed(stopped, 300)
    assert (again.on, again.month_max_minor, again.stopped) == (True, 300, None)
    late = refused(pending().model_copy(update={"month": "2026-12", "spent_minor": 200}), "card_declined")
    assert late.spent_minor == 200
    assert refused(ALLOWED, "no_payment_method").spent_minor == 0
    assert allowed(pending(), 0).on is False


def test_a_refund_ends_it_and_leaves_a_pack_that_is_pending() -> None:
    """Nobody knows whether that was asked for. Who has allowed nothing, or knows why it ended, is told nothing new."""
    stopped = after_refund(pending())
    assert stopped == pending().model_copy(update={"stopped": "purchase_taken_back"})
    declined = refused(pending(), "card_declined")
    for known in (None, PayPerUse(), declined):
        assert after_refund(known) == known


def test_a_pack_brings_what_it_costs() -> None:
    """$2.00 at 5 cents are 40 tokens; a pack that brings none cannot be set."""
    assert RULES.tokens == 40
    with pytest.raises(ValidationError, match="at least one token"):
        PayPerUseRules(minor=300, minimum_minor=200)
