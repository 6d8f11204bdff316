"""Message batches: created, worked off by the clock, cancelled, expired, read, listed and deleted."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import anthropic
import pytest


def test_a_batch_is_worked_off_in_any_order(world: Any) -> None:
    """Each request succeeds once; until the whole batch has ended all of them count as processing."""
    batch = world.submit(20)
    assert (batch.processing_status, batch.results_url, batch.ended_at) == ("in_progress", None, None)
    assert batch.expires_at - batch.created_at == timedelta(hours=24)
    assert world.later(batch, minutes=8).request_counts.processing == 20
    ended = world.later(batch, minutes=12)
    assert (ended.processing_status, ended.request_counts.succeeded) == ("ended", 20)
    assert ended.request_counts.processing == 0
    results = world.results(ended)
    names = [custom_id for custom_id, _ in results]
    assert sorted(names) == sorted(f"job-{number}" for number in range(20))
    assert names != [f"job-{number}" for number in range(20)]
    assert {result.message.usage.service_tier for _, result in results} == {"batch"}


def test_a_request_that_is_not_in_order_is_errored_and_costs_no_other(world: Any) -> None:
    """`params` are looked at when their turn comes, never at the creation."""
    good, bad = world.body(), world.body(max_tokens=0)
    lines = [{"custom_id": "good", "params": good}, {"custom_id": "bad", "params": bad}]
    batch = world.later(world.client.messages.batches.create(requests=lines), minutes=20)
    assert (batch.request_counts.succeeded, batch.request_counts.errored) == (1, 1)
    results = dict(world.results(batch))
    assert results["good"].type == "succeeded"
    assert results["bad"].error.error.type == "invalid_request_error"
    assert results["bad"].error.error.message == "max_tokens: must be greater than or equal to 1"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "at least 1 item"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
        ([{"params": {}}], "requests.0.custom_id: Field required"),
        ([{"custom_id": "a b", "params": {}}], "requests.0.custom_id: String should match pattern"),
        ([{"custom_id": "a" * 65, "params": {}}], "requests.0.custom_id: String should match pattern"),
        ([{"custom_id": "a", "params": {}}] * 2, "requests.1.custom_id: Custom id must be unique"),
        ([{"custom_id": str(number), "params": {}} for number in range(4)], "at most 3 items"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_batch_that_is_not_in_order_is_refused(
    make_world: Callable[..., Any], lines: list[Any], message: str
) -> None:
    """As a whole, with a 400 that names the request; nothing is created."""
    world = make_world(batch_requests_max=3)
    with pytest.raises(anthropic.BadRequestError, match=message):
        world.client.messages.batches.create(requests=lines)
    assert world.client.messages.batches.list().data == []


def test_a_batch_that_is_too_large_is_refused(make_world: Callable[..., Any]) -> None:
    """413 by its bytes."""
    with pytest.raises(anthropic.RequestTooLargeError):
        make_world(batch_bytes_max=100).submit(1)


def test_a_cancelled_batch_keeps_what_was_done(world: Any) -> None:
    """Canceling, then ended: done requests have their message, the others are canceled. A second wish is no error, one
    that comes too late is."""
    world.standin.faults.add("batch_minutes", minutes=20)
    batch = world.submit(20)
    world.clock.advance(minutes=5)
    batches = world.client.messages.batches
    assert batches.cancel(batch.id).processing_status == "canceling"
    assert batches.cancel(batch.id).cancel_initiated_at == world.clock()
    ended = world.later(batch, minutes=10)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.canceled) == ("ended", 5, 15)
    assert Counter(result.type for _, result in world.results(ended)) == {"succeeded": 5, "canceled": 15}
    with pytest.raises(anthropic.BadRequestError, match="already ended"):
        batches.cancel(batch.id)


def test_after_a_day_a_batch_expires_with_what_was_done(world: Any) -> None:
    """Its results are there, and the rest is expired."""
    world.standin.faults.add("batch_expires", share=0.25)
    batch = world.submit(20)
    assert world.later(batch, hours=23.9).processing_status == "in_progress"
    ended = world.later(batch, hours=0.1)
    assert (ended.request_counts.succeeded, ended.request_counts.expired) == (5, 15)
    assert ended.ended_at == ended.expires_at
    assert Counter(result.type for _, result in world.results(ended)) == {"succeeded": 5, "expired": 15}


def test_results_are_kept_for_29_days_from_the_creation(world: Any) -> None:
    """Then the batch is archived, and says so."""
    batch = world.later(world.submit(1), days=28, hours=23)
    assert len(world.results(batch)) == 1
    archived = world.later(batch, hours=1)
    assert (archived.archived_at, archived.results_url) == (world.clock(), None)
    with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
        world.results(archived)
    with pytest.raises(anthropic.NotFoundError, match="no longer available"):
        world.client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)


def test_a_batch_is_deleted_when_it_has_ended(world: Any) -> None:
    """With its results; before, it is refused."""
    batch, batches = world.submit(1), world.client.messages.batches
    with pytest.raises(anthropic.BadRequestError, match="cannot be deleted"):
        batches.delete(batch.id)
    world.later(batch, minutes=20)
    assert batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        batches.retrieve(batch.id)
    assert list(world.standin.directory.iterdir()) == []


def test_the_list_is_the_only_way_to_find_a_batch_again(world: Any) -> None:
    """Newest first, in pages both ways; no batch carries a word of its creator."""
    made = []
    for _ in range(5):
        made.append(world.submit(1).id)
        world.clock.advance(seconds=1)
    batches = world.client.messages.batches
    first = batches.list(limit=2)
    assert ([each.id for each in first.data], first.has_more) == (made[:2:-1], True)
    assert [each.id for each in batches.list(limit=2)] == made[::-1]
    before = batches.list(limit=2, before_id=made[1])
    assert ([each.id for each in before.data], before.has_more) == ([made[3], made[2]], True)
    assert {name for name in type(first.data[0]).model_fields if "metadata" in name or "name" in name} == set()
    for wrong in ({"limit": 0}, {"limit": 1_001}, {"after_id": "msgbatch_none"}):
        with pytest.raises(anthropic.BadRequestError):
            batches.list(**wrong)


def test_the_creation_takes_no_key_that_would_make_it_safe_to_repeat(world: Any) -> None:
    """Sent twice, whatever header goes with it, there are two batches."""
    lines = [{"custom_id": "a", "params": world.body()}]
    for _ in range(2):
        world.client.messages.batches.create(requests=lines, extra_headers={"idempotency-key": "once"})
    assert len(world.client.messages.batches.list().data) == 2
