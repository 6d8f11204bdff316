"""What operators do by hand, read like a bank statement."""

import pytest

from functions.core.jobs.jobs import Status
from functions.core.shared.errors import JobNotCancellable
from functions.core.wallet.accounts import Account, charge, charge_bulk, refund
from functions.core.wallet.ledger import LedgerEntry, Reason, Wallet, empty_wallet
from scripts.operators.repairs_by_hand import first_gap, moved, reimbursed, remade
from tests.builders import NOW, job


def wallet(balance: int) -> Wallet:
    """Return a wallet with a balance, and ten points."""
    return Account(empty_wallet(NOW)).post(balance, Reason.WELCOME, None, NOW, points=10).wallet


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


def test_a_refund_finds_its_way_to_a_wallet_that_is_gone() -> None:
    """The tokens were the user's."""
    account, _ = reimbursed(None, job(status=Status.FAILED, queued_at=None), NOW)
    assert account.wallet.balance == 1


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_what_a_bulk_job_has_given_back_is_not_given_twice(status: Status) -> None:
    """Its refund may have the bulk job's name, so no entry of the photo's own would stop a second one. A charge that
    stands, and an answer, can be refunded."""
    ended = job(status=status, queued_at=None, bulk_id="b" * 32)
    with pytest.raises(JobNotCancellable):
        reimbursed(wallet(3), ended, NOW)
    for other in ({"charge_stands": True}, {"status": Status.DONE}):
        assert reimbursed(wallet(3), ended.model_copy(update=other), NOW)[0].wallet.balance == 4


def test_a_wallet_made_anew_counts_the_photos_of_bulk_jobs() -> None:
    """They are charged for together, by one entry that says how many they are, and so are those that are refunded."""
    charged = charge_bulk(charge(charge(Account(wallet(9)), "j", 1, NOW), "k", 1, NOW), "b", 5, 5, NOW, points=0)
    back = refund(refund(charged, "k", 1, NOW), "b:1", 2, NOW, detail={"photos": "2"}, photos=0)
    first = Account(empty_wallet(NOW)).post(9, Reason.WELCOME, None, NOW).new_entries
    assert remade({}, [*first, *charged.new_entries], "ann", NOW).scans == 7
    assert remade({}, [*first, *back.new_entries], "ann", NOW).scans == 4


def posted(*deltas: int) -> list[LedgerEntry]:
    """Return a ledger of these entries."""
    account = Account(empty_wallet(NOW))
    for number, delta in enumerate(deltas):
        account = account.post(delta, Reason.GRANT, f"key-{number}", NOW)
    return list(account.new_entries)


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
