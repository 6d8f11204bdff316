"""A payer after a look: entries, the plan that is paid for, what waits, and when to look again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.plans import Plan
from functions.core.config.runtime import RuntimeConfig
from functions.core.payments.billing import (
    COLLECTED_AFTER,
    LOOK_EVERY,
    LOOK_FOR,
    Billing,
    Books,
    news_of,
    next_look,
    nothing_new,
    settled,
)
from functions.core.payments.looks import Look
from functions.core.payments.payments import ABSENT_FOR, Facts, Payment, Provider, Reversal, Stage
from functions.core.payments.subscriptions import Status, Subscription
from functions.core.shared.alerts import AlertKind
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Reason, Wallet, empty_wallet
from tests.builders import NOW

DAY = timedelta(days=1)
RUNTIME = RuntimeConfig()
REVIEWED = RuntimeConfig.model_validate({"billing": {"sandboxUids": ["ann"], "sandboxTokensMax": 150}})
PAID = Facts(paid_minor=499)
STORES = "revenuecat:1"


def pack(name: str = STORES, uid: str = "ann", **changes: Any) -> Payment:
    """Return a paid pack of a hundred tokens as a provider shows it."""
    fields = {"payment_id": name, "reason": Reason.BUY, "uid": uid, "product": "pack", "tokens": 100}
    return Payment(**{**fields, "currency": "usd", "facts": PAID, **changes})


def pro(days: int = 30, **changes: Any) -> Subscription:
    """Return a subscription for pro whose period ends in so many days."""
    fields = {"provider": Provider.REVENUECAT, "plan": Plan.PRO, "status": Status.ACTIVE}
    return Subscription(**{**fields, "period_end": NOW + days * DAY, **changes})


def look(*payments: Payment, uid: str = "ann", whole: bool = True, **given: Any) -> Look:
    """Return what RevenueCat shows of a user."""
    return Look(Provider.REVENUECAT, uid, given.pop("at", NOW), payments, whole=whole, **given)


def books(**wallets: Wallet | None) -> Books:
    """Return the books of users who have bought nothing yet."""
    return Books(Billing(), {}, wallets or {"ann": empty_wallet(NOW)})


def after(known: Books, seen: Look, runtime: RuntimeConfig = RUNTIME) -> Books:
    """Return the books after a look, as the next transaction reads them."""
    found = settled(known, seen, runtime, seen.at)
    stored = {uid: account.wallet for uid, account in found.accounts.items()}
    return replace(found, wallets={**found.wallets, **stored}, accounts={})


def entries(found: Books, uid: str = "ann") -> list[tuple[str, int]]:
    """Return what was posted to a user."""
    account = found.accounts.get(uid) or Account(empty_wallet(NOW))
    return [(entry.entry_id, entry.bought) for entry in account.new_entries]


def purchased(found: Books, uid: str = "ann") -> int | None:
    """Return a user's bought tokens; None without a wallet."""
    wallet = found.wallets[uid]
    return wallet.purchased if wallet else None


def test_what_is_shown_is_credited_once() -> None:
    """The payment is its payer's and its holder's; the same look again posts nothing."""
    first = settled(books(), look(pack()), RUNTIME, NOW)
    assert entries(first) == [("buy:revenuecat:1", 100)]
    assert (first.payments[STORES].uid, first.payments[STORES].holder) == ("ann", "ann")
    known = after(books(), look(pack()))
    again = settled(known, look(pack()), RUNTIME, NOW)
    assert (again.accounts, again.payments, again.billing) == ({}, known.payments, known.billing)


def test_a_payment_of_somebody_without_a_wallet_waits() -> None:
    """Operators are told once; it is claimed by the look after the first visit, or by whoever it is shown to then."""
    nobody = books(ann=None)
    waiting = settled(nobody, look(pack()), RUNTIME, NOW)
    assert (waiting.accounts, waiting.payments[STORES].uid) == ({}, None)
    assert list(news_of(nobody, waiting, look(pack()))) == [AlertKind.PAYMENT_WAITS]
    assert news_of(waiting, waiting, look(pack())) == {}
    here = replace(waiting, wallets={"ann": None, "bob": empty_wallet(NOW)}, billing=Billing())
    claimed = settled(here, look(pack(uid="bob"), uid="bob"), RUNTIME, NOW)
    assert entries(claimed, "bob") == [("buy:revenuecat:1", 100)]


def test_a_refund_of_somebody_who_has_left_makes_nobody_anew() -> None:
    """The payment knows of it, and there is no wallet that it could be taken from."""
    known = after(books(), look(pack()))
    gone = settled(replace(known, wallets={"ann": None}), look(refunded=frozenset({STORES})), RUNTIME, NOW)
    assert (gone.accounts, gone.payments[STORES].given) == ({}, 100)
    assert gone.payments[STORES].facts.reversals


