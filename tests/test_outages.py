"""When a service of Google's is not there: the app hears so in time, a cron ends with its log entry, and what has to
be repeated may be."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import grpc
import pytest
import requests
from firebase_functions.https_fn import FunctionsErrorCode, HttpsError
from firebase_functions.private.serving import get_functions
from firebase_functions.scheduler_fn import ScheduledEvent
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.firestore import Client
from google.cloud.firestore_v1.types import RunQueryResponse

from functions.adapters import alerting, remote_config, time_budget
from functions.adapters import storage as adapters_storage
from functions.adapters.firestore import FirestoreStore, wire, writes
from functions.adapters.firestore.wire import RPC_SECONDS
from functions.adapters.firestore.writes import CONTENTION_SECONDS
from functions.adapters.identity import KEYS_TIMEOUT_SECONDS
from functions.adapters.providers.openai import CONTROL_TIMEOUT_SECONDS, TRANSFER_TIMEOUT_SECONDS
from functions.adapters.storage import CHUNK_BYTES, REQUEST_SECONDS, StorageFiles, emulated_url
from functions.adapters.time_budget import STORE_PATIENCE_SECONDS, waiting_at_most
from functions.adapters.transient_errors import will_pass
from functions.core.config.runtime import RuntimeConfig
from functions.core.model.parsing import Completion
from functions.core.shared.time_limits import CALL_TIMEOUT, FUNCTION_TIMEOUT, RUN_TIME
from functions.deploy import params
from functions.edge.bodies import BODY_SECONDS_MAX
from functions.edge.callables import Call, serve_call
from functions.edge.crons import CronError, run_cron
from functions.edge.http_errors import errors_to_https
from functions.edge.parts import serve_parts
from functions.use_cases.batches import poll_batches, submit_batches
from functions.use_cases.bulk import run_bulk
from functions.use_cases.jobs import admission, recover_jobs
from functions.use_cases.jobs.instant_lane import PROVIDER_SECONDS_MIN
from functions.use_cases.operations import guard_budget
from functions.use_cases.payments import reconcile_billing
from functions.use_cases.refresh import refresh_credits
from localcloud.serving import HOST, unhurried
from scripts.inprocess import InProcessCloud
from scripts.sample_calls import sample_calls, sample_photo
from scripts.shop_in_process import Shop
from tests.app import photo
from tests.steps import befriend, in_transaction, listed, statement, stored, wallet
from tests.wire import id_token, names, new_wire, use_case

SHORT = 0.3
"""Seconds that stand for a limit in these tests."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are short."""
    for rpc in vars(wire)["_RPCS"].values():
        monkeypatch.setattr(rpc, "seconds", SHORT)


