"""What a dispute changes."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.cache.lookup import Tier
from functions.core.cache.notes import CacheNote
from functions.core.jobs.disputes import Disputed, DisputeReason, disputing
from functions.core.jobs.jobs import Dispute, Job, Status
from functions.core.shared.errors import InvalidRequest
from functions.core.wallet.accounts import charge, open_account
from functions.core.wallet.ledger import Wallet
from tests.builders import NOW, classification, job

NOTE = CacheNote(of="1" * 32, answered_at=NOW, tier=Tier.NEAR, bits=7, family="f", served=True)
DONE = job(status=Status.DONE, completed_at=NOW, result=classification().as_json())
HIT = DONE.model_copy(update={"cache": NOTE, "points": 2})
SOURCE = DONE.model_copy(update={"job_id": NOTE.of})
LATER = NOW + timedelta(hours=1)
DISPUTE = {"dispute": {"reason": "wrong_item", "at": LATER}}
COUNTED_BY = ("gpt-test", "v1", "Dry Waste")


def wallet(**changes: Any) -> Wallet:
    """Return a wallet that a hit was paid from."""
    return charge(open_account(None, 10, NOW), HIT.job_id, 1, NOW, points=2).with_fields(**changes).wallet


def decided(found: Job, source: Job | None = SOURCE, *, mine: Wallet | None = None, refunded: bool = False) -> Any:
    """Return what is decided."""
    return disputing("ana", DisputeReason.WRONG_ITEM, LATER)(mine or wallet(), found, source, refunded)


def test_the_models_own_answer_is_marked_and_counted() -> None:
    """It was paid for, and stays so."""
    assert decided(DONE, None) == Disputed(None, DISPUTE, None, COUNTED_BY)
    compared = DONE.model_copy(update={"cache": NOTE.model_copy(update={"served": False})})
    assert decided(compared, None) == Disputed(None, DISPUTE, None, COUNTED_BY)


def test_a_kept_answer_is_paid_back_with_its_points() -> None:
    """The job that it is from is disputed as well."""
    found = decided(HIT)
    (entry,) = found.account.new_entries
    assert (entry.entry_id, entry.delta, entry.points) == (f"refund:{HIT.job_id}", 1, -2)
    assert found.account.wallet.balance == 10
    assert (found.fields, found.source_fields, found.counted_by) == (DISPUTE, DISPUTE, COUNTED_BY)


def test_no_price_comes_back_twice_and_none_to_a_user_who_was_erased() -> None:
    """An operator may have refunded it by hand."""
    assert decided(HIT, refunded=True) == Disputed(None, DISPUTE, DISPUTE, COUNTED_BY)
    erased = disputing("ana", DisputeReason.OTHER, LATER)(None, HIT, None, False)
    assert erased is not None
    assert (erased.account, erased.source_fields) == (None, None)


@pytest.mark.parametrize("source", [None, SOURCE.model_copy(update={"uid": "bob"})])
def test_a_job_that_is_gone_or_somebody_elses_is_not_touched(source: Job | None) -> None:
    """Whatever a note says."""
    assert decided(HIT, source).source_fields is None


def test_a_dispute_is_made_once() -> None:
    """Of the answer itself, and of the one that it is from."""
    dispute = Dispute(reason="other", at=NOW)
    assert decided(HIT.model_copy(update={"dispute": dispute})) is None
    assert decided(HIT, SOURCE.model_copy(update={"dispute": dispute})).source_fields is None


@pytest.mark.parametrize("changes", [{"status": Status.QUEUED}, {"status": Status.FAILED}, {"result": None}], ids=str)
def test_what_has_no_answer_cannot_be_disputed(changes: dict[str, Any]) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequest, match="jobId"):
        decided(DONE.model_copy(update=changes))
