"""The locked requirements: what is tested is what is deployed, file by file."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def declared(name: str) -> dict[str, str]:
    """Return what a `.in` file asks for: versions by name, with those of the files that it takes in."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found |= declared(line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            package, version = re.fullmatch(r"([\w.-]+)==([\w.]+)", line).groups()  # type: ignore[union-attr]
            found[package] = version
    return found


def locked(name: str) -> dict[str, Requirement]:
    """Return the lines of a lock by the package's name; each must pin one version, by the hashes of its files."""
    found = {}
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.startswith("#"):
            words, *hashes = line.split("--hash=sha256:")
            requirement = Requirement(words)
            assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), line
            assert hashes, line
            found[requirement.name] = requirement
    return found


def version(requirement: Requirement) -> str:
    """Return the version that a line pins."""
    return str(requirement.specifier).removeprefix("==")


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_the_lock_holds_what_is_asked_for(name: str) -> None:
    """`make lock` was run after the last change: each package of the `.in` file is locked at that version."""
    lock = locked(f"{name}.txt")
    assert {package: version(lock[package]) for package in declared(f"{name}.in")} == declared(f"{name}.in")


def test_developing_adds_to_what_is_deployed_and_changes_nothing() -> None:
    """Each package that is deployed is the one that the tests run with."""
    tested = {package: version(line) for package, line in locked("requirements-dev.txt").items()}
    deployed = {package: version(line) for package, line in locked("requirements.txt").items()}
    assert deployed.items() <= tested.items()


def test_the_lock_is_installed() -> None:
    """The tests run with the versions of the lock."""
    lines = [line for line in locked("requirements-dev.txt").values() if line.marker is None or line.marker.evaluate()]
    assert {line.name: importlib.metadata.version(line.name) for line in lines} == {
        line.name: version(line) for line in lines
    }
