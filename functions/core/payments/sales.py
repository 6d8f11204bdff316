"""What was sold and taken back on a day, and whether the books agree: what operators see of payments, `stats/sales`.

Counted once a day is over. A refund or dispute counts on the day on which we first learn of it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from functions.core.payments.payments import Payment, Provider, Stage
from functions.core.shared.alerts import AlertKind
from functions.core.shared.records import Kept
from functions.core.shared.utc_days import day_of
from functions.core.wallet.figures import Count

DAYS_KEPT = 30

PAYMENTS_MAX = 5_000
"""Of one day that are counted. A day of more says so."""

HEARD_EVERY = timedelta(hours=1)
"""How often a process stores that events arrive."""

SILENT = timedelta(days=1) + HEARD_EVERY

DISPUTES = ("du_", "dp_")
"""How Stripe's ids of disputes begin. Those of stores are not told."""


class Sold(Kept):
    """Payments of a product in one currency: how many, their `minor` units, and the `tokens` given for them."""

    product: str
    provider: str
    currency: str
    payments: Count = 0
    minor: Count = 0
    tokens: int = 0


class TakenBack(Kept):
    """Refunds, or disputes, in one currency: how many, and the `minor` units that they take."""

    dispute: bool
    currency: str
    payments: Count = 0
    minor: Count = 0


class SalesDay(Kept):
    """A day (UTC). Half of its payments had their tokens within `credit_seconds_half` of being paid, 95 % within
    `credit_seconds_most`; None if that is not known of any. `more`: it had more payments than are counted."""

    day: str
    sold: tuple[Sold, ...] = ()
    taken_back: tuple[TakenBack, ...] = ()
    credit_seconds_half: Count | None = None
    credit_seconds_most: Count | None = None
    more: bool = False


class Sales(Kept):
    """The last days, and what held when they were counted, `at`: payments that wait `unclaimed`, tokens that payments
    say they have `given`, and those that the ledgers have `booked` for them."""

    at: AwareDatetime | None = None
    days: tuple[SalesDay, ...] = ()
    unclaimed: Count = 0
    given: int = 0
    booked: int = 0


class Heard(Kept):
    """When events last arrived, by provider, in `stats/heard`."""

    at: Mapping[str, AwareDatetime] = Field(default_factory=dict)


def days_due(sales: Sales, now: datetime) -> list[str]:
    """Return the days that are over and not counted, the oldest first; at first yesterday alone."""
    yesterday = now - timedelta(days=1)
    known = sales.days[-1].day if sales.days else day_of(yesterday - timedelta(days=1))
    days = [day_of(yesterday - timedelta(days=back)) for back in reversed(range(DAYS_KEPT))]
    return [day for day in days if day > known]


def sales_day(day: str, sold: Sequence[Payment], changed: Sequence[Payment]) -> SalesDay:
    """Return a day of these payments: those that were met on it, and those whose refunds or disputes were."""
    real = [each for each in sold if not each.sandbox and each.facts.paid_minor is not None]
    return SalesDay(
        day=day,
        sold=_sold(real),
        taken_back=_taken_back(day, changed),
        **_waits(real),
        more=max(len(sold), len(changed)) >= PAYMENTS_MAX,
    )


def _sold(payments: Iterable[Payment]) -> tuple[Sold, ...]:
    counts, minor, tokens = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]](), Counter[tuple[str, ...]]()
    for each in payments:
        key = (each.product, each.payment_id.partition(":")[0], each.currency)
        counts[key] += 1
        minor[key] += each.facts.paid_minor or 0
        tokens[key] += each.given
    return tuple(
        Sold(product=key[0], provider=key[1], currency=key[2], payments=n, minor=minor[key], tokens=tokens[key])
        for key, n in sorted(counts.items())
    )


def _taken_back(day: str, payments: Iterable[Payment]) -> tuple[TakenBack, ...]:
    counts, minor = Counter[tuple[bool, str]](), Counter[tuple[bool, str]]()
    for each in payments:
        for name, reversal in each.facts.reversals.items():
            met = each.reversals_at.get(name)
            if each.sandbox or met is None or day_of(met) != day or reversal.stage not in {Stage.TAKEN, Stage.LOST}:
                continue
            key = (name.startswith(DISPUTES), each.currency)
            counts[key] += 1
            minor[key] += (each.facts.paid_minor or 0) if reversal.minor is None else reversal.minor
    return tuple(
        TakenBack(dispute=key[0], currency=key[1], payments=n, minor=minor[key]) for key, n in sorted(counts.items())
    )


def _waits(payments: Iterable[Payment]) -> dict[str, int]:
    waited = sorted(
        max((each.met_at - each.paid_at) // timedelta(seconds=1), 0)
        for each in payments
        if each.met_at is not None and each.paid_at is not None
    )
    if not waited:
        return {}
    return {
        "credit_seconds_half": waited[(len(waited) - 1) // 2],
        "credit_seconds_most": waited[(len(waited) - 1) * 95 // 100],
    }


def counted(sales: Sales, days: Iterable[SalesDay], unclaimed: int, given: int, booked: int, now: datetime) -> Sales:
    """Return the sales with these further days."""
    kept = (*sales.days, *days)[-DAYS_KEPT:]
    return sales.model_copy(update={"at": now, "days": kept, "unclaimed": unclaimed, "given": given, "booked": booked})


def complaints(sales: Sales, heard: Heard, now: datetime) -> dict[AlertKind, str]:
    """Return what operators have to be told of the last day."""
    found = {}
    if sales.given != sales.booked:
        found[AlertKind.BILLING_DRIFT] = (
            f"Payments say that they have given {sales.given} tokens, the ledgers have {sales.booked} from them."
        )
    sold = {each.provider for each in sales.days[-1].sold}
    since = {name: heard.at.get(name) for name in Provider if name in sold}
    silent = [name for name, at in since.items() if at is None or now - at > SILENT]
    if silent:
        found[AlertKind.BILLING_SILENT] = (
            f"Somebody bought by {' and '.join(silent)} on {sales.days[-1].day}, and no event has come since."
        )
    return found
