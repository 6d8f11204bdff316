"""When a service of Google's is not there: the app hears so in time, a cron ends with its log entry, and what has to
be repeated may be."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import ModuleType
from typing import Any

import grpc
import pytest
import requests
from firebase_functions.https_fn import CallableRequest, FunctionsErrorCode, HttpsError
from firebase_functions.private.serving import get_functions
from firebase_functions.scheduler_fn import ScheduledEvent
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.firestore_v1.types import RunQueryResponse

from functions import (
    admin_set_config,
    admin_stats,
    cancel_job,
    claim_daily_bonus,
    classify_image,
    classify_images,
    config,
    convert_points,
    get_job,
    get_wallet,
    guard_budget,
    list_jobs,
    list_ledger,
    poll_batches,
    quote,
    record_manual_classification,
    recover_jobs,
    refresh_credits,
    register_device,
    submit_batches,
    upgrade_job,
)
from functions.adapters import alerting
from functions.adapters import storage as adapters_storage
from functions.adapters.firestore import BoundedClient, FirestoreStore, writes
from functions.adapters.firestore import client as firestore_client
from functions.adapters.firestore.client import RPC_SECONDS, SUM_SECONDS
from functions.adapters.openai import CONTROL_TIMEOUT_SECONDS, TRANSFER_TIMEOUT_SECONDS
from functions.adapters.outages import will_pass
from functions.adapters.patience import waiting_at_most
from functions.adapters.storage import PHOTO_SECONDS, StorageFiles, emulated_url
from functions.boundary import STORE_PATIENCE_SECONDS, CronError, run_cron, serve_call
from functions.core.runtime import FUNCTION_TIMEOUT, RuntimeConfig
from functions.refusals import told
from scripts.emulators.inprocess import InProcessCloud
from scripts.emulators.serving import HOST
from tests.app import photo

SHORT = 0.3
"""Seconds that stand for a limit in these tests."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits are short."""
    for limit in vars(firestore_client)["_LIMITS"].values():
        monkeypatch.setattr(limit, "seconds", SHORT)


