"""The batch lane through a second provider, which keeps no word of ours with a batch: who gets it, how it is found
again, what it costs, and what is left there."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from anthropic import Anthropic

from functions.core.batches.batches import LOST
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import CrashError, InProcessCloud
from tests.steps import (
    alerts,
    batch_files,
    classify,
    enqueue,
    held,
    job,
    letters,
    listed,
    statuses,
    ticks,
    today,
    wallet,
)

HAIKU = "anthropic/claude-haiku-5-5"
CREATE, LIST = "POST /v1/messages/batches", "GET /v1/messages/batches"
DELETE = "DELETE /v1/messages/batches/{batch_id}"
CANCEL = "POST /v1/messages/batches/{batch_id}/cancel"
AT_OPENAI = "POST /v1/batches"
LEASE = timedelta(minutes=15)


def ordered(*order: str, **more: Any) -> dict[str, Any]:
    """Return a config that gives batches to these."""
    return {"providers": {"batchOrder": order, **more}, "tokens": {"welcome": 200}}


@pytest.fixture
def cloud() -> InProcessCloud:
    """A deploy with both keys, whose config gives batches to Anthropic alone."""
    cloud = InProcessCloud(seed=1)
    cloud.restart({"anthropic_api_key": "stand-in"})
    cloud.configure(ordered("anthropic"))
    return cloud


def real_client(cloud: InProcessCloud) -> Anthropic:
    """Return Anthropic's own client, before the stand-in."""
    http = cloud.anthropic.http_client()
    return Anthropic(api_key="any", base_url=cloud.anthropic.base_url, http_client=http, max_retries=0)


def created(cloud: InProcessCloud) -> int:
    """Return how many batches arrived at Anthropic."""
    return cloud.anthropic.requests[CREATE]


def batches(cloud: InProcessCloud) -> list[dict[str, Any]]:
    """Return the stored batches, the oldest first."""
    return sorted(listed(cloud, "batches").values(), key=lambda each: each["createdAt"])


def submitted_one_by_one(cloud: InProcessCloud, count: int, photos: int) -> list[str]:
    """Have so many batches sent, one after the other. Returns their jobs."""
    found = list[str]()
    for _ in range(count):
        found += enqueue(cloud, "ann", photos)
        submit_batches(cloud.deps)
    return found


def test_a_batch_is_answered_at_anthropic_and_nothing_stays_there(cloud: InProcessCloud) -> None:
    """From the queue to results, at half of the price, by the model's own name; then it is deleted there."""
    ids = enqueue(cloud, "ann", 3)
    assert submit_batches(cloud.deps)["jobs"] == 3
    (sent,) = real_client(cloud).messages.batches.list()
    assert (sent.processing_status, sent.request_counts.processing) == ("in_progress", 3)
    ticks(cloud, timedelta(minutes=40))
    assert statuses(cloud, ids) == ["done"] * 3
    result = job(cloud, ids[0])["result"]
    assert (result["provider"], result["model"]) == ("anthropic", "claude-haiku-5-5")
    assert list(real_client(cloud).messages.batches.list()) == []
    assert (batch_files(cloud), held(cloud), created(cloud), cloud.openai.requests[AT_OPENAI]) == ([], 0, 1, 0)


def test_a_batch_costs_half_and_is_booked_under_its_own_model(cloud: InProcessCloud) -> None:
    """What each message reports, at 0.05 and 0.25 dollars a million tokens."""
    (job_id,) = enqueue(cloud, "ann")
    usages: list[dict[str, int]] = []
    message = cloud.anthropic.engine.message

    def noted(*args: Any, **more: Any) -> dict[str, Any]:
        answer = message(*args, **more)
        usages.append(answer["usage"])
        return answer

    cloud.anthropic.engine.message = noted  # type: ignore[method-assign]
    ticks(cloud, timedelta(minutes=40))
    (usage,) = usages
    cost = int(usage["input_tokens"] * 0.05 + usage["output_tokens"] * 0.25 + 0.5)
    costs = [shard["costs"] for shard in listed(cloud, f"budget/{today(cloud)}/shards").values() if shard["costs"]]
    assert job(cloud, job_id)["costMicros"] == cost
    assert costs == [{"batch": {HAIKU: cost}}]


