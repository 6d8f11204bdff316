"""`admin_set_config`: an operator changes the runtime config; what was changed, by whom and when stays on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions import log
from functions.core.insights.saving_kinds import Kind
from functions.core.shared.records import Request
from functions.use_cases.operations.config_changes import change_config

if TYPE_CHECKING:
    from functions.wiring import Deps


FIELDS_SEEN_MAX = 200
"""More fields than there are."""


class Because(Request):
    """A recommendation of the page *Savings*: its kind, and the share of the cost that it promised to save."""

    kind: Annotated[Kind, Field(strict=False)]
    promised: Annotated[float, Field(ge=0, le=1)]


class AdminSetConfig(Request):
    """The sections and fields to change, nested as in the document; `null` takes a field back to its default. `seen`:
    what the operator saw there, by dotted name, `null` for a default; another value now refuses the change. `because`:
    the recommendation that is followed, which is measured afterwards."""

    changes: dict[str, Any]
    because: Because | None = None
    seen: dict[str, Any] = Field(default_factory=dict, max_length=FIELDS_SEEN_MAX)


def admin_set_config(request: AdminSetConfig, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the whole `config` in force and what `changed`: a list of `{field, before, after}`. Running functions see
    it within 30 seconds; a budget limit binds at once. The change is logged: an account that writes entries can neither
    change nor delete them, as it could those of `config/runtime/audit`. Raises InvalidRequest and SettingsChanged as
    `change_config` does."""
    because = request.because.model_dump(mode="json") if request.because else None
    outcome = change_config(request.changes, uid, deps, request.seen, because)
    if outcome["changed"]:
        log.warning(log.Event.CONFIG_CHANGED, by=uid, changed=outcome["changed"])
    return outcome
