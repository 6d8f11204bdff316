"""What the local cloud's own tests share: a small main.py that is no part of the product, and its environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Bucket, Client

from localcloud.auth import AuthServer
from localcloud.clock import MovableClock
from localcloud.functions_process import FunctionsProcess
from localcloud.storage import StorageServer
from tests.conftest import cloud, user

__all__ = ["cloud", "user"]

PROJECT = "demo-sample"
REGION = "europe-west1"

SAMPLE_MAIN = """
import json
import threading

import firebase_admin
from firebase_functions import https_fn, params, scheduler_fn

from functions import wiring

firebase_admin.initialize_app()
GREETING = params.StringParam("GREETING", default="hello")
CRON = params.StringParam("CRON", default="*/10 * * * *")
together = threading.Barrier(64)
seen = []


@https_fn.on_call()
def echo(request):
    return {"data": request.data, "uid": request.auth.uid if request.auth else None, "greeting": GREETING.value}


@https_fn.on_call()
def refuse(request):
    raise https_fn.HttpsError(https_fn.FunctionsErrorCode.RESOURCE_EXHAUSTED, "no more", {"reason": "WHY"})


@https_fn.on_call()
def meet(request):
    together.wait(60)
    return "met"


@https_fn.on_request()
def inspect(request):
    return {"path": request.path, "headers": dict(request.headers), "now": wiring.clock().isoformat(), "seen": seen}


@scheduler_fn.on_schedule(schedule="*/5 * * * *")
def every_five(event):
    seen.append(["every_five", event.job_name, event.schedule_time.isoformat(), wiring.clock().isoformat()])


@scheduler_fn.on_schedule(schedule=CRON, timezone=scheduler_fn.Timezone("Europe/Berlin"))
def every_ten(event):
    seen.append(["every_ten", event.job_name, event.schedule_time.isoformat(), wiring.clock().isoformat()])


@scheduler_fn.on_schedule(schedule="30 3 1 1 *")
def broken(event):
    raise RuntimeError("the store is on fire")
"""

SAMPLE_WIRING = """
clock = None


def install_clock(moved):
    global clock
    clock = moved
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the sample's main.py, with its `functions.wiring` beside it."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "functions").mkdir()
    (folder / "functions" / "__init__.py").touch()
    (folder / "functions" / "wiring.py").write_text(SAMPLE_WIRING)
    (folder / "main.py").write_text(SAMPLE_MAIN)
    return folder / "main.py"


@pytest.fixture(scope="module")
def auth() -> Iterator[AuthServer]:
    """A running Auth emulator."""
    server = AuthServer(PROJECT)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def clock() -> Iterator[MovableClock]:
    """A clock that the sample functions share with the test."""
    clock = MovableClock()
    yield clock
    clock.close()


@pytest.fixture(scope="module")
def functions(sample: Path, auth: AuthServer, clock: MovableClock) -> Iterator[FunctionsProcess]:
    """The sample functions, served."""
    environment = {"GOOGLE_CLOUD_PROJECT": PROJECT, "FIREBASE_AUTH_EMULATOR_HOST": auth.host}
    process = FunctionsProcess(sample, environment, sample.parent / "log", clock.path, PROJECT, REGION)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def storage() -> Iterator[StorageServer]:
    """A running Storage emulator with one bucket, `photos.example`."""
    server = StorageServer("photos.example", project="demo-ecolane")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bucket(storage: StorageServer) -> Iterator[Bucket]:
    """Its bucket, as functions see it: through the real client."""
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = Client("demo-ecolane", nobody, client_options={"api_endpoint": storage.host})
    yield client.bucket(storage.bucket)
    client.close()
