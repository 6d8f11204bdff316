"""Payments, simulated with the real functions: Stripe's and RevenueCat's stand-ins, users who buy, and everything that
goes wrong between.

A history has one or two users, and their team. They buy on the web, also for the team, and in a store, spend, leave the
team, let packs be bought by themselves, are refunded, dispute, renew and cancel.
Events are lost, late, doubled or out of order, providers fail or show an old state, and functions die at any call that
leaves the process. In the end everything works again for some days. Then the providers know what each payment is worth,
which is compared with the ledgers.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import stripe

from functions.adapters.payments.stripe import DeclinedError
from functions.core.shared.errors import EcolaneError
from functions.core.wallet.accounts import Account, charge
from functions.use_cases.teams.change_member import ChangeMember, change_member
from localcloud.stripe.errors import ApiError
from scripts.inprocess import SELLING, CrashError, InProcessCloud
from scripts.shop_in_process import SOLD, Shop
from scripts.simulation.invariants import Violation

STEPS = 24
CARDS = (
    *["4242424242424242"] * 4,
    "4000000000000002",
    "4000000000000341",
    "4000002760003184",
    "4000000000007726",
    "4000000000005126",
    "4000000000000259",
    "4000000000001976",
    "000123456789",
    "000111111116",
)
SAVED = ("4242424242424242", "4000000000000341", "4000002760003184")
FAULTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("stripe", "webhook_lost", {}),
    ("stripe", "webhook_duplicated", {}),
    ("stripe", "webhook_delayed", {}),
    ("stripe", "webhook_reordered", {}),
    ("stripe", "server_error", {"endpoint": "*"}),
    ("stripe", "connection_reset", {"endpoint": "*"}),
    ("stripe", "not_found", {}),
    ("stripe", "state_stale", {"seconds": 120}),
    ("stripe", "reply_lost", {}),
    ("revenuecat", "webhook_lost", {}),
    ("revenuecat", "webhook_duplicated", {}),
    ("revenuecat", "webhook_delayed", {}),
    ("revenuecat", "server_error", {}),
    ("revenuecat", "empty_answer", {}),
    ("revenuecat", "state_stale", {"seconds": 120}),
)
CALLS_MAX = 12
"""Outside calls of the longest function, about."""

REFUSED = (EcolaneError, ApiError, stripe.StripeError, RuntimeError)
"""What a step may end with: a refusal, a card that is declined, a run in which everything failed."""


class ShopHistory:
    """One history: `run` it, and read what was broken."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)  # noqa: S311  (a seeded history)
        self.shop = Shop(cloud=InProcessCloud(seed=seed))
        self.users = [f"user-{number}" for number in range(self.dice.randint(1, 2))]
        self.transferred = False
        self.escaped: list[Violation] = []
        self.allowed = Counter[str]()
        self.done = Counter[str]()
        self.shop.visited(*self.users)
        self.team_id = self.shop.team(*self.users)
        self.team = f"teams/{self.team_id}"
        self.for_team = set[str]()
        for uid in self.users:
            if self.dice.random() < 0.5:  # half of them begin with a saved card, as it may be
                self.shop.buy("tokens_100", uid, self.dice.choice(SAVED), saveCard=True)
                self._allow_to(uid, self.dice.choice((300, 1_000)))

    def run(self) -> list[Violation]:
        """Let everything happen that can, then nothing bad for some days; return what was broken."""
        actions = (
            self._buy,
            self._buy,
            self._buy_for_team,
            self._leave,
            self._buy_in_store,
            self._take_back,
            self._dispute,
            self._change_plan,
        )
        also = (
            self._spend,
            self._use_up,
            self._use_up,
            self._allow,
            self._sync,
            self._wait,
            self._wait,
            self._fault,
            self._fault,
            self._cron,
        )
        for _ in range(STEPS):
            act = self.dice.choice((*actions, *also))
            self.done[act.__name__] += 1
            self._mortal(act)
        self._calm()
        return [*self.escaped, *self._worth_what_was_paid(), *self._balanced(), *self._within_what_was_allowed()]

    def _mortal(self, act: Callable[[], object]) -> None:
        """Let something happen, in which the functions may die at any call."""
        dies = self.dice.random() < 0.2
        left, when = self.dice.randint(1, CALLS_MAX), self.dice.choice(("before", "after"))

        def interrupt(_call: str, at: str) -> None:
            nonlocal left
            left -= at == when
            if left <= 0:
                raise CrashError

        if dies:
            self.shop.cloud.interrupt = interrupt
        try:
            with suppress(CrashError, *REFUSED):
                act()
        except DeclinedError as error:  # the functions stop buying at a card that is declined; nobody is told an error
            self.escaped.append(Violation("escaped_error", f"a card's {error} came out of {act.__name__}"))
        if dies:
            self.done["crash"] += left <= 0
            self.shop.cloud.restart(SELLING)
            self.shop.cloud.clock.advance(timedelta(minutes=2))  # the locks of what died go by themselves

    def _wait(self) -> None:
        self.shop.tick(minutes=self.dice.choice((1, 5, 15, 60, 360, 1_440)))

    def _cron(self) -> None:
        self.shop.later(minutes=15)

    def _sync(self) -> None:
        self.shop.sync(self.dice.choice(self.users))

    def _buy(self) -> None:
        product, uid, saved = self.dice.choice(list(SOLD)), self.dice.choice(self.users), self.dice.random() < 0.5
        url = self.shop.start(product, uid, saveCard=saved)["url"]
        self.shop.cloud.stripe.pay(url.rpartition("/")[2], self.dice.choice(CARDS))
        self.shop.tick()

    def _buy_for_team(self) -> None:
        """Buy a pack for the team, which may be paid after its buyer has left."""
        uid = self.dice.choice(self.users)
        url = self.shop.start("tokens_100", uid, payer=self.team_id)["url"]
        if self.dice.random() < 0.2:
            self._leave()
        session = self.shop.cloud.stripe.pay(url.rpartition("/")[2], self.dice.choice(CARDS))
        self.for_team.add(session["payment_intent"])
        self.shop.tick()

    def _leave(self) -> None:
        """Have the team's admin leave it, if it has one."""
        request = {"teamId": self.team_id, "uid": self.users[-1], "remove": True}
        change_member(ChangeMember.model_validate(request), self.users[-1], self.shop.cloud.deps)

    def _buy_in_store(self) -> None:
        uid, sandbox = self.dice.choice(self.users), self.dice.random() < 0.1
        cat, product = self.shop.cloud.revenuecat, self.dice.choice(list(SOLD))
        own = [each for each in cat.purchases("subscription") if each["uid"] == uid and each["product"] == product]
        if "plan" not in SOLD[product]:
            cat.buy(uid, product, sandbox=sandbox)
        elif not own:  # a store sells a plan to one user once
            cat.subscribe(uid, product, sandbox=sandbox)
        self.shop.tick()

    def _take_back(self) -> None:
        intents = [each for each in self.shop.client.payment_intents.list({"limit": 100}).data if each.latest_charge]
        bought = self.shop.cloud.revenuecat.purchases("non_subscription")
        if intents and self.dice.random() < 0.6:
            intent = self.dice.choice(intents)
            amount = self.dice.randint(1, intent.amount)
            self.shop.client.refunds.create({"payment_intent": intent.id, "amount": amount})
        elif bought:
            self.shop.cloud.revenuecat.refund(str(self.dice.choice(bought)["id"]))
        self.shop.tick()

    def _dispute(self) -> None:
        for each in self.shop.client.disputes.list({"limit": 100}).data:
            text = self.dice.choice(("winning_evidence", "losing_evidence", "more to come"))
            with suppress(stripe.StripeError):  # it is closed already
                self.shop.client.disputes.update(each.id, {"evidence": {"uncategorized_text": text}})
        self.shop.tick()

    def _change_plan(self) -> None:
        plans = self.shop.client.subscriptions.list({"limit": 100, "status": "active"}).data
        last = self.shop.cloud.revenuecat.purchases("subscription")
        if plans and self.dice.random() < 0.5:
            self.shop.client.subscriptions.update(self.dice.choice(plans).id, {"cancel_at_period_end": True})
        elif last and self.dice.random() < 0.5:
            self.shop.cloud.revenuecat.unsubscribe(str(last[0]["id"]))
        elif last and len(self.users) > 1 and len({each["product"] for each in last}) == len(last):
            self.transferred = True  # nobody has the same plan twice, of which a store would show one
            self.shop.cloud.revenuecat.transfer(*self.dice.sample(self.users, 2))
        self.shop.tick()

    def _spend(self) -> None:
        uid, deps = self.dice.choice(self.users), self.shop.cloud.deps
        price, name = self.dice.randint(1, 200), f"job-{self.dice.random()}"
        deps.store.open_wallet(
            uid,
            lambda wallet: charge(Account(wallet), name, min(price, wallet.balance), deps.clock()) if wallet else 0,  # type: ignore[arg-type,return-value]
        )

    def _use_up(self) -> None:
        """Have a user spend everything, and a run find it."""
        self.shop.spend(uid=self.dice.choice(self.users))
        self.shop.later(minutes=15)

    def _allow(self) -> None:
        """Set a cap of automatic packs, for one pack a month or several; or turn them off."""
        self._allow_to(self.dice.choice(self.users), self.dice.choice((0, 300, 500, 1_000)))

    def _allow_to(self, uid: str, minor: int) -> None:
        self.allowed[uid] = max(self.allowed[uid], minor)
        self.shop.allow(minor, uid)

    def _fault(self) -> None:
        service, kind, more = self.dice.choice(FAULTS)
        getattr(self.shop.cloud, service).faults.add(kind, count=self.dice.randint(1, 3), **more)

    def _calm(self) -> None:
        """Nothing goes wrong any more: locks go, events come again, the crons run, apps say what was bought."""
        cloud = self.shop.cloud
        cloud.stripe.faults.clear()
        cloud.revenuecat.faults.clear()
        for step in (timedelta(minutes=31), timedelta(minutes=15), timedelta(hours=3), *[timedelta(hours=12)] * 6):
            with suppress(RuntimeError):
                self.shop.later(seconds=step.total_seconds())
        for _ in range(2):
            for uid in self.users:
                self.shop.sync(uid)
            self.shop.later(minutes=15)

    # What is true in the end

    def _worth_what_was_paid(self) -> Iterable[Violation]:
        """Compare what providers have with what users got; in sum, if purchases went from one user to another."""
        worth, got = self._worth(), Counter[str]()
        for name in (*self.users, self.team):
            got[name] = sum(bought for _, bought in self.shop.bought(name))
        pairs = {name: (got[name], worth[name]) for name in (*self.users, self.team)}
        if self.transferred:
            pairs = {"all": (got.total(), worth.total())}
        for uid, (tokens, value) in pairs.items():
            if tokens != value:
                kind = "double_credits" if tokens > value else "lost_payments"
                yield Violation(kind, f"{uid} has got {tokens} tokens for what is worth {value}")

    def _worth(self) -> Counter[str]:
        worth, client = Counter[str](), self.shop.client
        back: dict[str, list[Any]] = {}
        for each in [*client.refunds.list({"limit": 100}).data, *client.disputes.list({"limit": 100}).data]:
            back.setdefault(each.payment_intent, []).append(each)
        intents = {each.id: each for each in client.payment_intents.list({"limit": 100}).data}
        for intent in intents.values():
            if intent.status == "succeeded" and "tokens" in intent.metadata:
                tokens = int(intent.metadata["tokens"])
                payee = self.team if intent.id in self.for_team else intent.metadata["uid"]
                worth[payee] += _left(tokens, intent.amount, back.get(intent.id, ()))
        paid = {each.invoice: each.payment.payment_intent for each in client.invoice_payments.list({"limit": 100}).data}
        tokens_of = {price: SOLD[name]["tokens"] for name, price in self.shop.prices.items()}
        for invoice in client.invoices.list({"limit": 100, "status": "paid"}).data:
            uid = invoice.parent.subscription_details.metadata["uid"]
            tokens = tokens_of[invoice.lines.data[0].pricing.price_details.price]
            worth[uid] += _left(tokens, invoice.amount_paid, back.get(paid[invoice.id], ()))
        for kind in ("non_subscription", "subscription"):
            for each in self.shop.cloud.revenuecat.purchases(kind):
                if not each["refunded_at"] and not each["sandbox"]:
                    worth[str(each["uid"])] += SOLD[str(each["product"])]["tokens"]
        return worth

    def _within_what_was_allowed(self) -> Iterable[Violation]:
        """No pack is paid twice, nor one more than the highest cap that a user has set; and none is left half way."""
        packs, spent = Counter[str](), Counter[tuple[str, str]]()
        for intent in self.shop.client.payment_intents.list({"limit": 100}).data:
            if intent.status == "succeeded" and "pack" in intent.metadata:
                packs[intent.metadata["pack"]] += 1
                month = f"{datetime.fromtimestamp(intent.created, UTC):%Y-%m}"
                spent[intent.metadata["uid"], month] += intent.amount
        for key, times in packs.items():
            if times > 1:
                yield Violation("double_charges", f"the pack {key} was paid {times} times")
        for (uid, month), minor in spent.items():
            if minor > self.allowed[uid]:
                yield Violation("over_limit", f"{uid} has paid {minor} in {month}, and allowed {self.allowed[uid]}")
        for uid in self.users:
            pack = (self.shop.payer(uid).get("payPerUse") or {}).get("pending")
            if pack and self.shop.cloud.clock() - pack["at"] > timedelta(days=2):
                yield Violation("stuck_packs", f"{uid}: the pack {pack['key']} has not come to an end")

    def _balanced(self) -> Iterable[Violation]:
        """Each wallet is the sum of its ledger, and the payments of what they have given."""
        given, posted = sum(each["given"] for each in self.shop.payments().values()), 0
        for uid in (*self.users, self.team):
            wallet, entries = self.shop.wallet(uid), self.shop.entries(uid)
            left = sum(each["bought"] for each in entries)
            posted += sum(bought for _, bought in self.shop.bought(uid))
            sums = (sum(each["delta"] for each in entries), max(left, 0), max(-left, 0))
            if (wallet["balance"], wallet["purchased"], wallet["owed"]) != sums or wallet["balance"] < 0:
                yield Violation("ledger_drift", f"{uid}: the wallet is not {sums}, the sum of its ledger")
        if given != posted:
            yield Violation("given_drift", f"the payments have given {given}, the ledgers {posted}")


def _left(tokens: int, paid: int, back: Iterable[Any]) -> int:
    """Return what is left of a payment's tokens: by Stripe's own words, not by our rule."""
    taken = 0
    for each in back:
        gone = each.status not in {"failed", "canceled"} if each.object == "refund" else each.status in _TAKEN
        taken += each.amount if gone else 0
    return tokens * max(paid - taken, 0) // paid


_TAKEN = {"needs_response", "under_review", "lost"}
