"""`make demo`, as a new user runs it."""

import os
import re
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from scripts.drawings import drawn_photos

OPEN = re.compile(r"Open as .+: http")
ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT.parent / "shared" / "photos"


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo in a wide terminal and return what it printed."""
    return subprocess.run(  # noqa: S603  (our own command)
        [sys.executable, "-m", "scripts.demo", *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_the_demo_runs_the_main_job() -> None:
    """Drawn photos go through both lanes; every one has a result, and the bill is less than all instant."""
    demo = run_demo()
    assert demo.returncode == 0, demo.stderr
    assert "8/8" in demo.stdout
    assert "5/5" in demo.stdout
    assert "not by a model" in demo.stdout
    assert len(re.findall(r"\.jpg +(?:instant|batch) .+ (?:Wet|Dry|Hazardous|Medical|Non-) ?Waste ", demo.stdout)) == 8
    assert "9 ledger entries; their sum is 10" in demo.stdout
    assert re.search(r"saved \d\d%", demo.stdout)
    for who in ("the app's calls", "the crons meanwhile"):
        assert re.search(rf"Firestore, {who}: \d+ reads, \d+ writes, 0 deletes", demo.stdout)


def test_the_demo_serves_the_pages_until_it_is_told_to_stop() -> None:
    """Afterwards two links stand there, each opens its page, and Ctrl-C ends everything."""
    demo = subprocess.Popen(
        [sys.executable, "-m", "scripts.demo", "--open"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "120", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    links = [line.rpartition(": ")[2].strip() for line in islice(filter(OPEN.match, demo.stdout), 2)]
    pages = [httpx.get(link.partition("#")[0]) for link in links]
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=60)
    assert [page.status_code for page in pages] == [200, 200]
    assert [link.partition("#")[0].endswith("/operator") for link in links] == [False, True]
    assert (demo.returncode, errors) == (0, "stopped\n")


def test_the_demo_takes_a_folder_of_photos() -> None:
    """Twenty-four real photos go through."""
    if not PHOTOS.is_dir():
        pytest.skip(f"the real photos are not here: {PHOTOS}")
    demo = run_demo("--photos", str(PHOTOS))
    assert demo.returncode == 0, demo.stderr
    assert "24/24" in demo.stdout
    assert "21/21" in demo.stdout


def test_the_demo_draws_a_picture_of_what_it_prints(tmp_path: Path) -> None:
    """The README's picture is the command's own: an SVG with its words, which fetches nothing."""
    (tmp_path / "bottle.jpg").write_bytes(drawn_photos()["bottle.jpg"])
    demo = run_demo("--photos", str(tmp_path), "--picture", str(tmp_path / "demo.svg"))
    assert demo.returncode == 0, demo.stderr
    picture = ET.parse(tmp_path / "demo.svg")  # noqa: S314  (made a moment ago)
    words = " ".join(picture.getroot().itertext()).replace("\N{NO-BREAK SPACE}", " ")
    assert "bottle.jpg" in words
    assert "AI bill" in words
    assert "1/1" in words
    assert "url(http" not in words


@pytest.mark.parametrize(
    ("content", "message"), [(None, "is no folder"), ("empty", "holds no .jpg"), ("broken", "broken.jpg: ")]
)
def test_a_wrong_folder_is_one_clear_line(tmp_path: Path, content: str | None, message: str) -> None:
    """A folder that cannot be used is named in one line, without a traceback."""
    folder = tmp_path / "photos"
    if content is not None:
        folder.mkdir()
    if content == "broken":
        (folder / "broken.jpg").write_bytes(b"no photo")
    demo = run_demo("--photos", str(folder))
    assert demo.returncode == 1
    assert message in demo.stdout.replace("\n", "")
    assert "Traceback" not in demo.stdout + demo.stderr


def test_the_demo_shows_an_outage() -> None:
    """OpenAI refuses the instant photos, and each is answered by Anthropic in the same call."""
    demo = run_demo("--outage")
    assert demo.returncode == 0, demo.stderr
    failed_over = "gpt-6-luna down, 0 µ\\$ ► anthropic/claude-haiku-5-5 answered, \\d+ µ\\$; answered by anthropic"
    assert len(re.findall(failed_over, demo.stdout)) == 3
    assert "9 ledger entries; their sum is 10" in demo.stdout
