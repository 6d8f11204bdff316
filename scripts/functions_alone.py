"""One function in a process of its own, started as the platform starts it: `functions-framework --target NAME`.

A new user of the local cloud makes one successful call, so that the function loads all that it needs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from localcloud.cloud import LocalCloud
from localcloud.serving import HOST, free_port, unhurried
from scripts.drawings import drawn_photos
from scripts.sample_calls import sample_calls, sample_photo

MAIN = Path(__file__).resolve().parents[1] / "main.py"
ANSWER_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10


@dataclass(frozen=True)
class FirstAnswer:
    """The answer, milliseconds after the process started, and its memory then in megabytes (0 without Linux)."""

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
    """Make a user who has what a call of this function takes: a photo, a queued job, a team, an operator's claim."""
    uid = cloud.sign_up().uid
    cloud.set_custom_claims(uid, {"admin": True})
    token = cloud.sign_in(uid).id_token
    calls = sample_calls(uid)
    if {"imagePath", "images", "jobId"} & calls.get(name, {}).keys():
        photo = cloud.storage_client().bucket(cloud.bucket).blob(sample_photo(uid))
        photo.upload_from_string(drawn_photos()["bottle.jpg"], content_type="image/jpeg")
    if "jobId" in calls.get(name, {}):
        queued = cloud.call("classify_image", {**calls["classify_image"], "mode": "batch"}, token)
        calls = sample_calls(uid, queued["jobId"])
    for earlier in ("create_team", "invite_member") if {"teamId", "code"} & calls.get(name, {}).keys() else ():
        cloud.call(earlier, calls[earlier], token)
    return SampleCall(token, calls.get(name, {}))


@dataclass(frozen=True)
class Served:
    """One function's server: its process, and its URL, which does not answer at once."""

    process: subprocess.Popen[bytes]
    url: str
    log: IO[bytes]

    def printed(self) -> str:
        """Return the end of what it has printed as errors."""
        self.log.seek(0)
        return self.log.read()[-2_000:].decode(errors="replace")

    def rss_mb(self) -> float:
        """Return the memory of the server in megabytes. Pages that its processes share count once (Linux's Pss)."""
        total_kb = 0
        for pid in self._pids():
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            total_kb += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        return total_kb / 1024

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._pids())

    def _pids(self) -> list[int]:
        """The server has a parent and a worker."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has had so far, in all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])  # utime and stime, see proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def first_answer(name: str, environment: Mapping[str, str], call: SampleCall | None = None) -> FirstAnswer:
    """Start the function `name` of main.py alone, call it once, and stop it. Without a call it sends {} and no token.

    Raises:
        RuntimeError: it ended, or did not answer within a minute; the message has what it printed.
    """
    headers = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "first"}  # a cron asks for them
    if call is not None:
        headers["Authorization"] = f"Bearer {call.id_token}"
    body = {"data": {} if call is None else dict(call.data)}
    began = time.perf_counter()
    with served(name, environment) as server:
        answer = answered(server, body, headers)
        took = (time.perf_counter() - began) * 1000
        return FirstAnswer(answer.status_code, answer.text, took, server.rss_mb())


def answered(server: Served, body: object, headers: Mapping[str, str]) -> httpx.Response:
    """Wait until a server answers this request; bytes are sent as they are. Raises RuntimeError as `first_answer`
    does."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    began = time.monotonic()
    with httpx.Client(timeout=unhurried(ANSWER_SECONDS_MAX)) as client:
        while (waited := time.monotonic() - began) < unhurried(ANSWER_SECONDS_MAX):
            if server.process.poll() is not None:
                raise RuntimeError(f"it ended with status {server.process.returncode}: {server.printed()}")
            try:
                return client.post(server.url, content=content, headers={"content-type": "application/json", **headers})
            except httpx.ConnectError:  # not listening yet
                time.sleep(0.005)
    raise RuntimeError(f"it did not answer within {waited:.0f} s: {server.printed()}")


@contextmanager
def served(name: str, environment: Mapping[str, str], source: Path = MAIN) -> Iterator[Served]:
    """Start the function `name` of a source file, and stop it at the end."""
    port = free_port()
    command = [sys.executable, "-m", "functions_framework", "--target", name, "--source", str(source)]
    command += ["--host", HOST, "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
            command, cwd=MAIN.parent, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=log
        )
        try:
            yield Served(process, f"http://{HOST}:{port}/", log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
