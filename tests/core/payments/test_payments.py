"""Payments: what their facts are worth, in whatever order they are read, and the entries that come of it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.payments.payments import (
    ABSENT_FOR,
    Facts,
    Payment,
    Provider,
    Reversal,
    Stage,
    credited,
    payment_id,
    target,
)
from functions.core.wallet.accounts import Account, charge
from functions.core.wallet.ledger import Reason
from tests.builders import NOW, account

PAID = Facts(paid_minor=200)


def pack(**changes: Any) -> Payment:
    """Return a payment of 100 tokens for $2.00, not yet paid."""
    fields = {"payment_id": "stripe:pi_1", "reason": Reason.BUY, "uid": "ana", "product": "pack100", "tokens": 100}
    return Payment(**{**fields, "currency": "usd", **changes})


def reversed_by(**stages: Stage | tuple[Stage, int | None]) -> Facts:
    """Return facts of refunds and disputes, each of one dollar unless an amount is beside its stage."""
    told = {name: each if isinstance(each, tuple) else (each, 100) for name, each in stages.items()}
    return Facts(reversals={name: Reversal(stage=stage, minor=minor) for name, (stage, minor) in told.items()})


def statement(account: Account) -> list[tuple[str, int, int]]:
    """Return an account's new entries as lines: what for, bought tokens, balance."""
    return [(entry.entry_id, entry.bought, entry.balance_after) for entry in account.new_entries]


def told(payment: Payment, account: Account, *reads: Facts) -> tuple[Payment, Account]:
    """Return payment and account after these reads, each credited."""
    for facts in reads:
        payment, account = credited(payment.told(facts), account, NOW)
    return payment, account


def test_a_payment_reads_like_a_bank_statement() -> None:
    """Paid, half of it refunded, disputed, won, lost in a second dispute: an entry each, named by the payment."""
    payment, ledger = told(
        pack(),
        account(),
        Facts(),
        PAID,
        reversed_by(re_1=Stage.TAKEN),
        reversed_by(dp_1=Stage.ANNOUNCED),
        reversed_by(dp_1=Stage.TAKEN),
        reversed_by(dp_1=Stage.RETURNED),
        reversed_by(dp_2=(Stage.LOST, None)),
    )
    assert statement(ledger) == [
        ("buy:stripe:pi_1", +100, 100),
        ("buy:stripe:pi_1:1", -50, 50),
        ("buy:stripe:pi_1:2", -50, 0),
        ("buy:stripe:pi_1:3", +50, 50),
        ("buy:stripe:pi_1:4", -50, 0),
    ]
    assert (payment.given, payment.moves) == (0, 5)
    assert ledger.new_entries[1].detail == {"product": "pack100", "tokens": "-50"}


def test_the_same_read_twice_posts_nothing() -> None:
    """Redelivered, or the same payment under another event: neither entry nor change."""
    once = told(pack(), account(), PAID)
    assert told(*once, PAID, Facts(), PAID) == once


def test_a_stale_read_takes_nothing_back() -> None:
    """A read from before the payment, from before a refund, or from before a dispute was won changes nothing."""
    facts = (PAID, reversed_by(re_1=Stage.TAKEN, dp_1=Stage.TAKEN), reversed_by(dp_1=Stage.RETURNED))
    fresh = told(pack(), account(), *facts)
    assert told(*fresh, Facts(), *reversed(facts)) == fresh


@pytest.mark.parametrize(
    ("facts", "tokens"),
    [
        (Facts(), 0),
        (PAID, 100),
        (Facts(paid_minor=0), 100),
        (PAID.joined(reversed_by(re_1=(Stage.TAKEN, 1))), 99),
        (PAID.joined(reversed_by(re_1=(Stage.TAKEN, 66), re_2=(Stage.TAKEN, 67))), 33),
        (PAID.joined(reversed_by(re_1=(Stage.TAKEN, 150), dp_1=(Stage.LOST, 150))), 0),
        (PAID.joined(reversed_by(re_1=(Stage.RETURNED, 150), dp_1=(Stage.ANNOUNCED, None))), 100),
        (PAID.joined(reversed_by(dp_1=(Stage.TAKEN, None))), 0),
        (Facts(paid_minor=0, reversals=reversed_by(dp_1=(Stage.TAKEN, 5)).reversals), 100),
    ],
)
def test_what_a_payment_is_worth(facts: Facts, tokens: int) -> None:
    """Its share of what was paid and not taken back, rounded down; all of it for a payment of nothing."""
    assert target(pack(facts=facts)) == tokens


def test_money_of_a_test_system_is_worth_nothing() -> None:
    """Whoever buys in a store's sandbox gets no tokens that cost real money."""
    payment, ledger = told(pack(sandbox=True), account(), PAID)
    assert (target(payment), ledger) == (0, account())


def test_an_unclaimed_payment_waits_for_its_payer() -> None:
    """It is kept with its facts, and credited once it is known whose it is."""
    unclaimed, ledger = told(pack(uid=None), account(), PAID)
    assert (unclaimed.facts, ledger) == (PAID, account())
    claimed, ledger = told(unclaimed.model_copy(update={"uid": "ana"}), ledger, Facts())
    assert (claimed.given, ledger.wallet.purchased) == (100, 100)


