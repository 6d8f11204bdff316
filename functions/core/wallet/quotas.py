"""How much one user, and one device, may do. Counted in documents that the same transaction writes anyway."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from functions.core.config.plans import Feature, PlanRules, Plans
from functions.core.shared.errors import DailyLimit, RateLimited
from functions.core.shared.lanes import Lane
from functions.core.shared.records import Fields, Kept, Open
from functions.core.shared.utc_days import day_of, iso_text, next_day, next_month
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import Wallet, today_of
from functions.core.wallet.months import this_month, with_month
from functions.core.wallet.refusals import AccountBlocked, MonthlyLimit, PlanRequired

CANCELLED_UNCOUNTED_MAX = 10
"""Photos that a user may cancel in a day uncounted. Charging and cancelling in a loop costs the operator a photo's work
and six writes each, so further ones count against the day's limit."""

FAILURES_REFUNDED_MAX = 3
"""Of a user's photos of the day that were billed and showed nothing usable, so many are refunded. Later charges stand,
and the instant lane, at twice the cost, is closed to the user until the next day. Otherwise five accounts with ten
tokens each spend a whole day's budget."""

DEVICE_DAY_LIFETIME = timedelta(days=2)
"""After this a device's counters are of no use to anybody."""


class DeviceDay(Kept):
    """What one device has earned on one UTC day, over all its users. Stored in `devices/{hash}`."""

    day: str
    bonus: int = 0
    manual: int = 0
    expire_at: datetime


def require_not_blocked(wallet: Wallet) -> None:
    """Check that no operator has blocked the user. Raises AccountBlocked."""
    if wallet.blocked_at is not None:
        raise AccountBlocked("This account is blocked. Contact support.")


