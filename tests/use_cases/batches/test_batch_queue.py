"""The queue and the batches from the operator's side: who goes first, what waits, what is given up, who is told."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import httpx
import pytest
from google.api_core import exceptions

from functions.core.batches.batches import RELEASE_PAUSE
from functions.core.batches.reports import ProviderState
from functions.core.jobs.transitions import RETRY_BACKOFF
from functions.core.shared.time_limits import FUNCTION_TIMEOUT
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.shared.set_aside import LOOK_AGAIN
from localcloud.firestore.errors import FirestoreError
from scripts.ecolane_cloud import ecolane_cloud
from scripts.inprocess import InProcessCloud
from tests.app import App
from tests.steps import (
    UNLIMITED,
    batch_files,
    classify,
    enqueue,
    held,
    in_transaction,
    job,
    listed,
    register,
    statuses,
    stored,
    ticks,
    wallet,
)
from tests.use_cases.teams.test_teams import join, team_of

SECRET = "whsec_" + base64.b64encode(b"a secret that only OpenAI knows").decode()


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, in which users have tokens enough."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED, "pro": {**UNLIMITED, "priority": 2}}})
    return cloud


def test_a_photo_that_a_batch_has_taken_meanwhile_is_not_asked_about_now(cloud: InProcessCloud) -> None:
    """The reply to its charge was lost, and the call's retry took so long that the photo is on its way: the call says
    so, and neither asks nor refunds."""
    lost = False

    def lose(call: str, when: str) -> None:
        nonlocal lost
        if (call, when, lost) == ("firestore.Commit", "after", False):
            lost = True
            assert submit_batches(cloud.deps)["jobs"] == 1
            raise FirestoreError(grpc.StatusCode.UNAVAILABLE, "the reply was lost")

    with cloud.interrupting(lose):
        answer = classify(cloud, "one", "batch")
    assert (answer["status"], answer["mode"], answer["balance"]) == ("processing", "batch", 199)
    assert cloud.openai.requests["POST /v1/chat/completions"] == 0
    ticks(cloud, timedelta(hours=2))
    assert (statuses(cloud, [answer["jobId"]]), wallet(cloud)["balance"], held(cloud)) == (["done"], 199, 0)


def test_priority_goes_first_and_starves_nobody(cloud: InProcessCloud) -> None:
    """Of a batch's ten places eight go to users with priority, two to the oldest without, however many push in."""
    cloud.configure({"batch": {"jobsPerBatch": 10, "batchesPerRun": 1}, "tokens": {"welcome": 200}, **_plans()})
    patient = enqueue(cloud, "ann", 5)
    cloud.client.document("users/bob/wallet/main").set({**wallet(cloud), "plan": "pro"})
    preferred = enqueue(cloud, "bob", 20)
    submit_batches(cloud.deps)
    assert statuses(cloud, patient) == ["processing"] * 2 + ["queued"] * 3
    assert statuses(cloud, preferred) == ["processing"] * 8 + ["queued"] * 12
    submit_batches(cloud.deps)
    assert statuses(cloud, patient) == ["processing"] * 4 + ["queued"]


def _plans() -> dict[str, Any]:
    return {"plans": {"free": UNLIMITED, "pro": {**UNLIMITED, "priority": 2}}}


def test_a_batch_of_one_starves_nobody(cloud: InProcessCloud) -> None:
    """Its only place is for those without priority; where there are none of them, the others have it."""
    plans = {"free": {**UNLIMITED, "priority": 2}}
    cloud.configure({"tokens": {"welcome": 200}, "plans": plans, "batch": {"jobsPerBatch": 1, "batchesPerRun": 3}})
    waiting = enqueue(cloud, "ann", 3)
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, waiting) == ["done"] * 3


