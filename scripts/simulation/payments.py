"""Payments, simulated: the rule of `functions/core/payments` between a provider that tells the truth late, twice, out
of order, in an old state or not at all, and a reconciler that dies.

A history has some packs, also for a team, and subscriptions at a provider. Each change of one makes one or two events;
an event is delivered up to three times, in any order, or is lost. The reconciler takes an event as a hint:

    version   read what we know of the payment, and under which version
    fetch     read it at the provider: begun after the version was read, so never older than what that version knows
    commit    payment, wallet and entry, if the version is still the same; else all over again

It can die at each of the three, and others run meanwhile. In the end a cron looks at everything. The provider knows
what each payment is worth; the checks compare that with the wallets.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from functions.core.config.plans import Plan
from functions.core.payments.payments import (
    ABSENT_FOR,
    Facts,
    Payment,
    Provider,
    Reversal,
    Stage,
    credited,
    payment_id,
)
from functions.core.payments.subscriptions import Status, Subscription, plan_held
from functions.core.wallet.accounts import Account, bought_part, charge, refund
from functions.core.wallet.ledger import LedgerEntry, Reason, empty_wallet
from scripts.simulation.invariants import Violation

START = datetime(2026, 11, 1, tzinfo=UTC)
PACKS = ((25, 199), (100, 499), (500, 1_999))  # tokens, minor units
PERIOD = timedelta(days=30)
GRACE_DAYS = 7
WELCOME = 10
TEAM = "team/green"
PROMISES = (
    "double_credits",
    "lost_payments",
    "taken_without_cause",
    "ledger_drift",
    "given_drift",
    "stale_status",
    "wrong_plan",
)
"""What is checked: no payment brings more than it is worth, or less; none is taken back for no reason; wallets are the
sum of their ledgers, and payments of their entries; no old state of a subscription is stored over a newer one; and
whoever pays for a plan has it."""

CHANGES, ACTIONS, CRASHES_IN, STALE_IN, LOST_IN, BLIND_IN = 16, 16, 12, 10, 10, 8


class Bug(StrEnum):
    """Ways in which others reconcile. Those of the rule itself are mutations: `scripts.simulation.payment_bugs`."""

    EVENT_KEY = "entries named by the event"
    CHECK_OUTSIDE = "looked before the transaction, posted inside"
    FETCH_FIRST = "fetched before the version was read"
    CANCEL_PAYS = "a cancelled subscription brings its period's tokens"
    EACH_INVOICE = "any paid invoice is a renewal"
    CLAIM_FIRST = "the event is claimed before its work"


@dataclass
class Bought:
    """One payment at the provider: what it has been worth so far, and its facts after each change, None where a read
    no longer shows it. `period` is the beginning of a subscription's period, `more` a further invoice for the same."""

    name: str
    tokens: int
    minor: int
    sandbox: bool = False
    period: int | None = None
    more: bool = False
    worth: list[int] = field(default_factory=lambda: [0])
    facts: list[Facts | None] = field(default_factory=lambda: [Facts()])

    def change(self, dice: Random, *, told_by_absence: bool) -> bool:
        """Pay, refund, dispute, or end what has begun; return whether a read shows it as gone."""
        now = self.facts[-1] or Facts()
        if now.paid_minor is None:
            new = Facts(paid_minor=self.minor)
        elif told_by_absence:
            self.facts.append(None)
            self.worth.append(0)
            return True
        else:
            new = now.joined(Facts(reversals=_taken_back(now.reversals, self.minor, dice)))
        self.facts.append(new)
        taken = sum(each.minor or 0 for each in new.reversals.values() if each.stage in {"taken", "lost"})
        self.worth.append(0 if self.sandbox else self.tokens * (self.minor - min(taken, self.minor)) // self.minor)
        return False


def _taken_back(reversals: Mapping[str, Reversal], minor: int, dice: Random) -> dict[str, Reversal]:
    going = [name for name, each in reversals.items() if each.stage in {Stage.ANNOUNCED, Stage.TAKEN}]
    if going and dice.random() < 0.7:
        name = dice.choice(going)
        further = (Stage.RETURNED, Stage.LOST) if name.startswith("dp") else (Stage.RETURNED,)
        stage = Stage.TAKEN if reversals[name].stage is Stage.ANNOUNCED else dice.choice(further)
        return {name: reversals[name].model_copy(update={"stage": stage})}
    name = f"{dice.choice(('re', 'dp'))}_{len(reversals)}"
    first = Stage.ANNOUNCED if name.startswith("dp") and dice.random() < 0.5 else Stage.TAKEN
    return {name: Reversal(minor=minor if name.startswith("dp") else dice.randint(1, minor), stage=first)}


@dataclass
class Object:
    """What an event can name: a pack, or a subscription with a payment for each period, and its states so far. `uid`
    has bought it, and `payee` is the wallet that it is for: the buyer's, or a team's."""

    name: str
    uid: str
    provider: Provider
    payments: list[Bought]
    subscription: list[Subscription] = field(default_factory=list)
    payee: str = ""

    def __post_init__(self) -> None:
        self.payee = self.payee or self.uid


@dataclass(frozen=True)
class Event:
    """A hint. `gone`: it says that this object's payment was refunded."""

    event_id: str
    about: Object
    gone: bool


@dataclass(frozen=True)
class Shown:
    """An answer of the provider, asked `at`: payments with their facts, and how new the subscription in it is."""

    at: datetime
    payments: list[tuple[Bought, Facts | None]]
    status: int


@dataclass
class Store:
    """Our documents, each with a version."""

    payments: dict[str, Payment] = field(default_factory=dict)
    wallets: dict[str, Account] = field(default_factory=dict)
    subscriptions: dict[str, int] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    versions: Counter[str] = field(default_factory=Counter)

    def ledger(self, name: str) -> tuple[LedgerEntry, ...]:
        return self.wallets[name].new_entries


class World:
    """One history: `run` it, and read its `violations`."""

    def __init__(self, seed: int, bug: Bug | None = None) -> None:
        self.dice, self.bug, self.now, self.store = Random(seed), bug, START, Store()  # noqa: S311  (a seeded history)
        self.violations: list[Violation] = []
        self.credited: set[str] = set()
        self.faults = True
        self.stale = self.dice.random() < 0.5
        users = [f"user-{number}" for number in range(self.dice.randint(1, 2))]
        self.store.wallets = {
            uid: Account(empty_wallet(START)).post(WELCOME, Reason.WELCOME, None, START) for uid in users
        }
        self.store.wallets[TEAM] = Account(empty_wallet(START))
        self.objects = [self._object(number, self.dice.choice(users)) for number in range(self.dice.randint(1, 3))]
        self.blind_from: datetime | None = None
        self.events: list[Event] = []
        self.due: list[Event] = []
        self.running: list[tuple[Event, Generator[None, None, None]]] = []
        self.jobs: list[tuple[str, str, int, int]] = []
        self.free = Counter(dict.fromkeys(users, WELCOME))

    def _object(self, number: int, uid: str) -> Object:
        provider = self.dice.choice(tuple(Provider))
        if self.dice.random() < 0.6:
            tokens, minor = self.dice.choice(PACKS)
            sandbox = self.dice.random() < 0.1
            payee = TEAM if provider is Provider.STRIPE and self.dice.random() < 0.3 else uid
            bought = Bought(f"pi_{number}", tokens, minor, sandbox)
            return Object(f"pi_{number}", uid, provider, [bought], payee=payee)
        first = self._subscribed(Status.ACTIVE, 0)
        return Object(f"sub_{number}", uid, provider, [Bought(f"in_{number}_0", 100, 900, period=0)], [first])

    def _subscribed(self, status: Status, period: int, *, renews: bool = True) -> Subscription:
        end = START + (period + 1) * PERIOD
        return Subscription(provider=Provider.STRIPE, plan=Plan.PRO, status=status, period_end=end, renews=renews)

    def run(self) -> list[Violation]:
        """Let everything happen that can, then the cron; return what was broken."""
        for _ in range(CHANGES * len(self.objects) + ACTIONS):
            self.dice.choice((self._change, self._deliver, self._deliver, self._use, self._step, self._step))()
            self.now += timedelta(seconds=self.dice.randint(1, 900))
        while self.due or self.running:
            self.dice.choice((self._deliver, self._step, self._step))()
        for _ in range(2):
            self._look()
            self.now += ABSENT_FOR
        self._check_end()
        return self.violations

    # What happens at the provider and to the user

    def _change(self) -> None:
        about = self.dice.choice(self.objects)
        if about.subscription and self.dice.random() < 0.6:
            self._change_subscription(about)
            gone = False
        else:
            absence = about.provider is Provider.REVENUECAT and not about.subscription
            changing = self.dice.choice(self._shown(about))
            gone = changing.change(self.dice, told_by_absence=absence)
        for _ in range(self.dice.randint(1, 2)):
            event = Event(f"evt_{len(self.events)}", about, gone)
            self.events.append(event)
            if self.dice.random() * LOST_IN > 1:
                self.due += [event] * self.dice.randint(1, 3)

    def _change_subscription(self, about: Object) -> None:
        last, period = about.subscription[-1], about.payments[-1].period or 0
        kind = self.dice.choice(("renew", "second invoice", "overdue", "cancel", "end"))
        if about.provider is Provider.REVENUECAT and kind == "renew":
            self._look()  # a period is longer than the day in which the cron looks at everybody
        if last.status is Status.ENDED:
            return
        if kind == "renew" and last.renews:
            about.payments.append(Bought(f"in_{about.name}_{period + 1}", 100, 900, period=period + 1))
            about.subscription.append(self._subscribed(Status.ACTIVE, period + 1))
        elif kind == "second invoice" and about.provider is Provider.STRIPE:
            first = next(each for each in about.payments if each.period == period)
            if first.facts[-1] == Facts(paid_minor=900):
                facts: list[Facts | None] = [Facts(), Facts(paid_minor=300)]
                about.payments.append(Bought(f"{first.name}_more", 100, 900, period=period, facts=facts, more=True))
        else:
            status = {"overdue": Status.PAST_DUE, "end": Status.ENDED}.get(kind, Status(last.status))
            about.subscription.append(self._subscribed(status, period, renews=last.renews and kind != "cancel"))

    def _use(self) -> None:
        """Spend tokens, or get those of a failed photo back."""
        uid = self.dice.choice(list(self.store.wallets))
        account = self.store.wallets[uid]
        mine = [job for job in self.jobs if job[0] == uid]
        if mine and self.dice.random() < 0.3:
            job = self.dice.choice(mine)
            self.jobs.remove(job)
            self.store.wallets[uid] = refund(account, job[1], job[2], self.now, bought=job[3])
            self.free[uid] += job[2] - job[3]
        elif account.wallet.balance:
            price, name = self.dice.randint(1, account.wallet.balance), f"job-{account.wallet.entry_count}"
            account = self.store.wallets[uid] = charge(account, name, price, self.now)
            self.free[uid] -= price - bought_part(account)
            self.jobs.append((uid, name, price, bought_part(account)))

    # The reconciler

    def _deliver(self) -> None:
        if self.due:
            event = self.due.pop(self.dice.randrange(len(self.due)))
            self.running.append((event, self._reconcile(event)))

    def _step(self) -> None:
        """Let one run make its next call; or kill it before or after, and have the provider deliver the event again."""
        if not self.running:
            return
        at = self.dice.randrange(len(self.running))
        event, run = self.running[at]
        fate = self.dice.random() * CRASHES_IN if self.faults else CRASHES_IN
        ended = fate < 0.5
        if not ended:
            ended = next(run, self) is self
        if ended or fate < 1:
            del self.running[at]
        if fate < 1 and self.dice.random() < 0.5:
            self.due.append(event)

    def _look(self) -> None:
        """Look at everything, as the cron does, at a time when nothing goes wrong."""
        self.faults = False
        handled = self.events if self.bug is Bug.CLAIM_FIRST else []
        looked = [Event(f"cron-{about.name}-{self.now}", about, gone=False) for about in self.objects]
        for event in handled or looked:
            for _ in self._reconcile(event):
                pass
        self.faults = True

    def _reconcile(self, event: Event) -> Generator[None, None, None]:
        if self.bug is Bug.CLAIM_FIRST:
            if event.event_id in self.store.events:
                return
            self.store.events.add(event.event_id)
            yield
        about = event.about
        while True:
            shown = self._fetch(about) if self.bug is Bug.FETCH_FIRST else None
            yield
            version = self.store.versions[about.name]
            looked = dict(self.store.payments)
            yield
            shown = self._fetch(about) if shown is None else shown
            yield
            if self.bug is Bug.CHECK_OUTSIDE:
                return self._commit(event, shown, looked)
            if self.store.versions[about.name] == version:
                return self._commit(event, shown, self.store.payments)

    def _fetch(self, about: Object) -> Shown:
        """Read an object, in an old state if it is one of those histories; RevenueCat may show nothing at all."""
        old = int(self.faults and self.stale and self.dice.random() * STALE_IN < 1)
        blind = self.faults and about.provider is Provider.REVENUECAT and self._blind()
        shown = [] if blind else self._shown(about)
        if about.provider is Provider.STRIPE:
            shown = about.payments
        seen = [
            (each, each.facts[max(len(each.facts) - 1 - old, 0)] if each in shown else None) for each in about.payments
        ]
        return Shown(self.now, seen, max(len(about.subscription) - 1 - old, 0))

    def _shown(self, about: Object) -> list[Bought]:
        """Return the payments that are told of: RevenueCat shows the last period of a subscription alone."""
        paid = [each for each in about.payments if not each.more]
        return paid[-1:] if about.provider is Provider.REVENUECAT else paid

    def _blind(self) -> bool:
        """For some minutes of a history RevenueCat shows nothing, as for a wrong key."""
        if self.blind_from is None and self.dice.random() * BLIND_IN < 1:
            self.blind_from = self.now
        return self.blind_from is not None and self.now - self.blind_from < ABSENT_FOR / 2

    def _name(self, about: Object, bought: Bought) -> str:
        if bought.period is None or self.bug is Bug.EACH_INVOICE:
            return payment_id(about.provider, bought.name)
        return payment_id(about.provider, about.name, str(bought.period))

    def _commit(self, event: Event, shown: Shown, known: dict[str, Payment]) -> None:
        about, store = event.about, self.store
        for bought, facts in shown.payments:
            name = self._name(about, bought)
            payment = known.get(name) or _new(name, bought, about)
            payee = payment.payee or about.uid
            account = store.wallets[payee]
            if self.bug is Bug.CANCEL_PAYS and about.subscription and not about.subscription[shown.status].renews:
                payment = payment.told(Facts(paid_minor=bought.minor))
            read = payment.absent(shown.at, named=event.gone) if facts is None else payment.told(facts)
            if self.bug is Bug.EVENT_KEY:
                read = read.model_copy(update={"payment_id": f"{name}.{event.event_id}", "given": 0, "moves": 0})
                if read.payment_id in {each.ref for each in account.new_entries}:
                    continue
            store.payments[name], store.wallets[payee] = credited(read, account, self.now)
        if about.subscription:
            if shown.status < store.subscriptions.get(about.name, 0) and not self.stale:
                self._broken("stale_status", f"{about.name}: an older state was stored over a newer one")
            store.subscriptions[about.name] = shown.status
        store.versions[about.name] += 1
        self._check(about)

    # The checks

    def _broken(self, kind: str, text: str) -> None:
        self.violations.append(Violation(kind, text))

    def _each(self, about: Object) -> Iterator[tuple[str, int, list[int]]]:
        """Yield each payment's name, the tokens that came of it, and what it was worth so far. All invoices of a period
        are one payment, however the reconciler names them."""
        entries = [each for each in self.store.ledger(about.payee) if each.reason in {Reason.BUY, Reason.PERIOD}]
        for bought in about.payments:
            if bought.more:
                continue
            invoices = [each for each in about.payments if each is bought or each.period == bought.period is not None]
            names = sorted({self._name(about, each) for each in invoices})
            named = re.compile(rf"({'|'.join(map(re.escape, names))})([.:].*)?")
            own = [each for each in entries if named.fullmatch(f"{each.ref}")]
            yield bought.name, sum(each.bought for each in own), bought.worth

    def _check(self, about: Object) -> None:
        """Nobody has got more than a payment was worth at its best, or less than at its worst since it was paid."""
        for name, posted, worth in self._each(about):
            if posted > max(worth):
                self._broken("double_credits", f"{name}: {posted} tokens, worth {worth}")
            if posted:
                self.credited.add(name)
            elif name in self.credited and posted < min(worth[1:]):
                self._broken("taken_without_cause", f"{name}: {posted} tokens, worth {worth}")

    def _check_end(self) -> None:
        for about in self.objects:
            for name, posted, worth in self._each(about):
                if posted != worth[-1]:
                    kind = "double_credits" if posted > worth[-1] else "lost_payments"
                    self._broken(kind, f"{name}: {posted} tokens in the end, worth {worth}")
            if about.subscription:
                self._check_plan(about)
        given = Counter[str]()
        for payment in self.store.payments.values():
            given[payment.payee or ""] += payment.given
        for uid, account in self.store.wallets.items():
            entries, wallet = self.store.ledger(uid), account.wallet
            paid = sum(each.bought for each in entries if each.reason in {Reason.BUY, Reason.PERIOD})
            if paid != given[uid] and self.bug is not Bug.EVENT_KEY:
                self._broken("given_drift", f"{uid}: the ledger has {paid} bought tokens, the payments {given[uid]}")
            left = sum(each.bought for each in entries)
            balance = sum(each.delta for each in entries)
            if (wallet.purchased, wallet.owed, wallet.balance) != (max(left, 0), max(-left, 0), balance):
                self._broken("ledger_drift", f"{uid}: {wallet.purchased} and {wallet.owed} owed; the ledger has {left}")
            if wallet.balance != self.free[uid] + wallet.purchased:
                self._broken("ledger_drift", f"{uid}: {wallet.balance} tokens, {self.free[uid]} of them free")

    def _check_plan(self, about: Object) -> None:
        stored = about.subscription[self.store.subscriptions[about.name]]
        for days in (0, 20, 45, 90):
            at = START + timedelta(days=days)
            held, last = plan_held([stored], GRACE_DAYS, at).plan, about.subscription[-1]
            until = last.period_end + timedelta(days=GRACE_DAYS if last.renews else 0)
            if (held is Plan.PRO) != (last.status is not Status.ENDED and at < until):
                self._broken("wrong_plan", f"{about.name}: {held} on day {days}")


def _new(name: str, bought: Bought, about: Object) -> Payment:
    reason = Reason.BUY if bought.period is None else Reason.PERIOD
    fields = {"payment_id": name, "reason": reason, "uid": about.uid, "product": f"tokens{bought.tokens}"}
    team_id = about.payee.partition("team/")[2] or None
    return Payment(**fields, tokens=bought.tokens, currency="usd", sandbox=bought.sandbox, team_id=team_id)
