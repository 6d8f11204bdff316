"""The check of a hit."""

from datetime import timedelta

from functions.core.cache.lookup import Tier, gist_of
from functions.core.cache.notes import CacheNote
from functions.core.jobs.checks import CHECK_LIFETIME, check_of, is_check
from functions.core.jobs.jobs import Job, Status, shard_of
from functions.core.shared.lanes import Lane
from tests.builders import NOW, classification, job

RESULT = classification()
NOTE = CacheNote(of="1" * 32, answered_at=NOW, tier=Tier.NEAR, bits=7, family="f", served=True, check_at=NOW)
HIT = job(
    status=Status.DONE,
    completed_at=NOW,
    tokens_cost=1,
    points=2,
    cache=NOTE,
    result=RESULT.as_json(),
    notify=("token",),
)


def made(hit: Job) -> Job:
    """Return the check of a hit that has one."""
    check = check_of(hit, NOW + timedelta(minutes=9))
    assert check is not None
    return check


def test_a_check_asks_the_same_question_and_costs_nobody_anything() -> None:
    """It is queued, and says what its answer is compared with, and which hit it is about."""
    check = made(HIT)
    assert (check.uid, check.image_path, check.region, check.language) == (
        HIT.uid,
        HIT.image_path,
        HIT.region,
        HIT.language,
    )
    assert (check.status, check.mode, check.queued_at) == (Status.QUEUED, Lane.BATCH, check.created_at)
    assert (check.tokens_cost, check.points, check.result, check.notify) == (0, 0, None, ())
    assert check.expire_at == check.created_at + CHECK_LIFETIME
    assert check.cache == NOTE.model_copy(
        update={"of": HIT.job_id, "served": False, "check_at": None, "kept": gist_of(RESULT)}
    )


def test_a_check_is_known_by_its_id() -> None:
    """No job has such a one; its shard is the hit's."""
    check = made(HIT)
    assert (is_check(check.job_id), is_check(HIT.job_id)) == (True, False)
    assert (made(HIT).job_id, check.shard) == (check.job_id, shard_of(HIT.job_id))


def test_what_cannot_be_compared_is_not_asked_again() -> None:
    """A newer release's answer, and a job that is no hit."""
    assert check_of(HIT.model_copy(update={"result": {"category": "new"}}), NOW) is None
    assert check_of(HIT.model_copy(update={"cache": None}), NOW) is None
