"""Pay per use: packs that are bought by themselves, with a saved card and under the user's own cap."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.payments.refusals import (
    PaymentMethodNeeded,
    PurchaseNotHere,
    SpendingLimit,
)
from functions.core.shared.errors import InvalidRequest
from functions.use_cases.payments.get_billing import GetBilling, get_billing
from functions.use_cases.payments.sync_purchases import SyncPurchases, sync_purchases
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from scripts.shop_in_process import Shop
from tests.steps import alerts, classify

NEEDS_AUTHENTICATION, DECLINED_LATER = "4000002760003184", "4000000000000341"


@pytest.fixture
def paying(shop: Shop) -> Shop:
    """A shop whose ann has saved a card with a pack, allows $5.00 a month, and has one token left."""
    shop.buy(saveCard=True)
    assert shop.allow(500)["payPerUse"]["monthMaxMinor"] == 500
    shop.spend(left=1)
    return shop


def state(shop: Shop) -> dict[str, Any]:
    """Return what ann is shown of it."""
    found: dict[str, Any] = get_billing(GetBilling(), "ann", shop.cloud.deps)["payPerUse"]
    return found


def automatic(shop: Shop) -> list[Any]:
    """Return the payments at Stripe that nobody was there for, the newest first."""
    return [each for each in shop.client.payment_intents.list({"limit": 100}).data if "pack" in each.metadata]


def test_a_pack_is_bought_when_the_balance_runs_low(paying: Shop) -> None:
    """By the next run of the cron; once, as a payment like any other, and not again while there is enough."""
    assert paying.later(minutes=15)["packs"] == 1
    assert (paying.wallet()["balance"], paying.tokens(), paying.bought()[-1]) == (41, (41, 0), ("buy", 40))
    (intent,) = automatic(paying)
    assert (intent.amount, intent.metadata["uid"], intent.metadata["product"]) == (200, "ann", "pay_per_use")
    assert (state(paying)["spentMinor"], paying.payer()["payPerUse"]["pending"]) == (200, None)
    assert paying.later(minutes=15)["packs"] == 0
    paying.client.refunds.create({"payment_intent": intent.id})
    paying.tick()
    assert paying.tokens() == (1, 0)


@pytest.mark.parametrize("by_hand", [True, False])
def test_whoever_gets_money_back_is_not_charged_for_it_again(paying: Shop, *, by_hand: bool) -> None:
    """What a refund takes off the balance would be bought anew. The user may turn it on again."""
    paying.later(minutes=15)
    (intent,) = automatic(paying)
    bought = intent.id if by_hand else paying.client.payment_intents.list({"limit": 100}).data[-1].id
    paying.spend(left=10)
    paying.client.refunds.create({"payment_intent": bought})
    paying.tick()
    assert (paying.wallet()["balance"], state(paying)["stopped"]) == (0, "purchase_taken_back")
    for _ in range(3):
        paying.later(days=1)
    assert len(automatic(paying)) == 1
    paying.allow(500)
    assert (len(automatic(paying)), state(paying)["stopped"]) == (2, None)


@pytest.mark.parametrize("off", [{"sellOn": []}, {"payPerUse": {"monthlyMaxMinor": 0}}])
def test_an_operator_who_sells_no_more_charges_no_saved_card(paying: Shop, off: dict[str, Any]) -> None:
    """Whoever has allowed packs keeps that, and has one within a day of sales beginning again."""
    paying.cloud.configure({"billing": {**paying.billing, **off}})
    paying.later(minutes=15)
    assert (automatic(paying), paying.wallet()["balance"]) == ([], 1)
    paying.cloud.configure({"billing": paying.billing})
    paying.later(hours=25)
    assert len(automatic(paying)) == 1


def test_the_app_need_not_wait_for_the_cron(paying: Shop) -> None:
    """The same call again, after a refusal for want of tokens, buys at once; and a third one buys nothing."""
    assert paying.allow(500)["balance"] == 41
    assert paying.allow(500)["balance"] == 41
    assert len(automatic(paying)) == 1


def test_nothing_passes_the_users_own_cap(paying: Shop) -> None:
    """Two packs of $2.00 in $5.00; the third waits for the next month, or for a higher cap."""
    for _ in range(2):
        paying.later(minutes=15)
        paying.spend()
    paying.later(minutes=15)
    assert (len(automatic(paying)), paying.wallet()["balance"]) == (2, 0)
    assert f"{paying.wallet()['topUpAt']:%Y-%m-%d}" == "2026-12-01"
    with pytest.raises(SpendingLimit) as limited:
        paying.allow(500)
    assert limited.value.details == {
        "monthMaxMinor": 500,
        "spentMinor": 400,
        "currency": "usd",
        "resetsAt": "2026-12-01T00:00:00Z",
    }
    assert paying.allow(600)["balance"] == 40
    paying.spend()
    paying.later(minutes=15)
    paying.later(days=10)
    assert (len(automatic(paying)), paying.wallet()["balance"], state(paying)["spentMinor"]) == (4, 40, 200)


@pytest.mark.parametrize(
    ("number", "why"), [(NEEDS_AUTHENTICATION, "authentication_required"), (DECLINED_LATER, "card_declined")]
)
def test_a_bank_that_says_no_ends_it_and_the_user_is_told_why(shop: Shop, number: str, why: str) -> None:
    """Nothing is bought any more, nor counted, until the user says so again, with another card."""
    shop.buy(number=number, saveCard=True)
    shop.allow(500)
    shop.spend()
    shop.later(minutes=15)
    assert (state(shop)["stopped"], state(shop)["spentMinor"], shop.wallet()["balance"]) == (why, 0, 0)
    assert shop.later(minutes=15)["packs"] == 0
    shop.buy(saveCard=True)
    shop.spend()
    assert (shop.allow(500)["balance"], state(shop)["stopped"]) == (40, None)


def test_without_a_saved_card_nothing_can_be_allowed(shop: Shop) -> None:
    """A pack that was paid without saving the card is no consent; a plan's card is saved; a card can be gone."""
    for _ in range(2):
        with pytest.raises(PaymentMethodNeeded):
            shop.allow(500)
        shop.buy()
    shop.buy("pro_month")
    shop.allow(500)
    shop.spend()
    shop.cloud.stripe.faults.add("not_found", endpoint="POST /v1/payment_intents")
    shop.later(minutes=15)
    assert state(shop)["stopped"] == "payment_method_gone"


