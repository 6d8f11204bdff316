"""`start_checkout`: a page at Stripe on which a pack or a plan is paid. For the web: in an app its store sells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.config.billing import ProductName
from functions.core.payments.checkouts import (
    checkout_for,
    require_for_a_team,
    require_same_checkout,
    session_asked,
    sold_on_the_web,
)
from functions.core.payments.refusals import PurchaseNotHere
from functions.core.shared.records import Request, RequestId, TeamId
from functions.core.teams.teams import require_admin
from functions.use_cases.payments.payers import wallet_of

if TYPE_CHECKING:
    from functions.wiring import Deps


class StartCheckout(Request):
    """What to buy, for the caller or a team, and whether the card is saved for automatic packs. The same `requestId`
    opens the same page."""

    request_id: RequestId
    product: ProductName
    payer: TeamId | None = None
    save_card: bool = False


def start_checkout(request: StartCheckout, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `url` of the page, and the `checkoutId` that it comes back with. Two reads and two writes. With a
    `payer` the tokens are the team's, also if the buyer has left it by the time they are paid.

    Raises:
        TeamNotFound, NotTeamAdmin: for a team its owners and admins buy.
        InvalidRequest: a plan for a team, or a card that is saved with its pack.
        PurchaseNotHere, UnknownProduct, AlreadySubscribed: see `core.payments.checkouts.sold_on_the_web`.
        KeyReused: the key had another product or payer, or its page is over.
        BillingUnavailable: Stripe does not answer.
    """
    billing, now = deps.store.look_at_billing(uid).billing, deps.clock()
    rules = deps.runtime().billing
    product = sold_on_the_web(request.product, rules, billing.held(rules.grace_days, now))
    if deps.stripe is None:
        raise PurchaseNotHere("This is not sold here.", sellOn=[each.value for each in rules.sell_on])
    if request.payer:
        require_admin(deps.store.get_team(request.payer), uid)
        require_for_a_team(product, save_card=request.save_card)
    else:
        wallet_of(uid, deps)
    wanted = checkout_for(uid, request.request_id, product, now, request.payer)
    checkout = deps.store.open_checkout(wanted)
    require_same_checkout(checkout, wanted, now)
    asked = session_asked(checkout, product, billing.customer, rules.return_url, save_card=request.save_card)
    session = deps.stripe.open_checkout(asked, checkout.checkout_id)
    if checkout.session is None:
        deps.store.change_checkout(checkout.checkout_id, {"session": session["id"]})
    return {"checkoutId": checkout.checkout_id, "url": session["url"]}