@pytest.fixture
def cloud(short: None, monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """The product in one process, where each of its services can fail."""
    cloud = InProcessCloud(seed=1)
    monkeypatch.setattr("functions.wiring.deps", lambda: cloud.deps)
    return cloud


IMAGE = {"requestId": "photo-one", "imagePath": "users/ana/uploads/photo.jpg"}
MANUAL = {"requestId": "manual-one", "deviceId": "device-one", "category": "Dry Waste", "itemName": "Bottle"}
CALLABLES: list[tuple[ModuleType, dict[str, Any]]] = [
    (quote, {}),
    (classify_image, {**IMAGE, "mode": "instant"}),
    (classify_image, {**IMAGE, "mode": "batch"}),
    (classify_images, {"images": [IMAGE]}),
    (get_job, {"jobId": "0" * 32}),
    (list_jobs, {}),
    (upgrade_job, {"jobId": "0" * 32}),
    (cancel_job, {"jobId": "0" * 32}),
    (get_wallet, {}),
    (list_ledger, {}),
    (claim_daily_bonus, {"deviceId": "device-one"}),
    (convert_points, {"requestId": "convert-one", "points": 100}),
    (record_manual_classification, MANUAL),
    (register_device, {"deviceId": "device-one", "pushToken": "token", "platform": "web"}),
    (admin_stats, {}),
    (admin_set_config, {"changes": {}}),
]
CRONS: list[tuple[Callable[..., dict[str, int]], tuple[str, ...]]] = [
    (submit_batches.submit_batches, ()),
    (poll_batches.poll_batches, ()),
    (recover_jobs.recover_jobs, ()),
    (guard_budget.guard_budget, ()),
    (refresh_credits.refresh_credits, ("tick",)),
]


def called(use_case: ModuleType, data: dict[str, Any]) -> HttpsError | dict[str, Any]:
    """Call a callable. Returns its answer, or its refusal."""
    name = use_case.__name__.rpartition(".")[2]
    auth = type("Auth", (), {"uid": "ana", "token": {"admin": True}})()
    request = CallableRequest(data=data, raw_request=None, auth=auth)  # type: ignore[arg-type]
    try:
        with told(name):
            return serve_call(request, vars(use_case)[name])
    except HttpsError as error:
        return error


def assert_store_unavailable(answer: object) -> None:
    """The app is told to come back, with the same requestId."""
    assert isinstance(answer, HttpsError), answer
    assert answer.code is FunctionsErrorCode.UNAVAILABLE
    assert answer.details == {"reason": "STORE_UNAVAILABLE", "retryAfter": 10}


# Nothing answers


@pytest.mark.parametrize(("use_case", "data"), CALLABLES, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
def test_every_callable_says_that_the_store_is_not_there(
    cloud: InProcessCloud, use_case: ModuleType, data: dict[str, Any], *, known: bool
) -> None:
    """503 with STORE_UNAVAILABLE, after one limit and not after the library's five minutes; whether or not the process
    knows the runtime config already."""
    cloud.upload("ana", "photo.jpg", photo(64))
    if known:
        cloud.deps.runtime()
    cloud.firestore.faults.add("unavailable", count=None)
    started = time.monotonic()
    assert_store_unavailable(called(use_case, data))
    assert time.monotonic() - started < 4 * SHORT


@pytest.mark.parametrize("rpc", ["BeginTransaction", "BatchGetDocuments", "Commit"])
def test_a_charge_that_meets_an_outage_half_way_is_charged_once(cloud: InProcessCloud, rpc: str) -> None:
    """The call that is repeated afterwards, with the same requestId, is served, and paid for once."""
    cloud.upload("ana", "photo.jpg", photo(64))
    called(get_wallet, {})
    cloud.firestore.faults.add("unavailable", rpc=rpc, count=None)
    assert_store_unavailable(called(classify_image, {**IMAGE, "mode": "batch"}))
    cloud.firestore.faults.clear()
    cloud.clock.advance(timedelta(minutes=5))  # the locks of what was cut off go by themselves
    answer = called(classify_image, {**IMAGE, "mode": "batch"})
    assert isinstance(answer, dict)
    assert called(get_wallet, {})["balance"] == 9  # type: ignore[index]


TRANSACTIONS = [
    (classify_image, {**IMAGE, "mode": "instant"}),
    (classify_image, {**IMAGE, "mode": "batch"}),
    (classify_images, {"images": [IMAGE]}),
    (claim_daily_bonus, {"deviceId": "device-one"}),
    (convert_points, {"requestId": "convert-one", "points": 100}),
    (record_manual_classification, MANUAL),
    (register_device, {"deviceId": "device-one", "pushToken": "token", "platform": "web"}),
    (admin_set_config, {"changes": {"tokens": {"welcome": 11}}}),
]


@pytest.mark.parametrize("rpc", ["BeginTransaction", "BatchGetDocuments"])
@pytest.mark.parametrize(("use_case", "data"), TRANSACTIONS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_call_that_stood_still_in_a_transaction_may_be_repeated(
    cloud: InProcessCloud, use_case: ModuleType, data: dict[str, Any], rpc: str
) -> None:
    """Firestore ends a transaction that nobody has used for a minute: for the app the store was not there, and the
    call that is repeated is served."""
    cloud.upload("ana", "photo.jpg", photo(64))
    cloud.configure({"tokens": {"pointsPerClassification": 1_000}})
    called(classify_image, {**IMAGE, "requestId": "photo-zero", "mode": "batch"})
    begun = False

    def stand_still(call: str, when: str) -> None:
        nonlocal begun
        begun = begun or call == "firestore.BeginTransaction"
        if begun and (call, when) == (f"firestore.{rpc}", "after"):
            cloud.interrupt = lambda _call, _when: None
            cloud.clock.advance(timedelta(minutes=2))

    cloud.interrupt = stand_still
    assert_store_unavailable(called(use_case, data))
    assert isinstance(called(use_case, data), dict)


def test_a_wallet_that_everybody_wants_is_no_defect(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loses to others for too long is told to come back, and nothing is written."""
    monkeypatch.setattr(vars(writes)["_REPEATED"], "_timeout", SHORT)
    cloud.upload("ana", "photo.jpg", photo(64))
    called(get_wallet, {})
    cloud.firestore.faults.add("abort", rpc="Commit", count=None)
    assert_store_unavailable(called(classify_image, {**IMAGE, "mode": "batch"}))
    cloud.firestore.faults.clear()
    assert called(get_wallet, {})["balance"] == 10  # type: ignore[index]


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
    assert time.monotonic() - started < 8 * SHORT
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
    assert time.monotonic() - started < 3 * SHORT


# Somebody takes the call and never answers


@contextmanager
def silent() -> Iterator[str]:
    """A server that accepts connections, and that is all. Yields its host."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"{HOST}:{listener.getsockname()[1]}"


@contextmanager
def bounded_client(host: str) -> Iterator[BoundedClient]:
    """A client of that host."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FIRESTORE_EMULATOR_HOST", host)
        client = BoundedClient(project="demo-ecolane", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
        yield client
        client.close()  # type: ignore[no-untyped-call]


def test_a_firestore_that_never_answers_is_given_up(short: None) -> None:
    """A connection that is open and silent costs no more than one that is refused."""
    with silent() as host, bounded_client(host) as client:
        store = FirestoreStore(client)
        for call in (lambda: store.get_wallet("ana"), lambda: store.count_queued(10), store.runtime_documents):
            started = time.monotonic()
            with pytest.raises(exceptions.GoogleAPICallError):
                call()
            assert time.monotonic() - started < 3 * SHORT


def test_a_storage_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for photos: the app hears that the store is not there."""
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
            StorageFiles(client, "photos", emulated_url).read_photo("users/ana/uploads/photo.jpg")
        client.close()
    assert will_pass(error.value)
    assert time.monotonic() - started < 4 * SHORT


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
    """The library alone fails over itself there; what was read so far is no answer."""
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Breaking(),))
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    with bounded_client(f"{HOST}:{port}") as client:
        ledger = client.collection("users", "ana", "ledger").limit(10)
        with pytest.raises(exceptions.ServiceUnavailable) as error:
            list(ledger.stream())
    server.stop(None).wait()
    assert will_pass(error.value)


# How the limits fit together


def test_whoever_waits_for_others_answers_before_the_platform_does() -> None:
    """What a call can wait for Firestore, Storage, Firebase and the provider is less than its function has; so is what
    one step of a cron can take, which is what a run keeps free at its end."""
    provider = RuntimeConfig.model_json_schema()["$defs"]["InstantRules"]["properties"]["providerTimeoutSeconds"]
    firebase = 3 * config.FIREBASE_TIMEOUT_SECONDS  # a second try after a pause
    waits = {
        "classify_image": STORE_PATIENCE_SECONDS + PHOTO_SECONDS + provider["maximum"] + firebase,
        "upgrade_job": STORE_PATIENCE_SECONDS + PHOTO_SECONDS + provider["maximum"] + firebase,
        "classify_images": STORE_PATIENCE_SECONDS + 2 * PHOTO_SECONDS + firebase,
    }
    for name, function in get_functions().items():  # type: ignore[no-untyped-call]
        endpoint = function.__firebase_endpoint__
        if endpoint.callableTrigger is not None:
            assert waits.get(name, STORE_PATIENCE_SECONDS + firebase) < endpoint.timeoutSeconds, name
        elif endpoint.scheduleTrigger is not None:
            assert endpoint.timeoutSeconds == FUNCTION_TIMEOUT.total_seconds()
    # These two are for all of a call, and for what the downloads of a batch may outlast a run: see test_bounded_http.
    steps = CONTROL_TIMEOUT_SECONDS + TRANSFER_TIMEOUT_SECONDS + 3 * RPC_SECONDS
    assert timedelta(seconds=steps) < FUNCTION_TIMEOUT - poll_batches.RUN_TIME  # to retrieve, and to collect
    assert timedelta(seconds=steps) < FUNCTION_TIMEOUT - submit_batches.RUN_TIME  # to upload, and to create
    alert = 3 * alerting.TIMEOUT_SECONDS + sum(alerting.BACKOFF_SECONDS) + firebase + 2 * RPC_SECONDS
    assert timedelta(seconds=alert) < FUNCTION_TIMEOUT - guard_budget.RUN_TIME
    assert timedelta(seconds=SUM_SECONDS + 4 * RPC_SECONDS) < FUNCTION_TIMEOUT - guard_budget.RUN_TIME
