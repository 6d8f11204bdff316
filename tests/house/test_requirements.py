"""The locked requirements: what is tested is what is deployed, file by file."""

import ast
import importlib.metadata
import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements", "requirements-local", "requirements-dev")
"""What is deployed, what running it here adds, what changing it adds."""


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
            pinned = re.fullmatch(r"==[\w.]+", str(requirement.specifier)) and hashes
            assert pinned, f"{name}: run make lock; not pinned with hashes: {line}"
            found[requirement.name] = requirement
    return found


def version(requirement: Requirement) -> str:
    """Return the version that a line pins."""
    return str(requirement.specifier).removeprefix("==")


def unpinned(lock: dict[str, Requirement]) -> set[str]:
    """Return what the locked packages ask for with an extra that the lock does not pin it with, as they ask for it."""
    found = set()
    for line in lock.values():
        if line.marker is not None and not line.marker.evaluate():
            continue
        for asked in map(Requirement, importlib.metadata.requires(line.name) or []):
            applies = asked.marker is None or any(
                asked.marker.evaluate({"extra": extra}) for extra in {"", *line.extras}
            )
            if applies and not asked.extras <= lock[canonicalize_name(asked.name)].extras:
                found.add(f"{asked} (from {line.name})")
    return found


FOR_BROWSERS = {ROOT / "scripts" / "browsers.py", ROOT / "scripts" / "benchmarks" / "page.py"}
"""What they import comes with the checks; where it is missing they say how to get it."""


def imported(*paths: str) -> set[str]:
    """Return the packages that the files below these paths import, as PyPI names them. `FOR_BROWSERS` is left out."""
    owners = importlib.metadata.packages_distributions()
    files = [
        file
        for path in paths
        for file in [ROOT / path, *(ROOT / path).rglob("*.py")]
        if file.is_file() and file not in FOR_BROWSERS
    ]
    modules = {
        name.partition(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    return {canonicalize_name(owners[module][0]) for module in modules - {"google"} if module in owners}


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_holds_what_is_asked_for(name: str) -> None:
    """`make lock` was run after the last change: each package of the `.in` file is locked at that version."""
    lock = locked(f"{name}.txt")
    asked = declared(f"{name}.in")
    missing = {
        package: asked[package] for package in asked if package not in lock or version(lock[package]) != asked[package]
    }
    assert not missing, f"{name}.txt: run make lock; it lacks {missing}"


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_with_an_extra_is_pinned_with_it(name: str) -> None:
    """For `coverage[toml]` pips before 23.3 look for a pin by that name, or take the newest release, unhashed."""
    lock = locked(f"{name}.txt")
    assert not unpinned(lock), f"{name}.in: ask for each of {unpinned(lock)} with its extra, then run make lock"
    for line in lock.values():
        line.extras = set()
    assert unpinned(lock) != set()


@pytest.mark.parametrize(("less", "more"), [*itertools.pairwise(LOCKS)])
def test_each_lock_adds_to_the_one_before_and_changes_nothing(less: str, more: str) -> None:
    """What is deployed is what runs here, and what is tested."""
    before, after = ({name: version(line) for name, line in locked(f"{lock}.txt").items()} for lock in (less, more))
    assert before.items() <= after.items(), f"run make lock; {more}.txt differs in {before.items() - after.items()}"


def test_what_runs_imports_no_more_than_its_lock_holds() -> None:
    """A function finds its packages in a deploy, and a command of `scripts` without the checks installed."""
    for lock, paths in (("requirements", ("main.py", "functions")), ("requirements-local", ("scripts",))):
        missing = imported(*paths) - locked(f"{lock}.txt").keys()
        assert not missing, f"{lock}.in: add {missing}, which {paths} import, then run make lock"


def test_the_lock_is_installed() -> None:
    """The tests run with the versions of the lock."""
    lines = [line for line in locked("requirements-dev.txt").values() if line.marker is None or line.marker.evaluate()]
    other = {line.name for line in lines if importlib.metadata.version(line.name) != version(line)}
    assert not other, f"run make install, or make check: installed are other versions of {other}"


def test_the_local_cloud_does_not_name_us() -> None:
    """Another project could take the folder as it is: only the licence says whose it is. Imports are a contract's."""
    files = [
        path for path in (ROOT / "localcloud").rglob("*") if path.suffix in {".py", ".md", ".json", ".toml", ".svg"}
    ]

    assert len(files) > 100
    assert [path for path in files if "ecolane" in path.read_text(encoding="utf-8").lower()] == []


def test_the_local_cloud_asks_for_no_less_than_what_is_tested() -> None:
    """Its package names the versions of our lock as its least: those are the ones that its tests have run with."""
    project = tomllib.loads((ROOT / "localcloud" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    lock = {name: version(line) for name, line in locked("requirements-local.txt").items()}

    assert {str(Requirement(words)) for words in asked} == {
        f"{name}>={lock[canonicalize_name(name)]}" for name in (Requirement(words).name for words in asked)
    }
