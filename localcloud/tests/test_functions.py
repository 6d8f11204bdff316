"""The functions server: a sample main.py, called as the app, Scheduler and browsers call it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from localcloud import callables, functions_process
from localcloud.auth import AuthServer
from localcloud.callables import CallableError
from localcloud.clock import FILE_VARIABLE, MovableClock
from localcloud.functions_process import FunctionsProcess, FunctionsStartError, Trigger
from localcloud.serving import PortTakenError

PROJECT, REGION, HOOK = "demo-sample", "europe-west1", "sample_clock:install"

PARENT = """
import sys, time
from pathlib import Path
from localcloud.functions_process import FunctionsProcess

source, log, project, region = sys.argv[1:]
process = FunctionsProcess(Path(source), {"GOOGLE_CLOUD_PROJECT": project}, Path(log), None, project, region)
process.start()
print(process.url, flush=True)
time.sleep(60)
"""


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """A client with room for many calls at once."""
    with httpx.Client(limits=httpx.Limits(), timeout=60) as client:
        yield client


def inspect(functions: FunctionsProcess, below: str = "", headers: dict[str, str] | None = None) -> dict[str, object]:
    """Return what a function sees of a request."""
    seen: dict[str, object] = httpx.get(functions.function_url("inspect") + below, headers=headers).json()
    return seen


def test_a_function_answers_under_its_firebase_emulator_url(functions: FunctionsProcess) -> None:
    """The address is /project/region/name, and a callable speaks the callable protocol there."""
    url = f"{functions.url}/{PROJECT}/{REGION}/echo"

    assert functions.function_url("echo") == url
    answer = httpx.post(url, json={"data": [1, "two"]})
    assert answer.json() == {"result": {"data": [1, "two"], "uid": None, "greeting": "hello"}}


def test_a_callable_knows_its_caller(functions: FunctionsProcess, auth: AuthServer, client: httpx.Client) -> None:
    """A token of the Auth emulator tells the function who calls, and a forged one is refused."""
    sign_up = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any"
    user = httpx.post(sign_up, json={}).json()

    result = callables.call(client, functions.function_url("echo"), None, user["idToken"])

    assert result["uid"] == user["localId"]
    with pytest.raises(CallableError) as refusal:
        callables.call(client, functions.function_url("echo"), None, "not.a.token")
    assert (refusal.value.status, refusal.value.code) == (401, "unauthenticated")


def test_a_refusal_reaches_the_caller_whole(functions: FunctionsProcess, client: httpx.Client) -> None:
    """Status, code, message and details of an HttpsError are in the caller's error."""
    with pytest.raises(CallableError, match="429 resource-exhausted: no more") as refusal:
        callables.call(client, functions.function_url("refuse"), {})

    assert refusal.value.details == {"reason": "WHY"}


def test_an_answer_that_is_no_callable_s_is_an_error(functions: FunctionsProcess, client: httpx.Client) -> None:
    """Calling what does not speak the callable protocol is a CallableError that shows the answer."""
    with pytest.raises(CallableError) as refusal:
        callables.call(client, functions.function_url("every_five"), {})

    assert refusal.value.code == "internal"


def test_an_unknown_name_gets_the_list_of_names(functions: FunctionsProcess) -> None:
    """A wrong name, project or region is a 404 that lists what is served, in main.py's order."""
    for path in (f"{PROJECT}/{REGION}/nope", f"other/{REGION}/echo", "echo", ""):
        answer = httpx.get(f"{functions.url}/{path}")
        assert answer.status_code == 404
        names = answer.json()["functions"]
        assert names == ["echo", "refuse", "meet", "inspect", "every_five", "every_ten", "broken"]


def test_triggers_come_from_the_manifest(functions: FunctionsProcess) -> None:
    """Each function is listed with its trigger; a schedule set by a parameter shows the parameter's value."""
    triggers = {trigger.name: trigger for trigger in functions.triggers()}

    assert triggers["echo"].kind == "callable"
    assert triggers["inspect"].kind == "https"
    assert triggers["every_five"] == Trigger("every_five", "schedule", "*/5 * * * *", "UTC")
    assert triggers["every_ten"] == Trigger("every_ten", "schedule", "*/10 * * * *", "Europe/Berlin")


def test_sixty_four_callers_are_served_at_once(functions: FunctionsProcess, client: httpx.Client) -> None:
    """64 calls that each wait for all the others end: none of them queues."""

    def meet(_: int) -> object:
        return callables.call(client, functions.function_url("meet"), None)

    with ThreadPoolExecutor(64) as pool:
        assert set(pool.map(meet, range(64))) == {"met"}


def test_every_request_carries_a_trace(functions: FunctionsProcess) -> None:
    """A request without Google's trace header gets one of its own; one that has it keeps it."""
    first, second = inspect(functions)["headers"], inspect(functions)["headers"]
    kept = inspect(functions, headers={"X-Cloud-Trace-Context": "0af7651916cd43dd8448eb211c80319c/1;o=1"})["headers"]

    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert isinstance(kept, dict)
    assert first["X-Cloud-Trace-Context"] != second["X-Cloud-Trace-Context"]
    assert first["X-Cloud-Trace-Context"].endswith(";o=1")
    assert kept["X-Cloud-Trace-Context"] == "0af7651916cd43dd8448eb211c80319c/1;o=1"


