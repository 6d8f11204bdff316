"""Whatever the provider makes of a batch and its lines: tried again or refunded, and charged once."""

from collections import Counter
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest

from functions.core.jobs.jobs import FINAL
from scripts.inprocess import InProcessCloud
from tests.steps import FIVE_MINUTES, enqueue, job, listed, statement, ticks, wallet


@pytest.fixture
def cloud() -> InProcessCloud:
    """An empty cloud."""
    return InProcessCloud(seed=1)


def until_final(cloud: InProcessCloud, job_id: str) -> dict[str, Any]:
    """Let the crons run until a job is final, for 60 hours at most. Returns its document."""
    for _ in range(60 * 12):
        if (found := job(cloud, job_id))["status"] in FINAL:
            return found
        ticks(cloud, FIVE_MINUTES)
    raise AssertionError(f"never final: {found}")


def moved(cloud: InProcessCloud) -> list[tuple[int, int]]:
    """Return the tokens of each ledger entry, and the balance after it."""
    return [line[1:] for line in statement(cloud)]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "line_error", "status": 500}, id="line failed with 500"),
        pytest.param({"kind": "line_error", "status": 429, "in_output": True}, id="429 in the output file"),
        pytest.param({"kind": "missing_line"}, id="line missing"),
        pytest.param({"kind": "line_error", "status": 404, "code": "model_not_found"}, id="no such model"),
        pytest.param({"kind": "line_error", "status": 400, "code": "unsupported_value"}, id="a value"),
        pytest.param({"kind": "line_error", "status": 400, "code": "billing_hard_limit_reached"}, id="the account"),
        pytest.param({"kind": "line_error", "status": 400, "code": "invalid_image_url"}, id="a slow download"),
        pytest.param({"kind": "cut_answer"}, id="cut answer"),
        pytest.param({"kind": "answer_text"}, id="no JSON"),
        pytest.param({"kind": "batch_expires", "share": 0.0}, id="batch expired"),
        pytest.param({"kind": "batch_cancelled", "share": 0.0}, id="batch cancelled at OpenAI"),
    ],
)
def test_what_may_succeed_later_is_tried_again(cloud: InProcessCloud, fault: dict[str, Any]) -> None:
    """A failure that another attempt may cure goes back into the queue and ends as a result, charged once."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(**fault)
    ended = until_final(cloud, job_id)
    assert (ended["status"], ended["attempts"], ended["error"]) == ("done", 2, None)
    assert moved(cloud) == [(10, 10), (-1, 9)]


@pytest.mark.parametrize(("kind", "failed"), [("batch_token_limit", []), ("batch_invalid_line", ["PROVIDER_REJECTED"])])
def test_a_batch_refused_for_anothers_fault_is_no_attempt(cloud: InProcessCloud, kind: str, failed: list[str]) -> None:
    """When OpenAI refuses a batch for its limit, or for one bad line, the good photos go again and lose no attempt."""
    ids = enqueue(cloud, "ann", 2)
    cloud.openai.faults.add(kind=kind)
    jobs = [until_final(cloud, job_id) for job_id in ids]
    done = [job["attempts"] for job in jobs if job["status"] == "done"]
    assert (done, [job["error"]["code"] for job in jobs if job["error"]]) == ([1] * len(done), failed)
    assert len(done) + len(failed) == 2
    assert wallet(cloud)["balance"] == 10 - len(done)


def test_attempts_are_bounded_and_the_last_one_refunds(cloud: InProcessCloud) -> None:
    """A photo that brings two useless answers is failed and refunded, however many attempts there are; what they cost
    stays on the operator's books."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="answer_text", text="no idea", count=3)
    ended = until_final(cloud, job_id)
    assert (ended["status"], ended["attempts"], ended["error"]["code"]) == ("failed", 2, "ANSWER_UNUSABLE")
    assert moved(cloud) == [(10, 10), (-1, 9), (1, 10)]
    assert ended["costMicros"] > 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "line_error", "status": 400, "code": "image_parse_error"}, id="cannot be read"),
        pytest.param({"kind": "line_error", "status": 413}, id="too large"),
        pytest.param({"kind": "refusal"}, id="refused by the model"),
    ],
)
def test_what_the_provider_rejects_is_not_tried_again(cloud: InProcessCloud, fault: dict[str, Any]) -> None:
    """A photo that the provider will never take is failed and refunded at once."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(**fault)
    ended = until_final(cloud, job_id)
    assert (ended["status"], ended["attempts"], ended["error"]["code"]) == ("failed", 1, "PROVIDER_REJECTED")
    assert moved(cloud)[-1] == (1, 10)


def test_stray_and_double_lines_change_nothing(cloud: InProcessCloud) -> None:
    """A line that is there twice, and one that belongs to nobody, leave one result and one charge."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind="duplicate_line")
    cloud.openai.faults.add(kind="unknown_line")
    ended = until_final(cloud, job_id)
    assert ended["status"] == "done"
    assert [batch["doneCount"] for batch in listed(cloud, "batches").values()] == [1]


