"""Bank statements: what is posted, what it leads to, and what is refused."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.shared.errors import InsufficientTokens
from functions.core.wallet.accounts import (
    RECENT_ENTRIES_MAX,
    Account,
    charge,
    open_account,
    refund,
    reopened_account,
    upgrade,
)
from functions.core.wallet.ledger import LedgerEntry, Reason, empty_wallet
from tests.builders import NOW, account


def statement(account: Account) -> list[tuple[int, str, int, int]]:
    """Return an account's new entries as lines: number, what for, tokens, balance."""
    return [(entry.seq, entry.entry_id, entry.delta, entry.balance_after) for entry in account.new_entries]


def test_a_statement_lists_every_change_with_the_balance_it_leads_to() -> None:
    """Welcome, two photos and one refund read like a bank statement."""
    opened = open_account(None, welcome_tokens=10, now=NOW)
    first = charge(opened, "bottle", 5, NOW)
    second = charge(first, "battery", 1, NOW)
    back = refund(second, "bottle", 5, NOW)

    assert statement(back) == [
        (1, "welcome", +10, 10),
        (2, "charge:bottle", -5, 5),
        (3, "charge:battery", -1, 4),
        (4, "refund:bottle", +5, 9),
    ]
    assert (back.wallet.balance, back.wallet.total_earned, back.wallet.total_spent) == (9, 10, 1)


def test_an_entry_says_why_for_what_and_when() -> None:
    """A ledger entry carries its reason, the job it belongs to and its time."""
    later = NOW + timedelta(minutes=3)
    entry = charge(open_account(None, 10, NOW), "bottle", 5, later).new_entries[-1]
    assert (entry.reason, entry.ref, entry.ts) == (Reason.CHARGE, "bottle", later)


def test_the_welcome_comes_once() -> None:
    """A wallet that exists gets no second welcome, and nothing is written for looking at it."""
    stored = open_account(None, 10, NOW).wallet
    again = open_account(stored, 10, NOW + timedelta(days=1))
    assert (again.wallet, again.new_entries) == (stored, ())


@pytest.mark.parametrize(("balance", "price"), [(0, 1), (4, 5), (10, 11)])
def test_a_charge_beyond_the_balance_is_refused_with_both_numbers(balance: int, price: int) -> None:
    """Nobody spends what they do not have, and the refusal says how much is missing."""
    with pytest.raises(InsufficientTokens) as refused:
        charge(open_account(None, balance, NOW), "bottle", price, NOW)
    assert refused.value.details == {"balance": balance, "price": price}


def test_the_last_token_can_be_spent() -> None:
    """A price equal to the balance is covered."""
    assert charge(open_account(None, 5, NOW), "bottle", 5, NOW).wallet.balance == 0


def test_a_refund_is_never_clipped() -> None:
    """Tokens that were the user's come back in full, however many there are already."""
    rich = account().post(1_000_000, Reason.WELCOME, None, NOW)
    assert refund(rich, "bottle", 5, NOW).wallet.balance == 1_000_005


def test_an_upgrade_takes_the_difference() -> None:
    """A batch photo that becomes an instant one costs the rest of the price, and a refund gives both parts back."""
    paid = upgrade(charge(open_account(None, 10, NOW), "bottle", 1, NOW), "bottle", 4, NOW)
    back = refund(paid, "bottle", 5, NOW)
    assert statement(back)[1:] == [
        (2, "charge:bottle", -1, 9),
        (3, "upgrade:bottle", -4, 5),
        (4, "refund:bottle", +5, 10),
    ]
    assert (back.wallet.total_earned, back.wallet.total_spent) == (10, 0)
    with pytest.raises(InsufficientTokens):
        upgrade(paid, "battery", 6, NOW)


def test_points_come_with_a_photo_and_go_with_its_refund() -> None:
    """Who gets the tokens back has not classified anything."""
    paid = charge(open_account(None, 10, NOW), "bottle", 5, NOW, points=10)
    assert (paid.wallet.points, paid.wallet.scans) == (10, 1)
    assert refund(paid, "bottle", 5, NOW, points=10).wallet.points == 0


