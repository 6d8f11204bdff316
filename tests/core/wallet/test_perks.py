"""What tokens buy beside answers: days of priority, and days that may be left out of a streak."""

from datetime import timedelta

import pytest

from functions.core.budget.holds import CostCeiling
from functions.core.config.runtime import RuntimeConfig
from functions.core.config.shop import Perk
from functions.core.config.tokens import TokenRules
from functions.core.jobs.opening import Opened, decide
from functions.core.shared.errors import EcolaneError, InsufficientTokens, InvalidRequest, PriceChanged
from functions.core.wallet.accounts import Account
from functions.core.wallet.earning import daily_bonus, streak
from functions.core.wallet.ledger import Reason
from functions.core.wallet.perks import has_priority, perk_bought
from tests.builders import NOW, account, job

DAY = timedelta(days=1)
RULES = TokenRules()


def rich() -> Account:
    """Return an account with 20 tokens, of which 15 were bought."""
    return account().post(5, Reason.WELCOME, None, NOW, bought=15)


def bought(there: Account, perk: Perk, key: str = "key", price: int = 7, most: int = 7) -> Account:
    """Buy one now."""
    return perk_bought(there, perk, price, key, most, 2, NOW)


def test_a_day_of_priority_is_paid_and_ends() -> None:
    """By one entry, free tokens first; a second day begins where the first one ends."""
    once = bought(rich(), Perk.PRIORITY_DAY)
    entry = once.new_entries[-1]
    assert (entry.entry_id, entry.delta, entry.bought, entry.detail) == ("perk:key", -7, -2, {"perk": "priorityDay"})
    assert (once.wallet.total_spent, once.wallet.priority_until) == (7, NOW + DAY)
    assert [has_priority(once.wallet, at) for at in (NOW, NOW + DAY)] == [True, False]
    assert bought(once, Perk.PRIORITY_DAY, "second").wallet.priority_until == NOW + 2 * DAY
    assert not has_priority(rich().wallet, NOW)


def test_a_day_that_is_over_adds_nothing() -> None:
    """The new one begins now."""
    old = rich().with_fields(priority_until=NOW - 5 * DAY)
    assert bought(old, Perk.PRIORITY_DAY).wallet.priority_until == NOW + DAY


def test_photos_with_priority_stand_before_others() -> None:
    """In the batch queue, which goes by it."""
    for wallet, priority in ((rich().wallet, 0), (bought(rich(), Perk.PRIORITY_DAY).wallet, 1)):
        opened = decide(wallet, [job(created_at=NOW)], CostCeiling(0), RuntimeConfig())
        assert isinstance(opened, Opened)
        assert [each.priority for each in opened.jobs] == [priority]


def test_a_streak_saver_is_used_up_by_the_day_that_is_left_out() -> None:
    """The streak goes on as if that day had not been; without a saver it begins anew."""
    faithful = daily_bonus(rich(), RULES, NOW - DAY)
    saved = bought(daily_bonus(faithful, RULES, NOW), Perk.STREAK_SAVER)
    assert [streak(saved.wallet, NOW + days * DAY) for days in (1, 2, 3)] == [2, 2, 0]
    after = daily_bonus(saved, RULES, NOW + 2 * DAY).wallet
    assert (after.streak_days, after.streak_savers) == (3, 0)
    assert streak(after, NOW + 4 * DAY) == 0


def test_a_streak_saver_covers_a_day_that_was_just_missed() -> None:
    """As docs/flutter.md says; not two of them."""
    claimed = daily_bonus(daily_bonus(rich(), RULES, NOW - DAY), RULES, NOW)
    for missed, kept in ((1, 2), (2, 0)):
        late = NOW + (missed + 1) * DAY
        bought_late = perk_bought(claimed, Perk.STREAK_SAVER, 7, "late", 7, 2, late)
        assert (streak(claimed.wallet, late), streak(bought_late.wallet, late)) == (0, kept)


def test_a_saver_is_kept_while_nothing_is_left_out_or_saved() -> None:
    """By a claim on the next day; and by one so late that it could not help."""
    saved = bought(daily_bonus(rich(), RULES, NOW), Perk.STREAK_SAVER)
    for days, streak_days in ((1, 2), (9, 1)):
        after = daily_bonus(saved, RULES, NOW + days * DAY).wallet
        assert (after.streak_days, after.streak_savers) == (streak_days, 1)


@pytest.mark.parametrize(
    ("there", "perk", "price", "refusal"),
    [
        (account(), Perk.PRIORITY_DAY, 7, InsufficientTokens),
        (rich(), Perk.PRIORITY_DAY, 8, PriceChanged),
        (rich().with_fields(streak_savers=2), Perk.STREAK_SAVER, 7, InvalidRequest),
    ],
)
def test_what_cannot_be_bought_is_refused(there: Account, perk: Perk, price: int, refusal: type[EcolaneError]) -> None:
    """Without the tokens, above the agreed price, and more savers than one can have."""
    with pytest.raises(refusal):
        bought(there, perk, price=price)