def test_a_pack_for_a_team_is_the_teams() -> None:
    """Whatever becomes of its buyer; a refund leaves the team with what it owes. After the team it is given to nobody,
    and one that is new then waits."""
    bought = pack("stripe:pi_1", team_id="green")
    both = books(**{"ann": empty_wallet(NOW), "team/green": empty_wallet(NOW)})
    known = after(both, look(bought, whole=False))
    assert (purchased(known), purchased(known, "team/green"), known.payments["stripe:pi_1"].uid) == (0, 100, "ann")
    spent = Account(empty_wallet(NOW)).post(0, Reason.BUY, "1", NOW, bought=30).wallet
    left = replace(known, wallets={"ann": None, "team/green": spent})
    refunded = look(bought.told(Facts(reversals={"re_1": Reversal(minor=499, stage=Stage.TAKEN)})), whole=False)
    wallet = after(left, refunded).wallets["team/green"]
    assert wallet is not None
    assert (wallet.balance, wallet.owed) == (0, 70)
    closed = books(**{"ann": empty_wallet(NOW), "team/green": None})
    waits = settled(closed, look(bought, whole=False), RUNTIME, NOW)
    assert (waits.accounts, waits.payments["stripe:pi_1"].uid) == ({}, None)


def test_a_pack_that_is_not_shown_is_taken_back_after_two_looks() -> None:
    """And given again when it is shown again: one empty answer costs nobody anything."""
    known = after(books(), look(pack()))
    once = after(known, look(at=NOW + DAY))
    assert (purchased(once), once.billing.look_at) == (100, NOW + DAY + ABSENT_FOR)
    assert not nothing_new(once.billing, look(at=NOW + DAY), 7, NOW + DAY)
    twice = after(once, look(at=NOW + DAY + ABSENT_FOR))
    assert purchased(twice) == 0
    assert purchased(after(twice, look(pack(), at=NOW + 2 * DAY))) == 100


def test_an_event_that_names_a_refund_takes_it_back_at_once() -> None:
    """As far as the answer agrees: a pack that is still shown stays."""
    known, named = after(books(), look(pack())), frozenset({STORES})
    assert purchased(after(known, look(refunded=named))) == 0
    assert purchased(after(known, look(pack(), refunded=named))) == 100


def test_a_look_that_is_not_whole_takes_nothing() -> None:
    """Nor does one at Stripe, which shows a refund for good."""
    known = after(books(), look(pack()))
    for part in (look(whole=False, at=NOW + DAY), replace(look(at=NOW + DAY), provider=Provider.STRIPE)):
        assert settled(known, part, RUNTIME, NOW + DAY).payments == known.payments


def test_what_was_bought_on_the_web_is_missing_in_no_store() -> None:
    """RevenueCat shows what the stores have sold; that a pack of Stripe's is not there is no refund."""
    known = after(books(), look(pack("stripe:pi_1"), whole=False))
    for days in (1, 2, 3):
        known = after(known, look(at=NOW + days * DAY))
    assert purchased(known) == 100


def test_a_transfer_moves_the_purchase_and_no_tokens() -> None:
    """Whoever got the tokens keeps them; the one who holds the purchase is whose looks count, also for its refund."""
    known = after(books(), look(pack()))
    both = replace(known, billing=Billing(), wallets={**known.wallets, "bob": empty_wallet(NOW)})
    moved = after(both, look(pack(uid="bob"), uid="bob"))
    assert (moved.payments[STORES].holder, purchased(moved, "ann"), purchased(moved, "bob")) == ("bob", 100, 0)
    left = after(moved, look(uid="ann", at=NOW + DAY))
    assert purchased(after(left, look(uid="ann", at=NOW + 2 * DAY))) == 100
    refunded = settled(moved, look(uid="bob", refunded=frozenset({STORES})), RUNTIME, NOW)
    assert entries(refunded, "ann") == [("buy:revenuecat:1:1", -100)]


def test_a_sandbox_brings_tokens_to_reviewers_alone() -> None:
    """Up to a cap: App Review buys in the sandbox, and so could everybody."""
    tried = [pack(f"revenuecat:{number}", sandbox=True) for number in (1, 2)]
    assert entries(settled(books(), look(*tried), RUNTIME, NOW)) == []
    reviewed = settled(books(), look(*tried), REVIEWED, NOW)
    assert entries(reviewed) == [("buy:revenuecat:1", 100)]
    assert reviewed.billing.sandbox_tokens == 100
    shown = look(subscriptions={"revenuecat:pro": pro(sandbox=True)})
    plans = [settled(books(), shown, runtime, NOW).billing.subscriptions for runtime in (RUNTIME, REVIEWED)]
    assert [len(each) for each in plans] == [0, 1]


