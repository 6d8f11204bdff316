"""`make dev`: `localcloud up` with what the local cloud has to know of this product; localcloud/tests has the rest."""

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from localcloud.cloud import LocalCloud
from scripts.dev import AZURE, more
from scripts.ecolane_cloud import ecolane_cloud
from tests.app import photo

ROOT = Path(__file__).parents[2]
LINK = r"Open http://127\.0\.0\.1:\d+/operator#token=[\w-]+\.[\w-]+\."


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


def test_azure_answers_once_the_config_names_it() -> None:
    """By the deployment's own name, over the functions' own settings."""
    with ecolane_cloud(openai="standin", firestore="embedded", azure=AZURE) as cloud:
        cloud.firestore_client().document("config/runtime").set({"providers": {"order": ["azure", "openai"]}})
        user, path = cloud.sign_in("ann"), "users/ann/uploads/one.jpg"
        cloud.storage_client().bucket(cloud.bucket).blob(path).upload_from_string(photo(64), content_type="image/jpeg")
        request = {"requestId": "request-one", "imagePath": path, "mode": "instant"}
        answer = cloud.call("classify_image", request, user.id_token)
    assert answer["result"]["provider"] == "azure"


def test_it_is_this_product(tmp_path: Path) -> None:
    """What it prints names our functions, the clock that they go by, and where the operators' schedules are."""
    ran = dev("--verbose", "--picture", str(tmp_path / "dev.svg"))

    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(LINK, ran.stdout.splitlines()[-1])
    for words in (
        "demo-ecolane on this machine",
        "classify_image",
        "functions.wiring:install_clock",
        "SCHEDULER_SERVICE_ACCOUNT=scheduler@demo-ecolane.iam.gserviceaccount.com",
    ):
        assert words in ran.stdout


def test_it_ends_with_one_line(tmp_path: Path) -> None:
    """The link to open, as a fresh operator; all the rest is for who asks."""
    ran = dev("--picture", str(tmp_path / "dev.svg"))

    assert ran.returncode == 0, ran.stderr
    assert re.fullmatch(f"{LINK}\n", ran.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--days", "401"), "DAYS=401 is not between 0 and 400"),
        (("--days", "-1"), "DAYS=-1 is not between 0 and 400"),
        (("--days", "week"), "DAYS=week is no number"),
    ],
)
def test_days_that_cannot_be_played_are_one_line(words: tuple[str, ...], said: str) -> None:
    """It ends before anything has started, with status 2."""
    ran = dev(*words)

    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"make dev: {said}\n")


def test_days_are_played_before_the_link_is_there(tmp_path: Path) -> None:
    """There is a link for one of their users, too, and the operators' comes last."""
    ran = dev("--days", "2", "--verbose", "--picture", str(tmp_path / "dev.svg"))

    assert ran.returncode == 0, ran.stderr
    assert "as one of the days played" in ran.stdout
    assert re.fullmatch(LINK, ran.stdout.splitlines()[-1])


def test_an_unknown_firestore_is_one_line() -> None:
    """A Firestore that is none ends it with one line, which lists those there are, and status 2."""
    ran = dev(FIRESTORE="mongo")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "make dev: there is no Firestore 'mongo'; FIRESTORE can be auto, embedded, official\n"
