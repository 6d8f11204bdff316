"""Folding what the model's answers say of the kept ones into what is believed. `guard_budget` does it with each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.core.cache.state import folded, tightened
from functions.core.config.runtime import CacheMode
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.time_limits import CALL_TIMEOUT

if TYPE_CHECKING:
    from functions.wiring import Deps


def fold_labels(deps: Deps) -> int:
    """Fold new labels, and notify operators of a threshold that was tightened. Returns how many labels there were.
    While the cache is off there are none, and nothing is read."""
    rules, now = deps.runtime().cache, deps.clock()
    if rules.modes == {CacheMode.OFF}:
        return 0
    # A label is as old as its answer: what a call that is still under way writes must not be passed over.
    found = deps.store.fold_labels(
        now - CALL_TIMEOUT, lambda state, labels: folded(state, labels, rules.wrong_percent_max / 100)
    )
    for family, bits in tightened(found.before, found.after).items():
        serves = "nothing any more" if bits is None else f"photos within {bits} bits"
        text = (
            f"Too many answers to photos that were nearly the same were wrong. The cache of {family} serves {serves}."
        )
        deps.store.create_alert(alert(AlertKind.CACHE_TIGHTENED, text, now))
    return found.labels
