"""One function in a process of its own, started as the platform starts it: `functions-framework --target NAME`.

It is called with something that it can do, by a new user of the local cloud, so that it loads all that it needs.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from scripts.drawings import drawn_photos
from scripts.emulators.cloud import LocalCloud
from scripts.emulators.serving import HOST, free_port

MAIN = Path(__file__).resolve().parents[1] / "main.py"
ANSWER_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10


@dataclass(frozen=True)
class FirstAnswer:
    """What came back, milliseconds after the process started, and its memory then in megabytes (0 without Linux)."""

    status: int
    body: str
    milliseconds: float
    rss_mb: float


@dataclass(frozen=True)
class SampleCall:
    """A new user's token, and data that the function does its work with."""

    id_token: str
    data: Mapping[str, Any]


def sample_call(name: str, cloud: LocalCloud) -> SampleCall:
    """Make a user who has what a call of this function takes: a photo, a queued job, the claim of operators."""
    uid = cloud.sign_up().uid
    cloud.set_custom_claims(uid, {"admin": True})
    token = cloud.sign_in(uid).id_token
    photo = f"users/{uid}/uploads/photo.jpg"
    order = {"requestId": "sample-request", "imagePath": photo}
    device = {"deviceId": f"device-{uid}"}
    data: dict[str, Mapping[str, Any]] = {
        "classify_image": {**order, "mode": "instant"},
        "classify_images": {"images": [order]},
        "claim_daily_bonus": device,
        "convert_points": {"requestId": "sample-request", "points": 100},
        "record_manual_classification": {
            **device,
            "requestId": "sample-request",
            "itemName": "Bottle",
            "category": "Dry Waste",
        },
        "register_device": {**device, "pushToken": "token", "platform": "web"},
        "admin_set_config": {"changes": {}},
    }
    if name in {"classify_image", "classify_images", "get_job", "cancel_job", "upgrade_job"}:
        bucket = cloud.storage_client().bucket(cloud.bucket)
        bucket.blob(photo).upload_from_string(drawn_photos()["bottle.jpg"], content_type="image/jpeg")
    if name in {"get_job", "cancel_job", "upgrade_job"}:
        return SampleCall(token, {"jobId": cloud.call("classify_image", {**order, "mode": "batch"}, token)["jobId"]})
    return SampleCall(token, data.get(name, {}))


def first_answer(name: str, environment: Mapping[str, str], call: SampleCall | None = None) -> FirstAnswer:
    """Start the function `name` of main.py alone, call it once, and stop it. Without a call, nobody sends nothing.

    Raises:
        RuntimeError: it ended, or did not answer within a minute; the message has what it printed.
    """
    headers = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "first"}  # a cron asks for them
    if call is not None:
        headers["Authorization"] = f"Bearer {call.id_token}"
    body = {"data": {} if call is None else dict(call.data)}
    began = time.perf_counter()
    with _served(name, environment) as (process, url), httpx.Client(timeout=ANSWER_SECONDS_MAX) as client:
        while time.perf_counter() - began < ANSWER_SECONDS_MAX:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with status {process.returncode}: {_printed(process)}")
            try:
                answer = client.post(url, json=body, headers=headers)
            except httpx.ConnectError:  # not listening yet
                time.sleep(0.005)
            else:
                took = (time.perf_counter() - began) * 1000
                return FirstAnswer(answer.status_code, answer.text, took, _rss_mb(process.pid))
    raise RuntimeError(f"{name} did not answer within {ANSWER_SECONDS_MAX} s")


@contextmanager
def _served(name: str, environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    command = [sys.executable, "-m", "functions_framework", "--target", name, "--source", str(MAIN)]
    command += ["--host", HOST, "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
        command,
        cwd=MAIN.parent,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://{HOST}:{port}/"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _printed(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate()
    return errors[-2_000:]


def _rss_mb(pid: int) -> float:
    """The memory of a process and those that it has started: the server has a parent and a worker.

    Pages that they share count once (the proportional set size of Linux).
    """
    if not Path("/proc").is_dir():
        return 0.0
    children: list[Any] = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    total_kb = 0
    for each in [pid, *children]:
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
        total_kb += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total_kb / 1024
