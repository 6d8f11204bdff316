"""How much a user and a device may do, and when they may go on."""

from datetime import datetime, timedelta

import pytest

from functions.core.config.plans import Feature, PlanRules, Plans
from functions.core.shared.errors import DailyLimit, RateLimited
from functions.core.shared.lanes import Lane
from functions.core.shared.utc_days import day_of
from functions.core.wallet.accounts import Account
from functions.core.wallet.ledger import today_of
from functions.core.wallet.months import this_month
from functions.core.wallet.quotas import (
    CANCELLED_UNCOUNTED_MAX,
    DEVICE_DAY_LIFETIME,
    FAILURES_REFUNDED_MAX,
    ActualSpend,
    DeviceDay,
    RecountNeeded,
    add_cost,
    count_failure,
    count_on_device,
    recounted,
    require_feature,
    return_quota,
    return_quota_of_cancelled,
    use_quota,
)
from functions.core.wallet.refusals import AccountBlocked, MonthlyLimit, PlanRequired
from tests.builders import NOW, account

TODAY = day_of(NOW)
MANY = PlanRules(instant_per_day=100, batch_per_day=100, manual_per_day=1, calls_per_minute=100, priority=0)
PLAN = PlanRules(instant_per_day=2, batch_per_day=3, manual_per_day=1, calls_per_minute=4, priority=0)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def admitted(*lanes: Lane) -> Account:
    """Return an account after these photos, all of them now."""
    ledger = account()
    for lane in lanes:
        ledger = use_quota(ledger, lane, PLAN, NOW)
    return ledger


@pytest.mark.parametrize(("lane", "limit"), [(Lane.INSTANT, 2), (Lane.BATCH, 3)])
def test_each_lane_has_its_photos_a_day(lane: Lane, limit: int) -> None:
    """The plan's number is admitted, the next one is told when the day begins, and the other lane is free."""
    full = admitted(*[lane] * limit)
    with pytest.raises(DailyLimit) as limited:
        use_quota(full, lane, PLAN, NOW)
    assert limited.value.details == {"limit": limit, "resetsAt": "2026-11-22T00:00:00Z"}
    use_quota(full, Lane.BATCH if lane is Lane.INSTANT else Lane.INSTANT, PLAN, NOW)
    assert today_of(use_quota(full, lane, PLAN, NOW + DAY).wallet, NOW + DAY).day == "2026-11-22"


@pytest.mark.parametrize("lane", list(Lane))
def test_a_blocked_account_is_admitted_nowhere(lane: Lane) -> None:
    """Whatever it holds, no photo of it is taken; and it may be let in again."""
    blocked = account().with_fields(blocked_at=NOW)
    with pytest.raises(AccountBlocked):
        use_quota(blocked, lane, PLAN, NOW)
    assert use_quota(blocked.with_fields(blocked_at=None), lane, PLAN, NOW)


def test_a_clock_that_goes_back_brings_no_second_day() -> None:
    """Yesterday's counters are not opened again."""
    with pytest.raises(DailyLimit):
        use_quota(admitted(Lane.INSTANT, Lane.INSTANT), Lane.INSTANT, PLAN, NOW - DAY)


def test_photos_that_come_to_nothing_close_the_instant_lane_for_their_user_and_day() -> None:
    """There they cost twice as much. The batch lane stays, and the next day."""
    failing = admitted(Lane.BATCH)
    for _ in range(FAILURES_REFUNDED_MAX):
        use_quota(failing, Lane.INSTANT, PLAN, NOW)
        failing, _ = count_failure(failing, NOW)
    with pytest.raises(DailyLimit):
        use_quota(failing, Lane.INSTANT, PLAN, NOW)
    use_quota(failing, Lane.BATCH, PLAN, NOW)
    use_quota(failing, Lane.INSTANT, PLAN, NOW + DAY)


