"""SECURITY.md: what it says is proved, is proved."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def named() -> list[tuple[str, str]]:
    """Return the tests that the page names, by file; a name alone belongs to the file before it."""
    found, file = [], ""
    for path, test in re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", PAGE):
        file = path or file
        found.append((file, test))
    return found


@pytest.mark.parametrize(("file", "test"), named(), ids=lambda part: str(part).rpartition("/")[2])
def test_each_proof_exists(file: str, test: str) -> None:
    """A test that was renamed or removed proves nothing."""
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    there = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert test in there, f"SECURITY.md: name the test that proves it now; {file} has no {test}"


def test_each_threat_has_a_proof() -> None:
    """No row of the threat model rests on a promise."""
    rows = PAGE.partition("## Threat model")[2].partition("What stays open")[0].splitlines()
    threats = [row for row in rows if row.startswith("| ") and not row.startswith("| who |")]
    assert len(threats) > 15
    unproved = [row for row in threats if "::test_" not in row]
    assert not unproved, f"SECURITY.md: name a test in each row of the threat model: {unproved}"
