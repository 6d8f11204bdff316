"""`payments find | show | reconcile | refund | claim`: what a user has paid, and what is done about it by hand.

What asks Stripe takes its key from this shell: STRIPE_API_KEY, one that may also write refunds.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from functions.core.payments.currencies import said
from functions.core.payments.hints import hint_of
from functions.core.payments.payments import Payment, Provider, credited, target
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet
from functions.use_cases.payments.reconciler import reconcile_stores
from functions.use_cases.payments.stripe_looks import reconcile_object, reconcile_plans
from scripts.operators.grants import known_wallet, still_there
from scripts.operators.printing import age, change, listing, table
from scripts.operators.session import (
    Operation,
    RefusedError,
    changing,
    changing_for,
    command,
    document_id,
    looking,
)
from scripts.operators.store import Claimed
from scripts.operators.stripe_by_hand import EVENTS_MAX, RefundRefusedError

app = typer.Typer(help="What users have paid.", no_args_is_help=True)

PAYMENTS_MAX = 500

Name = Annotated[str, typer.Argument(metavar="PAYMENT", help="The payment, as `payments find` shows it.")]


@app.command()
@command(looking)
def find(
    operation: Operation,
    what: Annotated[
        str | None, typer.Argument(help="A uid, or a payment intent of Stripe's.", show_default=False)
    ] = None,
    unclaimed: Annotated[bool, typer.Option("--unclaimed", help="Those that nobody has got.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=PAYMENTS_MAX, help="How many. A read each.")] = 100,
) -> None:
    """The payments of a user, one by its id at Stripe, or those that wait for their payer."""
    if unclaimed == (what is not None):
        raise RefusedError("say whose, or --unclaimed")
    found: Sequence[Payment] = (
        operation.store.unclaimed_payments(limit) if unclaimed else _found(what or "", operation, limit)
    )
    _show(operation, found, "There are no such payments.")


def _found(what: str, operation: Operation, limit: int) -> Sequence[Payment]:
    if what.startswith("pi_"):
        payment = operation.store.get_payment(f"{Provider.STRIPE}:{document_id(what)}")
        return [payment] if payment else []
    return operation.store.payments_of(document_id(what), limit)


def _show(operation: Operation, found: Sequence[Payment], none: str) -> None:
    def render(console: Console) -> None:
        rows = [
            (
                each.payment_id,
                each.payee or "(nobody)",
                each.product,
                _money(each.facts.paid_minor, each.currency),
                _back(each),
                f"{each.given} of {target(each)}",
                age(each.met_at, operation.now),
            )
            for each in found
        ]
        columns = ("payment", "payer", "product", ">paid", "taken back", ">tokens", "met")
        console.print(table(*columns, rows=rows) if rows else none)

    operation.show({"payments": [each.as_json() for each in found]}, render)


def _money(minor: int | None, currency: str) -> str:
    return "-" if minor is None else said(minor, currency)


def _back(payment: Payment) -> str:
    return ", ".join(f"{name} {each.stage}" for name, each in payment.facts.reversals.items()) or "-"


@app.command()
@command(looking)
def show(operation: Operation, name: Name) -> None:
    """One payment: who has it, what is known of it, and its entries."""
    payment = _known(name, operation)
    entries = operation.store.entries_of(payment) if payment.uid and payment.moves else []
    booked = sum(each.bought for each in entries)

    def render(console: Console) -> None:
        rows = [
            ("payer", payment.uid or f"(nobody), shown to {payment.holder}"),
            ("tokens of", payment.payee or "(nobody)"),
            ("product", f"{payment.product}, {payment.tokens} tokens{', sandbox' if payment.sandbox else ''}"),
            ("paid", f"{_money(payment.facts.paid_minor, payment.currency)}, {age(payment.paid_at, operation.now)}"),
            ("taken back", _back(payment)),
            ("tokens", f"{payment.given} given, {booked} in the ledger, worth {target(payment)}"),
        ]
        console.print(payment.payment_id, style="bold", markup=False)
        console.print(listing(rows))
        lines = [
            (each.entry_id, f"{each.ts:%Y-%m-%d %H:%M}", f"{each.bought:+}", each.balance_after) for each in entries
        ]
        if lines:
            console.print(table("entry", "when (UTC)", ">tokens", ">balance", rows=lines))

    operation.show({**payment.as_json(), "entries": [each.as_json() for each in entries]}, render)


@app.command()
@command(changing)
def reconcile(
    operation: Operation,
    uid: Annotated[str | None, typer.Argument(help="One user.", show_default=False)] = None,
    since: Annotated[
        int | None, typer.Option(min=1, max=30, help="All events at Stripe of so many days.", show_default=False)
    ] = None,
) -> None:
    """Read at the providers what is true, and post what is missing: for one user, or for all events of some days."""
    if (uid is None) == (since is None):
        raise RefusedError("say a uid, or --since DAYS")
    looks = _of_user(document_id(uid), operation) if uid else _of_events(since or 0, operation)
    operation.store.record(operation.audit("reconcile", uid or f"{since} days"))
    for look in looks:
        look()
    if uid:
        _show(operation, operation.store.payments_of(uid, PAYMENTS_MAX), "Nothing was ever paid.")
    else:
        operation.show({"looked": len(looks)}, f"Done: {len(looks)} objects were looked at.")


def _of_user(uid: str, operation: Operation) -> list[Callable[[], object]]:
    deps, stored = operation.deps, operation.store.look_at_billing(uid)
    looks: list[Callable[[], object]] = []
    if stored.billing.customer:  # as if nothing had been looked at: also if nothing has changed there
        whole = replace(stored, billing=stored.billing.model_copy(update={"shown": {}}))
        looks.append(partial(reconcile_plans, whole, deps.stripe, deps))
    for payment in operation.store.payments_of(uid, PAYMENTS_MAX):
        if payment.payment_id.startswith(f"{Provider.STRIPE}:"):
            intent = _intent(payment, operation)
            named = [intent, *deps.stripe.reversals_of(intent)] if intent else []
            looks += [partial(reconcile_object, each, deps.stripe, deps) for each in named]
    if deps.revenuecat is not None:
        looks.append(partial(reconcile_stores, uid, deps.revenuecat, deps))
    return looks


def _intent(payment: Payment, operation: Operation) -> str | None:
    """Return the payment intent at Stripe that a pack or a period was paid by."""
    _, name, *period = payment.payment_id.split(":")
    return operation.deps.stripe.intent_of_period(name, int(period[0])) if period else name


def _of_events(days: int, operation: Operation) -> list[Callable[[], object]]:
    deps, since = operation.deps, operation.now - timedelta(days=days)
    events = deps.stripe.events_since(int(since.timestamp()))
    if len(events) == EVENTS_MAX:
        raise RefusedError(f"there are {EVENTS_MAX} events or more: take fewer days")
    about = dict.fromkeys(hint_of(each).object_id for each in reversed(events))
    return [partial(reconcile_object, name, deps.stripe, deps) for name in about if name is not None]


@app.command()
@command(changing_for)
def refund(
    operation: Operation,
    name: Name,
    minor: Annotated[
        int | None,
        typer.Option(
            min=1, help="How much, in cents, or in what is smallest of its currency.", show_default="all that is left"
        ),
    ] = None,
) -> None:
    """Refund a payment at Stripe, and take its tokens back. What was refunded already is not refunded again."""
    payment = _known(name, operation)
    if not payment.payment_id.startswith(f"{Provider.STRIPE}:"):
        raise RefusedError("only its store can refund this; its event takes the tokens back")
    paid, taken = payment.facts.paid_minor or 0, payment.taken_minor
    asked = minor or paid - taken
    if not 0 < asked <= paid - taken:
        raise RefusedError(f"{_money(paid - taken, payment.currency)} are left of this payment")
    intent = _intent(payment, operation)
    if intent is None:
        raise RefusedError(f"Stripe shows no payment of the period {name}")
    changes = [change("refunded", _money(taken, payment.currency), _money(taken + asked, payment.currency))]
    follows = ["The tokens that it is worth go; what was spent of them is owed."]
    operation.ask(
        changes, f"Refund of {payment.product} for {payment.uid or 'nobody'}: {operation.why}", follows=follows
    )
    operation.store.record(operation.audit("refund-payment", name, changes))  # first: it is known who asked
    try:
        # By how much and how often it was taken back: one that fails at its bank may be asked for again.
        key = f"{name}:{len(payment.facts.reversals)}:{taken}:{asked}"
        made = operation.deps.stripe.refund(intent, asked, key)
    except RefundRefusedError as error:
        raise RefusedError(f"Stripe does not refund this: {error}. Look first: payments reconcile UID") from error
    reconcile_object(made, operation.deps.stripe, operation.deps)
    after = _known(name, operation)
    operation.show(
        {"refund": made, "payment": after.as_json()},
        f"Done: {_money(asked, payment.currency)} refunded ({made}), {payment.given - after.given} tokens taken back.",
    )


@app.command()
@command(changing_for)
def claim(operation: Operation, name: Name, uid: Annotated[str, typer.Argument(help="Who gets its tokens.")]) -> None:
    """Give a payment that waits unclaimed to a user who has shown that it is theirs, also one for a closed team."""
    payment, wallet = _known(name, operation), known_wallet(uid, operation.deps)
    if payment.uid is not None:
        raise RefusedError(f"{payment.uid} has this payment already: nothing was changed")

    def decide(stored: Payment | None, found: Wallet | None) -> Claimed:
        if stored is None or stored.uid is not None:
            raise RefusedError("somebody else was faster: nothing was changed")
        owned = stored.model_copy(update={"uid": uid, "team_id": None})
        after, account = credited(owned, Account(still_there(uid, found)), operation.now)
        return after.noted(operation.now), account

    tokens = target(payment)
    changes = [change("payer", None, uid), change("purchased", wallet.purchased, max(wallet.bought + tokens, 0))]
    operation.ask(changes, f"{name}, {_money(payment.facts.paid_minor, payment.currency)}: {operation.why}")
    after = operation.store.claim_payment(name, uid, decide, operation.audit("claim", name, changes))
    operation.show(after.as_json(), f"Done: {uid} has {after.given} tokens from {name}.")


def _known(name: str, operation: Operation) -> Payment:
    payment = operation.store.get_payment(document_id(name))
    if payment is None:
        raise RefusedError(f"there is no payment {name}; `payments find UID` shows a user's")
    return payment
