"""What operators do by hand, read like a bank statement."""

import pytest

from functions.core.jobs.jobs import Status
from functions.core.shared.errors import JobNotCancellable
from functions.core.wallet.accounts import Account, charge
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, empty_wallet
from scripts.operators.repairs_by_hand import first_gap, granted, moved, reimbursed, remade, taken_back
from tests.builders import NOW, job


def wallet(balance: int) -> Wallet:
    """Return a wallet with a balance, and ten points."""
    return Account(empty_wallet(NOW)).post(balance, Reason.WELCOME, None, NOW, points=10).wallet


def test_a_grant_passes_the_cap() -> None:
    """What was promised arrives; the entry says why, and its key is bound to that."""
    account = granted(wallet(199), "sorry-2026", 50, "outage", NOW)
    (entry,) = account.new_entries
    assert (entry.entry_id, entry.delta, entry.balance_after) == ("grant:sorry-2026", 50, 249)
    assert entry.detail == {"why": "outage", "tokens": "50"}
    assert (account.wallet.total_earned, account.wallet.total_spent) == (249, 0)


def test_what_moves_is_told_and_nothing_else() -> None:
    """Balance, points and status, as far as they change; a wallet that was not there had nothing."""
    before, queued = wallet(3), job(points=10)
    account, fields = reimbursed(before, queued, NOW)
    assert moved(before, account.wallet, queued, fields) == (
        {"field": "balance", "before": 3, "after": 4},
        {"field": "points", "before": 10, "after": 0},
        {"field": "status", "before": Status.QUEUED, "after": Status.CANCELLED},
    )
    assert moved(None, wallet(3), None, {})[0] == {"field": "balance", "before": 0, "after": 3}
    assert moved(before, before, queued, {}) == ()


def test_a_refund_of_a_photo_that_was_answered() -> None:
    """Price and points go back where they came from; the day's count stays, since there was an answer."""
    paid = charge(Account(wallet(8)), "0" * 32, 5, NOW, points=10).wallet
    account, fields = reimbursed(paid, job(status=Status.DONE, tokens_cost=5, points=10, queued_at=None), NOW)
    (entry,) = account.new_entries
    assert (entry.entry_id, entry.delta, entry.points) == (f"refund:{'0' * 32}", 5, -10)
    assert (account.wallet.balance, account.wallet.points, account.wallet.total_spent) == (8, 10, 0)
    assert fields == {}


def test_a_refund_of_a_queued_photo_cancels_it() -> None:
    """What is paid back is not sent any more, and does not count today."""
    spent = wallet(3).model_copy(update={"today": wallet(3).today.model_copy(update={"day": "2026-11-21", "batch": 2})})
    account, fields = reimbursed(spent, job(status=Status.QUEUED), NOW)
    assert fields["status"] is Status.CANCELLED
    assert account.wallet.today.batch == 1


def test_a_photo_that_is_being_answered_is_not_refunded() -> None:
    """It ends by itself, and may end with a refund of its own."""
    with pytest.raises(JobNotCancellable, match="ends by itself"):
        reimbursed(wallet(3), job(status=Status.PROCESSING), NOW)


def test_a_photo_whose_batch_has_ended_without_it_fails_with_its_refund() -> None:
    """Nobody else will end it."""
    account, fields = reimbursed(wallet(3), job(status=Status.PROCESSING, batch_id="b"), NOW, orphaned=True)
    assert (account.wallet.balance, fields["status"], fields["error"]["code"]) == (4, Status.FAILED, "LINE_MISSING")


def test_a_refund_finds_its_way_to_a_wallet_that_is_gone() -> None:
    """The tokens were the user's."""
    account, _ = reimbursed(None, job(status=Status.FAILED, queued_at=None), NOW)
    assert account.wallet.balance == 1


def posted(*deltas: int) -> list[LedgerEntry]:
    """Return a ledger of these entries."""
    account = Account(empty_wallet(NOW))
    for number, delta in enumerate(deltas):
        account = account.post(delta, Reason.GRANT, f"key-{number}", NOW)
    return list(account.new_entries)


def test_a_wallet_is_made_anew_from_its_ledger_and_what_can_be_read() -> None:
    """Field by field: what is damaged begins anew, the rest stays, what the ledger holds comes from the ledger."""
    entries = posted(10, 5)
    stored = {"balance": 99, "plan": "pro", "streakDays": -1, "bonusDay": None, "refreshFailures": 3, "scans": "x"}
    made = remade(stored, entries, "ann", NOW)
    assert (made.balance, made.plan, made.streak_days, made.scans, made.refresh_failures) == (15, "pro", 0, 0, 0)
    assert (made.bonus_day, made.next_refresh_at, made.created_at) == ("1970-01-01", NOW, NOW)


@pytest.mark.parametrize(("stored", "kept"), [("2026-11-21", "2026-11-21"), ("soon", ""), (7, ""), (None, "")])
def test_a_wallet_made_anew_is_owed_no_period_that_it_began_with(stored: object, kept: str) -> None:
    """The period in which a wallet was opened has no entry; what is no period is not believed."""
    assert remade({"refreshedPeriod": stored}, posted(10), "ann", NOW).refreshed_period == kept


def test_a_ledger_with_a_gap_is_found_by_its_first_wrong_entry() -> None:
    """A number that is missing, or a balance that is not the sum."""
    entries = posted(10, 5, 1)
    assert first_gap(entries) is None
    assert first_gap([entries[0], entries[2]]) == 2
    assert first_gap([entries[0], entries[1].model_copy(update={"balance_after": 3})]) == 2


def test_a_grant_is_taken_back_as_far_as_it_is_there() -> None:
    """Under a key of its own, and never below nothing."""
    poor = wallet(4)
    account = taken_back(poor, "outage", 30, "wrong user", NOW)
    (entry,) = account.new_entries
    assert (entry.entry_id, entry.delta, account.wallet.balance) == ("grant:outage:undone", -4, 0)
