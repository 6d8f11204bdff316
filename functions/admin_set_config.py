"""`admin_set_config`: an operator changes the runtime config; what was changed, by whom and when stays on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.core.config_changes import proposed
from functions.core.moments import day_of
from functions.core.records import Request
from functions.steps.spending import reviewer

if TYPE_CHECKING:
    from functions.core.records import Fields
    from functions.wiring import Deps


class AdminSetConfig(Request):
    """The sections and fields to change, nested as in the document; `null` takes a field back to its default."""

    changes: dict[str, Any]


def admin_set_config(request: AdminSetConfig, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the whole `config` in force and what `changed`: a list of `{field, before, after}`.

    Functions that are running see it within 30 seconds; a budget limit binds at once.

    Raises:
        InvalidRequest: an unknown field, or a value out of range; nothing is changed.
    """
    audit_id = deps.new_id()
    outcome: dict[str, Any] = {}

    def decide(stored: dict[str, Any]) -> tuple[dict[str, Any], Fields]:
        new = proposed(stored, request.changes)
        outcome.update(config=new.config.model_dump(by_alias=True, mode="json"), changed=new.changed)
        return new.document, {"by": uid, "at": deps.clock(), "changed": new.changed}

    deps.store.change_runtime(audit_id, decide)
    # A limit that was lowered is in force when this returns: holds go by the shards, and these are set anew.
    review_books = reviewer(deps)
    deps.store.review_day(day_of(deps.clock()), lambda document, books: review_books(document, books, None))
    return outcome
