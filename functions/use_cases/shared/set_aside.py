"""One bad item costs that item: it is set aside, counted, and operators are told; what is beside it goes on."""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.adapters.breaker import Breaker
from functions.adapters.transient_errors import will_pass
from functions.core.shared.alerts import AlertKind, alert
from functions.core.shared.dead_letters import letter_about

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from functions.adapters.firestore import DamagedDocument
    from functions.core.shared.records import Fields
    from functions.wiring import Deps

LOOK_AGAIN = timedelta(hours=1)
"""When a damaged document is looked at again: by then it may be repaired, or a newer version deployed."""

WHAT_TO_DO = "Correct the field, or remove the document; everything else goes on."


class Items:
    """Items worked off one by one, each of which may fail unforeseen. If several in a row fail by an error of Google's
    services, those are down, and nothing is wrong with the items."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._breaker = Breaker(clock)

    def succeeded(self) -> None:
        """Note that an item went well."""
        self._breaker.note(failed=False)

    def failed(self, error: Exception, **names: object) -> None:
        """Report an item's error, with these fields that name the item. Raises it if several items in a row have failed
        by an outage: the next one would as well."""
        report_item(error, **names)
        self._breaker.note(failed=will_pass(error))
        if self._breaker.open:
            raise error


def report_item(error: Exception, **names: object) -> None:
    """Log an error that nobody foresaw, about the item that these fields name."""
    log.error(log.Event.ITEM_SET_ASIDE, **names, stack_trace="".join(traceback.format_exception(error)))


def report_damaged(deps: Deps, damaged: Sequence[DamagedDocument], what_to_do: str = WHAT_TO_DO) -> int:
    """Tell operators, once a day, of documents that cannot be read. Returns how many there are."""
    for each in damaged:
        log.error(log.Event.DOCUMENT_DAMAGED, path=each.path, field=each.field, problem=each.problem)
    if damaged:
        others = f", and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        text = f"{damaged[0]}{others}. {what_to_do}"
        deps.store.create_alert(alert(AlertKind.DOCUMENT_DAMAGED, text, deps.clock()))
    return len(damaged)


def postpone_damaged(deps: Deps, damaged: Sequence[DamagedDocument], due_field: str) -> int:
    """Report damaged documents and move the time in `due_field`, which found them, on by an hour: they leave the head
    of their queue, and are taken once repaired. Two writes each. Returns their number."""
    return set_damaged_aside(deps, damaged, {due_field: deps.clock() + LOOK_AGAIN})


def set_damaged_aside(deps: Deps, damaged: Sequence[DamagedDocument], fields: Fields) -> int:
    """Report damaged documents and write these fields, which take them out of the way. Two writes each. Returns their
    number."""
    for each in damaged:
        deps.store.set_aside(each, fields, letter_about("document", each.path, "", str(each), deps.clock()))
    return report_damaged(deps, damaged)
