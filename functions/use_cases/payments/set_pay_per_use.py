"""`set_pay_per_use`: how much may be spent a month on packs that are bought by themselves, on the web."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.payments.automatic import allowed
from functions.core.payments.refusals import PaymentMethodNeeded, PurchaseNotHere
from functions.core.shared.errors import InvalidRequest
from functions.core.shared.records import Request
from functions.use_cases.payments.automatic_packs import busy, buy_pack, finish_pack, write_state
from functions.use_cases.payments.payers import wallet_of
from functions.use_cases.payments.reconciler import ROUNDS_MAX
from functions.use_cases.payments.shown import shown_pay_per_use

if TYPE_CHECKING:
    from functions.adapters.payments.stripe import Stripe
    from functions.core.config.billing import PayPerUseRules
    from functions.wiring import Deps


class SetPayPerUse(Request):
    """The user's own cap of a UTC month, in minor units; 0 for no automatic packs."""

    month_max_minor: Annotated[int, Field(ge=0, le=1_000_000)]


def set_pay_per_use(request: SetPayPerUse, uid: str, deps: Deps) -> dict[str, Any]:
    """Return `payPerUse` as `get_billing` shows it, and the `balance`. If the balance does not pay for an instant photo
    a pack is bought at once; sent again, after `INSUFFICIENT_TOKENS`, it does the same.

    Raises:
        PurchaseNotHere: nothing is sold on the web, or no packs by themselves.
        InvalidRequest: the cap is less than a pack costs, or more than the operator takes.
        PaymentMethodNeeded: no payment method is saved at Stripe.
        SpendingLimit: a pack is needed, and would pass the cap.
        BillingUnavailable: Stripe does not answer.
    """
    rules, cap = deps.runtime().billing, request.month_max_minor
    if deps.stripe is None or (cap and not rules.sells_packs):
        raise PurchaseNotHere("This is not sold here.", sellOn=[each.value for each in rules.sell_on])
    _require_cap(cap, rules.pay_per_use)
    wallet_of(uid, deps)
    _allow(uid, cap, deps.stripe, deps)
    below = deps.runtime().tokens.instant_price if cap else 0
    deps.store.put_off_top_up(uid, deps.clock() if cap else None, below)
    if cap:
        buy_pack(uid, deps.stripe, deps)
    billing = deps.store.look_at_billing(uid).billing
    return {"payPerUse": shown_pay_per_use(billing, deps), "balance": wallet_of(uid, deps).balance}


def _require_cap(cap: int, rules: PayPerUseRules) -> None:
    if cap and not rules.minimum_minor <= cap <= rules.monthly_max_minor:
        between = f"must be 0, or {rules.minimum_minor} to {rules.monthly_max_minor}"
        raise InvalidRequest(f"monthMaxMinor: {between}.", field="monthMaxMinor")


def _allow(uid: str, cap: int, stripe: Stripe, deps: Deps) -> None:
    finish_pack(uid, stripe, deps)
    for _ in range(ROUNDS_MAX):
        stored = deps.store.look_at_billing(uid)
        customer, known = stored.billing.customer, stored.billing.pay_per_use
        if cap and (customer is None or stripe.saved_method(customer) is None):
            raise PaymentMethodNeeded("Buy a pack first, and save the card for automatic packs.")
        state = allowed(known, cap)
        if stored.version is None or state == known or write_state(stored, state, deps):
            return
    raise busy()