@pytest.mark.parametrize("last", ["openai", None])
def test_while_the_first_takes_no_batches_the_second_gets_them(cloud: InProcessCloud, last: str | None) -> None:
    """In the same run; with one provider alone photos wait. When the first takes one again, it gets the others."""
    cloud.configure(ordered("anthropic", *([last] if last else [])))
    cloud.anthropic.faults.add(kind="overloaded", endpoint=CREATE, count=None)
    ids = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    assert cloud.openai.requests[AT_OPENAI] == (1 if last else 0)
    assert statuses(cloud, ids) == (["processing"] if last else ["queued"]) * 3
    cloud.anthropic.faults.clear()
    cloud.clock.advance(timedelta(hours=1))
    later = enqueue(cloud, "bob", 4)
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, [*ids, *later]) == ["done"] * 7
    assert {job(cloud, each)["result"]["provider"] for each in later} == {"anthropic"}


def test_operators_hear_that_a_provider_takes_no_batches(cloud: InProcessCloud) -> None:
    """A key that Anthropic refuses is told at once, although OpenAI gets the batches meanwhile."""
    cloud.configure(ordered("anthropic", "openai"))
    cloud.anthropic.faults.add(kind="bad_key", endpoint=CREATE, count=None)
    ids = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    guard_budget(cloud.deps)
    (told,) = alerts(cloud, "key_refused").values()
    assert "Anthropic takes no photos of the batch lane" in told["text"]
    assert statuses(cloud, ids) == ["processing"]


def test_a_photo_from_a_region_that_anthropic_may_not_see_goes_to_openai(cloud: InProcessCloud) -> None:
    """Each photo goes its own way, in the same run."""
    cloud.configure(ordered("anthropic", anthropicRegions=["US"]))
    at_home, abroad = (classify(cloud, region, "batch", region=region)["jobId"] for region in ("us", "France"))
    submit_batches(cloud.deps)
    assert (created(cloud), cloud.openai.requests[AT_OPENAI]) == (1, 1)
    ticks(cloud, timedelta(minutes=40))
    assert [job(cloud, each)["result"]["provider"] for each in (at_home, abroad)] == ["anthropic", "openai"]


def test_a_run_that_stood_still_begins_no_batch_on_what_it_knew(cloud: InProcessCloud) -> None:
    """It has decided which way each photo goes; by the time it goes on, that way may have been stopped."""
    cloud.configure(ordered("anthropic", anthropicRegions=["US"]))
    ids = [classify(cloud, region, "batch", region=region)["jobId"] for region in ("us", "France")]

    def stand_still(call: str, when: str) -> None:
        if call in {"openai.create_batch", "anthropic.create_batch"} and when == "after":
            cloud.clock.advance(timedelta(hours=3))

    with cloud.interrupting(stand_still):
        submit_batches(cloud.deps)
    assert (len(batches(cloud)), sorted(statuses(cloud, ids))) == (1, ["processing", "queued"])
    submit_batches(cloud.deps)
    assert (len(batches(cloud)), statuses(cloud, ids)) == (2, ["processing"] * 2)


def test_a_deploy_without_the_key_gives_batches_to_openai(cloud: InProcessCloud) -> None:
    """The config alone sends nobody's photo anywhere, and operators hear that it names somebody who is not asked."""
    cloud.restart()
    enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    assert cloud.openai.requests[AT_OPENAI] == 1
    (told,) = alerts(cloud, "provider_refuses").values()
    assert "has no ANTHROPIC_API_KEY" in told["text"]


def test_batches_of_a_key_that_was_taken_away_have_an_end(cloud: InProcessCloud) -> None:
    """They are given up after 28 hours: jobs refunded, and what they may cost is booked."""
    ids = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    lost = enqueue(cloud, "bob")
    cloud.anthropic.faults.add(kind="reply_lost", endpoint=CREATE)
    submit_batches(cloud.deps)
    cloud.restart()
    ticks(cloud, LOST + timedelta(hours=2))
    assert statuses(cloud, [*ids, *lost]) == ["failed"] * 2
    assert held(cloud) == 0
    assert all(each["hold"]["settled"] for each in batches(cloud))


# Found again


def test_a_batch_whose_creation_was_not_answered_is_found_and_not_sent_twice(cloud: InProcessCloud) -> None:
    """By its time and size, after the lease. What it is only its lines say: so far it is taken provisionally."""
    cloud.anthropic.faults.add(kind="reply_lost", endpoint=CREATE)
    ids = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    cloud.clock.advance(LEASE)
    assert submit_batches(cloud.deps)["adopted"] == 1
    assert batches(cloud)[0]["provisional"] is True
    ticks(cloud, timedelta(minutes=40))
    assert (statuses(cloud, ids), created(cloud)) == (["done"] * 3, 1)
    assert batches(cloud)[0]["provisional"] is False