def test_the_plan_follows_the_subscriptions_that_are_shown() -> None:
    """It begins, is not ended by the other provider's look, and ends when its own shows it no more."""
    shown = look(subscriptions={"revenuecat:pro": pro()})
    known = after(books(), shown)
    wallet = known.wallets["ann"]
    assert wallet is not None
    assert (wallet.plan, wallet.plan_seller, wallet.plan_until) == ("pro", "revenuecat", NOW + 37 * DAY)
    at_stripe = Look(Provider.STRIPE, "ann", NOW, customer="cus_1", whole=True)
    other = after(known, at_stripe)
    assert (len(other.billing.subscriptions), other.billing.customer) == (1, "cus_1")
    ended = after(other, look())
    assert ended.wallets["ann"] is not None
    assert (ended.wallets["ann"].plan, ended.billing.subscriptions) == ("free", {})


def test_a_plan_that_hides_a_paid_one_until_some_day_is_looked_at_as_long() -> None:
    """Nothing changes at the seller when it ends. One for good hides it for good."""
    for until, known in ((None, True), (NOW + DAY, False)):
        wallet = empty_wallet(NOW).with_fields(plan=Plan.PRO, plan_until=until)
        seen = look(subscriptions={"revenuecat:s": pro(plan=Plan.PLUS)})
        hidden = after(books(ann=wallet), seen)
        assert nothing_new(hidden.billing, seen, 7, NOW) is known


def test_a_subscription_of_somebody_without_a_wallet_waits_too() -> None:
    """It is known, and is theirs when they come."""
    waiting = settled(books(ann=None), look(subscriptions={"revenuecat:pro": pro()}), RUNTIME, NOW)
    assert (waiting.accounts, len(waiting.billing.subscriptions)) == ({}, 1)
    assert not nothing_new(waiting.billing, look(subscriptions={"revenuecat:pro": pro()}), 7, NOW)


def test_operators_are_told_of_disputes_and_of_what_cannot_be_read() -> None:
    """Once each; a refund is nothing to be told of."""
    stripe = pack("stripe:pi_1")
    known = settled(books(), look(stripe, whole=False), RUNTIME, NOW)
    back = {"re_1": Reversal(minor=1, stage=Stage.TAKEN), "du_1": Reversal(minor=1, stage=Stage.TAKEN)}
    disputed = stripe.model_copy(update={"facts": Facts(paid_minor=499, reversals=back)})
    seen = look(disputed, whole=False, unread=("no product is sold as x",))
    found = settled(known, seen, RUNTIME, NOW)
    assert news_of(known, found, seen) == {
        AlertKind.DISPUTE_OPENED: ["stripe:pi_1 is disputed (du_1)"],
        AlertKind.PAYMENT_WAITS: ["no product is sold as x"],
    }
    assert found.billing.look_at == NOW + LOOK_EVERY
    assert news_of(found, found, look()) == {}
    fresh = settled(books(), seen, RUNTIME, NOW)
    assert AlertKind.DISPUTE_OPENED in news_of(books(), fresh, seen)


def test_the_same_look_is_nothing_new_until_a_plan_ends() -> None:
    """It costs no transaction; but a plan that has run out, or a refund that was named, is looked into."""
    shown = look(pack(), subscriptions={"revenuecat:pro": pro(5)})
    billing = after(books(), shown).billing
    assert nothing_new(billing, shown, 7, NOW + DAY)
    assert not nothing_new(billing, replace(shown, refunded=frozenset({STORES})), 7, NOW + DAY)
    assert not nothing_new(billing, replace(shown, whole=False), 7, NOW + DAY)
    assert not nothing_new(billing, shown, 7, NOW + 12 * DAY)
    assert nothing_new(billing, shown, 7, NOW + 15 * DAY)


@pytest.mark.parametrize(
    ("fields", "after_now"),
    [
        ({}, None),
        ({"shown": {"revenuecat": ""}}, None),
        ({"shown": {"revenuecat": ""}, "bought_at": NOW - LOOK_FOR}, LOOK_EVERY),
        ({"shown": {"revenuecat": ""}, "bought_at": NOW - LOOK_FOR - DAY}, None),
        ({"bought_at": NOW}, None),
        ({"customer": "cus_1", "subscriptions": {"s": pro(5)}}, LOOK_EVERY),
        ({"customer": "cus_1", "subscriptions": {"s": pro(0)}}, COLLECTED_AFTER),
        ({"customer": "cus_1", "subscriptions": {"s": pro(-30, status=Status.ENDED)}}, None),
    ],
)
def test_payers_are_looked_at_while_something_can_come(fields: dict[str, Any], after_now: timedelta | None) -> None:
    """Once a day, when a period has been collected and when a plan ends; never who cannot be looked at as a whole."""
    assert next_look(Billing(**fields), 7, NOW) == (None if after_now is None else NOW + after_now)