def test_the_minute_has_its_calls() -> None:
    """Four calls a minute, whatever the lane; the refusal says how long to wait; the next minute is free."""
    busy = admitted(Lane.INSTANT, Lane.BATCH, Lane.BATCH, Lane.INSTANT)
    with pytest.raises(RateLimited) as limited:
        use_quota(busy, Lane.BATCH, PLAN, NOW + timedelta(seconds=15))
    assert limited.value.details == {"retryAfter": 45}
    use_quota(busy, Lane.BATCH, PLAN, NOW + MINUTE)
    with pytest.raises(RateLimited):
        use_quota(busy, Lane.BATCH, PLAN, NOW - MINUTE)


def test_a_photo_that_came_to_nothing_does_not_count() -> None:
    """Its place in today's photos is free again."""
    ledger = return_quota(admitted(Lane.INSTANT, Lane.INSTANT), Lane.INSTANT, TODAY, NOW)
    assert today_of(ledger.wallet, NOW).instant == 1
    use_quota(ledger, Lane.INSTANT, PLAN, NOW)


@pytest.mark.parametrize(("counted_on", "now"), [(day_of(NOW - DAY), NOW), (TODAY, NOW + DAY)])
def test_a_photo_of_another_day_gives_no_place_back_today(counted_on: str, now: datetime) -> None:
    """A refund that comes a day later does not make room for one more than the plan allows."""
    ledger = admitted(Lane.INSTANT)
    assert return_quota(ledger, Lane.INSTANT, counted_on, now).wallet.today == ledger.wallet.today


MONTHLY = PLAN.model_copy(update={"photos_per_month": 2})


def test_a_month_has_its_photos_of_both_lanes() -> None:
    """The plan's number is admitted, the next one is told when the month begins; then there are as many again."""
    full = admitted(Lane.INSTANT, Lane.BATCH)
    for lane in Lane:
        with pytest.raises(MonthlyLimit) as limited:
            use_quota(full, lane, MONTHLY, NOW + DAY)
        assert limited.value.details == {"limit": 2, "resetsAt": "2026-12-01T00:00:00Z"}
    december = use_quota(full, Lane.BATCH, MONTHLY, NOW + 10 * DAY)
    assert [(each.month, each.photos) for each in december.wallet.months] == [("2026-12", 1), ("2026-11", 2)]
    with pytest.raises(MonthlyLimit):  # a clock that goes back opens no month again
        use_quota(full, Lane.BATCH, MONTHLY, NOW - 31 * DAY)


def test_a_photo_that_came_to_nothing_does_not_count_for_its_month() -> None:
    """On a later day of it too; in the next month nothing is there to give back, nor for a lane we do not know."""
    ledger = return_quota(admitted(Lane.INSTANT, Lane.BATCH), Lane.INSTANT, TODAY, NOW + DAY)
    assert (this_month(ledger.wallet, NOW).instant, this_month(ledger.wallet, NOW).batch) == (0, 1)
    use_quota(ledger, Lane.BATCH, MONTHLY, NOW)
    for lane, now in ((Lane.BATCH, NOW + 10 * DAY), ("of a newer release", NOW)):
        assert return_quota(ledger, lane, TODAY, now) is ledger


def test_a_plan_without_a_feature_says_which_has_it() -> None:
    """The lowest one, whatever it costs; none if no plan has it."""
    without: dict[str, list[str]] = {"features": []}
    plans = Plans.model_validate({name: {**Plans().of(name).as_json(), **without} for name in ("free", "plus")})
    require_feature(Feature.BULK, "pro", plans)
    with pytest.raises(PlanRequired) as refused:
        require_feature(Feature.BULK, "plus", plans)
    assert refused.value.details == {"feature": "bulk", "plan": "pro"}
    nobody = Plans.model_validate({name: {**plans.of(name).as_json(), **without} for name in Plans.model_fields})
    with pytest.raises(PlanRequired) as refused:
        require_feature(Feature.UPGRADE, "pro", nobody)
    assert refused.value.details == {"feature": "upgrade", "plan": None}