def test_a_submitter_that_stood_still_as_it_opened_the_file_sends_nothing_twice(cloud: InProcessCloud) -> None:
    """Its lease is over by then, and another run has taken the batch over: it looks at the clock once more."""
    ids = enqueue(cloud, "ann", 3)

    stood = 0

    def stand_still(call: str, when: str) -> None:
        nonlocal stood
        if (call, when, stood) == ("storage.read_input", "before", 0):
            stood = 1
            for _ in range(2):  # one run looks for it, in vain, and the same or the next one creates it
                cloud.clock.advance(LEASE)
                submit_batches(cloud.new_process({"anthropic_api_key": "stand-in"}))

    with cloud.interrupting(stand_still):
        submit_batches(cloud.deps)
    ticks(cloud, timedelta(minutes=40))
    assert (stood, statuses(cloud, ids), created(cloud)) == (1, ["done"] * 3, 1)


def test_a_batch_that_never_arrived_is_created(cloud: InProcessCloud) -> None:
    """The complete list has none of its time and size, so nothing is there: the same photos go again."""
    cloud.anthropic.faults.add(kind="server_error", endpoint=CREATE)  # nobody knows what comes of a 500
    ids = enqueue(cloud, "ann", 3)
    submit_batches(cloud.deps)
    assert statuses(cloud, ids) == ["processing"] * 3
    cloud.clock.advance(LEASE)
    assert submit_batches(cloud.deps)["adopted"] == 0
    ticks(cloud, timedelta(minutes=40))
    assert (statuses(cloud, ids), created(cloud)) == (["done"] * 3, 2)


@pytest.mark.parametrize("kind", ["overloaded", "bad_key", "spend_limit", "forbidden", "too_large"])
def test_a_batch_that_was_refused_is_not_looked_for(cloud: InProcessCloud, kind: str) -> None:
    """Its photos are in the queue again at once, and nothing is held for them."""
    cloud.anthropic.faults.add(kind=kind, endpoint=CREATE)
    ids = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    assert (statuses(cloud, ids), held(cloud), batch_files(cloud)) == (["queued"] * 2, 0, [])
    ticks(cloud, timedelta(minutes=40))
    assert (statuses(cloud, ids), cloud.anthropic.requests[LIST]) == (["done"] * 2, 0)


@pytest.mark.parametrize("arrived", [(0,), (1,), (0, 1)], ids=str)
def test_of_equal_batches_each_gets_its_own(cloud: InProcessCloud, arrived: tuple[int, ...]) -> None:
    """Two of one size, neither of them answered, of which one or both arrived: whoever waits for the other's finds
    strangers' lines in it, and looks again. Nobody's photo is sent twice."""
    for number in range(2):
        kind = "reply_lost" if number in arrived else "server_error"
        cloud.anthropic.faults.add(kind=kind, endpoint=CREATE, skip=number)
    ids = submitted_one_by_one(cloud, 2, photos=2)
    ticks(cloud, timedelta(hours=3))
    assert statuses(cloud, ids) == ["done"] * 4
    assert created(cloud) == 2 + (2 - len(arrived)), "each arrived once"
    assert {job(cloud, each)["attempts"] for each in ids} == {1}
    assert (held(cloud), list(real_client(cloud).messages.batches.list())) == (0, [])


def test_who_learns_that_another_batch_of_ours_has_it_looks_again_at_once(cloud: InProcessCloud) -> None:
    """One never arrived, and waits for one of its size that another run has just created: its reply came later."""
    cloud.anthropic.faults.add(kind="server_error", endpoint=CREATE)
    first = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    second = enqueue(cloud, "bob", 2)
    submit_batches(cloud.deps)
    waiting, other = batches(cloud)
    taken = {"state": "submitted", "openaiBatchId": other["openaiBatchId"], "provisional": True}
    cloud.client.document(f"batches/{waiting_id(cloud)}").update(taken)
    cloud.clock.advance(LEASE)
    poll_batches(cloud.deps)
    again = batches(cloud)[0]
    assert (again["state"], again["strangers"]) == ("uploaded", [other["openaiBatchId"]])
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, [*first, *second]) == ["done"] * 4
    assert created(cloud) == 3
    assert waiting["openaiBatchId"] is None


def waiting_id(cloud: InProcessCloud) -> str:
    """Return the id of the batch that was made first."""
    found = listed(cloud, "batches")
    return min(found, key=lambda name: found[name]["createdAt"])


