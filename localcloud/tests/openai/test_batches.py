"""Batches: their states by the clock, their validation, their files."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai import BadRequestError, ConflictError, NotFoundError

from localcloud.openai.batch_state import FINAL


def test_states_in_their_order(world: Any) -> None:
    """A batch goes through its states as the clock moves, within batch_minutes, and its timestamps tell when."""
    batch = world.submit(world.lines(100))
    states, counts = [batch.status], [batch.request_counts.completed]
    for _ in range(240):
        batch = world.later(batch, seconds=5)
        if batch.status != states[-1]:
            states.append(batch.status)
        counts.append(batch.request_counts.completed)
    assert states == ["validating", "in_progress", "finalizing", "completed"]
    assert counts == sorted(counts)
    assert len(set(counts)) > 50  # progress is gradual
    assert batch.request_counts.model_dump() == {"completed": 100, "failed": 0, "total": 100}
    moments = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert moments == sorted(set(moments))
    assert batch.created_at + 600 <= batch.completed_at <= batch.created_at + 1200
    assert batch.expires_at == batch.created_at + 24 * 3600


def test_one_big_step_of_the_clock(world: Any) -> None:
    """A batch that nobody looked at in the meantime has the timestamps it would have had anyway."""
    batch = world.finished(world.lines(10))
    late = world.later(batch, hours=30)
    assert late.status == "completed"
    assert late == batch
    assert batch.completed_at <= batch.created_at + 1200


def test_output_is_complete_unordered_and_adds_up(world: Any) -> None:
    """Every line is answered once, not in the order sent, and the batch's usage is the sum of its lines'."""
    lines = world.lines(50, response_format={"type": "json_object"})
    batch = world.finished(lines, metadata={"batchId": "b-1"})
    output = world.output(batch.output_file_id)
    sent = [line["custom_id"] for line in lines]
    assert sorted(sent) == sorted(line["custom_id"] for line in output)
    assert sent != [line["custom_id"] for line in output]
    for line in output:
        assert set(line) == {"id", "custom_id", "response", "error"}
        assert (line["error"], line["response"]["status_code"]) == (None, 200)
        assert line["response"]["request_id"].startswith("req_")
        assert line["response"]["body"]["object"] == "chat.completion"
        assert json.loads(line["response"]["body"]["choices"][0]["message"]["content"])
    usages = [line["response"]["body"]["usage"] for line in output]
    assert batch.usage.input_tokens == sum(usage["prompt_tokens"] for usage in usages)
    assert batch.usage.output_tokens == sum(usage["completion_tokens"] for usage in usages)
    assert batch.usage.total_tokens == sum(usage["total_tokens"] for usage in usages)
    assert (batch.model, batch.metadata) == ("gpt-6-luna", {"batchId": "b-1"})


def test_failed_lines_are_in_the_error_file(world: Any) -> None:
    """A line that is no valid request fails alone: in the error file, with its status and OpenAI's error."""
    lines = world.lines(3)
    lines[1]["body"]["temperature"] = 9
    batch = world.finished(lines)
    [failed] = world.output(batch.error_file_id)
    assert (failed["custom_id"], failed["error"]) == ("job-1", None)
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"]["error"]["code"] == "decimal_out_of_range"
    assert {line["custom_id"] for line in world.output(batch.output_file_id)} == {"job-0", "job-2"}
    assert batch.request_counts.model_dump() == {"completed": 2, "failed": 1, "total": 3}


def test_all_failed_has_no_output_file(world: Any) -> None:
    """If every line failed the batch is completed without an output file."""
    batch = world.finished(world.lines(2, temperature=9))
    assert (batch.status, batch.output_file_id) == ("completed", None)
    assert len(world.output(batch.error_file_id)) == 2


def test_clean_batches_have_two_kinds_of_no_error_file(make_world: Callable[..., Any]) -> None:
    """Without failures error_file_id is null or "", as the share set says."""
    for share, expected in ((0.0, None), (1.0, "")):
        assert make_world(blank_error_file_share=share).finished(make_world().lines(1)).error_file_id == expected


def _broken(lines: list[dict[str, Any]], position: int, **changes: Any) -> list[dict[str, Any]]:
    lines[position] = {key: value for key, value in {**lines[position], **changes}.items() if value is not None}
    return lines


