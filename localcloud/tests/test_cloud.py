"""The local cloud as a whole: all parts up and working together, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from anthropic import Anthropic
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2 import service_account
from openai import OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

from localcloud.callables import CallableError
from localcloud.cloud import ClockError, LocalCloud, Ports
from localcloud.firestore_choice import FirestoreChoiceError
from localcloud.functions_process import FunctionsStartError
from localcloud.openai.azure import Deployment
from localcloud.project import ProjectError
from localcloud.serving import PortTakenError, listen

Leftovers = Callable[[], set[str]]
PARAMS: MessageCreateParamsNonStreaming = {
    "model": "claude-haiku-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hello"}],
}
AZURE = {"photos": Deployment("gpt-6-luna")}
OPENAI_NAMES = ("OPENAI_API_KEY", "OPENAI_BASE_URL")


@pytest.fixture(autouse=True)
def no_real_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's environment says, these tests spend no money."""
    for name in OPENAI_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def sample_cloud(sample: Path) -> Iterator[LocalCloud]:
    """A local cloud around the sample functions."""
    with LocalCloud(sample, clock_hook="sample_clock:install") as cloud:
        yield cloud


@pytest.fixture
def leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leftovers:
    """Return the threads, child processes and temporary files that there are now, by a name each."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def look() -> set[str]:
        threads = {f"thread {thread.name}" for thread in threading.enumerate()}
        return threads | {f"process {child}" for child in children()} | {f"file {path}" for path in tmp_path.iterdir()}

    return look


def children() -> set[int]:
    """Return the processes that this one started and has not seen end."""
    command = ["ps", "-o", "pid=", "--ppid", str(os.getpid())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as ps:  # noqa: S603
        listing, _ = ps.communicate()
    return {int(pid) for pid in listing.split()} - {ps.pid}


def test_a_call_knows_who_signed_up(sample_cloud: LocalCloud) -> None:
    """Users signed up, anonymous or with an address, are who the functions see."""
    for email in (None, "ada@example.org"):
        uid, id_token = sample_cloud.sign_up(email)
        assert sample_cloud.call("echo", None, id_token)["uid"] == uid


def test_a_refusal_is_an_error_with_its_parts(sample_cloud: LocalCloud) -> None:
    """What a function refuses is raised with status, code, message and details."""
    with pytest.raises(CallableError) as refusal:
        sample_cloud.call("refuse", {})

    error = refusal.value
    assert (error.status, error.code, error.message) == (429, "resource-exhausted", "no more")
    assert error.details == {"reason": "WHY"}


def test_claims_are_in_the_next_token(sample_cloud: LocalCloud) -> None:
    """Custom claims given to a user are in the token of the next sign-in."""
    uid, _ = sample_cloud.sign_up()
    sample_cloud.set_custom_claims(uid, {"admin": True})

    again = sample_cloud.sign_in(uid)

    assert again.uid == uid
    header = {"Authorization": "Bearer owner"}
    url = f"http://{sample_cloud.auth_host}/identitytoolkit.googleapis.com/v1/projects/{sample_cloud.project}"
    record = httpx.post(f"{url}/accounts:lookup", json={"localId": [uid]}, headers=header).json()
    assert record["users"][0]["customAttributes"] == '{"admin": true}'


def test_the_real_clients_work(sample_cloud: LocalCloud) -> None:
    """The Firestore and Storage clients handed out read what they wrote."""
    document = sample_cloud.firestore_client().document("notes/n1")
    document.set({"text": "hello"})
    blob = sample_cloud.storage_client().bucket(sample_cloud.bucket).blob("notes/n1")
    blob.upload_from_string("hello")

    assert document.get().to_dict() == {"text": "hello"}
    assert blob.download_as_bytes() == b"hello"


def test_moving_the_clock_moves_everything(sample_cloud: LocalCloud) -> None:
    """An advance shows in the functions, fires cron, and brings an OpenAI batch through."""
    before = sample_cloud.clock()
    key = sample_cloud.environment["OPENAI_API_KEY"]
    with OpenAI(api_key=key, base_url=sample_cloud.openai_base_url) as openai:
        line = (
            '{"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": '
            '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}}'
        )
        file = openai.files.create(file=("in.jsonl", line.encode()), purpose="batch")
        batch = openai.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")

        ticks = sample_cloud.advance(timedelta(hours=24))

        assert openai.batches.retrieve(batch.id).status == "completed"
    assert len([tick for tick in ticks if tick.name == "every_five"]) == 24 * 12
    now = datetime.fromisoformat(httpx.get(sample_cloud.url("inspect")).json()["now"])
    assert now >= before + timedelta(hours=24)
    assert abs(sample_cloud.clock() - now) < timedelta(seconds=5)


def test_functions_that_crash_begin_anew(sample_cloud: LocalCloud) -> None:
    """A crash takes what the functions remember; the address, users and documents stay."""
    sample_cloud.firestore_client().document("notes/kept").set({"n": 1})
    sample_cloud.cron.fire("every_five")
    assert httpx.get(sample_cloud.url("inspect")).json()["seen"]

    sample_cloud.crash_functions()

    assert httpx.get(sample_cloud.url("inspect")).json()["seen"] == []
    assert sample_cloud.firestore_client().document("notes/kept").get().exists


def test_the_environment_is_that_of_google_s_emulators(sample_cloud: LocalCloud) -> None:
    """The variables that Google's clients read point at this cloud."""
    environment = sample_cloud.environment

    assert environment["FIRESTORE_EMULATOR_HOST"] == sample_cloud.firestore.host
    assert environment["STORAGE_EMULATOR_HOST"] == sample_cloud.storage_host
    assert environment["FIREBASE_AUTH_EMULATOR_HOST"] == sample_cloud.auth_host
    assert environment["GCLOUD_PROJECT"] == environment["GOOGLE_CLOUD_PROJECT"] == sample_cloud.project
    assert environment["FUNCTIONS_EMULATOR"] == "true"