@pytest.mark.parametrize("state", ["building", "uploaded"])
def test_a_lost_reply_while_jobs_are_given_back_stops_nothing(cloud: InProcessCloud, state: str) -> None:
    """A batch that cannot be sent is closed at once, its jobs queued and its hold released, in the same run."""
    ids = enqueue(cloud, "ann", 3)
    endpoint = {"building": "POST /v1/files", "uploaded": "POST /v1/batches"}[state]
    cloud.openai.faults.add(kind="not_found", endpoint=endpoint)
    lost = cloud.firestore.faults.add("reply_lost", rpc="BatchWrite", skip=1)  # the first is the claim
    counts = submit_batches(cloud.deps)
    assert (lost.struck, counts["released"]) == (1, 3)
    assert statuses(cloud, ids) == ["queued"] * 3
    assert [found.get("state") for found in cloud.client.collection("batches").stream()] == ["failed"]
    assert held(cloud) == 0
    cloud.clock.advance(RELEASE_PAUSE)
    assert submit_batches(cloud.deps)["jobs"] == 3


def test_failed_attempts_wait_one_two_and_four_minutes(cloud: InProcessCloud) -> None:
    """A job that goes back into the queue is not taken again before its backoff is over."""
    (job_id,) = enqueue(cloud, "ann")
    for attempt, backoff in enumerate(RETRY_BACKOFF[:2], start=1):
        cloud.openai.faults.add(kind="line_error", status=500, code="server_error")
        submit_batches(cloud.deps)
        cloud.clock.advance(timedelta(minutes=30))
        poll_batches(cloud.deps)
        assert (job(cloud, job_id)["status"], job(cloud, job_id)["attempts"]) == ("queued", attempt)
        cloud.clock.advance(backoff - timedelta(seconds=1))
        assert submit_batches(cloud.deps)["jobs"] == 0
        cloud.clock.advance(timedelta(seconds=1))
    assert submit_batches(cloud.deps)["jobs"] == 1


def test_a_job_that_waits_for_a_day_and_two_hours_is_refunded(cloud: InProcessCloud) -> None:
    """When OpenAI takes no batches for 26 hours, the waiting jobs are failed and refunded, and not sent any more."""
    ids = enqueue(cloud, "ann", 3)
    cloud.openai.faults.add(kind="server_error", endpoint="POST /v1/files", count=None)
    ticks(cloud, timedelta(hours=25, minutes=50))
    assert statuses(cloud, ids) == ["queued"] * 3
    ticks(cloud, timedelta(minutes=30))
    assert statuses(cloud, ids) == ["failed"] * 3
    assert {job(cloud, job_id)["error"]["code"] for job_id in ids} == {"WAITED_TOO_LONG"}
    assert wallet(cloud)["balance"] == 200


def test_nobody_waits_for_ever_for_a_budget(cloud: InProcessCloud) -> None:
    """While the budget is closed nothing is sent; whoever has waited for 26 hours is refunded all the same."""
    closed = {"overrideMode": "closed", "overrideUntil": cloud.clock() + timedelta(days=3)}
    cloud.configure({"budget": closed, "tokens": {"welcome": 200}, **_plans()})
    ids = enqueue(cloud, "ann", 2)
    ticks(cloud, timedelta(hours=26))
    assert statuses(cloud, ids) == ["queued"] * 2
    ticks(cloud, timedelta(minutes=10))
    assert statuses(cloud, ids) == ["failed"] * 2
    assert cloud.openai.requests["POST /v1/batches"] == 0


