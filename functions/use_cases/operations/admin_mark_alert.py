"""`admin_mark_alert`: an operator says of an alert whether it was of use, or of something that was to be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions.core.shared.alerts import Verdict
from functions.core.shared.records import Form, Request

if TYPE_CHECKING:
    from functions.wiring import Deps

AlertId = Annotated[
    str, Field(max_length=120), Form(r"[a-z_]+-\d{4}-\d\d-\d\d(-[0-9a-zA-Z_-]+)?", "must be the id of an alert")
]


class AdminMarkAlert(Request):
    """The alert, and what the operator says of it; a later word replaces an earlier one."""

    alert: AlertId
    verdict: Annotated[Verdict, Field(strict=False)]


def admin_mark_alert(request: AdminMarkAlert, uid: str, deps: Deps) -> dict[str, Any]:
    """Return the `alert`, its `verdict`, and whether it was `marked`: false if there is no such alert. What was
    expected is not reported again on its day. One write."""
    fields = {"verdict": request.verdict.value, "verdictBy": uid, "verdictAt": deps.clock()}
    marked = deps.store.mark_alert(request.alert, fields)
    return {"alert": request.alert, "verdict": request.verdict, "marked": marked}