@pytest.mark.parametrize("name", OPENAI_NAMES)
def test_a_real_openai_takes_the_stand_in_s_place(sample: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With a key or an address in the environment, the functions get that and no stand-in starts."""
    monkeypatch.setenv(name, "http://llm.test/v1")

    with LocalCloud(sample) as cloud:
        assert not cloud.openai_is_standin
        assert cloud.environment[name] == "http://llm.test/v1"
        assert set(OPENAI_NAMES) <= cloud.environment.keys()


def test_a_stand_in_can_be_insisted_on(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says, the functions get the stand-in, and its key in the place of a real one."""
    monkeypatch.setenv("OPENAI_API_KEY", "a real one")

    with LocalCloud(sample, openai="standin") as cloud:
        assert cloud.openai is not None
        assert cloud.environment["OPENAI_BASE_URL"] == cloud.openai.base_url
        assert cloud.environment["OPENAI_API_KEY"] == "stand-in"


def test_without_openai_none_starts(sample: Path) -> None:
    """A project that asks no model has no stand-in and no variables of one."""
    with LocalCloud(sample, openai="none") as cloud:
        assert cloud.openai is None
        assert not [name for name in cloud.environment if name.startswith("OPENAI")]
    with pytest.raises(ProjectError, match="auto, standin, none"):
        LocalCloud(sample, openai="some")


def test_anthropic_starts_where_it_is_asked_for(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in, whatever key the environment has: its real client finds it by the functions' variables, and its
    batches move with the clock. Without a word there is none."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a real one")
    with LocalCloud(sample, openai="none", anthropic=True) as cloud:
        given = cloud.environment
        with Anthropic(api_key=given["ANTHROPIC_API_KEY"], base_url=given["ANTHROPIC_BASE_URL"]) as anthropic:
            batches = anthropic.messages.batches
            batch = batches.create(requests=[{"custom_id": "one", "params": PARAMS}])
            cloud.advance(timedelta(hours=24))
            assert batches.retrieve(batch.id).request_counts.succeeded == 1
        assert given["ANTHROPIC_API_KEY"] == "stand-in"
    with LocalCloud(sample, openai="none") as cloud:
        assert cloud.anthropic is None
        assert not [name for name in cloud.environment if name.startswith("ANTHROPIC")]


def test_azure_starts_where_deployments_are_named(sample: Path) -> None:
    """OpenAI's client finds it by the functions' variables, and the deployment by its own name. Without a word there is
    none."""
    with LocalCloud(sample, openai="none", azure=AZURE) as cloud:
        given = cloud.environment
        with OpenAI(api_key=given["AZURE_API_KEY"], base_url=given["AZURE_BASE_URL"]) as client:
            messages = [ChatCompletionUserMessageParam(role="user", content="What is it?")]
            answer = client.chat.completions.create(model=given["AZURE_DEPLOYMENT"], messages=messages)
        assert (given["AZURE_DEPLOYMENT"], answer.model) == ("photos", "gpt-6-luna")
    with LocalCloud(sample, openai="none") as cloud:
        assert cloud.azure is None
        assert not [name for name in cloud.environment if name.startswith("AZURE")]


def test_events_of_openai_go_to_the_function_named(sample: Path) -> None:
    """The stand-in's webhook is the function's address; a name that is none is refused with those there are."""
    with LocalCloud(sample, openai="standin", openai_webhook="inspect") as cloud:
        assert cloud.openai is not None
        assert cloud.openai.settings.webhook_url == cloud.url("inspect")
    with pytest.raises(ProjectError, match=r"no function nope .*'echo'"), LocalCloud(sample, openai_webhook="nope"):
        pass


def test_the_credentials_open_nothing(sample_cloud: LocalCloud) -> None:
    """firebase_admin finds Google credentials, which Google itself is never asked about and nobody accepts."""
    path = sample_cloud.environment["GOOGLE_APPLICATION_CREDENTIALS"]
    credentials = service_account.Credentials.from_service_account_file(path, scopes=["any"])  # type: ignore[no-untyped-call]

    assert credentials.project_id == sample_cloud.project
    assert json.loads(Path(path).read_text())["token_uri"].startswith(f"http://{sample_cloud.auth_host}/")
    with pytest.raises(RefreshError):
        credentials.refresh(Request())


def test_firestore_can_be_chosen_by_environment(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIRESTORE=embedded forces ours, and the cloud says that it was asked for."""
    monkeypatch.setenv("FIRESTORE", "embedded")

    with LocalCloud(sample) as cloud:
        assert (cloud.firestore.kind, cloud.firestore.why) == ("embedded", "asked for")
        assert cloud.firestore.embedded is cloud.firestore.server


def test_the_clock_begins_when_asked(sample: Path) -> None:
    """Next midnight, say; no tick of the time before it is due. A past is refused, for leases rest on time."""
    midnight = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)

    with LocalCloud(sample, begins=midnight) as cloud:
        assert timedelta(0) <= cloud.clock() - midnight < timedelta(minutes=5)
        assert (cloud.cron.next_due() or midnight) > midnight
    with pytest.raises(ValueError, match="does not go back"), LocalCloud(sample, begins=midnight - timedelta(days=2)):
        pass
    with pytest.raises(ClockError, match="machine's time"), LocalCloud(sample, suite="official", begins=midnight):
        pass


def test_an_unknown_firestore_is_refused(sample: Path) -> None:
    """A name that is no Firestore is refused with those there are."""
    with pytest.raises(FirestoreChoiceError, match="embedded, official"), LocalCloud(sample, firestore="mongo"):
        pass


def test_nothing_is_left_behind(sample: Path, leftovers: Leftovers) -> None:
    """After a cloud was up and used, no thread, process or temporary file of it remains."""
    before = leftovers()

    with LocalCloud(sample) as cloud:
        cloud.call("echo", None)
        cloud.firestore_client().document("a/b").set({"c": 1})
        cloud.cron.start()
        assert leftovers() != before

    assert leftovers() == before


def test_a_start_that_fails_leaves_nothing_behind(
    tmp_path_factory: pytest.TempPathFactory, leftovers: Leftovers
) -> None:
    """When the last part cannot start, the parts before it are stopped, and the error shows the log."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "firebase.json").write_text('{"functions": {"source": "."}}')
    (folder / "main.py").write_text("raise RuntimeError('no such secret')")
    before = leftovers()

    with pytest.raises(FunctionsStartError, match="no such secret"), LocalCloud(folder):
        pass

    assert leftovers() == before


@pytest.mark.parametrize("part", ["functions", "firestore", "storage", "auth", "openai", "anthropic", "azure"])
def test_a_taken_port_is_named_and_nothing_is_left_behind(sample: Path, part: str, leftovers: Leftovers) -> None:
    """Whichever part finds its port taken, the error names the port and the others are stopped."""
    before = leftovers()
    with listen() as taken:
        port = taken.getsockname()[1]
        cloud = LocalCloud(sample, anthropic=True, azure=AZURE, ports=Ports(**{part: port}))

        with pytest.raises(PortTakenError, match=f"port {port} is in use"), cloud:
            pass

    assert leftovers() == before


def test_ctrl_c_while_it_starts_leaves_nothing_behind(sample: Path, tmp_path: Path) -> None:
    """An interrupt at any moment of the start ends the program with everything stopped."""
    program = (
        "import sys, tempfile; tempfile.tempdir = sys.argv[2]\n"
        "from localcloud.cloud import LocalCloud\n"
        "print('go', flush=True)\n"
        "with LocalCloud(sys.argv[1]): input()\n"
    )
    command = [sys.executable, "-c", program, str(sample), str(tmp_path)]
    for seconds in (0.05, 0.15, 0.3):
        with subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            threading.Event().wait(seconds)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)

        assert b"KeyboardInterrupt" in errors
        assert list(tmp_path.iterdir()) == []
        assert not serving_by_the_clock_in(tmp_path)


def serving_by_the_clock_in(folder: Path) -> list[str]:
    """Return the command lines of functions servers whose cloud keeps its files in `folder`."""
    command = ["ps", "-eww", "-o", "args"]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return [line for line in listing.splitlines() if "localcloud.functions" in line and str(folder) in line]
