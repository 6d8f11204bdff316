"""`reconcile_billing`: what was sold and not heard of.

    events     that our webhook did not take, and those of the last hour once more
    checkouts  whose page may have been paid, each run while it is open
    packs      of users who pay per use and whose tokens have run out
    payers     once a day, and when a period or a plan ends
    sales      of each day once it is over: counted, and held against the ledgers

All are looked at as `use_cases.payments.reconciler` has it. A run may die anywhere: what it has not come to is due as
before.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from functions.adapters.breaker import Breaker
from functions.core.payments.checkouts import looked_at
from functions.core.payments.hints import hint_of
from functions.core.payments.payments import Provider
from functions.core.payments.refusals import BillingUnavailable, SpendingLimit
from functions.core.shared.time_limits import RUN_TIME
from functions.core.shared.utc_days import next_month
from functions.core.wallet.refusals import AccountDeleted
from functions.use_cases.payments.automatic_packs import buy_pack, drop_pack, finish_pack
from functions.use_cases.payments.reconciler import reconcile_stores
from functions.use_cases.payments.sales import review_sales
from functions.use_cases.payments.stripe_looks import end_plans, reconcile_object, reconcile_plans
from functions.use_cases.shared.set_aside import postpone_damaged, report_item

if TYPE_CHECKING:
    from collections.abc import Callable

    from functions.adapters.firestore import StoredBilling
    from functions.adapters.payments.stripe import Stripe
    from functions.core.payments.checkouts import Checkout
    from functions.wiring import Deps

LOOKED_AT = ("lists", "events", "pages", "packs", "payers")

PAGE = 100
"""Checkouts, and payers, read at a time. More wait for the next run, which begins where this one has ended."""

EVENTS_BACK = timedelta(hours=1)
"""How far before the last run events are looked at once more. When one came Stripe may have shown an old state."""

UNDELIVERED_BACK = timedelta(days=3)
"""How far back events are looked for that our webhook did not take. For so long Stripe itself sends them again."""

AGAIN = timedelta(hours=1)
"""When a payer is looked at again with whom something went wrong."""


def reconcile_billing(deps: Deps) -> dict[str, int]:
    """Run once. Returns counts of what was looked at: `events`, checkout `pages`, automatic `packs`, `payers`, `lists`
    of events, `sales`; of those that `failed`, and of documents that are `damaged`. Raises RuntimeError if everything
    failed."""
    run = _Run(deps)
    if deps.stripe is not None:
        run.take("lists", partial(run.take_events, deps.stripe), "events")
        run.take_checkouts(deps.stripe)
        run.take_packs(deps.stripe)
    run.take_payers()
    run.take("sales", partial(review_sales, deps), "sales")
    counts = run.counts
    if counts["failed"] and not sum(counts[each] for each in LOOKED_AT):
        raise RuntimeError("everything that was looked at failed")
    return dict(counts)


class _Run:
    """One run, and its counts."""

    def __init__(self, deps: Deps) -> None:
        self._deps, self._breaker = deps, Breaker(deps.clock)
        self._until = deps.clock() + RUN_TIME
        self.counts: Counter[str] = Counter(dict.fromkeys((*LOOKED_AT, "sales", "failed", "damaged"), 0))

    def take_events(self, stripe: Stripe) -> None:
        """Look at what events are about that were not taken or have come lately: the oldest first, each object once."""
        now = self._deps.clock()
        last, longest = self._deps.store.last_run("reconcile_billing"), now - UNDELIVERED_BACK
        since = max(longest, (last or longest) - EVENTS_BACK)
        events = stripe.events(int(since.timestamp()))
        events += stripe.events(int(longest.timestamp()), undelivered=True)
        about = dict.fromkeys(hint_of(each).object_id for each in reversed(events))
        for object_id in about:
            if object_id is not None:
                self.take("events", partial(reconcile_object, object_id, stripe, self._deps), object_id)

    def take_checkouts(self, stripe: Stripe) -> None:
        """Look at checkouts that may have been paid."""
        due = self._deps.store.due_checkouts(self._deps.clock(), PAGE)
        self.counts["damaged"] += postpone_damaged(self._deps, due.damaged, "lookAt")
        for each in due:
            self.take("pages", partial(self._look_at_checkout, each, stripe), each.checkout_id)

    def _look_at_checkout(self, checkout: Checkout, stripe: Stripe) -> None:
        session = stripe.read(checkout.session) if checkout.session else None
        if session and session["status"] == "complete":
            reconcile_object(str(checkout.session), stripe, self._deps)
        look_at = looked_at(checkout, session, self._deps.clock())
        self._deps.store.change_checkout(checkout.checkout_id, {"lookAt": look_at})

    def take_packs(self, stripe: Stripe) -> None:
        """Buy the automatic packs that are due."""
        due = self._deps.store.due_top_ups(self._deps.clock(), PAGE)
        self.counts["damaged"] += postpone_damaged(self._deps, due.damaged, "topUpAt")
        for uid in due:
            self.take("packs", partial(self._buy_pack, uid, stripe), uid)

    def _buy_pack(self, uid: str, stripe: Stripe) -> None:
        try:
            buy_pack(uid, stripe, self._deps)
        except SpendingLimit:
            self._deps.store.put_off_top_up(uid, next_month(self._deps.clock()))
        except BillingUnavailable:
            self._deps.store.put_off_top_up(uid, self._deps.clock() + AGAIN)
            raise

    def take_payers(self) -> None:
        """Look at payers who are due."""
        due = self._deps.store.due_billing(self._deps.clock(), PAGE)
        self.counts["damaged"] += postpone_damaged(self._deps, due.damaged, "lookAt")
        for each in due:
            if not self.take("payers", partial(self._look_at_payer, each), each.uid):
                self._deps.store.put_off_billing(each, {"lookAt": self._deps.clock() + AGAIN})

    def _look_at_payer(self, stored: StoredBilling) -> None:
        deps, known = self._deps, stored.billing
        first: StoredBilling | None = stored
        if known.customer is not None and deps.stripe is not None:
            if self._has_left(stored.uid):
                end_plans(stored, deps.stripe)
                drop_pack(stored, deps.stripe, deps)
            else:
                finish_pack(stored.uid, deps.stripe, deps, stored)
            reconcile_plans(stored, deps.stripe, deps)
            first = None
        if Provider.REVENUECAT in known.shown and deps.revenuecat is not None:
            reconcile_stores(stored.uid, deps.revenuecat, deps, stored=first)

    def _has_left(self, uid: str) -> bool:
        try:
            self._deps.store.get_wallet(uid)
        except AccountDeleted:
            return True
        return False

    def take(self, what: str, look: Callable[[], object], name: str) -> bool:
        """Look at one thing, unless time is up or several in a row have failed. What goes wrong stays with it. False if
        something did."""
        if self._breaker.open or self._deps.clock() > self._until:
            return True
        try:
            look()
        except Exception as error:  # noqa: BLE001  (whatever it is, the others are looked at)
            if not isinstance(error, BillingUnavailable):  # of which the log knows
                report_item(error, about=name)
            self._breaker.note(failed=True)
            self.counts["failed"] += 1
            return False
        self._breaker.note(failed=False)
        self.counts[what] += 1
        return True
