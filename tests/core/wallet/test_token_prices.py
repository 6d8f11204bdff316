"""What a photo costs now, and which lane suits whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.config.tokens import SurgeStep, TokenRules
from functions.core.shared.errors import PriceChanged
from functions.core.shared.lanes import Lane
from functions.core.wallet.token_prices import Prices, prices_now, recommended_lane, require_within

CURVE = TokenRules(
    batch_price=2, surge=(SurgeStep(queued_above=5_000, percent=400), SurgeStep(queued_above=1_000, percent=130))
)


@pytest.mark.parametrize(("queued", "batch"), [(0, 2), (1_000, 2), (1_001, 3), (5_000, 3), (5_001, 5), (10**9, 5)])
def test_a_long_queue_raises_the_batch_price(queued: int, batch: int) -> None:
    """By the highest step that is passed, rounded up to whole tokens, and never above the instant price."""
    assert prices_now(CURVE, queued) == Prices(instant=5, batch=batch)


def test_without_a_curve_the_price_is_the_price() -> None:
    """The default: one token, however long the queue."""
    assert prices_now(TokenRules(), 10**9) == Prices(instant=5, batch=1)


@given(queued=st.integers(0, 10**7), more=st.integers(0, 10**7))
def test_a_longer_queue_is_never_cheaper(queued: int, more: int) -> None:
    """The curve only rises, between the base price and the instant price."""
    near, far = prices_now(CURVE, queued), prices_now(CURVE, queued + more)
    assert CURVE.batch_price <= near.batch <= far.batch <= far.instant


def test_the_same_version_means_the_same_prices() -> None:
    """A quote's version names both prices, and nothing else."""
    assert Prices(5, 1).version == Prices(5, 1).version
    assert len({Prices(5, 1).version, Prices(5, 2).version, Prices(6, 1).version, Prices(51, 1).version}) == 4
    assert (Prices(5, 1).of(Lane.INSTANT), Prices(5, 1).of(Lane.BATCH)) == (5, 1)


@pytest.mark.parametrize(("price", "agreed"), [(5, None), (5, 5), (4, 5)])
def test_the_price_shown_is_the_price_paid(price: int, agreed: int | None) -> None:
    """What was agreed to, or less, is taken without asking again."""
    require_within(price, agreed, Prices(5, 1))


def test_a_price_above_what_was_agreed_is_asked_again() -> None:
    """The refusal carries both numbers and the version of the prices now in force."""
    with pytest.raises(PriceChanged) as changed:
        require_within(6, 5, Prices(6, 1))
    assert changed.value.details == {"price": 6, "maxTokens": 5, "priceVersion": Prices(6, 1).version}


@pytest.mark.parametrize(
    ("scans", "balance", "instant_open", "lane"),
    [
        (0, 10, True, Lane.INSTANT),
        (2, 5, True, Lane.INSTANT),
        (3, 10, True, Lane.BATCH),
        (0, 4, True, Lane.BATCH),
        (0, 10, False, Lane.BATCH),
    ],
)
def test_new_users_are_shown_at_once_what_this_is_for(scans: int, balance: int, instant_open: bool, lane: Lane) -> None:
    """Instant for the first three scans, as long as it is open and can be paid; batch after that."""
    assert recommended_lane(Prices(5, 1), balance, scans, 3, instant_open=instant_open) is lane