@pytest.mark.parametrize(
    ("spoil", "code", "line", "param"),
    [
        (lambda lines: _broken(lines, 1, custom_id="job-0"), "duplicate_custom_id", 2, "custom_id"),
        (lambda lines: _broken(lines, 1, custom_id=None), "missing_required_parameter", 2, "custom_id"),
        (lambda lines: _broken(lines, 2, method=None), "missing_required_parameter", 3, "method"),
        (lambda lines: _broken(lines, 2, url=None), "missing_required_parameter", 3, "url"),
        (lambda lines: _broken(lines, 2, body=None), "missing_required_parameter", 3, "body"),
        (lambda lines: _broken(lines, 0, custom_id=17), "invalid_type", 1, None),
        (lambda lines: _broken(lines, 0, body="x"), "invalid_type", 1, None),
        (lambda lines: _broken(lines, 0, method="GET"), "invalid_method", 1, "method"),
        (lambda lines: _broken(lines, 0, url="/v1/responses"), "invalid_url", 1, "url"),
        (
            lambda lines: _broken(lines, 1, body={**lines[1]["body"], "model": "gpt-4o"}),
            "mismatched_model",
            2,
            "body.model",
        ),
        (lambda lines: _broken(lines, 0, body={"model": "gpt-99"}), "model_not_found", 1, "body.model"),
        (lambda _: b'{"custom_id": "a",', "invalid_json_line", 1, None),
        (lambda _: b"\xff\xfe\n", "invalid_json_line", 1, None),
        (lambda _: b"[1, 2]\n", "invalid_json_line", 1, None),
        (lambda _: b"\n \n", "empty_file", None, None),
    ],
)
def test_validation(world: Any, spoil: Callable[[Any], Any], code: str, line: int | None, param: str | None) -> None:
    """An input that breaks a documented rule is accepted, then fails and says which line broke which rule."""
    batch = world.finished(spoil(world.lines(3)))
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
    assert batch.failed_at > batch.created_at
    error = batch.errors.data[0]
    assert (error.code, error.line, error.param) == (code, line, param)
    assert error.message
    assert batch.request_counts.total == 0


def test_validation_limits(make_world: Callable[..., Any]) -> None:
    """More lines or bytes than allowed fail the batch; just as many pass."""
    world = make_world(batch_lines_max=3)
    assert world.standin.settings.batch_bytes_max == 200 * 1024 * 1024
    assert world.finished(world.lines(3)).status == "completed"
    assert world.finished(world.lines(4)).errors.data[0].code == "too_many_tasks"
    world.standin.settings.batch_bytes_max = 100
    assert world.finished(world.lines(1)).errors.data[0].code == "file_too_large"


def test_documented_limit_of_lines(world: Any) -> None:
    """50,001 lines are one too many."""
    body = json.dumps(world.body())
    lines = (
        f'{{"custom_id":"{number}","method":"POST","url":"/v1/chat/completions","body":{body}}}'
        for number in range(50_001)
    )
    batch = world.finished("\n".join(lines).encode())
    assert (batch.status, batch.errors.data[0].code) == ("failed", "too_many_tasks")


def test_enqueued_tokens_are_limited(make_world: Callable[..., Any], kit: Any) -> None:
    """A batch beyond the limit of enqueued tokens is created, then fails; when the first is through there is room."""
    world = make_world()
    url = kit.data_url(kit.picture(size=(640, 640)))
    lines = world.lines(10, messages=kit.showing(url))
    first = world.submit(lines)
    needed = 10 * world.client.chat.completions.create(**lines[0]["body"]).usage.prompt_tokens
    world.standin.settings.enqueued_token_limit = needed + needed // 2
    first = world.later(first, minutes=2)
    second = world.later(world.submit(lines), minutes=2)
    assert (first.status, second.status) == ("in_progress", "failed")
    [error] = second.errors.data
    assert error.code == "token_limit_exceeded"
    assert f"Limit: {needed + needed // 2:,} enqueued tokens" in error.message
    world.clock.advance(minutes=20)
    assert world.finished(lines).status == "completed"
    world.standin.settings.enqueued_token_limit = needed - 1
    assert world.finished(lines).errors.data[0].code == "token_limit_exceeded"


def test_expiry_keeps_what_is_done(world: Any) -> None:
    """After 24 hours finished lines are in the output and each unfinished one in the error file as batch_expired."""
    world.standin.faults.add(kind="batch_expires", share=0.3)
    batch = world.submit(world.lines(10))
    assert world.later(batch, hours=23, minutes=59).status == "in_progress"
    batch = world.later(batch, minutes=1)
    assert (batch.status, batch.expired_at) == ("expired", batch.expires_at)
    done = {line["custom_id"] for line in world.output(batch.output_file_id)}
    expired = world.output(batch.error_file_id)
    assert len(done) == 3
    assert done | {line["custom_id"] for line in expired} == {f"job-{number}" for number in range(10)}
    assert len(expired) == 7
    assert all((line["response"], line["error"]["code"]) == (None, "batch_expired") for line in expired)
    assert batch.request_counts.model_dump() == {"completed": 3, "failed": 7, "total": 10}


def test_cancelling_takes_a_while_and_keeps_what_is_done(world: Any) -> None:
    """A cancelled batch is cancelling for up to ten minutes, then has the lines done so far and no others."""
    batch = world.later(world.submit(world.lines(40)), minutes=6)
    done = batch.request_counts.completed
    assert 0 < done < 40
    batch = world.client.batches.cancel(batch.id)
    assert (batch.status, batch.cancelling_at) == ("cancelling", world.clock.seconds)
    assert world.client.batches.cancel(batch.id).status == "cancelling"
    batch = world.later(batch, minutes=10)
    assert batch.status == "cancelled"
    assert batch.cancelling_at < batch.cancelled_at <= batch.cancelling_at + 600
    assert len(world.output(batch.output_file_id)) == done
    assert batch.error_file_id is None
    assert batch.request_counts.model_dump() == {"completed": done, "failed": 0, "total": 40}