@pytest.mark.parametrize(("balance", "earned"), [(0, 5), (195, 5), (197, 3), (200, 0), (230, 0)])
def test_an_earning_is_clipped_at_the_cap_and_uses_up_its_key(balance: int, earned: int) -> None:
    """What does not fit is not granted; the entry is there all the same, so that it is not granted later."""
    rich = account().post(balance, Reason.WELCOME, None, NOW)
    entry = rich.earn(5, Reason.BONUS, "2026-11-21", NOW, cap=200).new_entries[-1]
    assert (entry.entry_id, entry.delta) == ("bonus:2026-11-21", earned)


def test_a_lost_wallet_is_made_anew_from_its_ledger() -> None:
    """Entries in any order lead to the same tokens, totals, points and recent entries as before."""
    ledger = account().post(10, Reason.WELCOME, None, NOW)
    ledger = charge(ledger, "bottle", 5, NOW, points=10)
    ledger = refund(ledger, "bottle", 5, NOW, points=10)
    ledger = charge(ledger, "battery", 3, NOW)
    ledger = ledger.post(1, Reason.MANUAL, "request", NOW, points=300)
    ledger = ledger.post(2, Reason.CONVERT, "request", NOW, detail={"points": "200"}).with_fields(converted_points=200)
    remade = reopened_account(reversed(ledger.new_entries), NOW).wallet
    kept = {"balance", "total_earned", "total_spent", "entry_count", "points", "converted_points", "recent"}
    assert remade.model_dump(include=kept) == ledger.wallet.model_dump(include=kept)


def test_a_ledger_without_entries_makes_an_empty_wallet() -> None:
    """Nothing was ever posted."""
    assert reopened_account([], NOW).wallet == empty_wallet(NOW)


def test_the_wallet_shows_its_last_entries_newest_first() -> None:
    """`recent` holds the last 20 entries and no more; the numbers go on."""
    long = open_account(None, 1_000, NOW)
    for number in range(30):
        long = charge(long, f"job-{number}", 1, NOW)
    assert [entry.seq for entry in long.wallet.recent] == list(range(31, 31 - RECENT_ENTRIES_MAX, -1))
    assert long.wallet.entry_count == 31


def test_times_tell_when_a_wallet_was_opened_and_last_changed() -> None:
    """`createdAt` stays, `updatedAt` moves with every entry."""
    later = NOW + timedelta(hours=1)
    wallet = charge(open_account(None, 10, NOW), "bottle", 5, later).wallet
    assert (wallet.created_at, wallet.updated_at) == (NOW, later)


jobs = st.lists(st.tuples(st.integers(1, 20), st.booleans()), max_size=40)


@given(welcome=st.integers(0, 50), jobs=jobs)
def test_the_balance_is_always_the_sum_of_the_entries(welcome: int, jobs: list[tuple[int, bool]]) -> None:
    """Whatever is charged and refunded: balance = sum of entries = earned - spent, numbered without a gap."""
    ledger = open_account(None, welcome, NOW)
    for number, (price, fails) in enumerate(jobs):
        if ledger.wallet.balance < price:
            continue
        ledger = charge(ledger, f"job-{number}", price, NOW)
        if fails:
            ledger = refund(ledger, f"job-{number}", price, NOW)

    wallet, entries = ledger.wallet, ledger.new_entries
    assert wallet.balance == sum(entry.delta for entry in entries) == wallet.total_earned - wallet.total_spent
    assert wallet.total_earned == welcome
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert _running_sums(entries) == [entry.balance_after for entry in entries]
    assert len({entry.entry_id for entry in entries}) == len(entries)
    assert wallet.recent == tuple(reversed(entries))[:RECENT_ENTRIES_MAX]


def _running_sums(entries: tuple[LedgerEntry, ...]) -> list[int]:
    return [sum(entry.delta for entry in entries[: position + 1]) for position in range(len(entries))]