@pytest.mark.parametrize("minor", [1, 199, 5_001])
def test_a_cap_is_between_a_pack_and_what_the_operator_takes(paying: Shop, minor: int) -> None:
    """Anything else is refused, and changes nothing."""
    with pytest.raises(InvalidRequest):
        paying.allow(minor)
    assert state(paying)["monthMaxMinor"] == 500


def test_it_is_not_there_where_nothing_is_sold_on_the_web() -> None:
    """Stores allow no such thing in an app; whoever had it can turn it off."""
    shop = Shop(sellOn=["ios"]).visited()
    with pytest.raises(PurchaseNotHere):
        shop.allow(500)
    assert shop.allow(0)["payPerUse"]["monthMaxMinor"] == 0


def test_it_is_turned_off_by_a_cap_of_nothing(paying: Shop) -> None:
    """The balance may run out then."""
    paying.allow(0)
    paying.later(minutes=15)
    assert (paying.wallet()["balance"], paying.wallet()["topUpAt"], automatic(paying)) == (1, None, [])


def test_a_lost_reply_is_no_second_pack(paying: Shop) -> None:
    """The pack is found at Stripe by its key, even when the idempotency key is long forgotten there."""
    paying.cloud.stripe.faults.add("reply_lost", endpoint="POST /v1/payment_intents")
    paying.later(minutes=15)
    assert (paying.wallet()["balance"], len(automatic(paying))) == (1, 1)
    paying.later(days=3)
    assert (paying.wallet()["balance"], len(automatic(paying)), state(paying)["spentMinor"]) == (41, 1, 200)