def test_cancelling_before_anything_is_done(world: Any) -> None:
    """A batch cancelled while it is validated ends without files."""
    batch = world.client.batches.cancel(world.submit(world.lines(2)).id)
    batch = world.later(batch, minutes=10)
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("cancelled", None, None)


def test_final_batches_cannot_be_cancelled(world: Any) -> None:
    """Cancelling a completed batch is a conflict."""
    batch = world.finished(world.lines(1))
    with pytest.raises(ConflictError, match="Cannot cancel a batch with status 'completed'"):
        world.client.batches.cancel(batch.id)


def test_lists_are_newest_first_and_page(world: Any) -> None:
    """Batches are listed newest first, in pages that follow each other, with the state of now."""
    ids = [world.submit(world.lines(1)).id for _ in range(5)]
    world.clock.advance(minutes=20)
    page = world.client.batches.list(limit=2)
    assert [batch.id for batch in page.data] == ids[:2:-1]
    assert page.has_more
    listed = list(world.client.batches.list(limit=2))
    assert [batch.id for batch in listed] == ids[::-1]
    assert {batch.status for batch in listed} == {"completed"}
    for limit in (0, 101):
        with pytest.raises(BadRequestError):
            world.client.batches.list(limit=limit)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"completion_window": "48h"}, "completion_window"),
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {f"k{number}": "v" for number in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 60}}, "output_expires_after.seconds"),
        ({"extra_body": {"priority": "high"}}, "priority"),
    ],
)
def test_create_time_errors(world: Any, changes: dict[str, Any], param: str) -> None:
    """What is wrong with the request itself is a 400 at once, and no batch is left."""
    file = world.upload(world.lines(1))
    request = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h", **changes}
    with pytest.raises(BadRequestError) as caught:
        world.client.batches.create(**request)
    assert caught.value.param == param
    assert world.client.batches.list().data == []


def test_inputs_must_be_batch_files(world: Any) -> None:
    """A file uploaded for another purpose is no batch input."""
    file = world.client.files.create(file=("a", b"{}"), purpose="user_data")
    with pytest.raises(BadRequestError, match="purpose"):
        world.client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")


def test_inputs_deleted_too_early_and_late_enough(world: Any) -> None:
    """An input deleted before validation fails the batch; one deleted after it is not missed."""
    early, late = world.submit(world.lines(3)), world.submit(world.lines(3))
    world.client.files.delete(early.input_file_id)
    assert world.later(early, minutes=2).errors.data[0].code == "invalid_file_id"
    assert world.client.batches.retrieve(late.id).status == "in_progress"
    world.client.files.delete(late.input_file_id)
    assert world.later(late, minutes=20).request_counts.completed == 3


def test_outputs_expire_as_asked_for(world: Any) -> None:
    """`output_expires_after` counts from the output file's creation, not from the batch's."""
    policy = {"anchor": "created_at", "seconds": 3600}
    batch = world.finished(world.lines(1), output_expires_after=policy)
    file = world.client.files.retrieve(batch.output_file_id)
    assert (file.purpose, file.created_at) == ("batch_output", batch.completed_at)
    assert file.expires_at == batch.completed_at + 3600
    world.clock.advance(hours=1)
    with pytest.raises(NotFoundError):
        world.client.files.content(file.id)


def test_unknown_batches_are_404(world: Any) -> None:
    """A batch that is not there is a 404 to look at and to cancel."""
    for call in (world.client.batches.retrieve, world.client.batches.cancel):
        with pytest.raises(NotFoundError, match="No such Batch object: batch_none"):
            call("batch_none")


def test_same_seed_same_everything(make_world: Callable[..., Any]) -> None:
    """Two stand-ins with one seed do the same to the last byte; with another seed they differ."""

    def story(seed: int) -> tuple[Any, str]:
        world = make_world(seed=seed)
        world.standin.faults.add(kind="line_error", probability=0.5, count=None)
        lines = world.lines(20)
        batch = world.submit(lines)
        world.clock.advance(minutes=20)
        batch = world.client.batches.retrieve(batch.id)
        return batch.request_counts, world.client.files.content(batch.output_file_id).text

    start = make_world().clock
    begin = start.now
    stories = []
    for seed in (1, 1, 2):
        start.now = begin
        stories.append(story(seed))
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]


def test_nothing_is_left_on_disk_but_the_files(world: Any) -> None:
    """A final batch keeps its input and output files and no working copies."""
    batch = world.finished(world.lines(3))
    assert batch.status in FINAL
    directory = world.standin.engine.files.new_path().parent
    assert len(list(directory.iterdir())) == len(world.client.files.list().data) == 2
