"""What the local cloud's own tests share: a sample project of a few functions, and its environment."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Bucket, Client
from hypothesis import settings

from localcloud.auth import AuthServer
from localcloud.clock import FILE_VARIABLE, MovableClock
from localcloud.functions_process import FunctionsProcess
from localcloud.storage import StorageServer
from localcloud.storage_rules import StorageSecurity

# A busy machine is no defect.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

PROJECT = "demo-sample"
HOOK = "sample_clock:install"
REGION = "europe-west1"
SAMPLE_FIREBASE = {"functions": {"source": "."}, "emulators": {"functions": {"port": 5001}, "ui": {"enabled": False}}}

SAMPLE_MAIN = """
import json
import threading

import firebase_admin
from firebase_functions import https_fn, params, scheduler_fn

import sample_clock

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
    now = sample_clock.clock().isoformat()
    return {"path": request.path, "headers": dict(request.headers), "now": now, "seen": seen}


@scheduler_fn.on_schedule(schedule="*/5 * * * *")
def every_five(event):
    seen.append(["every_five", event.job_name, event.schedule_time.isoformat(), sample_clock.clock().isoformat()])


@scheduler_fn.on_schedule(schedule=CRON, timezone=scheduler_fn.Timezone("Europe/Berlin"))
def every_ten(event):
    seen.append(["every_ten", event.job_name, event.schedule_time.isoformat(), sample_clock.clock().isoformat()])


@scheduler_fn.on_schedule(schedule="30 3 1 1 *")
def broken(event):
    raise RuntimeError("the store is on fire")
"""

SAMPLE_CLOCK = """
clock = None


def install(moved):
    global clock
    clock = moved
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sample project."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "firebase.json").write_text(json.dumps(SAMPLE_FIREBASE))
    (folder / "sample_clock.py").write_text(SAMPLE_CLOCK)
    (folder / "main.py").write_text(SAMPLE_MAIN)
    return folder


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


def environment_of(clock: MovableClock) -> dict[str, str]:
    """Return what a functions server needs to live by a clock."""
    return {"GOOGLE_CLOUD_PROJECT": PROJECT, FILE_VARIABLE: str(clock.path)}


@pytest.fixture(scope="module")
def functions(sample: Path, auth: AuthServer, clock: MovableClock) -> Iterator[FunctionsProcess]:
    """The sample functions, served."""
    environment = {"FIREBASE_AUTH_EMULATOR_HOST": auth.host, **environment_of(clock)}
    process = FunctionsProcess(sample / "main.py", environment, sample / "log", HOOK, PROJECT, REGION)
    process.start()
    yield process
    process.stop()


PHOTO_BYTES_MAX = 10_000


STORAGE_RULES = f"""
rules_version = '2';
service firebase.storage {{
  match /b/{{bucket}}/o {{
    match /users/{{uid}}/uploads/{{name}} {{
      allow get, delete: if request.auth.uid == uid;
      allow create, update: if request.auth.uid == uid
        && request.resource.size <= {PHOTO_BYTES_MAX} && request.resource.contentType == 'image/jpeg';
    }}
    match /public/{{rest=**}} {{
      allow list;
    }}
  }}
}}
"""
"""Users have photos in their own folder, and everybody a list of what is public."""


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageServer]:
    """A running Storage emulator with one bucket, `photos.example`."""
    rules = tmp_path_factory.mktemp("storage") / "storage.rules"
    rules.write_text(STORAGE_RULES)
    server = StorageServer("photos.example", project=PROJECT, security=StorageSecurity(rules))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def bucket(storage: StorageServer) -> Iterator[Bucket]:
    """Its bucket, as functions see it: through the real client."""
    nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = Client(PROJECT, nobody, client_options={"api_endpoint": storage.host})
    yield client.bucket(storage.bucket)
    client.close()