def test_a_refund_after_spending_is_owed_to_the_last_token() -> None:
    """90 of 100 tokens are spent, three quarters are refunded: ten come from the balance, 65 are owed."""
    payment, ledger = told(pack(), account(), PAID)
    payment, ledger = told(payment, charge(ledger, "bottle", 90, NOW), reversed_by(re_1=(Stage.TAKEN, 150)))
    assert (ledger.wallet.balance, ledger.wallet.owed) == (0, 65)
    payment, ledger = told(payment, ledger, reversed_by(re_1=(Stage.RETURNED, 150)))
    assert (ledger.wallet.balance, ledger.wallet.purchased, ledger.wallet.owed) == (10, 10, 0)


def test_a_paid_period_has_entries_of_its_own() -> None:
    """Named by subscription and period, so that a second invoice for the same period brings nothing."""
    name = payment_id(Provider.STRIPE, "sub_1", "1767225600")
    _, ledger = told(pack(payment_id=name, reason=Reason.PERIOD), account(), PAID, Facts(paid_minor=50))
    assert statement(ledger) == [("period:stripe:sub_1:1767225600", +100, 100)]


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "x" * 129, "ü"])
def test_a_name_that_fits_into_no_path_is_refused(name: str) -> None:
    """A store's id ends up in the name of a document and of ledger entries."""
    with pytest.raises(ValueError, match="stripe"):
        payment_id(Provider.STRIPE, name)
    assert payment_id(Provider.REVENUECAT, "GPA.3345-1234..0") == "revenuecat:GPA.3345-1234..0"


def test_one_empty_answer_takes_nothing_back() -> None:
    """Only a second one some time later does; a read that shows the payment again gives the tokens back."""
    payment, ledger = told(pack(), account(), PAID)
    steps: list[tuple[timedelta, bool, int]] = [
        (timedelta(0), False, 100),
        (ABSENT_FOR - timedelta(seconds=1), False, 100),
        (timedelta(0), True, 100),
        (ABSENT_FOR - timedelta(seconds=1), False, 100),
        (ABSENT_FOR, False, 100),
        (2 * ABSENT_FOR, False, 0),
        (3 * ABSENT_FOR, False, 0),
        (timedelta(0), True, 100),
    ]
    for after, shown, balance in steps:
        read = payment.told(PAID) if shown else payment.absent(NOW + after, named=False)
        payment, ledger = credited(read, ledger, NOW)
        assert ledger.wallet.balance == balance, after
    payment, ledger = credited(payment.absent(NOW, named=True), ledger, NOW)
    assert (ledger.wallet.balance, list(payment.facts.reversals)) == (0, ["absent:0", "absent:1"])


def test_a_period_that_is_shown_no_more_is_over_and_not_refunded() -> None:
    """RevenueCat shows the last period of a subscription alone."""
    name = payment_id(Provider.REVENUECAT, "270001", "1767225600")
    payment, ledger = told(pack(payment_id=name, reason=Reason.PERIOD), account(), PAID)
    later = payment.absent(NOW, named=True).absent(NOW + ABSENT_FOR, named=False)
    assert credited(later, ledger, NOW) == (payment, ledger)


def test_a_stage_of_a_newer_release_stays() -> None:
    """It is above those that we know, and the payment is left to the release that knows what it comes to."""
    newer = Facts(reversals={"dp_1": Reversal.model_validate({"minor": 5, "stage": "arbitrated"})})
    for facts in (newer.joined(reversed_by(dp_1=Stage.LOST)), reversed_by(dp_1=Stage.LOST).joined(newer)):
        assert facts.reversals["dp_1"].stage == "arbitrated"
        payment = pack(facts=PAID.joined(facts), given=50, moves=2)
        assert credited(payment, account(), NOW) == (payment, account())


reversals = st.builds(Reversal, minor=st.none() | st.integers(0, 300), stage=st.sampled_from(Stage))
facts = st.builds(
    Facts,
    paid_minor=st.none() | st.integers(0, 300),
    reversals=st.dictionaries(st.sampled_from(["re_1", "re_2", "dp_1"]), reversals),
)


@given(reads=st.lists(facts, max_size=6), data=st.data())
def test_reads_lead_to_the_same_tokens_in_any_order_and_number(reads: list[Facts], data: st.DataObject) -> None:
    """What is given is what all reads together are worth: the sum of the entries, never below zero or above the
    product."""
    payment, ledger = told(pack(), account(), *reads)
    again = data.draw(st.permutations(reads)) + data.draw(st.lists(st.sampled_from(reads) if reads else st.nothing()))
    other, other_ledger = told(pack(), account(), *again)
    assert other.facts == payment.facts
    assert target(payment) == payment.given == other.given == sum(each.bought for each in ledger.new_entries)
    assert 0 <= payment.given <= payment.tokens
    assert ledger.wallet.balance == other_ledger.wallet.balance
    assert len({entry.entry_id for entry in ledger.new_entries}) == len(ledger.new_entries) == payment.moves


@given(one=facts, two=facts, three=facts)
def test_joining_has_no_order_and_no_number(one: Facts, two: Facts, three: Facts) -> None:
    """It is commutative, associative and idempotent."""
    assert one.joined(two) == two.joined(one)
    assert one.joined(two).joined(three) == one.joined(two.joined(three))
    assert one.joined(one) == one
