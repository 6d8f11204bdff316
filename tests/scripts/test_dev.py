"""`make dev`: `localcloud up` with what the local cloud has to know of this product; localcloud/tests has the rest."""

import json
import os
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from localcloud.cloud import LocalCloud
from scripts.dev import more

ROOT = Path(__file__).parents[2]


def dev(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the program to its end."""
    command = [sys.executable, "-m", "scripts.dev", *words]
    hidden = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FIRESTORE")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=inherited | environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_curl_line_works_as_pasted(cloud: LocalCloud) -> None:
    """The printed line, given to a shell as it is, shows a fresh user's wallet."""
    with ExitStack() as stack:
        (command,) = more(cloud, stack)["A fresh user's wallet"]
        answer = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)  # noqa: S603

    assert json.loads(answer.stdout)["result"]["balance"] == 10


def test_it_is_this_product(tmp_path: Path) -> None:
    """What it prints names our functions, the clock that they go by, and where the operators' schedules are."""
    ran = dev("--picture", str(tmp_path / "dev.svg"))

    assert ran.returncode == 0, ran.stderr
    for words in (
        "demo-ecolane on this machine",
        "classify_image",
        "functions.wiring:install_clock",
        "SCHEDULER_SERVICE_ACCOUNT=scheduler@demo-ecolane.iam.gserviceaccount.com",
    ):
        assert words in ran.stdout


def test_an_unknown_firestore_is_one_line() -> None:
    """A Firestore that is none ends it with one line, which lists those there are, and status 2."""
    ran = dev(FIRESTORE="mongo")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "make dev: there is no Firestore 'mongo'; FIRESTORE can be auto, embedded, official\n"