def use_quota(account: Account, lane: Lane, plan: PlanRules, now: datetime) -> Account:
    """Count one paid call.

    Raises:
        AccountBlocked: an operator takes no photos from this user.
        RateLimited: too many in this minute; detail `retryAfter`, in seconds.
        DailyLimit: the plan's photos of this lane are used up today; details `limit` and `resetsAt`.
        MonthlyLimit: those of both lanes are used up this month; the same details.
    """
    wallet = account.wallet
    require_not_blocked(wallet)
    minute = max(int(now.timestamp()) // 60, wallet.rate_minute)
    count = wallet.rate_count + 1 if minute == wallet.rate_minute else 1
    if count > plan.calls_per_minute:
        wait = 60 - int(now.timestamp()) % 60
        raise RateLimited(f"At most {plan.calls_per_minute} photos a minute. Wait {wait} seconds.", retryAfter=wait)
    today = today_of(wallet, now)
    if lane is Lane.INSTANT and today.failed >= FAILURES_REFUNDED_MAX:
        raise daily_limit("photos that come to nothing", FAILURES_REFUNDED_MAX, now)
    used = getattr(today, lane)
    limit = plan.instant_per_day if lane is Lane.INSTANT else plan.batch_per_day
    if used >= limit:
        raise daily_limit(f"{lane} photos", limit, now)
    month = this_month(wallet, now)
    if plan.photos_per_month is not None and month.photos >= plan.photos_per_month:
        raise MonthlyLimit(
            f"At most {plan.photos_per_month} photos a month. The next month begins at midnight UTC.",
            limit=plan.photos_per_month,
            resetsAt=iso_text(next_month(now)),
        )
    return account.with_fields(
        rate_minute=minute,
        rate_count=count,
        today=today.model_copy(update={lane.value: used + 1}),
        months=with_month(wallet, month.model_copy(update={lane.value: getattr(month, lane) + 1})),
    )


def require_feature(feature: Feature, plan: str, plans: Plans) -> None:
    """Check that a user's plan has a feature. Raises PlanRequired."""
    if feature not in plans.of(plan).features:
        having = [name for name in type(plans).model_fields if feature in plans.of(name).features]
        raise PlanRequired("Your plan does not have this.", feature=feature.value, plan=next(iter(having), None))


@dataclass(frozen=True)
class ActualSpend:
    """Actual spend of one user's day in micro-dollars, valid while the wallet still shows `counted_micros`."""

    day: str
    counted_micros: int
    micros: int


@dataclass(frozen=True)
class RecountNeeded:
    """The cap would refuse by today's upper bound, and the actual spend is not known, or was overtaken."""

    day: str
    counted_micros: int


def recounted(
    account: Account, micros: int, micros_max: int, now: datetime, recount: ActualSpend | None
) -> Account | RecountNeeded:
    """Replace today's upper bound by the actual spend if the cap would otherwise refuse. Writing each call's difference
    back to the wallet would be one write more for every call; so only users near the cap are added up."""
    today = today_of(account.wallet, now)
    if today.held_micros + micros <= micros_max:
        return account
    if recount is None or (recount.day, recount.counted_micros) != (today.day, today.held_micros):
        return RecountNeeded(today.day, today.held_micros)
    return account.with_fields(today=today.model_copy(update={"held_micros": recount.micros}))


def add_cost(account: Account, micros: int, micros_max: int, now: datetime) -> Account:
    """Add a photo's upper bound in micro-dollars; see `recounted`. Raises DailyLimit if this user has cost enough
    today: details `limit`, the photos so far, and `resetsAt`."""
    today = today_of(account.wallet, now)
    if today.held_micros + micros > micros_max:
        had = today.instant + today.batch
        raise daily_limit("photos like these, by what they cost,", had, now)
    return account.with_fields(today=today.model_copy(update={"held_micros": today.held_micros + micros}))


def visited(account: Account, now: datetime) -> tuple[Account, Fields]:
    """Note a photo; and return what its job keeps of the visit: the user's plan, and on the first photo of the day how
    many days old the wallet is, and whether there was a photo the day before, too."""
    today, plan = today_of(account.wallet, now), str(account.wallet.plan)
    if today.photographed:
        return account, {"plan": plan, "visit_age": None, "visit_again": None}
    age = date.fromisoformat(today.day) - account.wallet.created_at.astimezone(UTC).date()
    noted = account.with_fields(today=today.model_copy(update={"photographed": True}))
    return noted, {"plan": plan, "visit_age": max(age.days, 0), "visit_again": today.again}


def return_quota(account: Account, lane: Open[Lane], counted_on: str, now: datetime) -> Account:
    """Take back the count of a photo in its day and its month, as far as they last, in a lane that we know."""
    if not isinstance(lane, Lane):
        return account
    today, month = today_of(account.wallet, now), this_month(account.wallet, now)
    used, of_month = getattr(today, lane), getattr(month, lane)
    if counted_on.startswith(month.month) and of_month:
        months = with_month(account.wallet, month.model_copy(update={lane.value: of_month - 1}))
        account = account.with_fields(months=months)
    if counted_on == today.day and used:
        account = account.with_fields(today=today.model_copy(update={lane.value: used - 1}))
    return account


def count_failure(account: Account, now: datetime) -> tuple[Account, bool]:
    """Count a billed photo that showed nothing usable; and say whether its price is refunded. The lane's quota never
    is."""
    today = today_of(account.wallet, now)
    counted = account.with_fields(today=today.model_copy(update={"failed": today.failed + 1}))
    return counted, today.failed < FAILURES_REFUNDED_MAX


def return_quota_of_cancelled(account: Account, lane: Open[Lane], counted_on: str, now: datetime) -> Account:
    """The same for a photo that its user has cancelled: for the first few of a day."""
    today = today_of(account.wallet, now)
    if today.cancelled >= CANCELLED_UNCOUNTED_MAX:
        return account
    counted = account.with_fields(today=today.model_copy(update={"cancelled": today.cancelled + 1}))
    return return_quota(counted, lane, counted_on, now)


def count_on_device(device: DeviceDay | None, what: str, limit: int, now: datetime) -> DeviceDay:
    """Count one earning (`bonus` or `manual`) on a device. Raises DailyLimit, with `limit` and `resetsAt`, if the
    device has earned enough today, whoever uses it."""
    day = day_of(now)
    current = device if device is not None and device.day >= day else DeviceDay(day=day, expire_at=now)
    used = getattr(current, what)
    if used >= limit:
        raise daily_limit(f"{what} rewards on this device", limit, now)
    return current.model_copy(update={what: used + 1, "expire_at": now + DEVICE_DAY_LIFETIME})


def daily_limit(what: str, limit: int, now: datetime) -> DailyLimit:
    """Return the error for something that is used up until midnight UTC."""
    return DailyLimit(
        f"At most {limit} {what} a day. The next day begins at midnight UTC.",
        limit=limit,
        resetsAt=iso_text(next_day(now)),
    )