def test_there_is_never_less_than_nothing_to_give_back() -> None:
    """A counter at zero stays there."""
    ledger = account()
    assert today_of(return_quota(ledger, Lane.BATCH, TODAY, NOW).wallet, NOW).batch == 0


def test_of_the_photos_that_are_cancelled_the_first_few_do_not_count() -> None:
    """Whoever goes on after those comes to the day's limit; the next day begins anew."""
    ledger = account()
    for _ in range(CANCELLED_UNCOUNTED_MAX + 2):
        ledger = return_quota_of_cancelled(use_quota(ledger, Lane.BATCH, MANY, NOW), Lane.BATCH, TODAY, NOW)
    today = today_of(ledger.wallet, NOW)
    assert (today.batch, today.cancelled) == (2, CANCELLED_UNCOUNTED_MAX)
    tomorrow = return_quota_of_cancelled(ledger, Lane.BATCH, TODAY, NOW + DAY)
    assert today_of(tomorrow.wallet, NOW + DAY).cancelled == 1


def test_a_device_earns_a_few_times_a_day_for_all_its_users() -> None:
    """The limit holds for the device, per kind of reward, and starts anew the next day."""
    device: DeviceDay | None = None
    for _ in range(2):
        device = count_on_device(device, "bonus", 2, NOW)
    with pytest.raises(DailyLimit) as limited:
        count_on_device(device, "bonus", 2, NOW)
    assert limited.value.details["limit"] == 2
    assert count_on_device(device, "manual", 2, NOW).manual == 1
    tomorrow = count_on_device(device, "bonus", 2, NOW + DAY)
    assert (tomorrow.day, tomorrow.bonus) == ("2026-11-22", 1)
    with pytest.raises(DailyLimit):
        count_on_device(device, "bonus", 2, NOW - DAY)


def test_a_devices_counters_are_kept_as_long_as_they_matter() -> None:
    """They expire by themselves after two days."""
    assert count_on_device(None, "bonus", 1, NOW).expire_at == NOW + DEVICE_DAY_LIFETIME


def held(micros: int) -> Account:
    """Return an account whose photos of today are counted at so much."""
    return add_cost(account(), micros, micros, NOW)


def test_what_photos_may_cost_is_counted_up_to_the_cap() -> None:
    """The last micro-dollar can be spent, one more cannot; the refusal says how many photos it came to, and until
    when."""
    counted = use_quota(add_cost(held(600), 400, 1_000, NOW), Lane.BATCH, PLAN, NOW)
    assert today_of(counted.wallet, NOW).held_micros == 1_000
    with pytest.raises(DailyLimit) as refused:
        add_cost(counted, 1, 1_000, NOW)
    assert refused.value.details == {"limit": 1, "resetsAt": "2026-11-22T00:00:00Z"}
    assert today_of(add_cost(counted, 1_000, 1_000, NOW + DAY).wallet, NOW + DAY).held_micros == 1_000


def test_what_photos_have_come_to_is_asked_for_at_the_cap_alone() -> None:
    """With room nobody is asked; without, what they have come to counts instead of the most that they could have."""
    assert recounted(held(600), 400, 1_000, NOW, None) == held(600)
    assert recounted(held(600), 401, 1_000, NOW, None) == RecountNeeded("2026-11-21", 600)
    counted = recounted(held(600), 401, 1_000, NOW, ActualSpend("2026-11-21", counted_micros=600, micros=250))
    assert isinstance(counted, Account)
    assert today_of(counted.wallet, NOW).held_micros == 250


@pytest.mark.parametrize("stale", [ActualSpend("2026-11-21", 599, 250), ActualSpend("2026-11-20", 600, 250)], ids=str)
def test_a_recount_that_others_have_overtaken_is_made_again(stale: ActualSpend) -> None:
    """What was counted meanwhile is not in it."""
    assert recounted(held(600), 401, 1_000, NOW, stale) == RecountNeeded("2026-11-21", 600)
