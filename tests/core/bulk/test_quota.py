"""What a plan says to a bulk job."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.bulk.quota import admitted, price_for, returned
from functions.core.config.runtime import RuntimeConfig
from functions.core.wallet.accounts import Account
from functions.core.wallet.refusals import AccountBlocked, MonthlyLimit, PlanRequired
from tests.builders import NOW, account

FREE = {"instantPerDay": 1, "batchPerDay": 1, "manualPerDay": 1, "callsPerMinute": 1, "priority": 0}


def runtime(**free: Any) -> RuntimeConfig:
    """Return a config with these rules of the free plan."""
    return RuntimeConfig.model_validate({"plans": {"free": {**FREE, **free}}})


def photos(of: Account) -> int:
    """Return the photos of the newest month."""
    return of.wallet.months[0].batch


def test_photos_are_counted_in_their_month() -> None:
    """All at once; those of a day are left alone."""
    counted = admitted(account(), 500, runtime(), NOW)
    assert (photos(counted), counted.wallet.today.batch) == (500, 0)
    assert photos(admitted(counted, 20, runtime(photosPerMonth=520), NOW)) == 520
    with pytest.raises(MonthlyLimit) as refused:
        admitted(counted, 21, runtime(photosPerMonth=520), NOW)
    assert refused.value.details == {"limit": 520, "resetsAt": "2026-12-01T00:00:00Z"}


def test_a_plan_may_have_no_bulk_jobs_and_an_operator_may_block() -> None:
    """Both are said as for single photos."""
    with pytest.raises(PlanRequired):
        admitted(account(), 1, runtime(features=()), NOW)
    with pytest.raises(AccountBlocked):
        admitted(account().with_fields(blocked_at=NOW), 1, runtime(), NOW)


def test_a_plan_whose_photos_cost_no_tokens() -> None:
    """Neither do those of a bulk job."""
    assert price_for(account(), 100, runtime()) == 100
    assert price_for(account(), 100, runtime(unlimited=True)) == 0


def test_what_comes_back_is_taken_off_in_the_same_month() -> None:
    """Never below none; a later month knows nothing of it."""
    counted = admitted(account(), 10, runtime(), NOW)
    assert photos(returned(counted, 4, NOW, NOW)) == 6
    assert photos(returned(counted, 40, NOW, NOW)) == 0
    later = NOW + timedelta(days=20)
    assert returned(counted, 4, NOW, later).wallet.months == counted.wallet.months
