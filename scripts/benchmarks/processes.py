"""Processes of benchmarks: start one, read what it prints, measure its memory."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 3_600  # what one measurement may take


def python(*arguments: object, given: str = "", environment: Mapping[str, str] | None = None) -> Any:
    """Run Python in a process of its own. Returns the JSON in the last line that it prints."""
    command, variables = [sys.executable, *map(str, arguments)], {**os.environ, **(environment or {})}
    done = subprocess.run(  # noqa: S603  (our own arguments)
        command,
        cwd=ROOT,
        input=given,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=SECONDS_MAX,
    )
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def server(module: str, *arguments: object) -> Iterator[tuple[int, dict[str, str]]]:
    """Run a server of the local cloud. Yields its process's id, and the NAME=value words that it prints first."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (ours)
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield process.pid, {name: value for name, _, value in (word.partition("=") for word in line.split())}
        finally:
            process.terminate()


@contextmanager
def firestore() -> Iterator[tuple[str, str]]:
    """Run an empty Firestore in a process of its own. Yields its host and the URL of its bill."""
    with server("localcloud.firestore", "--port", 0, "--admin-port", 0) as (_, printed):
        yield printed["grpc"], printed["admin"]


def rss_mb() -> float:
    """Return the most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