def test_lines_that_name_no_job_change_nothing(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a custom id there is nobody whose attempt could have ended; the other lines are read."""
    (job_id,) = enqueue(cloud, "ann")
    provider, nameless = cloud.deps.provider, [{}, {"custom_id": None}, {"custom_id": 7}, {"custom_id": [job_id]}]
    read_lines = provider.read_lines
    monkeypatch.setattr(provider, "read_lines", lambda *file: chain(nameless, read_lines(*file)))
    assert until_final(cloud, job_id)["status"] == "done"
    assert [batch["doneCount"] for batch in listed(cloud, "batches").values()] == [1]


@pytest.mark.parametrize(("attempts_max", "status"), [(1, "failed"), (2, "done")])
def test_a_job_that_a_dead_collector_has_ended_counts_as_what_it_is(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, attempts_max: int, status: str
) -> None:
    """A poll finds no line of a job, refunds it or takes it back to the queue, and dies before it stores its counts;
    then the line is there. The job stays what it was made, and is counted as that, once."""
    cloud.configure({"batch": {"attemptsMax": attempts_max}})
    (job_id,) = enqueue(cloud, "ann")
    provider, store, deaths = cloud.deps.provider, cloud.deps.store, Counter[str]()
    read_lines, settle_batch = provider.read_lines, store.settle_batch

    def dies(batch: Any, version: Any, fields: dict[str, Any], *rest: Any) -> Any:
        if "completedAt" in fields and not deaths:
            deaths["collector"] += 1
            raise RuntimeError("the instance is taken away")
        return settle_batch(batch, version, fields, *rest)

    monkeypatch.setattr(provider, "read_lines", lambda *file: read_lines(*file) if deaths else iter(()))
    monkeypatch.setattr(store, "settle_batch", dies)
    until_final(cloud, job_id)
    ticks(cloud, timedelta(hours=3))
    assert job(cloud, job_id)["status"] == status
    batches = listed(cloud, "batches").values()
    shards = [(each.to_dict() or {})["tally"] for each in cloud.client.collection_group("shards").stream()]
    counted = sum((Counter(of.get("batch", {}).get("gpt-6-luna")) for of in shards), Counter[str]())
    assert [sum(each[f"{kind}Count"] for each in batches) for kind in ("done", "failed", "requeued")] == [
        status == "done",
        status == "failed",
        status == "done",
    ]
    assert (counted["done"], counted["failed:LINE_MISSING"], counted["retried:LINE_MISSING"]) == (
        status == "done",
        status == "failed",
        status == "done",
    )


def test_a_lost_reply_to_create_does_not_pay_twice(cloud: InProcessCloud) -> None:
    """When the reply to creating a batch is lost, the batch is found by our id and adopted, not created again."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.requests.reset()
    cloud.openai.faults.add(kind="reply_lost", endpoint="POST /v1/batches")
    ended = until_final(cloud, job_id)
    assert (ended["status"], ended["attempts"]) == ("done", 1)
    assert cloud.openai.requests["POST /v1/batches"] == 1


@pytest.mark.parametrize("kind", ["connection_reset", "server_error", "rate_limited"])
@pytest.mark.parametrize("endpoint", ["POST /v1/files", "POST /v1/batches"])
def test_a_provider_that_is_down_delays_the_batch(cloud: InProcessCloud, endpoint: str, kind: str) -> None:
    """While OpenAI takes no files or batches the jobs wait; afterwards they go through, charged once."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind=kind, endpoint=endpoint, count=2)
    ended = until_final(cloud, job_id)
    assert (ended["status"], ended["attempts"]) == ("done", 1)
    assert moved(cloud) == [(10, 10), (-1, 9)]


@pytest.mark.parametrize("kind", ["not_found", "bad_gateway"])
def test_an_output_file_that_is_not_there_yet_is_read_later(cloud: InProcessCloud, kind: str) -> None:
    """A finished batch whose file cannot be downloaded yet is collected by a later poll."""
    (job_id,) = enqueue(cloud, "ann")
    cloud.openai.faults.add(kind=kind, endpoint="GET /v1/files/*", count=2)
    ended = until_final(cloud, job_id)
    assert (ended["status"], ended["attempts"]) == ("done", 1)
