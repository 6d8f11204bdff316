"""Cutting a history that fails down to what it needs to fail: first its faults, then its actions, then both once more.

Delta debugging (Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input): leave out half, a quarter ...
and keep every cut after which the same promise is still broken. Chance goes by the numbers of actions and calls, so
what is left falls the same.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TypeVar

from scripts.simulation.history import Action, History
from scripts.simulation.run import Result, run

T = TypeVar("T")

SECONDS_MAX = 120.0  # a shorter history is a convenience: it is not worth a long wait


def shortest(history: History, failed: Result) -> tuple[History, Result]:
    """Return the shortest history found that breaks the same promise, and its result."""
    kind, until = failed.violations[0].kind, monotonic() + SECONDS_MAX
    best = [(history, failed)]

    def fails(actions: list[Action], faults: list[tuple[str, int]]) -> bool:
        if monotonic() > until:
            return False
        tried = replace(history, actions=tuple(actions))
        result = run(tried, frozenset(faults))
        if any(violation.kind == kind for violation in result.violations):
            best[0] = (tried, result)
            return True
        return False

    faults = [(fault.key, fault.call) for fault in failed.struck]
    actions = list(history.actions)
    for _ in range(2):
        faults = _fewest(faults, partial(fails, actions))
        actions = _fewest(actions, partial(fails, faults=faults))
    return best[0]


def _fewest(items: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """Return a part of these items that still fails, from which no single one can be left out."""
    size = len(items)
    while size >= 1:
        start, cut = 0, False
        while start < len(items):
            rest = items[:start] + items[start + size :]
            if fails(rest):
                items, cut = rest, True
            else:
                start += size
        size = size // 2 if size > 1 else (1 if cut else 0)
    return items
