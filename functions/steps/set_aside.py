"""One bad item costs that item: it is set aside, counted, and operators are told; what is beside it goes on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from functions import log
from functions.core.alerts import AlertKind, alert
from functions.core.refresh import letter_about

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions.adapters.firestore import DamagedDocument
    from functions.wiring import Deps

LOOK_AGAIN = timedelta(hours=1)
"""When a document that could not be read is looked at again: by then it may be repaired, or a newer version of this
function is deployed."""


WHAT_TO_DO = "Correct the field, or remove the document; everything else goes on."


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
    """Report damaged documents and move the time in `due_field`, by which they were found, on by an hour: they leave
    the head of their queue, and are taken as soon as they are repaired. Two writes each. Returns how many there are."""
    now = deps.clock()
    for each in damaged:
        letter = letter_about("document", each.path, "", str(each), now)
        deps.store.set_aside(each, {due_field: now + LOOK_AGAIN}, letter)
    return report_damaged(deps, damaged)
