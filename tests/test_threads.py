"""Callers and threads: what Cloud Run lets into an instance is served there and then."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from functions.deploy.params import CALLERS_AT_ONCE
from localcloud.serving import HOST, free_port, unhurried

ROOT = Path(__file__).parents[1]
SOURCE = f"""
from threading import Barrier
from functions.deploy import params

params.provide_threads()
all_inside = Barrier({CALLERS_AT_ONCE})

def waiting(request):
    if request.path != "/healthz":
        all_inside.wait(60)
    return "served"
"""


def test_the_framework_serves_as_many_callers_as_are_let_in(tmp_path: Path) -> None:
    """The framework's own command, with one thread by its environment, serves a full house side by side, because
    `main.py` says how many threads it takes."""
    (tmp_path / "main.py").write_text(SOURCE)
    url = f"http://{HOST}:{free_port()}"
    command = [sys.executable, "-m", "functions_framework", "--target", "waiting", "--source", "main.py"]
    command += ["--host", HOST, "--port", url.rpartition(":")[2]]
    environment = {**os.environ, "THREADS": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as server:  # noqa: S603  (our own command)
        try:
            with httpx.Client(timeout=90) as http:
                wait_until_it_answers(http, url)
                with ThreadPoolExecutor(CALLERS_AT_ONCE) as callers:
                    answers = list(callers.map(lambda _: http.get(f"{url}/").text, range(CALLERS_AT_ONCE)))
        finally:
            server.terminate()
    assert answers == ["served"] * CALLERS_AT_ONCE


def test_main_says_how_many_threads_it_takes() -> None:
    """What the framework reads after loading `main.py` is what `main.py` has decided, whatever was there before."""
    command = [sys.executable, "-c", "import main, os; print(os.environ['THREADS'])"]
    environment = {**os.environ, "THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603  (our own command)
    assert int(done.stdout) == CALLERS_AT_ONCE


def wait_until_it_answers(http: httpx.Client, url: str) -> None:
    """Return as soon as the server is up."""
    began = time.monotonic()
    while time.monotonic() - began < unhurried(20):
        try:
            http.get(f"{url}/healthz")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the functions framework did not start")
