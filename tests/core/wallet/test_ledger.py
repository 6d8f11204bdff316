"""What is stored of tokens: entries under their ids, today's counters, and no number below zero."""

from datetime import datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from functions.core.wallet.ledger import (
    Reason,
    Today,
    Wallet,
    empty_wallet,
    entry_id,
    today_of,
)
from tests.builders import NOW, account


@pytest.mark.parametrize(
    ("reason", "ref", "expected"),
    [(Reason.WELCOME, None, "welcome"), (Reason.CHARGE, "j", "charge:j"), (Reason.BONUS, "d", "bonus:d")],
)
def test_an_entry_has_the_same_id_for_every_attempt(reason: Reason, ref: str | None, expected: str) -> None:
    """The id follows from what the entry is for: a replay meets its own."""
    assert entry_id(reason, ref) == expected


def test_an_entry_says_for_how_many_photos_it_is_a_charge() -> None:
    """One, or those of a bulk job; what comes back of that is no charge."""
    posted = account().post(10, Reason.GRANT, "g", NOW).post(-1, Reason.CHARGE, "j", NOW)
    posted = posted.post(-9, Reason.BULK, "b", NOW, detail={"photos": "9"})
    posted = posted.post(2, Reason.REFUND, "b:1", NOW, detail={"photos": "2"})
    assert [entry.photos for entry in posted.new_entries[-3:]] == [1, 9, 0]


def test_todays_counters_begin_at_midnight_utc_and_never_go_back() -> None:
    """New ones on a new day, wherever the caller is; the old ones while the clock is behind."""
    wallet = account().with_fields(today=Today(day="2026-11-21", instant=3)).wallet
    kolkata = timezone(timedelta(hours=5, minutes=30))
    assert today_of(wallet, datetime(2026, 11, 22, 5, 29, tzinfo=kolkata)).instant == 3
    assert today_of(wallet, datetime(2026, 11, 22, 5, 30, tzinfo=kolkata)) == Today(day="2026-11-22")
    assert today_of(wallet, NOW - timedelta(days=2)).instant == 3


def test_whether_a_user_came_the_day_before_is_known_from_the_first_contact_of_the_day_on() -> None:
    """With a photo; a day without one, or two days ago, is no day before."""
    came = Today(day="2026-11-20", photographed=True)
    for day, again in (
        (came, True),
        (came.model_copy(update={"day": "2026-11-19"}), False),
        (Today(day="2026-11-20"), False),
    ):
        assert today_of(account().with_fields(today=day).wallet, NOW).again is again
    kept = today_of(account().with_fields(today=came).wallet, NOW)
    assert today_of(account().with_fields(today=kept).wallet, NOW) == kept


def test_a_users_wallet_earns() -> None:
    """Nothing but the balance keeps its user from spending; a team's has more rules."""
    wallet = empty_wallet(NOW)
    assert wallet.earns
    wallet.require_room(10**9, NOW)


@pytest.mark.parametrize("field", ["balance", "totalEarned", "totalSpent", "entryCount"])
def test_a_stored_wallet_below_zero_is_refused(field: str) -> None:
    """No number of a wallet is negative: a document that says so is a defect and not a debt."""
    with pytest.raises(ValidationError, match=field):
        Wallet.model_validate({**empty_wallet(NOW).model_dump(by_alias=True), field: -1})


def test_a_wallet_takes_no_misspelt_field_and_no_debt() -> None:
    """A slip in our own code ends there: a name that is none would be stored, and a negative balance shown."""
    wallet = empty_wallet(NOW)
    assert wallet.with_fields(balance=3, plan="pro").balance == 3
    with pytest.raises(TypeError, match="balence"):
        wallet.with_fields(balence=3)
    for field in ("balance", "total_spent", "entry_count", "scans"):
        with pytest.raises(ValidationError):
            wallet.with_fields(**{field: -1})
