"""`make test-install`: the locks under an old pip, as a fresh machine and a deploy install them. Needs PyPI.

pip 23.0.1 is that of Debian 12. Releases newer than the locks' are in the index, more of them with each week.
"""

import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD_PIP = "pip==23.0.1"
OF_A_DEPLOY = ("--upgrade", "--upgrade-strategy", "only-if-needed", "--force-reinstall", "--no-compile")
"""What Google's buildpack for Python adds, less `--user`, which a virtual environment has no use for."""


def pip(python: Path, *words: str) -> str:
    """Run pip and return its complaints; "" if it has none."""
    command = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600).stderr  # noqa: S603


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose pip is 23.0.1."""
    folder = tmp_path_factory.mktemp("old-pip")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    complaint = pip(python, OLD_PIP)
    if complaint:
        pytest.skip(f"PyPI does not give {OLD_PIP}: {complaint.splitlines()[-1]}")
    return python


@pytest.mark.parametrize(
    ("lock", "options"),
    [("requirements", OF_A_DEPLOY), ("requirements-local", ()), ("requirements-dev", ())],
)
def test_an_old_pip_installs_the_lock(python: Path, lock: str, options: tuple[str, ...]) -> None:
    """It finds a hash for whatever it takes, though PyPI has newer releases than the lock."""
    assert pip(python, "--dry-run", "--ignore-installed", *options, "--requirement", str(ROOT / f"{lock}.txt")) == ""