def test_a_strangers_batch_of_the_same_size_costs_time_and_nothing_else(cloud: InProcessCloud) -> None:
    """Somebody else uses the workspace: their results are read, nobody takes them for ours, and they are left there."""
    cloud.anthropic.faults.add(kind="server_error", endpoint=CREATE)
    ids = enqueue(cloud, "ann", 1)
    submit_batches(cloud.deps)
    params: Any = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    foreign = real_client(cloud).messages.batches.create(requests=[{"custom_id": "hello", "params": params}])
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, ids) == ["done"]
    assert [each.id for each in real_client(cloud).messages.batches.list()] == [foreign.id]
    assert batches(cloud)[0]["strangers"] == [foreign.id]


def test_a_list_that_cannot_be_read_proves_nothing(cloud: InProcessCloud) -> None:
    """While it fails nothing is created; after 28 hours the batch is given up, booked and refunded."""
    cloud.anthropic.faults.add(kind="reply_lost", endpoint=CREATE)
    cloud.anthropic.faults.add(kind="malformed_json", endpoint=LIST, count=None)
    ids = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    ticks(cloud, timedelta(hours=27))
    assert (statuses(cloud, ids), created(cloud)) == (["processing"] * 2, 1)
    ticks(cloud, timedelta(hours=3))
    assert (statuses(cloud, ids), created(cloud), wallet(cloud)["balance"]) == (["failed"] * 2, 1, 200)
    (batch,) = batches(cloud)
    assert (batch["hold"]["settled"], held(cloud)) == (2 * batch["hold"]["lineMicros"], 0)
    assert list(letters(cloud))


def test_results_without_a_line_prove_nothing(cloud: InProcessCloud) -> None:
    """A provisional batch whose results are empty may be ours: it is never sent again, and given up after 28 hours."""
    cloud.anthropic.faults.add(kind="reply_lost", endpoint=CREATE)
    cloud.anthropic.faults.add(kind="missing_line", endpoint="*", count=None)
    (job_id,) = enqueue(cloud, "ann")
    ticks(cloud, timedelta(hours=31))
    assert (job(cloud, job_id)["status"], created(cloud), held(cloud)) == ("failed", 1, 0)


# Given up


def overdue(cloud: InProcessCloud) -> str:
    """Return the job of a batch that is older than 28 hours, and still runs: its submitter died before it was created,
    and nobody has looked at it since it was."""
    cloud.anthropic.settings.batch_minutes = 900
    (job_id,) = enqueue(cloud, "ann")

    def die(call: str, when: str) -> None:
        if (call, when) == ("storage.read_input", "before"):
            raise CrashError

    with cloud.interrupting(die), pytest.raises(CrashError):
        submit_batches(cloud.deps)
    cloud.clock.advance(LOST - timedelta(hours=3))
    assert submit_batches(cloud.deps)["adopted"] == created(cloud) - 1 == 0
    cloud.clock.advance(timedelta(hours=4))
    return job_id


def test_a_batch_that_nobody_looked_at_in_time_is_cancelled_before_it_is_given_up(cloud: InProcessCloud) -> None:
    """So it ends with a known cost, and is deleted there with its photos."""
    job_id = overdue(cloud)
    ticks(cloud, timedelta(minutes=40))
    assert (job(cloud, job_id)["status"], held(cloud), cloud.anthropic.requests[CANCEL]) == ("failed", 0, 1)
    assert (batches(cloud)[0]["state"], batches(cloud)[0]["hold"]["settled"]) == ("done", 0)
    assert list(real_client(cloud).messages.batches.list()) == []


def test_a_batch_that_runs_on_once_it_is_given_up_is_cancelled_and_deleted_later(cloud: InProcessCloud) -> None:
    """It could not be cancelled so far. Its jobs do not wait for that, and what it may cost is booked."""
    job_id = overdue(cloud)
    cloud.anthropic.faults.add(kind="overloaded", endpoint=CANCEL, count=None)
    ticks(cloud, timedelta(hours=3))
    (batch,) = batches(cloud)
    assert (job(cloud, job_id)["status"], held(cloud), batch["state"]) == ("failed", 0, "collecting")
    assert batch["hold"]["settled"] == batch["hold"]["lineMicros"]
    cloud.anthropic.faults.clear()
    ticks(cloud, timedelta(hours=2))
    assert (batches(cloud)[0]["state"], list(real_client(cloud).messages.batches.list())) == ("done", [])


# What can go wrong there


