"""A failure and its refund are one decision, and only its holder may take it."""

from datetime import timedelta

import pytest

from functions.core.jobs import Failure, JobError, Status, with_fields
from functions.core.ledger import Wallet, charge, open_account
from functions.core.settlement import refunding
from tests.builders import NOW, job

ERROR = JobError(code=Failure.LINE_MISSING, message="lost")
HELD = job(status=Status.PROCESSING, batch_id="batch-1", tokens_cost=5)
LATER = NOW + timedelta(hours=1)


def paid_wallet() -> Wallet:
    """Return the wallet from which `HELD` was paid."""
    return charge(open_account(None, 10, NOW), HELD.job_id, HELD.tokens_cost, NOW).wallet


def test_a_failure_gives_the_whole_price_back() -> None:
    """Charge and refund cancel out, under the job's own entry id, and the provider's cost stays on the books."""
    decision = refunding(lambda _: True, ERROR, 55, LATER)(paid_wallet(), HELD)
    assert decision is not None
    account, fields = decision
    assert [(e.entry_id, e.delta, e.balance_after) for e in account.new_entries] == [(f"refund:{HELD.job_id}", 5, 10)]
    ended = with_fields(HELD, fields)
    assert (ended.status, ended.error, ended.cost_micros, ended.completed_at) == (Status.FAILED, ERROR, 55, LATER)


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PROCESSING}))
def test_a_job_that_is_not_being_processed_is_left_alone(status: Status) -> None:
    """A job that has ended, or waits for its turn again, is neither failed nor refunded a second time."""
    assert refunding(lambda _: True, ERROR, 0, LATER)(paid_wallet(), HELD.model_copy(update={"status": status})) is None


def test_a_job_that_somebody_else_holds_is_left_alone() -> None:
    """The holder's question is asked of the job as it is now."""
    decide = refunding(lambda job: job.batch_id == "batch-1", ERROR, 0, LATER)
    assert decide(paid_wallet(), HELD.model_copy(update={"batch_id": "batch-2"})) is None
    assert decide(paid_wallet(), HELD) is not None


def test_a_wallet_that_is_gone_gets_its_refund_and_stays_readable() -> None:
    """The tokens were the user's: they come back into a wallet that can be stored and read."""
    decision = refunding(lambda _: True, ERROR, 0, LATER)(None, HELD)
    assert decision is not None
    wallet = decision[0].wallet
    assert wallet.balance == HELD.tokens_cost
    assert Wallet.model_validate(wallet.model_dump()) == wallet
