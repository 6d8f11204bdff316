"""A function that is added is known everywhere: each failure here says what to do, and in which file."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from scripts import contents
from scripts.new_callable import marks, new_callable
from scripts.sample_calls import sample_calls

ROOT = Path(__file__).parents[2]
CALLABLES = [each.name for each in contents.declared() if each.trigger == "callable"]


def require_each(names: list[str], known: set[str], what_to_do: str) -> None:
    """Fail with what to do about whatever is missing in one place, or is there for no function."""
    missing, more = sorted(set(names) - known), sorted(known - set(names))
    assert not missing, f"{what_to_do}: {', '.join(missing)}"
    assert not more, f"main.py has no such callable; {what_to_do.partition(':')[0]} still names {', '.join(more)}"


def test_nothing_is_left_to_write() -> None:
    """Every place that `make callable` has made is written by its author."""
    left = "\n".join(marks())
    assert not left, f"Write these, and take the marks away:\n{left}"


def test_the_tables_of_functions_are_as_main_has_them() -> None:
    """docs/deploy.md lists each function; what it does is worded in main.py and nowhere else."""
    assert (ROOT / contents.PAGE).read_text(encoding="utf-8") == contents.page_as_written(), "run make docs"


def test_each_callable_has_a_sample_call() -> None:
    """Outages, accounts, other releases, telephones and the app's SDK are tried with it."""
    require_each(CALLABLES, set(sample_calls("ann")), "scripts/sample_calls.py: add a row for")


def test_each_callable_has_a_chapter_for_the_app() -> None:
    """docs/flutter.md describes it; test_docs_flutter compares the fields."""
    text = (ROOT / "docs/flutter.md").read_text(encoding="utf-8")
    require_each(CALLABLES, set(re.findall(r"^### (\w+)$", text, re.MULTILINE)), "docs/flutter.md: add a chapter for")


def test_the_changelog_names_each_callable() -> None:
    """The app's developer hears of it."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`(\w+)`", text) if name in CALLABLES}
    require_each(CALLABLES, named, "CHANGELOG.md: name under Unreleased")


def test_each_callable_is_tested_by_itself() -> None:
    """Some test of its subject calls it."""
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/use_cases").rglob("test_*.py"))
    require_each(CALLABLES, {name for name in CALLABLES if name in tests}, "tests/use_cases: add a test that calls")


# make callable


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what `make callable` writes into."""
    for name in (
        "main.py",
        "CHANGELOG.md",
        "pyproject.toml",
        "scripts/__init__.py",
        "scripts/sample_calls.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("docs", "functions", "tests/use_cases"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(contents, "ROOT", tmp_path)
    return tmp_path


def test_a_callable_is_written_into_every_place(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Well-formed, after the others of its subject, and with a mark wherever its author is asked."""
    last = re.findall(r"use_cases\.wallet\.(\w+)", (ROOT / "main.py").read_text(encoding="utf-8"))[-1]
    new_callable("count_dragons", "wallet")
    names = [each.name for each in contents.declared()]
    assert names.index("count_dragons") == names.index(last) + 1
    places = {place.partition(":")[0] for place in marks()}
    assert places >= {
        "main.py",
        "functions/use_cases/wallet/count_dragons.py",
        "tests/use_cases/wallet/test_count_dragons.py",
        "scripts/sample_calls.py",
        "docs/flutter.md",
        "CHANGELOG.md",
    }
    printed = capsys.readouterr().out
    assert all(place in printed for place in marks())
    assert "`count_dragons`" in (tree / contents.PAGE).read_text(encoding="utf-8")
    # `tests` is not all there, so imports of it are sorted otherwise.
    for check in (["check", "--ignore=I001"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--quiet", "."]
        ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
        assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("name", "subject", "said"),
    [
        ("getStreak", "wallet", "NAME is a verb and a noun"),
        ("count_dragons", "streaks", "SUBJECT is one of batches,"),
        ("get_wallet", "wallet", "main.py has get_wallet already"),
    ],
)
def test_what_cannot_be_added_is_said(
    tree: Path, capsys: pytest.CaptureFixture[str], name: str, subject: str, said: str
) -> None:
    """And nothing is written."""
    before = (tree / "main.py").read_text(encoding="utf-8")
    with pytest.raises(typer.Exit):
        new_callable(name, subject)
    assert said in capsys.readouterr().err
    assert (tree / "main.py").read_text(encoding="utf-8") == before


def test_the_pages_list_of_settings_is_as_written() -> None:
    """A field, range or default that changes in the config changes on the operators' page."""
    assert contents.SETTINGS.read_text(encoding="utf-8") == contents.settings_as_written(), "run make docs"


def test_the_pages_facts_of_flags_are_as_written() -> None:
    """A flag, its owner, a stage or a field of its documents that changes in the core changes on their page."""
    assert contents.ROLLOUTS.read_text(encoding="utf-8") == contents.rollouts_as_written(), "run make docs"