@pytest.mark.parametrize("kind", ["duplicate_line", "unknown_line", "results_late", "not_found"])
def test_a_passing_fault_changes_nothing_in_the_end(cloud: InProcessCloud, kind: str) -> None:
    """Results that are late, or lines too many: each photo is answered once."""
    more = {"minutes": 30.0} if kind == "results_late" else {}
    cloud.anthropic.faults.add(kind=kind, **more)
    ids = enqueue(cloud, "ann", 3)
    ticks(cloud, timedelta(hours=2))
    assert (statuses(cloud, ids), created(cloud)) == (["done"] * 3, 1)


@pytest.mark.parametrize(
    ("fault", "cost"),
    [
        ({"kind": "line_error"}, "nothing"),
        ({"kind": "missing_line"}, "its most"),
        ({"kind": "batch_expires", "share": 0.0}, "nothing"),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else value,
)
def test_a_request_without_an_answer_is_sent_again(cloud: InProcessCloud, fault: dict[str, Any], cost: str) -> None:
    """What is errored or expired is not billed; an answer that is lost is booked at its most."""
    cloud.anthropic.faults.add(**fault)
    (job_id,) = enqueue(cloud, "ann")
    ticks(cloud, timedelta(hours=25))
    first = batches(cloud)[0]
    settled = trimmed_line(first) if cost == "its most" else 0
    assert (first["requeuedCount"], first["hold"]["settled"]) == (1, settled)
    assert (job(cloud, job_id)["status"], created(cloud)) == ("done", 2)


def trimmed_line(batch: dict[str, Any]) -> int:
    """Return what one line of a batch is held at."""
    line: int = batch["hold"]["lineMicros"]
    return line


def test_what_cannot_be_deleted_is_asked_for_again_for_a_day(cloud: InProcessCloud) -> None:
    """Results are there all the same, and the batch is closed in the end: Anthropic deletes it after 29 days."""
    cloud.anthropic.faults.add(kind="server_error", endpoint=DELETE, count=None)
    ids = enqueue(cloud, "ann")
    ticks(cloud, timedelta(hours=1))
    assert (statuses(cloud, ids), batches(cloud)[0]["state"]) == (["done"], "collecting")
    ticks(cloud, timedelta(hours=25))
    assert (batches(cloud)[0]["state"], cloud.anthropic.requests[DELETE] > 20) == ("done", True)


def test_a_poller_that_stood_still_for_a_day_asks_again_all_the_same(cloud: InProcessCloud) -> None:
    """Two deletions that fail, a day and more apart, are no reason to leave photos there."""
    cloud.anthropic.faults.add(kind="server_error", endpoint=DELETE, count=2)
    enqueue(cloud, "ann")
    ticks(cloud, timedelta(minutes=10), [submit_batches])
    cloud.clock.advance(timedelta(minutes=40))
    poll_batches(cloud.deps)
    cloud.clock.advance(timedelta(hours=30))
    poll_batches(cloud.deps)
    assert (batches(cloud)[0]["state"], cloud.anthropic.requests[DELETE]) == ("collecting", 2)
    ticks(cloud, timedelta(hours=1))
    assert (batches(cloud)[0]["state"], list(real_client(cloud).messages.batches.list())) == ("done", [])


def test_deleting_again_what_is_gone_is_done(cloud: InProcessCloud) -> None:
    """Its reply was lost: the next look closes the batch."""
    cloud.anthropic.faults.add(kind="reply_lost", endpoint=DELETE)
    enqueue(cloud, "ann")
    ticks(cloud, timedelta(hours=2))
    assert (batches(cloud)[0]["state"], cloud.anthropic.requests[DELETE]) == ("done", 2)


def test_links_to_photos_are_sent_where_the_config_wants_them(cloud: InProcessCloud) -> None:
    """As to OpenAI."""
    cloud.configure({**ordered("anthropic"), "batch": {"signedUrls": True}})
    ids = enqueue(cloud, "ann")
    sent: list[Any] = []
    create: Callable[..., Any] = cloud.anthropic.engine.batches.create

    def noted(body: Any, now: float) -> Any:
        sent.extend(body["requests"])
        return create(body, now)

    cloud.anthropic.engine.batches.create = noted  # type: ignore[method-assign]
    submit_batches(cloud.deps)
    image = sent[0]["params"]["messages"][0]["content"][1]
    assert image["source"] == {"type": "url", "url": image["source"]["url"]}
    assert sent[0]["custom_id"] == ids[0]
