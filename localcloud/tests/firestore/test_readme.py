"""docs/firestore.md says what the code does."""

from pathlib import Path

from localcloud.firestore.service import RPCS, UNSERVED
from localcloud.tests.firestore import support

README = (Path(__file__).resolve().parents[2] / "docs" / "firestore.md").read_text()


def test_every_known_difference_is_in_the_readme() -> None:
    """The table of differences that the contract tests go by is the one people read."""
    assert [reason for _, reason in support.DIFFERENCES.values() if f"| {reason} |" not in README] == []


def test_every_known_difference_is_a_test() -> None:
    """No row of the table outlives its test."""
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_contract_*.py"))
    assert [name for name in support.DIFFERENCES if f"def {name}(" not in tests] == []


def test_every_rpc_is_in_the_readme() -> None:
    """The table of RPCs is complete."""
    assert [rpc for rpc in [*RPCS, *UNSERVED] if rpc not in README] == []
