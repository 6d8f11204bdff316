"""Every picture that is at hand, and damages of each: a small JPEG comes out, or a known reason why not."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from functions.core.shared.photos import PhotoProblem
from tests.photo_files import generated

ROOT = Path(__file__).parents[2]
PACKAGES = Path(sysconfig.get_path("purelib"))

SOURCES: dict[str, list[Path]] = {
    "photos of waste": [ROOT.parent / "shared" / "photos"],
    "many photos of waste": [ROOT.parent / "shared" / "photos-many"],
    "what Python packages ship": [PACKAGES],
    "what Debian packages ship": [Path("/usr/share"), Path("/usr/libexec/installed-tests")],
    "a folder of one's own": [Path(os.environ.get("PHOTO_CORPUS") or ROOT / "no-corpus")],
}

DAMAGES = int(os.environ.get("PHOTO_DAMAGES", "0"))
"""Of each picture; 0 leaves it to the test, which then takes a few seconds."""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc"
)


def tried(folders: list[Path], damages: int, most: int) -> dict[str, Any]:
    """Prepare what is in these folders in a process of its own, and return what became of it."""
    command = [sys.executable, "-W", "error", "-m", "tests.photo_corpus", *map(str, folders)]
    options = ["--damages", str(DAMAGES or damages), "--most", str(10**6 if DAMAGES else most)]
    ran = subprocess.run([*command, *options], capture_output=True, check=True, cwd=ROOT)  # noqa: S603 (our own)
    told: dict[str, Any] = json.loads(ran.stdout)
    assert told["wrong"] == []
    assert set(told["outcomes"]) <= {"taken", *PhotoProblem}
    assert told["slowest_seconds"] < 3, told["slowest"]
    assert told["peak_mb"] <= 100
    return told


@pytest.mark.parametrize("source", SOURCES)
def test_every_picture_at_hand_has_a_known_outcome(source: str) -> None:
    """Real files, as they are and damaged: taken or refused for a reason, in little time and memory, without a
    warning."""
    told = tried(SOURCES[source], damages=3, most=100)
    if not told["files"]:
        pytest.skip(f"no picture is in {', '.join(map(str, SOURCES[source]))}")
    if "waste" in source:
        assert told["outcomes"]["taken"] > told["files"] // 4


def test_every_form_of_a_photo_survives_damage(tmp_path: Path) -> None:
    """A photo in each form that Pillow writes, damaged in each way that files are."""
    for name, data in generated():
        (tmp_path / name.replace(":", "")).with_suffix(".jpg").write_bytes(data)
    told = tried([tmp_path], damages=30, most=1_000)
    assert told["outcomes"].keys() >= {"taken", "cutOff", "damaged", "unsupportedFormat", "notAnImage"}
