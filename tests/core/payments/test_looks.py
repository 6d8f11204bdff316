"""A look: whether two show the same, and whether what is missing has gone."""

from dataclasses import replace
from typing import Any

from functions.core.config.plans import Plan
from functions.core.payments.looks import Look
from functions.core.payments.payments import Facts, Payment, Provider
from functions.core.payments.subscriptions import Status, Subscription
from functions.core.wallet.ledger import Reason
from tests.builders import NOW


def pack(name: str) -> Payment:
    """Return a paid pack."""
    fields: dict[str, Any] = {"reason": Reason.BUY, "uid": "ann", "product": "pack", "tokens": 10, "currency": "usd"}
    return Payment(payment_id=name, facts=Facts(paid_minor=199), **fields)


PRO = Subscription(provider=Provider.STRIPE, plan=Plan.PRO, status=Status.ACTIVE, period_end=NOW)
LOOK = Look(Provider.REVENUECAT, "ann", NOW, (pack("a"), pack("b")), {"pro": PRO}, whole=True)


def test_the_same_is_the_same_in_any_order() -> None:
    """But not with one pack less, another state, or something that was refunded."""
    assert replace(LOOK, payments=LOOK.payments[::-1]).digest == LOOK.digest
    other = PRO.model_copy(update={"renews": False})
    changed = [replace(LOOK, payments=LOOK.payments[:1]), replace(LOOK, subscriptions={"pro": other})]
    assert all(each.digest != LOOK.digest for each in changed)


def test_only_a_whole_look_at_the_stores_tells_by_absence() -> None:
    """Stripe shows a refund for good, and a part shows nothing of the rest."""
    assert LOOK.tells_by_absence
    assert not replace(LOOK, whole=False).tells_by_absence
    assert not replace(LOOK, provider=Provider.STRIPE).tells_by_absence


def test_a_look_tells_of_its_own_providers_payments() -> None:
    """Of those alone it says anything."""
    assert LOOK.tells_of("revenuecat:one")
    assert not LOOK.tells_of("stripe:one")