@pytest.mark.parametrize(
    "state", [ProviderState.VALIDATING, ProviderState.IN_PROGRESS, ProviderState.FINALIZING, ProviderState.UNKNOWN]
)
def test_a_batch_that_never_ends_is_cancelled_and_given_up(
    cloud: InProcessCloud, state: ProviderState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that OpenAI reports as under way for ever, or in a state that is not known, is cancelled after 26 hours,
    and its jobs refunded after 28."""
    ids = enqueue(cloud, "ann", 2)
    honest = cloud.deps.provider.retrieve_batch
    unending = lambda batch_id: replace(honest(batch_id), state=state)  # noqa: E731  (this test's own)
    monkeypatch.setattr(cloud.deps.provider, "retrieve_batch", unending, raising=False)
    ticks(cloud, timedelta(hours=27))
    assert statuses(cloud, ids) == ["processing"] * 2
    assert cloud.openai.requests["POST /v1/batches/{batch_id}/cancel"] == 1, "asked to stop, once"
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, ids) == ["failed"] * 2
    assert wallet(cloud)["balance"] == 200
    assert cloud.openai.requests["POST /v1/batches"] == 1


def test_an_answer_that_a_cancelled_batch_has_lost_is_booked(cloud: InProcessCloud) -> None:
    """OpenAI bills what it answered before a batch was cancelled. One such answer is in neither file: of the lines that
    are missing, as many are booked as OpenAI counts answers too many, and the others had no turn and cost nothing."""
    ids = enqueue(cloud, "ann", 4)
    cloud.openai.faults.add(kind="batch_cancelled", share=0.5)
    cloud.openai.faults.add(kind="missing_line")
    ticks(cloud, timedelta(hours=20))
    assert statuses(cloud, ids) == ["done"] * 4
    first, second = (each.to_dict() or {} for each in cloud.client.collection("batches").order_by("createdAt").stream())
    assert (first["doneCount"], first["requeuedCount"], second["doneCount"]) == (1, 3, 3)
    (once,) = (found for each in ids if (found := job(cloud, each))["attempts"] == 1)
    assert first["costMicros"] == first["hold"]["settled"] == once["costMicros"] + first["hold"]["lineMicros"]


def test_answers_that_openai_keeps_no_more_are_given_up(cloud: InProcessCloud) -> None:
    """Its files go after three days. Whoever polls then fails and refunds the jobs, and books what they may have
    cost."""
    waiting = enqueue(cloud, "ann", 2)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(days=3, hours=12))
    poll_batches(cloud.deps)
    assert statuses(cloud, waiting) == ["failed", "failed"]
    (batch,) = listed(cloud, "batches").values()
    line = batch["hold"]["lineMicros"]
    assert (batch["state"], batch["hold"]["micros"], batch["hold"]["settled"]) == ("done", 0, 2 * line)
    assert [job(cloud, job_id)["costMicros"] for job_id in waiting] == [line, line]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_overlapping_runs_add_throughput(cloud: InProcessCloud, workers: int) -> None:
    """N submitters at the same moment send N times the jobs, each job once; N pollers finish them."""
    size = 5
    cloud.configure({"batch": {"jobsPerBatch": size, "batchesPerRun": 2}, "tokens": {"welcome": 200}, **_plans()})
    ids = enqueue(cloud, "ann", 120)
    processes = [cloud.new_process() for _ in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(submit_batches, processes))
    assert sum(run["jobs"] for run in runs) >= 0.75 * workers * 2 * size
    cloud.clock.advance(timedelta(minutes=30))
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(poll_batches, processes))
    done = [status for status in statuses(cloud, ids) if status == "done"]
    assert len(done) == sum(run["jobs"] for run in runs)
    sent = [line for run in runs for line in range(run["jobs"])]
    assert len(sent) == len(done)


def test_a_batch_that_takes_longer_than_a_run_is_collected_by_several(cloud: InProcessCloud) -> None:
    """A run ends in time, wherever it is; the next one goes on there, and writes nothing a second time."""
    job_ids = enqueue(cloud, "ann", 30)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))
    calls: list[str] = []

    def slow(call: str, when: str) -> None:
        if when == "after" and call in {"firestore.Commit", "firestore.BatchWrite"}:
            calls.append(call)
            cloud.clock.advance(timedelta(seconds=60))

    runs: list[dict[str, int]] = []
    with cloud.interrupting(slow), pytest.MonkeyPatch.context() as patch:
        patch.setattr("functions.use_cases.batches.endings.WRITES_BUFFERED_MAX", 4)
        while not runs or runs[-1]["paused"]:
            began = cloud.clock()
            runs.append(poll_batches(cloud.deps))
            assert cloud.clock() - began <= FUNCTION_TIMEOUT
    assert [run["collected"] for run in runs] == [0, 1]
    assert sum(run["done"] for run in runs) == 30 == statuses(cloud, job_ids).count("done")
    assert calls.count("firestore.BatchWrite") == 8, "a result was written twice"
    (batch,) = listed(cloud, "batches").values()
    spent = sum(job(cloud, job_id)["costMicros"] for job_id in job_ids)
    assert (batch["state"], batch["doneCount"], batch["costMicros"]) == ("done", 30, spent)
    assert batch["hold"]["settled"] == spent
    assert batch_files(cloud) == []


def test_a_result_is_not_taken_for_a_cancellation(cloud: InProcessCloud) -> None:
    """A store that is too slow to say what became of a job leaves that open: the job's result is no answer to it."""
    (done,) = enqueue(cloud, "ann")
    ticks(cloud, timedelta(hours=1))

    def slow_in_a_transaction(call: str, when: str) -> None:
        if (call, when) == ("firestore.BatchGetDocuments", "after") and in_transaction(cloud):
            raise FirestoreError(grpc.StatusCode.DEADLINE_EXCEEDED, "too late")

    with cloud.interrupting(slow_in_a_transaction), pytest.raises(exceptions.DeadlineExceeded):
        cancel_job(CancelJob(jobId=done), "ann", cloud.deps)
    assert statuses(cloud, [done]) == ["done"]


def recovered(cloud: InProcessCloud, **counts: int) -> bool:
    """Let the cron run, and tell whether it counts this and nothing else."""
    found = recover_jobs(cloud.deps)
    return {name: count for name, count in found.items() if count} == counts


def test_an_instant_call_that_never_came_back_is_refunded(cloud: InProcessCloud) -> None:
    """A job whose call died is refunded once its lease has run out, and not before."""
    (job_id,) = enqueue(cloud, "ann")
    lease = cloud.clock() + timedelta(seconds=180)
    cloud.client.document(f"aiJobs/{job_id}").update(
        {"mode": "instant", "status": "processing", "leaseUntil": lease, "queuedAt": None}
    )
    assert recovered(cloud)
    cloud.clock.advance(timedelta(seconds=180))
    assert recovered(cloud, recovered=1)
    assert (job(cloud, job_id)["status"], job(cloud, job_id)["leaseUntil"]) == ("failed", None)
    assert recovered(cloud)
    assert wallet(cloud)["balance"] == 200


def test_one_broken_wallet_keeps_nobody_else_from_their_refund(cloud: InProcessCloud) -> None:
    """A job that cannot be settled is left for a person to look at; the others get their tokens back. A run in which
    nothing works fails."""
    jobs = {user: enqueue(cloud, user)[0] for user in ("ann", "bob", "eve")}
    for job_id in jobs.values():
        fields = {"mode": "instant", "status": "processing", "leaseUntil": cloud.clock(), "queuedAt": None}
        cloud.client.document(f"aiJobs/{job_id}").update(fields)
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    assert recovered(cloud, recovered=2, crashed=1)
    assert [job(cloud, jobs[user])["status"] for user in ("ann", "bob", "eve")] == ["processing", "failed", "failed"]
    cloud.clock.advance(LOOK_AGAIN)
    with pytest.raises(RuntimeError, match="crashed"):
        recover_jobs(cloud.deps)


def test_waits_are_measured(cloud: InProcessCloud) -> None:
    """The wait that users are told comes from how long batches really took, and from the queue."""
    assert quote(Quote(), "ann", cloud.deps)["batch"]["waitMinutes"] == 5 + 240
    enqueue(cloud, "ann", 2)
    ticks(cloud, timedelta(hours=1))
    measured = stored(cloud, "stats/queue")["batchMinutes"]
    assert 10 <= measured <= 30
    assert quote(Quote(), "ann", cloud.deps)["batch"]["waitMinutes"] == 5 + round(measured)


@pytest.mark.parametrize(
    ("queued", "health"), [(100, "healthy"), (101, "moderate"), (501, "busy"), (1_001, "overloaded")]
)
def test_the_health_of_the_queue(cloud: InProcessCloud, queued: int, health: str) -> None:
    """How busy the lane is, by the number of queued jobs; the wait grows by the runs it takes."""
    cloud.client.document("stats/queue").set({"queued": queued})
    cloud.clock.advance(timedelta(seconds=31))
    batch = quote(Quote(), "ann", cloud.deps)["batch"]
    assert (batch["health"], batch["queuePosition"]) == (health, queued + 1)
    assert batch["waitMinutes"] == 240 + 5 * (1 + queued // 1_000)


def test_a_batch_of_bad_lines_only_is_nobodys_photo(cloud: InProcessCloud, capfd: pytest.CaptureFixture[str]) -> None:
    """What the provider finds wrong with every line is what we send: the photos are tried again, and operators can read
    why."""
    ids = enqueue(cloud, "ann", 3)
    for line in (1, 2, 3):
        cloud.openai.faults.add(kind="batch_invalid_line", line=line)
    ticks(cloud, timedelta(hours=2))
    assert statuses(cloud, ids) == ["done"] * 3
    entries = [json.loads(text) for text in capfd.readouterr().out.splitlines()]
    causes = [entry["causes"] for entry in entries if entry["message"] == "answers_failed"]
    assert causes == [{"the batch failed validation: invalid_json_line": 3}]


def test_one_push_a_user_and_batch(cloud: InProcessCloud) -> None:
    """Whoever has a device registered is told once, with counts; whoever wants no pushes is left alone."""
    for user, wanted in (("ann", True), ("bob", False)):
        register(cloud, user, f"{user}s-token", notifications=wanted)
    ids = enqueue(cloud, "ann", 3) + enqueue(cloud, "bob", 2) + enqueue(cloud, "eve", 1)
    cloud.openai.faults.add(kind="line_error", status=400, code="image_parse_error")
    ticks(cloud, timedelta(hours=1))
    told = [(news.push_tokens, news.done + news.failed) for news in cloud.messaging.sent]
    assert told == [(("anns-token",), 3)]
    assert statuses(cloud, ids).count("done") == 5


def test_who_has_sent_photos_that_a_team_pays_for_is_told(cloud: InProcessCloud) -> None:
    """Together with their own, where they are signed in by then; other members hear nothing."""
    for user in ("olga", "ann", "bob"):
        register(cloud, user, f"{user}s-first-token")
    team_id = team_of(cloud)
    for user in ("ann", "bob"):
        join(cloud, team_id, user)
    classify(cloud, "of-the-team", "batch", "ann", payer=team_id)
    classify(cloud, "anns-own", "batch", "ann")
    classify(cloud, "of-the-team", "batch", "bob", payer=team_id)
    register(cloud, "bob", "bobs-next-token")
    ticks(cloud, timedelta(hours=1))
    told = {news.uid: (news.push_tokens, news.done) for news in cloud.messaging.sent}
    assert told == {"ann": (("anns-first-token",), 2), "bob": (("bobs-next-token",), 1)}


def test_who_wants_no_push_gets_none_for_a_teams_photo(cloud: InProcessCloud) -> None:
    """Or has signed out, or never signed in on a phone."""
    register(cloud, "ann", "anns-token", notifications=False)
    team_id = team_of(cloud)
    for user in ("ann", "bob"):
        join(cloud, team_id, user)
        classify(cloud, "of-the-team", "batch", user, payer=team_id)
    ticks(cloud, timedelta(hours=1))
    assert cloud.messaging.sent == []


def test_a_push_that_fails_blocks_nothing(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """When messaging is down the results are there all the same."""

    def down(_news: object) -> int:
        raise ConnectionError("messaging is not to be reached")

    register(cloud, "ann", "anns-token")
    ids = enqueue(cloud, "ann", 2)
    monkeypatch.setattr(cloud.messaging, "send", down)
    ticks(cloud, timedelta(hours=1))
    assert statuses(cloud, ids) == ["done"] * 2


def test_links_instead_of_photos(cloud: InProcessCloud) -> None:
    """By setting, the batch file carries links to the prepared photos, which go when the batch is through."""
    cloud.configure({"batch": {"signedUrls": True}, "tokens": {"welcome": 200}, **_plans()})
    (job_id,) = enqueue(cloud, "ann")
    submit_batches(cloud.deps)
    (path,) = [path for path in cloud.files.objects if path.endswith("input.jsonl")]
    line = json.loads(cloud.files.objects[path])
    url = line["body"]["messages"][1]["content"][1]["image_url"]["url"]
    assert url == f"https://storage.local/{path.removesuffix('input.jsonl')}photos/{job_id}.jpg"
    assert len(cloud.files.objects[path]) < 5_000
    ticks(cloud, timedelta(hours=4))  # the stand-in follows no links: all attempts are used up
    assert batch_files(cloud) == []


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> dict[str, str]:
    """Return the headers of a webhook, signed as https://www.standardwebhooks.com says."""
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, b"wh_1." + stamp.encode() + b"." + body, hashlib.sha256).digest()
    return {
        "webhook-id": "wh_1",
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
        "content-type": "application/json",
    }


def event(openai_batch_id: str, kind: str = "batch.completed") -> bytes:
    """Return the body of a batch event."""
    content = {"id": "evt_1", "object": "event", "created_at": 1, "type": kind, "data": {"id": openai_batch_id}}
    return json.dumps(content).encode()


def test_a_webhook_brings_the_poll_forward() -> None:
    """After a signed event the next poll collects at once; doubled, late and unknown events change nothing."""
    with ecolane_cloud(standin={"batch_minutes": 240, "webhook_secret": SECRET}) as cloud:
        app = App(cloud, cloud.sign_up())
        assert cloud.openai is not None
        cloud.openai.faults.add(kind="webhook_lost", count=None)  # ours are sent below
        job_id = app.classify()["jobId"]
        cloud.advance(timedelta(hours=3))
        cloud.clock.advance(timedelta(hours=2))
        cloud.openai.tick()
        (batch,) = cloud.firestore_client().collection("batches").stream()
        before = batch.to_dict() or {}
        batch.reference.update({"dueAt": cloud.clock() + timedelta(minutes=25)})
        body = event(before["openaiBatchId"])
        for sent in (body, body, event("batch_of_somebody_else"), event(before["openaiBatchId"], "batch.cancelled")):
            answer = httpx.post(cloud.url("openai_webhook"), content=sent, headers=signed(sent))
            assert (answer.status_code, answer.text) == (200, "")
        assert cloud.cron.fire("poll_batches").ok
        assert app.job(job_id)["status"] == "done"
        again = httpx.post(cloud.url("openai_webhook"), content=body, headers=signed(body))
        assert again.status_code == 200


def test_a_webhook_that_is_not_openais() -> None:
    """A wrong, old or missing signature, a changed or oversized body: refused, and nothing is done."""
    with ecolane_cloud(standin={"webhook_secret": SECRET}) as cloud:
        body = event("batch_1")
        url = cloud.url("openai_webhook")
        other = "whsec_" + base64.b64encode(b"somebody else's secret").decode()
        wrong = [
            (body, signed(body, other)),
            (body, signed(body, at=time.time() - 3_600)),
            (body, signed(body, at=time.time() + 3_600)),
            (body, {}),
            (body + b" ", signed(body)),
            (b"", signed(b"")),
            (b"[1, 2", signed(b"[1, 2")),
        ]
        assert [httpx.post(url, content=sent, headers=headers).status_code for sent, headers in wrong] == [400] * 7
        assert httpx.post(url, content=b"x" * 100_000, headers=signed(b"x")).status_code == 413
