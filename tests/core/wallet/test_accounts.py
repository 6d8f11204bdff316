"""Bank statements: what is posted, what it leads to, and what is refused."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.shared.errors import InsufficientTokens
from functions.core.wallet.accounts import (
    RECENT_ENTRIES_MAX,
    Account,
    bought_part,
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


def test_a_month_knows_what_was_spent_in_it() -> None:
    """Less what was refunded in it, if for a photo of the month before; what is earned is no spending."""
    november = charge(open_account(None, 10, NOW), "bottle", 5, NOW)
    december = charge(november, "battery", 1, NOW + timedelta(days=10))
    back = refund(december, "bottle", 5, NOW + timedelta(days=10))
    assert [(each.month, each.tokens) for each in back.wallet.months] == [("2026-12", -4), ("2026-11", 5)]
    assert sum(each.tokens for each in back.wallet.months) == back.wallet.total_spent


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
    back = refund(paid, "bottle", 5, NOW, points=10).wallet
    assert (back.points, back.scans) == (0, 0)
    assert refund(account(), "bottle", 5, NOW).wallet.scans == 0  # of a wallet that was made anew


@pytest.mark.parametrize(("balance", "earned"), [(0, 5), (195, 5), (197, 3), (200, 0), (230, 0)])
def test_an_earning_is_clipped_at_the_cap_and_uses_up_its_key(balance: int, earned: int) -> None:
    """What does not fit is not granted; the entry is there all the same, so that it is not granted later."""
    rich = account().post(balance, Reason.WELCOME, None, NOW)
    entry = rich.earn(5, Reason.BONUS, "2026-11-21", NOW, cap=200).new_entries[-1]
    assert (entry.entry_id, entry.delta) == ("bonus:2026-11-21", earned)


@pytest.mark.parametrize("bought", [7, -7])
def test_a_lost_wallet_is_made_anew_from_its_ledger(bought: int) -> None:
    """Entries in any order lead to the same tokens, totals, debts, points and recent entries as before."""
    ledger = account().post(10, Reason.WELCOME, None, NOW)
    ledger = charge(ledger, "bottle", 5, NOW, points=10)
    ledger = refund(ledger, "bottle", 5, NOW, points=10)
    ledger = charge(ledger, "battery", 3, NOW)
    ledger = ledger.post(1, Reason.MANUAL, "request", NOW, points=300)
    ledger = ledger.post(2, Reason.CONVERT, "request", NOW, detail={"points": "200"}).with_fields(converted_points=200)
    ledger = ledger.post(0, Reason.BUY, "pack", NOW, bought=bought)
    remade = reopened_account(reversed(ledger.new_entries), NOW).wallet
    kept = {"balance", "total_earned", "total_spent", "entry_count", "purchased", "owed", "points", "recent"}
    kept |= {"converted_points"}
    assert remade.model_dump(include=kept) == ledger.wallet.model_dump(include=kept)


def test_bought_tokens_are_spent_last() -> None:
    """Free tokens go first, whenever they came; the refund of a photo puts back what it took of each kind."""
    ledger = account().post(3, Reason.WELCOME, None, NOW).post(0, Reason.BUY, "pack", NOW, bought=10)
    first = charge(ledger, "bottle", 5, NOW)
    assert (bought_part(first), first.wallet.balance, first.wallet.purchased) == (2, 8, 8)
    earned = first.post(4, Reason.BONUS, "2026-11-21", NOW)
    second = charge(earned, "battery", 4, NOW)
    assert (bought_part(second), second.wallet.purchased) == (0, 8)
    back = refund(second, "bottle", 5, NOW, bought=2)
    assert (back.wallet.balance, back.wallet.purchased, back.wallet.owed) == (13, 10, 0)
    assert statement(back)[-1] == (6, "refund:bottle", +5, 13)


def test_what_was_spent_before_its_payment_was_taken_back_is_owed() -> None:
    """The balance never falls below zero; earnings and free tokens do not pay the debt, the next purchase does."""
    ledger = account().post(4, Reason.WELCOME, None, NOW).post(0, Reason.BUY, "pack", NOW, bought=10)
    spent = charge(ledger, "bottle", 11, NOW)
    taken = spent.post(0, Reason.BUY, "pack:1", NOW, bought=-10)
    assert (taken.wallet.balance, taken.wallet.purchased, taken.wallet.owed) == (0, 0, 7)
    earned = taken.earn(5, Reason.BONUS, "2026-11-21", NOW, cap=200)
    assert (earned.wallet.balance, earned.wallet.owed) == (5, 7)
    bought = earned.post(0, Reason.BUY, "next", NOW, bought=10)
    assert (bought.wallet.balance, bought.wallet.purchased, bought.wallet.owed) == (8, 3, 0)
    assert statement(bought)[2:] == [
        (3, "charge:bottle", -11, 3),
        (4, "buy:pack:1", -3, 0),
        (5, "bonus:2026-11-21", +5, 5),
        (6, "buy:next", +3, 8),
    ]


def test_a_photo_and_its_payment_are_refunded_in_either_order() -> None:
    """The photo's bought tokens pay what is owed: the same balance as if they had been there to be taken."""
    paid = charge(account().post(0, Reason.BUY, "pack", NOW, bought=10), "bottle", 5, NOW)
    payment_first = refund(paid.post(0, Reason.BUY, "pack:1", NOW, bought=-10), "bottle", 5, NOW, bought=5)
    photo_first = refund(paid, "bottle", 5, NOW, bought=5).post(0, Reason.BUY, "pack:1", NOW, bought=-10)
    for ledger in (payment_first, photo_first):
        assert (ledger.wallet.balance, ledger.wallet.purchased, ledger.wallet.owed) == (0, 0, 0)