def test_a_function_sees_the_path_below_its_own(functions: FunctionsProcess) -> None:
    """As on Cloud Run, the function's own address is its root."""
    assert inspect(functions)["path"] == "/"
    assert inspect(functions, "/some/where")["path"] == "/some/where"


def test_browsers_may_call(functions: FunctionsProcess) -> None:
    """A browser's check before a call is answered as on_call answers it."""
    asked = {"Origin": "http://app.test", "Access-Control-Request-Method": "POST"}

    answer = httpx.options(functions.function_url("echo"), headers=asked)

    assert answer.is_success
    assert answer.headers["access-control-allow-methods"] == "POST"


def test_the_functions_live_in_the_moved_time(functions: FunctionsProcess, clock: MovableClock) -> None:
    """A move of the clock shows in the functions at once."""
    clock.advance(timedelta(days=3))

    now = datetime.fromisoformat(str(inspect(functions)["now"]))

    assert abs(now - datetime.now(UTC) - clock.offset) < timedelta(seconds=1)


def test_a_main_that_does_not_start_shows_why(tmp_path: Path) -> None:
    """When main.py cannot be imported, the error ends with what the server printed."""
    (tmp_path / "main.py").write_text("raise RuntimeError('no such secret')")
    process = FunctionsProcess(tmp_path / "main.py", {}, tmp_path / "log", None, PROJECT, REGION)

    with pytest.raises(FunctionsStartError, match="no such secret"):
        process.start()


@pytest.mark.parametrize(
    ("hook", "why"),
    [("broken:install", "the settings are wrong"), ("broken:other", "broken:other"), ("broken", "module:function")],
)
def test_a_clock_hook_that_fails_shows_why(tmp_path: Path, clock: MovableClock, hook: str, why: str) -> None:
    """What the project finds wrong when it is handed the clock, and a hook that is none, ends the start."""
    (tmp_path / "main.py").write_text("from firebase_functions import https_fn\n@https_fn.on_request()\ndef f(_): ...")
    (tmp_path / "broken.py").write_text("def install(clock):\n    raise ValueError('the settings are wrong')")
    environment = {"GOOGLE_CLOUD_PROJECT": PROJECT, FILE_VARIABLE: str(clock.path)}
    process = FunctionsProcess(tmp_path / "main.py", environment, tmp_path / "log", hook)

    with pytest.raises(FunctionsStartError, match=f"do not start: .*{why}"):
        process.start()


def test_a_main_without_functions_is_refused(tmp_path: Path) -> None:
    """A file in which nothing is decorated is refused with the reason."""
    (tmp_path / "main.py").write_text("def lonely(request): ...")
    process = FunctionsProcess(tmp_path / "main.py", {}, tmp_path / "log", None, PROJECT, REGION)

    with pytest.raises(FunctionsStartError, match="declares no function"):
        process.start()


def test_a_taken_port_is_named(functions: FunctionsProcess, tmp_path: Path) -> None:
    """Asking for a port that is in use is an error that names it."""
    with pytest.raises(PortTakenError, match=f"port {functions.port} is in use"):
        FunctionsProcess(tmp_path / "main.py", {}, tmp_path / "log", None, PROJECT, REGION, functions.port)


def test_several_instances_share_the_port(sample: Path, clock: MovableClock, tmp_path: Path) -> None:
    """With two processes the same address is answered by two instances, each with its own memory."""
    environment = {"GOOGLE_CLOUD_PROJECT": PROJECT, FILE_VARIABLE: str(clock.path)}
    main = sample / "main.py"
    process = FunctionsProcess(main, environment, tmp_path / "log", HOOK, PROJECT, REGION, processes=2)
    process.start()
    for minute in range(20):
        header = {"X-CloudScheduler-ScheduleTime": f"2030-01-01T00:{minute:02}:00Z"}
        httpx.post(process.function_url("every_five"), headers=header).raise_for_status()

    remembered = [json.dumps(inspect(process)["seen"]) for _ in range(40)]
    process.stop()

    assert len(set(remembered)) == 2


def test_nothing_survives_the_parent(sample: Path, tmp_path: Path) -> None:
    """A parent that is killed, and so cleans nothing up, takes the server with it."""
    arguments = [str(sample / "main.py"), str(tmp_path / "log"), PROJECT, REGION]
    command = [sys.executable, "-c", PARENT, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        httpx.get(f"{url}/__/healthz", timeout=60).raise_for_status()
        parent.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{url}/__/healthz", timeout=1)
        except httpx.TransportError:
            return
        time.sleep(0.05)
    pytest.fail("the server still answers a minute after its parent died")


@pytest.mark.parametrize(("load", "starts"), [(0.0, False), (1e6, True)], ids=["an idle machine", "a busy one"])
def test_a_start_may_take_longer_on_a_busy_machine(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: float, *, starts: bool
) -> None:
    """Whoever waits for it gives up by what the machine has to do besides, and not by the clock alone."""
    monkeypatch.setattr(functions_process, "_START_SECONDS_MAX", 0.001)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    process = FunctionsProcess(sample / "main.py", {"GOOGLE_CLOUD_PROJECT": PROJECT}, tmp_path / "log")
    with nullcontext() if starts else pytest.raises(FunctionsStartError, match=r"did not answer within \d+ s"):
        process.start()
    process.stop()
