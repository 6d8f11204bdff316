"""What the tests of the edge share."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scripts.inprocess import InProcessCloud
from tests.wire import Wire, new_wire

Logs = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions in front of a fresh cloud."""
    with new_wire(monkeypatch) as wire:
        yield wire


@pytest.fixture
def product(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """The product in one process, behind the edge."""
    product = InProcessCloud()
    monkeypatch.setattr("functions.wiring.deps", lambda: product.deps)
    return product


@pytest.fixture
def logs(capfd: pytest.CaptureFixture[str]) -> Logs:
    """Return what was logged since the last look, one JSON object a line."""

    def look() -> list[dict[str, Any]]:
        captured = capfd.readouterr()
        return [json.loads(line) for line in (captured.out + captured.err).splitlines()]

    return look
