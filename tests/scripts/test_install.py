"""`scripts/install.sh`, which make calls: what a machine that lacks something is told, and a half-made venv."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "install.sh"
LOCK = "nothing==1.0 --hash=sha256:" + "0" * 64 + "\n"
WORKS = """#!/bin/sh
# A Python whose venv module makes another one like it, and whose pip notes what it is told.
case "$*" in
  "-m venv venv") mkdir venv/bin && cp "$0" venv/bin/python ;;
  "-m pip install"*) echo "$*" >> installed ;;
esac
"""


def python(folder: Path, does: str) -> str:
    """Write an executable for `PYTHON`."""
    file = folder / "python"
    file.write_text(does, encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def install(folder: Path, python: str) -> "subprocess.CompletedProcess[str]":
    """Run the script in a folder."""
    (folder / "lock.txt").write_text(LOCK, encoding="utf-8")
    return subprocess.run(  # noqa: S603
        [SCRIPT, "lock.txt"],
        cwd=folder,
        env=os.environ | {"PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("does", "words"),
    [
        (None, "Ecolane needs Python 3.11 or newer, and there is no "),
        (
            '#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.2\nexit 1\n',
            " is Python 3.9.2; name another one: make install PYTHON=",
        ),
        (
            '#!/bin/sh\ncase "$*" in *venv*) exit 1;; esac\n',
            " lacks its venv module; on Debian and Ubuntu: apt install python3-venv",
        ),
    ],
)
def test_what_is_missing_is_one_line(tmp_path: Path, does: str | None, words: str) -> None:
    """No Python, an old one, and one without venv are each told in one line that says what to do; nothing is left."""
    ended = install(tmp_path, python(tmp_path, does) if does else "/no/python")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_where_pip_fails_the_last_line_says_what_to_do(tmp_path: Path) -> None:
    """pip's own words come first; the venv stays, and the next try goes on with it."""
    offline = python(tmp_path, WORKS.replace('echo "$*" >> installed', "echo ERROR: from versions: none >&2; exit 1"))
    ended = install(tmp_path, offline)
    assert ended.returncode == 1
    words, last = ended.stderr.splitlines()
    assert words == "ERROR: from versions: none"
    assert last.startswith("lock.txt could not be installed: pip says why above. It needs a network")
    (tmp_path / "venv" / "old").touch()
    assert install(tmp_path, offline).returncode == 1
    assert (tmp_path / "venv" / "old").exists()


@pytest.mark.parametrize("cut_off", ["as it was made", "as it was filled", "and its Python was removed"])
def test_a_half_made_venv_is_made_anew(tmp_path: Path, cut_off: str) -> None:
    """After a kill in the middle of it, or an upgrade of the machine's Python, the same command is all it takes."""
    good = python(tmp_path, WORKS)
    assert install(tmp_path, good).returncode == 0
    (tmp_path / "venv" / "old").touch()
    if cut_off == "as it was filled":
        (tmp_path / "venv" / ".unfinished").touch()
    else:
        shutil.rmtree(tmp_path / "venv" / "bin")
    ended = install(tmp_path, good)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert not (tmp_path / "venv" / "old").exists()
    assert not (tmp_path / "venv" / ".unfinished").exists()


def test_a_sound_venv_is_added_to(tmp_path: Path) -> None:
    """The demo's packages stay as they are when the tests' are installed."""
    good = python(tmp_path, WORKS)
    assert install(tmp_path, good).returncode == 0
    (tmp_path / "venv" / "old").touch()
    assert install(tmp_path, "/no/python").returncode == 0
    assert (tmp_path / "venv" / "old").exists()
    assert (tmp_path / "installed").read_text(encoding="utf-8").count("-r lock.txt") == 2


def test_a_kill_leaves_the_mark(tmp_path: Path) -> None:
    """What pip was cut off in counts as unfinished, also where it was ended by hand."""
    killed = WORKS.replace('echo "$*" >> installed', "kill -TERM $PPID; exit 1")
    assert install(tmp_path, python(tmp_path, killed)).returncode == 130
    assert (tmp_path / "venv" / ".unfinished").exists()
