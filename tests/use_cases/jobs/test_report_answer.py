"""`report_answer`: an answer that its user disputes is not given again, and a kept one costs nothing."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from functions.core.jobs.disputes import DisputeReason
from functions.core.shared.errors import InvalidRequest, JobNotFound
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import classify, job, listed, stored, wallet


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud whose cache is on."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"tokens": {"welcome": 50, "pointsPerCachedAnswer": 2}, "cache": {"exact": "on"}})
    return cloud


def report(cloud: InProcessCloud, answered: dict[str, Any], uid: str = "ann", reason: str = "wrong_item") -> Any:
    """Dispute an answer."""
    return report_answer(ReportAnswer(jobId=answered["jobId"], reason=DisputeReason(reason)), uid, cloud.deps)


def test_a_disputed_answer_is_not_given_again(cloud: InProcessCloud) -> None:
    """The next call asks the model, whose answer is given again from then on."""
    first = classify(cloud, "one")
    reported = report(cloud, first)
    assert reported["dispute"] == {"reason": "wrong_item", "at": "2026-11-21T12:00:31Z"}
    assert (reported["status"], reported["result"]) == ("done", first["result"])
    assert stored(cloud, "users/ann/cachedPhotos/main")["entries"] == {}
    assert wallet(cloud, "ann")["balance"] == 45
    anew = classify(cloud, "two")
    assert anew["servedFrom"] is None
    assert classify(cloud, "three")["servedFrom"]["jobId"] == anew["jobId"]


def test_a_dispute_of_an_old_answer_leaves_the_newer_entries(cloud: InProcessCloud) -> None:
    """They do not go with the disputed job, which is deleted the next day."""
    first = classify(cloud, "one")
    cloud.clock.advance(timedelta(days=89))
    newer = classify(cloud, "two", region="Oslo")
    report(cloud, first)
    kept = stored(cloud, "users/ann/cachedPhotos/main")
    assert list(kept["entries"]) == [newer["jobId"]]
    assert kept["expireAt"] == cloud.clock() + timedelta(days=90)


def test_even_an_entry_that_is_left_gives_no_disputed_answer(cloud: InProcessCloud) -> None:
    """The job is asked itself."""
    first = classify(cloud, "one")
    before = stored(cloud, "users/ann/cachedPhotos/main")
    report(cloud, first)
    cloud.client.document("users/ann/cachedPhotos/main").set(before)
    assert classify(cloud, "two")["servedFrom"] is None


def test_a_kept_answer_is_paid_back_once(cloud: InProcessCloud) -> None:
    """However often, and by how many calls at once, it is reported; with its points; and its source is disputed too."""
    first, hit = classify(cloud, "one"), classify(cloud, "two")
    assert (hit["servedFrom"]["jobId"], wallet(cloud, "ann")["balance"]) == (first["jobId"], 44)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: report(cloud, hit), range(4)))
    assert all(answer == answers[0] for answer in answers)
    mine = wallet(cloud, "ann")
    assert (mine["balance"], mine["points"]) == (45, 10)
    refunds = [entry for entry in listed(cloud, "users/ann/ledger").values() if entry["reason"] == "refund"]
    assert [(entry["ref"], entry["delta"]) for entry in refunds] == [(hit["jobId"], 1)]
    assert job(cloud, first["jobId"])["dispute"]["reason"] == "wrong_item"
    assert stored(cloud, "users/ann/cachedPhotos/main")["entries"] == {}
    assert classify(cloud, "three")["servedFrom"] is None


def test_disputes_are_counted_by_model_prompt_and_category(cloud: InProcessCloud) -> None:
    """Each job once, in the same commit."""
    first, hit = classify(cloud, "one"), classify(cloud, "two")
    for answered in (hit, hit, first):
        report(cloud, answered)
    result = first["result"]
    counts = stored(cloud, "stats/answers")["disputed"]
    assert counts == {result["model"]: {result["promptVersion"]: {result["category"]: 1}}}


def test_a_dispute_is_no_label_of_the_cache(cloud: InProcessCloud) -> None:
    """The model is asked whether the cache errs, about a hit in twenty; of disputed ones each would count."""
    classify(cloud, "one")
    report(cloud, classify(cloud, "two"))
    cloud.clock.advance(timedelta(minutes=10))
    assert guard_budget(cloud.deps)["labels"] == 0


def test_what_it_costs(cloud: InProcessCloud) -> None:
    """Two reads and three writes; of a kept answer two reads more, and a write more for the wallet, its entry, and the
    job that it is from. Again: the reads."""
    first = classify(cloud, "one")
    hit, own = classify(cloud, "two"), classify(cloud, "three", fresh=True)
    for answered, cost in ((hit, (4, 6)), (hit, (4, 0)), (first, (2, 0)), (own, (2, 3))):
        cloud.firestore.bill.reset()
        report(cloud, answered)
        totals = cloud.firestore.bill.snapshot()["totals"]
        assert (totals["reads"], totals["writes"]) == cost


def test_without_a_cache_a_dispute_is_marked_and_counted(cloud: InProcessCloud) -> None:
    """There is no entry to take out."""
    cloud.configure({})
    first = classify(cloud, "one")
    assert report(cloud, first)["dispute"]["reason"] == "wrong_item"
    assert stored(cloud, "users/ann/cachedPhotos/main") == {}


def test_only_ones_own_answers_can_be_disputed(cloud: InProcessCloud) -> None:
    """Somebody else's job and one that does not exist look the same; a queued one has no answer."""
    first = classify(cloud, "one")
    for answered in (first, {"jobId": "0" * 32}):
        with pytest.raises(JobNotFound):
            report(cloud, answered, "bob")
    with pytest.raises(InvalidRequest, match="jobId"):
        report(cloud, classify(cloud, "other", "batch", language="nb"))
    assert job(cloud, first["jobId"])["dispute"] is None
    assert stored(cloud, "stats/answers") == {}
