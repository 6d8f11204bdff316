"""Packs that are bought for a team: whoever bought them, and whatever has become of that user, the team has them."""

import pytest

from functions.core.shared.errors import InvalidRequest, KeyReused
from functions.core.teams.refusals import NotTeamAdmin
from functions.core.wallet.refusals import TeamNotFound
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.teams.change_member import ChangeMember, change_member
from scripts.shop_in_process import Shop
from tests.steps import alerts, classify, listed


def leave(shop: Shop, team_id: str, uid: str) -> None:
    """Take a member out of the team."""
    change_member(ChangeMember.model_validate({"teamId": team_id, "uid": uid, "remove": True}), "ann", shop.cloud.deps)


def delete(shop: Shop, uid: str) -> None:
    """Have a user delete the account."""
    delete_account(DeleteAccount(confirm="DELETE"), uid, shop.cloud.deps)


def test_a_pack_for_a_team_is_in_the_teams_wallet(shop: Shop) -> None:
    """Once, by an admin of it, and nothing is in the buyer's own; members spend it."""
    team_id = shop.team("ann", "bob")
    shop.buy(uid="bob", payer=team_id)
    payee = f"teams/{team_id}"
    assert (shop.bought(payee), shop.tokens(payee), shop.entries("bob")) == ([("buy", 100)], (100, 0), [])
    ((name, payment),) = shop.payments().items()
    assert (payment["uid"], payment["teamId"], payment["holder"], payment["given"]) == ("bob", team_id, "bob", 100)
    classify(shop.cloud, "photo", "batch", "bob", payer=team_id)
    assert shop.tokens(payee) == (99, 0)
    assert name.startswith("stripe:pi_")
    for _ in range(3):
        shop.later(minutes=30)
    assert shop.bought(payee) == [("buy", 100)]


def test_a_lost_event_of_a_teams_pack_is_made_up_for() -> None:
    """The cron sees the page paid, and the buyer's app may say so before."""
    shop = Shop(deaf=True).visited()
    team_id = shop.team()
    shop.buy(payer=team_id)
    session = shop.buy(payer=team_id)
    shop.sync(checkoutId=session["checkoutId"])
    assert shop.tokens(f"teams/{team_id}") == (100, 0)
    shop.later(minutes=15)
    assert (shop.tokens(f"teams/{team_id}"), shop.tokens()) == ((200, 0), (0, 0))


def test_whoever_may_not_buy_for_a_team_is_told_so(shop: Shop) -> None:
    """Members do not, and strangers hear that there is no such team; nothing is kept of it."""
    team_id = shop.team("ann", "bob")
    change_member(
        ChangeMember.model_validate({"teamId": team_id, "uid": "bob", "role": "member"}), "ann", shop.cloud.deps
    )
    for uid, refusal in (("bob", NotTeamAdmin), ("eve", TeamNotFound)):
        with pytest.raises(refusal):
            shop.start(uid=uid, payer=team_id)
    for product, saved in (("pro_month", False), ("tokens_100", True)):
        with pytest.raises(InvalidRequest):
            shop.start(product, payer=team_id, saveCard=saved)
    assert listed(shop.cloud, "checkouts") == {}
    shop.start(key="one-key-1234", payer=team_id)
    with pytest.raises(KeyReused, match="payer"):
        shop.start(key="one-key-1234")


def test_refunds_and_disputes_of_a_teams_pack_are_the_teams(shop: Shop) -> None:
    """What was spent by then the team owes, and its next purchase pays that first. The buyer owes nothing."""
    team_id = shop.team("ann", "bob")
    payee = f"teams/{team_id}"
    intent = shop.buy(uid="bob", payer=team_id)["payment_intent"]
    for number in range(8):
        classify(shop.cloud, f"photo-{number}", "instant", "ann", payer=team_id)
    leave(shop, team_id, "bob")
    shop.client.refunds.create({"payment_intent": intent})
    shop.tick()
    assert (shop.tokens(payee), shop.wallet(payee)["balance"], shop.tokens("bob")) == ((0, 40), 0, (0, 0))
    shop.buy(payer=team_id)
    assert (shop.tokens(payee), shop.tokens()) == ((60, 0), (0, 0))


def test_a_purchase_stays_the_teams_when_its_buyer_goes(shop: Shop) -> None:
    """Out of the team, or out of the app, before it was paid or after."""
    team_id = shop.team("ann", "bob", "cid")
    pages = {uid: shop.start(uid=uid, payer=team_id)["url"].rpartition("/")[2] for uid in ("bob", "cid")}
    leave(shop, team_id, "bob")
    delete(shop, "cid")
    for page in pages.values():
        shop.cloud.stripe.pay(page)
    shop.tick()
    assert shop.tokens(f"teams/{team_id}") == (200, 0)
    delete(shop, "bob")
    assert shop.tokens(f"teams/{team_id}") == (200, 0)


def test_what_is_paid_for_a_team_that_is_closed_waits(shop: Shop) -> None:
    """Operators are told. A refund of what the team had when it was closed is taken from nobody."""
    team_id = shop.team()
    payee = f"teams/{team_id}"
    intent = shop.buy(payer=team_id)["payment_intent"]
    page = shop.start(payer=team_id)["url"].rpartition("/")[2]
    delete(shop, "ann")
    shop.cloud.stripe.pay(page)
    shop.client.refunds.create({"payment_intent": intent})
    for _ in range(2):
        shop.later(minutes=31)
    assert (shop.wallet(payee)["balance"], shop.tokens(payee), shop.bought(payee)) == (0, (0, 0), [("buy", 100)])
    (waits,) = [each for each in shop.payments().values() if each["given"] == 0]
    assert (waits["uid"], waits["teamId"], waits["unclaimedSince"] is not None) == (None, team_id, True)
    assert len(alerts(shop.cloud, "payment_waits")) == 1


def test_a_damaged_team_keeps_nobody_from_what_they_buy_in_a_store(shop: Shop) -> None:
    """Who has once bought for it: its pack is no store's, and has nothing to do with the look."""
    team_id = shop.team()
    shop.buy(payer=team_id)
    shop.cloud.client.document(f"teams/{team_id}/wallet/main").update({"balance": "many"})
    shop.cloud.revenuecat.buy("ann", "tokens_100")
    shop.cloud.revenuecat.subscribe("ann", "pro_month")
    shop.sync()
    assert (shop.tokens()[0], shop.plan()) == (200, "pro")