def test_who_buys_earns_no_less() -> None:
    """The cap is one of tokens that were not bought."""
    rich = account().post(198, Reason.WELCOME, None, NOW).post(0, Reason.BUY, "pack", NOW, bought=500)
    assert rich.earn(5, Reason.BONUS, "2026-11-21", NOW, cap=200).wallet.balance == 700


def test_a_release_that_knew_no_bought_tokens_may_have_spent_some() -> None:
    """One that was rolled back to charges without them: a charge takes at most its price of them then."""
    ledger = account().with_fields(balance=5, purchased=8, total_earned=5)
    assert bought_part(charge(ledger, "bottle", 3, NOW)) == 3


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


moves = st.lists(
    st.tuples(st.sampled_from(["earn", "buy", "take back", "charge", "refund"]), st.integers(1, 30)), max_size=40
)


@given(moves=moves)
def test_bought_tokens_are_what_payments_gave_less_what_photos_took(moves: list[tuple[str, int]]) -> None:
    """Whatever is earned, bought, taken back, spent and refunded: 0 <= purchased <= balance, a debt only without bought
    tokens, and free tokens are those that came less those that were spent."""
    ledger, jobs, free, bought = account(), list[tuple[str, int, int]](), 0, 0
    for number, (kind, tokens) in enumerate(moves):
        ref = f"{number}"
        if kind == "earn":
            ledger, free = ledger.post(tokens, Reason.BONUS, ref, NOW), free + tokens
        elif kind in {"buy", "take back"}:
            change = tokens if kind == "buy" else -tokens
            ledger, bought = ledger.post(0, Reason.BUY, ref, NOW, bought=change), bought + change
        elif kind == "charge" and ledger.wallet.balance >= tokens:
            ledger = charge(ledger, ref, tokens, NOW)
            took = bought_part(ledger)
            assert took == 0 or ledger.wallet.free == 0
            jobs.append((ref, tokens, took))
            free, bought = free - (tokens - took), bought - took
        elif kind == "refund" and jobs:
            ref, price, took = jobs.pop(tokens % len(jobs))
            ledger = refund(ledger, ref, price, NOW, bought=took)
            free, bought = free + price - took, bought + took
        wallet = ledger.wallet
        assert (wallet.free, wallet.purchased, wallet.owed) == (free, max(bought, 0), max(-bought, 0))
        assert wallet.balance == sum(entry.delta for entry in ledger.new_entries) == free + wallet.purchased
        assert wallet.bought == sum(entry.bought for entry in ledger.new_entries)


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