@pytest.fixture
def cloud(short: None, monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """The product in one process, where each of its services can fail."""
    shop = Shop()
    shop.is_customer("ana")
    monkeypatch.setattr("functions.wiring.deps", lambda: shop.cloud.deps)
    return shop.cloud


CALLS = sample_calls("ana")
IMAGE = {"requestId": "photo-one", "imagePath": sample_photo("ana")}
EVERY_CALL = [(name, CALLS[name]) for name in names("callable") if name != "get_home"]
EVERY_CALL.append(("classify_image", {**IMAGE, "mode": "batch"}))
CRONS: list[tuple[Callable[..., dict[str, int]], tuple[str, ...]]] = [
    (submit_batches.submit_batches, ()),
    (poll_batches.poll_batches, ()),
    (recover_jobs.recover_jobs, ()),
    (run_bulk.run_bulk, ()),
    (guard_budget.guard_budget, ()),
    (reconcile_billing.reconcile_billing, ()),
    (refresh_credits.refresh_credits, ("tick",)),
]


def called(name: str, data: dict[str, Any], uid: str = "ana") -> HttpsError | dict[str, Any]:
    """Call a callable. Returns its answer, or its refusal."""
    try:
        with errors_to_https(name):
            return serve_call(Call(uid, data), use_case(name))
    except HttpsError as error:
        return error


def also(cloud: InProcessCloud, **config: Any) -> None:
    """Set these sections of the config beside those that are set."""
    cloud.configure({**stored(cloud, "config/runtime"), **config})


def assert_store_unavailable(answer: object) -> None:
    """The app is told to come back, with the same requestId."""
    assert isinstance(answer, HttpsError), answer
    assert answer.code is FunctionsErrorCode.UNAVAILABLE
    assert answer.details == {"reason": "STORE_UNAVAILABLE", "retryAfter": 10}


# Nothing answers


@pytest.mark.parametrize(("name", "data"), EVERY_CALL, ids=str)
@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
def test_every_callable_says_that_the_store_is_not_there(
    cloud: InProcessCloud, name: str, data: dict[str, Any], *, known: bool
) -> None:
    """503 with STORE_UNAVAILABLE, after one limit and not after the library's five minutes; whether or not the process
    knows the runtime config already."""
    cloud.upload("ana", "photo.jpg", photo(64))
    if known:
        cloud.deps.runtime()
    cloud.firestore.faults.add("unavailable", count=None)
    started = time.monotonic()
    assert_store_unavailable(called(name, data))
    assert time.monotonic() - started < unhurried(4 * SHORT)


def test_each_part_of_the_first_screen_says_so(cloud: InProcessCloud) -> None:
    """In its own place; what two parts need is waited for once."""
    cloud.firestore.faults.add("unavailable", count=None)
    started = time.monotonic()
    with errors_to_https("get_home"):
        answer = serve_parts(Call("ana", {}), use_case("get_home"))
    assert {part["error"]["details"]["reason"] for part in answer.values()} == {"STORE_UNAVAILABLE"}
    assert time.monotonic() - started < unhurried(8 * SHORT)


@pytest.mark.parametrize("rpc", ["BatchGetDocuments", "Commit"])
def test_a_charge_that_meets_an_outage_half_way_is_charged_once(cloud: InProcessCloud, rpc: str) -> None:
    """The call that is repeated afterwards, with the same requestId, is served, and paid for once."""
    cloud.upload("ana", "photo.jpg", photo(64))
    called("get_wallet", {})
    cloud.firestore.faults.add("unavailable", rpc=rpc, count=None)
    assert_store_unavailable(called("classify_image", {**IMAGE, "mode": "batch"}))
    cloud.firestore.faults.clear()
    cloud.clock.advance(timedelta(minutes=5))  # the locks of what was cut off go by themselves
    answer = called("classify_image", {**IMAGE, "mode": "batch"})
    assert isinstance(answer, dict)
    assert called("get_wallet", {})["balance"] == 9  # type: ignore[index]


def about_a_job(cloud: InProcessCloud, name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Have a photo taken in, and return the call's data about its job: it waits, or has an answer to dispute. Begin the
    bulk job, found the team, make the invite, that the call is about; a gift has a friend to go to."""
    if "bulkId" in data:
        called("start_bulk", CALLS["start_bulk"])
    for earlier in ("create_team", "invite_member") if {"teamId", "code"} & data.keys() else ():
        called(earlier, CALLS[earlier])
    if name == "give_tokens":
        befriend(cloud, "ana")
    mode = "instant" if name == "report_answer" else "batch"
    taken = called("classify_image", {**IMAGE, "requestId": "photo-zero", "mode": mode})
    assert isinstance(taken, dict)
    return {**data, **({"jobId": taken["jobId"]} if "jobId" in data else {})}


@pytest.mark.parametrize(("name", "data"), EVERY_CALL, ids=str)
def test_a_call_that_stood_still_in_a_transaction_may_be_repeated(
    cloud: InProcessCloud, name: str, data: dict[str, Any]
) -> None:
    """Firestore ends a transaction that nobody has used for a minute: for the app the store was not there, and the
    call that is repeated is served. Whoever begins no transaction writes nothing, but for a checkout, which is created
    under its own id."""
    cloud.upload("ana", "photo.jpg", photo(64))
    also(cloud, tokens={"pointsPerClassification": 1_000}, shop={"priorityDay": 5})
    data = about_a_job(cloud, name, data)
    begun = False

    def stand_still(_call: str, when: str) -> None:
        nonlocal begun
        begun = when == "after" and in_transaction(cloud)
        if begun:
            cloud.interrupt = lambda _call, _when: None
            cloud.clock.advance(timedelta(minutes=2))

    cloud.interrupt = stand_still
    cloud.firestore.bill.reset()
    answer = called(name, data)
    if begun:
        assert_store_unavailable(answer)
        answer = called(name, data)
    else:
        assert cloud.firestore.bill.reset()["totals"]["writes"] == (2 if name == "start_checkout" else 0)
    assert isinstance(answer, dict), answer


@pytest.mark.parametrize("rpc", ["GetDocument", "BatchGetDocuments", "RunQuery", "Commit"])
@pytest.mark.parametrize(("name", "data"), EVERY_CALL, ids=str)
def test_a_call_whose_reply_was_lost_may_be_repeated(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, name: str, data: dict[str, Any], rpc: str
) -> None:
    """Whatever call of it took effect without a reply: it is answered, or told that the store was not there. Repeated
    once the locks are gone that such a read can leave, it is served, charged for once, and answered the same again."""
    monkeypatch.setattr(vars(writes)["_REPEATED"], "_timeout", SHORT)
    cloud.upload("ana", "photo.jpg", photo(64))
    also(cloud, tokens={"pointsPerClassification": 1_000}, shop={"priorityDay": 5})
    data = about_a_job(cloud, name, data)
    cloud.firestore.faults.add("reply_lost", rpc=rpc)
    answer = called(name, data)
    cloud.firestore.faults.clear()
    if not isinstance(answer, dict):
        assert_store_unavailable(answer)
        cloud.clock.advance(timedelta(minutes=2))
        answer = called(name, data)
    assert isinstance(answer, dict), answer
    assert sum(delta for _, delta, _ in statement(cloud, "ana")) == wallet(cloud, "ana")["balance"]
    charged = Counter(entry for entry, _, _ in statement(cloud, "ana"))
    assert set(charged.values()) == {1}
    assert {f"charge:{job_id}" for job_id in listed(cloud, "aiJobs")} <= charged.keys()


def test_a_lost_reply_keeps_others_from_one_shard_for_a_minute(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read that begins a charge locks its user's wallet and one shard of the budget; with its reply, the name of
    the transaction is lost. Until Firestore ends it, calls that take the same shard come back later; all others are
    served, by other shards."""
    monkeypatch.setattr(vars(writes)["_REPEATED"], "_timeout", SHORT)
    for user in ("ana", "bob"):
        cloud.upload(user, "photo.jpg", photo(64))
    shard = [0]
    monkeypatch.setattr(cloud.deps, "new_id", lambda: f"{shard[0]:032x}", raising=False)

    def instant(uid: str, key: str) -> HttpsError | dict[str, Any]:
        data = {"requestId": key, "imagePath": f"users/{uid}/uploads/photo.jpg", "mode": "instant"}
        return called("classify_image", data, uid)

    assert isinstance(instant("bob", "photo-zero"), dict)  # and the day is open
    cloud.firestore.faults.add("reply_lost", rpc="BatchGetDocuments", path="users/ana/wallet/main")
    assert_store_unavailable(instant("ana", "photo-one"))
    assert_store_unavailable(instant("bob", "photo-two"))
    shard[0] = 1
    assert isinstance(instant("bob", "photo-two"), dict)
    shard[0] = 0
    cloud.clock.advance(timedelta(seconds=61))
    assert isinstance(instant("ana", "photo-one"), dict)
    assert [delta for _, delta, _ in statement(cloud, "ana")] == [10, -5]


def test_a_wallet_that_everybody_wants_is_no_defect(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loses to others for too long is told to come back, and nothing is written."""
    monkeypatch.setattr(vars(writes)["_REPEATED"], "_timeout", SHORT)
    cloud.upload("ana", "photo.jpg", photo(64))
    called("get_wallet", {})
    cloud.firestore.faults.add("abort", rpc="Commit", count=None)
    assert_store_unavailable(called("classify_image", {**IMAGE, "mode": "batch"}))
    cloud.firestore.faults.clear()
    assert called("get_wallet", {})["balance"] == 10  # type: ignore[index]


@pytest.mark.parametrize(("run", "arguments"), CRONS, ids=[run.__name__ for run, _ in CRONS])
def test_every_cron_ends_with_its_log_entry(
    cloud: InProcessCloud,
    capfd: pytest.CaptureFixture[str],
    run: Callable[..., dict[str, int]],
    arguments: tuple[str, ...],
) -> None:
    """A run that finds no store ends by itself, long before the platform ends it, and says so."""
    cloud.firestore.faults.add("unavailable", count=None)
    started = time.monotonic()
    with suppress(CronError):
        run_cron(ScheduledEvent(job_name="tick", schedule_time=cloud.clock()), run, *arguments)
    assert time.monotonic() - started < unhurried(8 * SHORT)
    captured = capfd.readouterr()
    entries = [json.loads(line) for line in (captured.out + captured.err).splitlines()]
    ends = [entry for entry in entries if entry["message"] in {"cron_crashed", "cron_finished"}]
    assert [entry["function"] for entry in ends] == [run.__name__]


def test_an_invocation_has_one_patience_for_all_its_calls(cloud: InProcessCloud) -> None:
    """Calls that each stay within their limit do not add up to more than the invocation has."""
    cloud.firestore.faults.add("unavailable", count=None)
    started = time.monotonic()
    with waiting_at_most(2 * SHORT):
        for _ in range(10):
            with pytest.raises(exceptions.GoogleAPICallError):
                cloud.deps.store.get_wallet("ana")
    assert time.monotonic() - started < unhurried(3 * SHORT)


# Somebody takes the call and never answers


@contextmanager
def silent() -> Iterator[str]:
    """A server that accepts connections, and that is all. Yields its host."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"{HOST}:{listener.getsockname()[1]}"


@contextmanager
def store_at(host: str) -> Iterator[FirestoreStore]:
    """The documents of that host."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", host)
        client = Client(project="demo-ecolane", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        yield FirestoreStore(client)
        client.close()  # type: ignore[no-untyped-call]


def test_a_firestore_that_never_answers_is_given_up(short: None) -> None:
    """A connection that is open and silent costs no more than one that is refused."""
    with silent() as host, store_at(host) as store:
        for call in (lambda: store.get_wallet("ana"), lambda: store.count_queued(10), store.runtime_documents):
            started = time.monotonic()
            with pytest.raises(exceptions.GoogleAPICallError):
                call()
            assert time.monotonic() - started < unhurried(3 * SHORT)


def write_nothing(files: StorageFiles) -> None:
    """Write a file of a batch."""
    with files.write_input("batch-1") as file:
        file.write(b"{}\n")


ASKED_OF_STORAGE: list[Callable[[StorageFiles], object]] = [
    lambda files: files.read_photo("users/ana/uploads/photo.jpg"),
    lambda files: files.read_manifest("batch-1"),
    lambda files: files.put_photo("batch-1", "0" * 32, b"jpeg"),
    lambda files: files.delete_batch_files("batch-1"),
    write_nothing,
]


@pytest.mark.parametrize("ask", ASKED_OF_STORAGE, ids=["photo", "roll", "link", "delete", "input"])
def test_a_storage_that_never_answers_is_given_up(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[[StorageFiles], object]
) -> None:
    """The same for photos, and for the files of a batch, which are streams: the library repeats those for two
    minutes."""
    limits = vars(adapters_storage)["_LIMITS"]
    monkeypatch.setitem(limits, "timeout", SHORT)
    monkeypatch.setitem(limits, "retry", limits["retry"].with_timeout(SHORT))
    with silent() as host:
        client = storage.Client(
            project="demo",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": f"http://{host}"},
        )
        started = time.monotonic()
        with pytest.raises((requests.RequestException, exceptions.RetryError)) as error:
            ask(StorageFiles(client, "photos", emulated_url))
        client.close()
    assert will_pass(error.value)
    assert time.monotonic() - started < unhurried(8 * SHORT)


class _Breaking(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc carries no types
    """A Firestore whose queries break off after the first document."""

    def service(self, handler_call_details: Any) -> Any:
        del handler_call_details  # whatever is called

        def answer(_request: bytes, context: Any) -> Iterator[bytes]:
            name = "projects/demo-ecolane/databases/(default)/documents/users/ana/ledger/welcome"
            yield RunQueryResponse.serialize(RunQueryResponse({"document": {"name": name}}))
            context.abort(grpc.StatusCode.UNAVAILABLE, "broken off")

        return grpc.unary_stream_rpc_method_handler(answer)


def test_a_query_that_breaks_off_is_an_outage_and_no_defect(short: None) -> None:
    """What was read so far is no answer."""
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Breaking(),))
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    with store_at(f"{HOST}:{port}") as store, pytest.raises(exceptions.ServiceUnavailable) as error:
        store.list_entries("ana", None, 10)
    server.stop(None).wait()
    assert will_pass(error.value)


# How the limits fit together


FIREBASE_SECONDS = 3 * params.FIREBASE_TIMEOUT_SECONDS
"""A request to Firebase by the Admin SDK: a second try after a pause."""

DOOR_SECONDS = BODY_SECONDS_MAX + 2 * KEYS_TIMEOUT_SECONDS + 2 * params.FIREBASE_TIMEOUT_SECONDS + 1
"""Before a callable's handler begins: its body, the keys of both tokens, and whether the ID token was revoked, with a
second try after half a second."""


def test_whoever_waits_for_others_answers_before_the_platform_does() -> None:
    """What a call can wait for its body, Firebase, Firestore and Storage is less than its function has; what is left
    then is the provider's, and enough for an answer. Remote Config is in Firestore's part."""
    before = DOOR_SECONDS + STORE_PATIENCE_SECONDS
    waits = {
        "classify_image": before + REQUEST_SECONDS + ANSWER_SECONDS,
        "upgrade_job": before + REQUEST_SECONDS + ANSWER_SECONDS,
        "classify_images": before + admission.PHOTOS_SECONDS + REQUEST_SECONDS,  # the last begins just before the end
    }
    for name, function in get_functions().items():  # type: ignore[no-untyped-call]
        endpoint = function.__firebase_endpoint__
        if endpoint.callableTrigger is not None:
            assert waits.pop(name, before) < endpoint.timeoutSeconds, name
        elif endpoint.scheduleTrigger is not None:
            assert endpoint.timeoutSeconds == FUNCTION_TIMEOUT.total_seconds()
    assert waits == {}
    assert remote_config.REQUEST_SECONDS == FIREBASE_SECONDS < STORE_PATIENCE_SECONDS
    assert CALL_TIMEOUT.total_seconds() == get_functions()["classify_image"].__firebase_endpoint__.timeoutSeconds  # type: ignore[no-untyped-call]


ANSWER_SECONDS = 10
"""What the default model takes for an answer, with room."""


@pytest.mark.parametrize(("slow", "expected"), [(0, 25), (60, 25), (80, 15), (200, PROVIDER_SECONDS_MIN)])
def test_the_provider_gets_what_is_left_of_the_call(
    monkeypatch: pytest.MonkeyPatch, slow: float, expected: float
) -> None:
    """However long body, tokens and photo have taken: then the answer, or the refund, can still be stored before the
    platform ends the call."""
    asked: list[float] = []
    real, passed = time.monotonic, [0.0]
    monkeypatch.setattr(time_budget, "monotonic", lambda: real() + sum(passed))
    cloud = InProcessCloud(seed=1)
    cloud.upload("ana", "photo.jpg", photo(64))
    complete = cloud.deps.provider.complete

    def watched(body: dict[str, Any], seconds: float, *who: Any) -> Completion:
        asked.append(seconds)
        return complete(body, 20, *who)

    def wait(call: str, when: str) -> None:
        if (call, when) == ("storage.read_photo", "after"):
            passed.append(slow)

    monkeypatch.setattr(cloud.deps.provider, "complete", watched, raising=False)
    cloud.interrupt = wait
    with new_wire(monkeypatch, cloud) as wire:
        assert wire.call("classify_image", {**IMAGE, "mode": "instant"}, id_token("ana")).status_code == 200
    assert asked == [pytest.approx(expected, abs=5 if slow == 80 else 0.1)]


def test_a_step_of_a_cron_takes_no_longer_than_a_run_keeps_free_at_its_end() -> None:
    """Whatever a run begins last, it ends by itself. The provider's limits are for all of a call, and for what the
    downloads of a batch may outlast a run: see test_bounded_http."""
    retrieved = CONTROL_TIMEOUT_SECONDS + TRANSFER_TIMEOUT_SECONDS + 3 * RPC_SECONDS
    # The list of jobs is stored at the end: a request to begin, and one for each chunk; a line is about 300 bytes.
    chunks = -(-RuntimeConfig().batch.jobs_per_batch * 300 // CHUNK_BYTES)
    paused = CONTENTION_SECONDS + 4 * RPC_SECONDS + (1 + chunks) * REQUEST_SECONDS
    alert = 3 * alerting.TIMEOUT_SECONDS + sum(alerting.BACKOFF_SECONDS) + FIREBASE_SECONDS + 2 * RPC_SECONDS
    assert timedelta(seconds=max(retrieved, paused, alert)) < FUNCTION_TIMEOUT - RUN_TIME
