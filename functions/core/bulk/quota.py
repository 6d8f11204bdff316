"""What starts a bulk job: its charge, `bulk:{bulk}`, at what the user's plan takes, and its month. Its photos take
no places of a day, which are for single ones."""

from datetime import datetime
from functools import partial

from functions.core.bulk.bulks import Bulk
from functions.core.config.plans import Feature
from functions.core.config.runtime import RuntimeConfig
from functions.core.refresh.refresh import credit_due
from functions.core.shared.errors import EcolaneError
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import iso_text, month_of, next_month
from functions.core.wallet.accounts import Account, bought_part, charge_bulk
from functions.core.wallet.achievements import unlocked
from functions.core.wallet.ledger import Wallet
from functions.core.wallet.months import this_month, with_month
from functions.core.wallet.prompts import prompted
from functions.core.wallet.quotas import require_feature, require_not_blocked
from functions.core.wallet.refusals import MonthlyLimit


def admitted(account: Account, photos: int, runtime: RuntimeConfig, now: datetime) -> Account:
    """Count the photos of a bulk job in their user's month. Raises AccountBlocked, PlanRequired and MonthlyLimit; of a
    team's wallet, TeamNotFound first."""
    wallet, rules = account.wallet, runtime.plans.of(account.wallet.plan)
    wallet.require_room(0, now)  # who is in no such team is told that, and not what its plan lacks
    require_not_blocked(wallet)
    require_feature(Feature.BULK, wallet.plan, runtime.plans)
    month = this_month(wallet, now)
    if rules.photos_per_month is not None and month.photos + photos > rules.photos_per_month:
        raise MonthlyLimit(
            f"At most {rules.photos_per_month} photos a month, and you have had {month.photos}.",
            limit=rules.photos_per_month,
            resetsAt=iso_text(next_month(now)),
        )
    return _with_photos(account, photos, now)


def price_for(account: Account, price: int, runtime: RuntimeConfig) -> int:
    """Return what a bulk job of this price costs on the user's plan."""
    return 0 if runtime.plans.of(account.wallet.plan).unlimited else price


def returned(account: Account, photos: int, counted_at: datetime, now: datetime) -> Account:
    """Take back the count of photos in their month, if it lasts."""
    same = month_of(counted_at) == this_month(account.wallet, now).month
    return _with_photos(account, -photos, now) if same else account


def _with_photos(account: Account, photos: int, now: datetime) -> Account:
    month = this_month(account.wallet, now)
    counted = month.model_copy(update={Lane.BATCH.value: max(month.batch + photos, 0)})
    return account.with_fields(months=with_month(account.wallet, counted))


def started(wallet: Wallet | None, bulk: Bulk, runtime: RuntimeConfig) -> tuple[Account, Bulk]:
    """Charge for a bulk job, after the credit due. Raises what `admitted` does, InsufficientTokens, and MemberLimit."""
    now = bulk.created_at
    account = credit_due(wallet, bulk.uid, runtime, now)
    admit = partial(_charged, bulk=bulk, runtime=runtime)
    try:
        account = admit(account)
    except EcolaneError as error:
        raise prompted(error, account, runtime, now, admit) from None
    paid = {"tokens_cost": -account.new_entries[-1].delta, "tokens_bought": bought_part(account)}
    return unlocked(account, runtime, now), bulk.model_copy(update=paid)


def _charged(account: Account, bulk: Bulk, runtime: RuntimeConfig) -> Account:
    now, price = bulk.created_at, price_for(account, bulk.tokens_cost, runtime)
    account, points = admitted(account, bulk.count, runtime, now), bulk.points * bulk.count
    return charge_bulk(account, bulk.bulk_id, price, bulk.count, now, points=points)
