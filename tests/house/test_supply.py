"""What builds and checks this is taken by what it is, not by a name that can be moved."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CLI = json.loads((ROOT / "tests/client/package-lock.json").read_text(encoding="utf-8"))["packages"][
    "node_modules/firebase-tools"
]["version"]


def steps(path: Path) -> list[dict[str, Any]]:
    """Return every step of a workflow."""
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_each_action_is_pinned_by_its_commit(path: Path) -> None:
    """With its version beside it, for people; what is taken has no more rights than to read."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    for line in lines:
        assert re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line), (
            f"{path.name}: pin by commit, version beside it: {line}"
        )
    assert len(lines) == sum("uses" in step for step in steps(path)) > 0
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"] == {"contents": "read"}, (
        f"{path.name}: permissions are contents: read"
    )


def test_the_audit_runs_each_week_and_has_to_have_an_answer() -> None:
    """`make audit` without `IF_MISSING=skip` ends with an error where PyPI did not answer."""
    path = ROOT / ".github/workflows/audit.yml"
    schedule = yaml.safe_load(path.read_text(encoding="utf-8"))[True]["schedule"]  # YAML reads `on` as a truth
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule[0]["cron"])
    assert [step["run"] for step in steps(path) if "run" in step] == ["make audit"]


def test_the_dev_container_names_exact_versions() -> None:
    """Of each feature; of its image the digest."""
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert re.search(r":\d+\.\d+\.\d+-3\.11-\w+@sha256:[0-9a-f]{64}$", container["image"])
    assert all(re.search(r":\d+\.\d+\.\d+$", feature) for feature in container["features"])


def test_the_hooks_take_nothing_from_elsewhere() -> None:
    """They are those of the virtual environment, which is locked."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    foreign = {repository["repo"] for repository in hooks["repos"]} - {"local"}
    assert not foreign, f".pre-commit-config.yaml: run {foreign} from the virtual environment, as a local hook"


@pytest.mark.parametrize(
    "path", [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))], ids=lambda p: p.name
)
def test_the_firebase_cli_of_the_docs_is_the_one_that_is_tested(path: Path) -> None:
    """Whoever installs it as told has the version of the lock."""
    for package in re.findall(r"npm (?:install|i) .*?(firebase-tools\S*)", path.read_text(encoding="utf-8")):
        assert package == f"firebase-tools@{CLI}", f"{path.name}: install firebase-tools@{CLI}, as tests/client does"
