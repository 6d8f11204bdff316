"""The documents name files that exist: a file that moves takes its mentions along."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("functions", "localcloud", "scripts", "tests", "docs")


def named(page: Path) -> set[str]:
    """Return the Python files that a page names in backticks, by as much of their path as it gives."""
    return set(re.findall(r"`((?:\w+/)*\w+\.py)(?:::\w+)?`", page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_file_exists(page: Path) -> None:
    """A reader who looks for it finds it."""
    there = ["/main.py", *(path.as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))]
    missing = {name for name in named(page) if not any(path.endswith(f"/{name}") for path in there)}
    assert missing == set(), f"{page.name} names files that are gone: correct the page"


def test_files_are_found() -> None:
    """The test above rests on finding their names."""
    assert len(named(ROOT / "ARCHITECTURE.md")) > 20


def chapters(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    """To a file that is there, and to a chapter that it has."""
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8"))
    broken = []
    for path, anchor in links:
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in chapters(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == [], f"{page.name} has links that lead nowhere: correct them"
