"""Automatic packs: bought with a saved card when a user's tokens have run out; see `core.payments.automatic`.

It may die anywhere, and run several times at once: what is intended is written first, under the version that was read
before the balance; and whoever meets it asks Stripe for that payment, and for no other.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from functions import log
from functions.adapters.payments.answers import RETRY_AFTER_SECONDS
from functions.adapters.payments.stripe import DeclinedError
from functions.core.payments.automatic import intended, intent_asked, paid, refused
from functions.core.payments.refusals import BillingUnavailable
from functions.use_cases.payments.reconciler import ROUNDS_MAX, reconcile
from functions.use_cases.payments.stripe_looks import pack_look

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.adapters.firestore import StoredBilling
    from functions.adapters.payments.stripe import Stripe
    from functions.core.payments.automatic import Pack, PayPerUse
    from functions.wiring import Deps

IDLE_WAIT = timedelta(days=1)
"""Whoever needs no tokens, or is sold none, is looked at again after this: a plan ends, and sales begin again."""

NO_METHOD = "no_payment_method"


def buy_pack(uid: str, stripe: Stripe, deps: Deps) -> None:
    """Buy a pack if the user has allowed it and the balance is low. One that is under way is finished first.

    Raises:
        SpendingLimit: it would pass the user's own cap.
        BillingUnavailable: Stripe does not answer, or somebody else is at it.
    """
    for _ in range(ROUNDS_MAX):
        if _bought(uid, stripe, deps):
            return
    raise busy()


def _bought(uid: str, stripe: Stripe, deps: Deps) -> bool:
    """Do all of it, unless somebody else was faster."""
    finish_pack(uid, stripe, deps)
    stored, now = deps.store.look_at_billing(uid), deps.clock()
    known, customer = stored.billing.pay_per_use, stored.billing.customer
    wallet = deps.store.get_wallet(uid)  # after the version: whoever has bought since has changed that
    low = wallet is not None and wallet.balance < wallet.top_up_below
    if known is None or not known.on or customer is None:
        deps.store.put_off_top_up(uid, None, below=0)
        return True
    rules = deps.runtime().billing
    if wallet is None or not (low and rules.sells_packs) or deps.runtime().plans.of(wallet.plan).unlimited:
        deps.store.put_off_top_up(uid, now + IDLE_WAIT if low else None)
        return True
    if known.pending is not None:
        return False
    method = stripe.saved_method(customer)
    if method is None:
        _stop(uid, NO_METHOD, None, deps)
        return True
    wanted = intended(known, uid, (customer, method), rules.pay_per_use, now)
    if not write_state(stored, wanted, deps):
        return False
    _ask(uid, wanted.pending, stripe, deps)
    return True


def finish_pack(uid: str, stripe: Stripe, deps: Deps, stored: StoredBilling | None = None) -> None:
    """Bring a pack that is under way to its end, if there is one: look whether it was paid, and ask only if it was
    never asked for. Raises BillingUnavailable."""
    pack = _pending(stored or deps.store.look_at_billing(uid))
    if pack is not None:
        intent = stripe.automatic_pack(pack.customer, pack.key)
        if intent is None:
            _ask(uid, pack, stripe, deps)
        else:
            _settle(uid, pack, intent, deps)


def drop_pack(stored: StoredBilling, stripe: Stripe, deps: Deps) -> None:
    """End what is under way of a payer who has deleted the account: what was paid waits as any other payment of theirs,
    and what was never asked for is not. Raises BillingUnavailable."""
    pack = _pending(stored)
    if pack is not None:
        intent = stripe.automatic_pack(pack.customer, pack.key)
        if intent is not None and intent["status"] == "succeeded":
            reconcile(stored.uid, lambda _: pack_look(stored, intent, (), deps), deps)
        _end(stored.uid, pack, lambda known: refused(known, "account_deleted"), deps)


def _pending(stored: StoredBilling) -> Pack | None:
    return stored.billing.pay_per_use.pending if stored.billing.pay_per_use else None


def _ask(uid: str, pack: Pack | None, stripe: Stripe, deps: Deps) -> None:
    if pack is None:
        return
    try:
        intent = stripe.pay_saved(intent_asked(pack, uid), pack.key)
    except DeclinedError as error:
        _stop(uid, str(error), pack, deps)
    else:
        _settle(uid, pack, intent, deps)


def _settle(uid: str, pack: Pack, intent: dict[str, Any], deps: Deps) -> None:
    """Credit a pack that is paid. One that waits for a bank is looked at again; any other will never be paid."""
    if intent["status"] == "succeeded":
        reconcile(uid, lambda stored: pack_look(stored, intent, (), deps), deps)
        _end(uid, pack, paid, deps)
    elif intent["status"] == "processing":
        raise BillingUnavailable("Your bank has not answered yet.", retryAfter=RETRY_AFTER_SECONDS)
    else:
        failed = intent.get("last_payment_error")
        code = failed["code"] if failed else intent["status"]
        _stop(uid, str(code), pack, deps)


def _stop(uid: str, why: str, pack: Pack | None, deps: Deps) -> None:
    """Buy no more, and say why: `get_billing` shows it."""
    log.warning(log.Event.PACKS_STOPPED, why=why)
    _end(uid, pack, lambda known: refused(known, why), deps)
    deps.store.put_off_top_up(uid, None, below=0)


def _end(uid: str, pack: Pack | None, change: Callable[[PayPerUse], PayPerUse], deps: Deps) -> None:
    """Write what has become of a pack, unless somebody else has."""
    for _ in range(ROUNDS_MAX):
        stored = deps.store.look_at_billing(uid)
        known = stored.billing.pay_per_use
        if known is None or known.pending != pack or write_state(stored, change(known), deps):
            return
    raise busy()


def write_state(stored: StoredBilling, state: PayPerUse, deps: Deps) -> bool:
    """Write what a user has allowed, if the payer is as they were. False if somebody was faster, or this very write was
    heard of twice."""
    return deps.store.put_off_billing(stored, {"payPerUse": state.model_dump(by_alias=True)})


def busy() -> BillingUnavailable:
    """Return what a caller is told who was overtaken too often."""
    return BillingUnavailable("Others are at your purchases. Try again.", retryAfter=RETRY_AFTER_SECONDS)
