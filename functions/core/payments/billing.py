"""A payer: the subscriptions that were last read, and what follows from one more read, a look.

    version   what we know is read first, under its version
    look      then the provider is asked, so it never shows an older state than what that version knows
    settled   payments, billing and wallets in one commit, if the version is still the same; else all over again

Facts of payments are joined, in any order; the version is for subscriptions' states, of which the newest counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, Field

from functions.core.config.runtime import RuntimeConfig
from functions.core.payments.automatic import PayPerUse, after_refund
from functions.core.payments.looks import Look
from functions.core.payments.payments import ABSENT_FOR, Payment, credited
from functions.core.payments.sales import DISPUTES
from functions.core.payments.subscriptions import PlanHeld, Subscription, held_until, plan_held
from functions.core.refresh.plan_changes import with_paid_plan
from functions.core.shared.alerts import AlertKind
from functions.core.shared.records import Kept
from functions.core.wallet.accounts import Account
from functions.core.wallet.figures import Count
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.team_wallet import wallet_name

LOOK_EVERY = timedelta(days=1)
"""At each payer, whatever was heard of them: RevenueCat shows the last period alone, and periods are longer."""

LOOK_FOR = timedelta(days=120)
"""After the last purchase, while no subscription is in force: stores refund, and cards are disputed, for so long."""

COLLECTED_AFTER = timedelta(hours=2)
"""A period's end: Stripe begins the next one at once, and collects its invoice an hour later."""


class Billing(Kept):
    """What is known of a payer, in `billing/{uid}`.

    `customer` is their id at Stripe, `subscriptions` are by `{provider}:{id}`. `shown`: by provider, a digest of what
    the last whole look showed, if that left nothing to do. `look_at`: when the next one is due, None for never.
    `bought_at`: when the last payment was met. `sandbox_tokens`: given for purchases in a store's test system.
    """

    customer: str | None = None
    subscriptions: Mapping[str, Subscription] = Field(default_factory=dict)
    shown: Mapping[str, str] = Field(default_factory=dict)
    look_at: AwareDatetime | None = None
    bought_at: AwareDatetime | None = None
    sandbox_tokens: Count = 0
    pay_per_use: PayPerUse | None = None

    def held(self, grace_days: int, now: datetime) -> PlanHeld:
        """Return the plan that is paid for."""
        return plan_held(self.subscriptions.values(), grace_days, now)


@dataclass(frozen=True)
class Books:
    """What one transaction has read of a user, and of others to whom payments belong; and what it writes. `wallets`, by
    `wallet_name`, is None where there is none; `accounts` are those that have changed."""

    billing: Billing
    payments: Mapping[str, Payment]
    wallets: Mapping[str, Wallet | None]
    accounts: Mapping[str, Account] = field(default_factory=dict)

    def account(self, name: str) -> Account | None:
        """Return the account of a wallet as it is by now."""
        wallet = self.wallets.get(name)
        return self.accounts.get(name) or (Account(wallet) if wallet else None)

    def having(self, name: str, account: Account) -> "Books":
        """Return the books with this account of a wallet."""
        before = self.account(name)
        return self if before == account else replace(self, accounts={**self.accounts, name: account})


def nothing_new(billing: Billing, look: Look, grace_days: int, now: datetime) -> bool:
    """Tell whether a whole look shows what the last one showed, and no plan has ended since."""
    ended = any(now - 2 * LOOK_EVERY < end <= now for end in _ends(billing, grace_days))
    return look.whole and billing.shown.get(look.provider) == look.digest and not (look.refunded or ended)


def settled(books: Books, look: Look, runtime: RuntimeConfig, now: datetime) -> Books:
    """Return the books after a look: facts joined, entries posted, and the plan that is paid for.

    Of a whole look, what it does not show has gone: subscriptions at once, packs as `Payment.absent` has it. Payments
    of a user without a wallet, who was never here or has left, wait unclaimed, and so do those of a closed team.
    Whoever gets money back is sold nothing by itself before they say so again.
    """
    before = books
    for each in look.payments:
        books = _met(books, each, look.uid, runtime, now)
    pending = False
    for each in _missing(books, look):
        gone = each.absent(look.at, named=each.payment_id in look.refunded)
        pending |= gone.absent_since is not None and now - gone.absent_since < ABSENT_FOR
        books = _posted(books, gone, now)
    account = books.account(look.uid)
    done = not pending and account is not None and not hides_paid(account.wallet)
    billing = _billing_after(books.billing, look, runtime, done=done)
    if any(books.payments[name].given < each.given for name, each in before.payments.items() if each.uid == look.uid):
        billing = billing.model_copy(update={"pay_per_use": after_refund(billing.pay_per_use)})
    books = replace(books, billing=billing)
    return _on_plan(books, look, runtime, now, pending=pending)


