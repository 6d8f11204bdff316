"""What an earlier job says of a photo, and the job that its answer makes done."""

from datetime import date, timedelta
from typing import Any

import pytest

from functions.core.cache.entries import Entry
from functions.core.cache.fingerprints import Fingerprint
from functions.core.cache.lookup import Candidate, Source, Tier
from functions.core.config.runtime import CacheMode, CacheRules
from functions.core.config.tokens import TokenRules
from functions.core.jobs.cached import (
    answered_again,
    answers_soon,
    as_a_hit,
    at_the_cached_price,
    noted,
    rules_now,
    source_of,
)
from functions.core.jobs.jobs import Dispute, Job, Status, job_view
from functions.core.model.ways import Way
from functions.core.shared.lanes import Lane
from tests.builders import NOW, classification, job

RESULT = classification()
FOUND = job(status=Status.DONE, completed_at=NOW, result=RESULT.as_json())
WANTED = job(job_id="1" * 32, created_at=NOW + timedelta(days=2), points=10, tokens_cost=5)
CANDIDATE = Candidate(Entry(b"key!", FOUND.job_id, date(2026, 11, 21), Fingerprint(b"", (), b"")), Tier.NEAR, 7)


def said_by(found: Job | None) -> Source | None:
    """Return what a job says to who asks this model with this prompt."""
    return source_of(found, WANTED, Way(RESULT.model, RESULT.prompt_version, 512))


def test_a_job_that_is_done_says_its_answer() -> None:
    """And when it was given."""
    assert said_by(FOUND) == Source(RESULT, NOW, disputed=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"uid": "bob"},
        {"status": Status.PROCESSING},
        {"status": Status.FAILED},
        {"status": "a newer release's"},
        {"completed_at": None},
        {"result": None},
        {"result": {**RESULT.as_json(), "category": "a newer release's"}},
        {"result": {**RESULT.as_json(), "model": "another"}},
        {"result": {**RESULT.as_json(), "promptVersion": "another"}},
        {"result": {**RESULT.as_json(), "sideMax": 384}},
    ],
    ids=str,
)
def test_what_is_not_the_same_users_answer_to_the_same_question_says_nothing(changes: dict[str, Any]) -> None:
    """Whatever the entry says: the job is asked itself."""
    assert said_by(FOUND.model_copy(update=changes)) is None


def test_a_disputed_answer_says_so() -> None:
    """It is not given again, and nothing is compared with it."""
    disputed = said_by(FOUND.model_copy(update={"dispute": Dispute(reason="other", at=NOW)}))
    assert disputed is not None
    assert disputed.disputed


def test_a_job_that_is_gone_says_nothing() -> None:
    """TTL deletes jobs, and entries outlive them by a little."""
    assert said_by(None) is None


SOON, LATER = NOW + timedelta(days=3), NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("changes", "instant", "batch"),
    [
        ({"status": Status.QUEUED, "mode": Lane.BATCH}, False, True),
        ({"status": Status.PROCESSING, "mode": Lane.BATCH, "lease_until": SOON}, False, True),
        ({"status": Status.PROCESSING, "mode": Lane.INSTANT, "lease_until": SOON}, True, True),
        ({"status": Status.PROCESSING, "mode": Lane.INSTANT, "lease_until": LATER}, False, False),
        ({"status": Status.QUEUED, "mode": Lane.BATCH, "uid": "bob"}, False, False),
        ({"status": Status.DONE}, False, False),
        ({"status": Status.FAILED}, False, False),
    ],
    ids=str,
)
def test_a_job_under_way_answers_who_can_wait_as_long(changes: dict[str, Any], instant: bool, batch: bool) -> None:
    """A call whose lease is over never answers; and a photo that is wanted now does not wait for a batch."""
    found = FOUND.model_copy(update=changes)
    assert (answers_soon(found, WANTED, Lane.INSTANT), answers_soon(found, WANTED, Lane.BATCH)) == (instant, batch)


def test_no_job_answers_nobody() -> None:
    """TTL has deleted it."""
    assert not answers_soon(None, WANTED, Lane.BATCH)


def test_an_answer_ends_by_its_age_or_by_a_date() -> None:
    """Whichever is later: rules of disposal can change before an answer is old."""
    rules = CacheRules(exact=CacheMode.ON, near=CacheMode.SHADOW, age_days_max=3)
    found = rules_now(rules, 40, NOW)
    assert (found.exact, found.near, found.bits_max) == (CacheMode.ON, CacheMode.SHADOW, 40)
    assert found.oldest == NOW - timedelta(days=3)
    changed = rules.model_copy(update={"not_before": NOW - timedelta(hours=1)})
    assert rules_now(changed, None, NOW).oldest == NOW - timedelta(hours=1)
    long_ago = rules.model_copy(update={"not_before": NOW - timedelta(days=9)})
    assert rules_now(long_ago, None, NOW).oldest == NOW - timedelta(days=3)


def test_the_job_of_a_hit_is_done_at_once() -> None:
    """In the lane that was asked for, by the answer of the other job, with its age and its source."""
    note = noted(CANDIDATE, Source(RESULT, NOW, disputed=False), "f", served=True)
    done = answered_again(WANTED, Source(RESULT, NOW, disputed=False), note, Lane.INSTANT)
    assert (done.status, done.mode, done.completed_at, done.queued_at) == ("done", "instant", WANTED.created_at, None)
    assert (done.result, done.cost_micros, done.attempts, done.hold) == (FOUND.result, 0, 0, None)
    assert job_view(done)["servedFrom"] == {
        "tier": "near",
        "jobId": FOUND.job_id,
        "answeredAt": "2026-11-21T12:00:00Z",
    }


def test_what_was_only_compared_is_not_shown() -> None:
    """The model's answer is from nowhere else."""
    note = noted(CANDIDATE, Source(RESULT, NOW, disputed=False), "f", served=False)
    assert job_view(WANTED.model_copy(update={"cache": note}))["servedFrom"] is job_view(WANTED)["servedFrom"] is None


def test_a_hit_costs_the_cached_price_and_never_more_than_its_lane() -> None:
    """With the points that the config gives for it, by default none."""
    cheap = at_the_cached_price(WANTED, TokenRules(cached_price=2))
    assert (cheap.tokens_cost, cheap.points) == (2, 0)
    tokens = TokenRules(cached_price=9, points_per_cached_answer=3)
    assert (at_the_cached_price(WANTED, tokens).tokens_cost, at_the_cached_price(WANTED, tokens).points) == (5, 3)


def test_the_least_that_a_job_comes_to_is_a_hit() -> None:
    """At the cached price, with no call to the model."""
    least = as_a_hit(WANTED, TokenRules(cached_price=2))
    assert (least.status, least.tokens_cost, least.job_id) == (Status.DONE, 2, WANTED.job_id)