def test_two_who_find_the_balance_low_buy_one_pack(paying: Shop) -> None:
    """Whoever comes second finds that the payer has changed since the balance was read, and looks again."""
    deps, cloud = paying.cloud.deps, paying.cloud
    asked: list[str] = []

    def meanwhile(call: str, when: str) -> None:
        if (call, when) == ("stripe.saved_method", "before"):
            asked.append(call)
        if len(asked) == 2:  # the first one is asked whether there is a card
            cloud.interrupt = lambda _call, _when: None
            paying.allow(500)

    cloud.interrupt = meanwhile
    paying.allow(500)
    assert len(asked) == 2
    assert (len(automatic(paying)), paying.wallet()["balance"]) == (1, 41)
    assert sync_purchases(SyncPurchases(), "ann", deps)["balance"] == 41


def test_on_an_unlimited_plan_nothing_is_bought(paying: Shop) -> None:
    """Its photos take no tokens. Once it has ended, a pack is bought within a day."""
    paying.cloud.client.document("users/ann/wallet/main").update({"plan": "enterprise"})
    paying.later(minutes=15)
    assert (automatic(paying), classify(paying.cloud, "photo")["tokensCost"]) == ([], 0)
    paying.cloud.client.document("users/ann/wallet/main").update({"plan": "free"})
    paying.later(hours=23)
    assert automatic(paying) == []
    paying.later(hours=2)
    assert len(automatic(paying)) == 1


def test_what_is_spent_while_the_balance_is_looked_at_is_not_forgotten(paying: Shop) -> None:
    """The look found enough; by the time that it says so there is too little, and the next run buys."""
    paying.allow(500)
    cloud = paying.cloud
    paying.spend()
    cloud.deps.store.put_off_top_up("ann", None)
    paying.later(minutes=15)
    assert (len(automatic(paying)), paying.wallet()["balance"]) == (2, 40)


def test_wallets_that_nobody_can_read_keep_nobody_from_a_pack(paying: Shop) -> None:
    """They are first in the line, and more than may fail in a row."""
    damaged = {"balance": "many", "topUpAt": paying.cloud.clock() - timedelta(days=1)}
    for number in range(6):
        paying.cloud.client.document(f"users/damaged-{number}/wallet/main").set(damaged)
    ran = paying.later(minutes=15)
    assert (ran["packs"], ran["damaged"], len(automatic(paying))) == (1, 6, 1)
    paying.spend(left=1)
    assert paying.later(minutes=15)["damaged"] == 0  # they are looked at again after an hour


@pytest.mark.parametrize("asked", [True, False])
def test_whoever_leaves_is_charged_for_nothing_more(paying: Shop, *, asked: bool) -> None:
    """A pack that was intended and not asked for never is; one that was paid waits, and operators are told."""
    paying.cloud.stripe.faults.add("reply_lost" if asked else "unavailable", endpoint="POST /v1/payment_intents")
    paying.later(minutes=15)
    delete_account(DeleteAccount.model_validate({"confirm": "DELETE"}), "ann", paying.cloud.deps)
    for _ in range(3):
        paying.later(days=1)
    assert len(automatic(paying)) == int(asked)
    assert paying.payer()["payPerUse"]["pending"] is None
    assert any("payment_waits" in name for name in alerts(paying.cloud)) is asked


def test_a_pack_that_waits_for_a_bank_is_looked_at_again(shop: Shop) -> None:
    """An hour later; meanwhile nothing is bought twice."""
    shop.buy(number="000123456789", saveCard=True)
    shop.tick(hours=1)
    shop.allow(500)
    shop.spend()
    shop.later(minutes=15)
    assert (shop.wallet()["balance"], len(automatic(shop))) == (0, 1)
    shop.later(hours=2)
    assert (shop.wallet()["balance"], len(automatic(shop))) == (40, 1)
    assert shop.cloud.clock() - shop.wallet()["updatedAt"] < timedelta(hours=3)