def hides_paid(wallet: Wallet) -> bool:
    """Tell whether a user is on a plan that an operator has set until some day, when what is paid for holds again."""
    return wallet.plan_seller is None and wallet.plan_until is not None


def _missing(books: Books, look: Look) -> list[Payment]:
    """Return the payments that the look would show if they were still there: this user's, of its provider alone."""
    shown = {each.payment_id for each in look.payments}
    found = [each for name, each in books.payments.items() if look.tells_of(name) and name not in shown]
    return [each for each in found if each.holder == look.uid] if look.tells_by_absence else []


def news_of(before: Books, after: Books, look: Look) -> dict[AlertKind, list[str]]:
    """Return what operators have to be told of a look."""
    waits, disputed = list(look.unread), []
    for name, payment in after.payments.items():
        known = before.payments.get(name)
        if payment.uid is None and known is None:
            waits.append(f"{name} is paid for by nobody who has a wallet")
        new = payment.facts.reversals.keys() - (known.facts.reversals.keys() if known else set())
        disputed += [f"{name} is disputed ({each})" for each in sorted(new) if each.startswith(DISPUTES)]
    found = {AlertKind.PAYMENT_WAITS: waits, AlertKind.DISPUTE_OPENED: disputed}
    return {kind: texts for kind, texts in found.items() if texts}


def _met(books: Books, shown: Payment, holder: str, runtime: RuntimeConfig, now: datetime) -> Books:
    """Join what is shown of a payment to what is known of it, and post what follows."""
    known, billing, rules = books.payments.get(shown.payment_id), books.billing, runtime.billing
    if known is None:
        tried = billing.sandbox_tokens + shown.tokens
        counts = shown.sandbox and holder in rules.sandbox_uids and tried <= rules.sandbox_tokens_max
        if counts:
            billing = billing.model_copy(update={"sandbox_tokens": tried})
        known = shown.model_copy(update={"uid": None, "sandbox": shown.sandbox and not counts})
        books = replace(books, billing=billing.model_copy(update={"bought_at": now}))
    uid = known.uid or (holder if books.account(wallet_name(holder, known.team_id)) else None)
    told = {"uid": uid, "holder": holder, "paid_at": known.paid_at or shown.paid_at}
    return _posted(books, known.told(shown.facts).model_copy(update=told), now)


def _posted(books: Books, payment: Payment, now: datetime) -> Books:
    """Put a payment into the books, with the entry that is missing. One whose payee has no wallet any more waits."""
    payee = payment.payee
    account = books.account(payee) if payee else None
    if payee and account:
        payment, account = credited(payment, account, now)
        books = books.having(payee, account)
    return replace(books, payments={**books.payments, payment.payment_id: payment.noted(now)})


def _billing_after(billing: Billing, look: Look, runtime: RuntimeConfig, *, done: bool) -> Billing:
    tested = look.uid in runtime.billing.sandbox_uids
    shown = {name: each for name, each in look.subscriptions.items() if tested or not each.sandbox}
    known, digests = dict(billing.subscriptions), dict(billing.shown)
    if look.whole:
        known = {name: each for name, each in known.items() if each.provider != look.provider}
        digests[look.provider] = look.digest if done else ""
    changes: dict[str, Any] = {"subscriptions": {**known, **shown}, "shown": digests}
    return billing.model_copy(update={**changes, "customer": look.customer or billing.customer})


def _on_plan(books: Books, look: Look, runtime: RuntimeConfig, now: datetime, *, pending: bool) -> Books:
    """Put the user on the plan that is paid for, and say when to look again."""
    account, held = books.account(look.uid), books.billing.held(runtime.billing.grace_days, now)
    if account:
        books = books.having(look.uid, with_paid_plan(account, look.uid, *held, runtime, now))
    look_at, known = next_look(books.billing, runtime.billing.grace_days, now), books.billing.look_at
    if pending or look.unread:
        look_at = now + (ABSENT_FOR if pending else LOOK_EVERY)
    if known is not None and look_at is not None and now < known < look_at:
        look_at = known  # one more read of the same is no reason for a write
    return replace(books, billing=books.billing.model_copy(update={"look_at": look_at}))


def next_look(billing: Billing, grace_days: int, now: datetime) -> datetime | None:
    """Return when to look at a payer again: in a day, or earlier when a period or a plan ends."""
    to_come = [each for each in _ends(billing, grace_days) if each > now]
    shown_whole = billing.customer or billing.shown  # nobody else can be looked at as a whole
    if not shown_whole or (not to_come and (billing.bought_at is None or now - billing.bought_at > LOOK_FOR)):
        return None
    return min([*to_come, now + LOOK_EVERY])


def _ends(billing: Billing, grace_days: int) -> list[datetime]:
    """Return when periods and plans end, each as far as it is known."""
    known = billing.subscriptions.values()
    ends = [until for each in known if (until := held_until(each, grace_days)) is not None]
    return ends + [each.period_end + COLLECTED_AFTER for each in known]
