"""`admin_try_saving`: an operator has a recommendation that changes answers tried on recent photos, in one batch that
nobody waits for, before it is offered to be applied."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from functions import log
from functions.core.insights.saving_kinds import Kind
from functions.core.jobs.trials import ITSELF, PHOTOS
from functions.core.shared.records import Request
from functions.use_cases.insights.trials import begin_trial

if TYPE_CHECKING:
    from functions.wiring import Deps


class Tried(StrEnum):
    """What can be tried: recommendations, and the way that is in force."""

    IMAGE_SIDE = Kind.IMAGE_SIDE.value
    ANSWER_LENGTH = Kind.ANSWER_LENGTH.value
    MODEL = Kind.MODEL.value
    PROVIDER = Kind.PROVIDER.value
    ITSELF = ITSELF


class AdminTrySaving(Request):
    """The kind of recommendation, of those that plan_ahead has found; or `itself`, to see how often the model agrees
    with itself, which others are held against."""

    kind: Annotated[Tried, Field(strict=False)]


def admin_try_saving(request: AdminTrySaving, uid: str, deps: Deps) -> dict[str, Any]:
    """Return whether a trial has `begun`, or is under way already, with so many `photos`; else `why` not. What comes of
    it stands in `stats/trials`, within 24 hours as a rule. Up to 3,000 reads, a write for each photo, and two."""
    changes: dict[str, Any] | None = {}
    if request.kind is not Tried.ITSELF:
        plan = deps.store.plan()
        listed = plan.savings.list if plan and plan.savings else ()
        changes = next((each.changes for each in listed if each.kind == request.kind), None)
    if changes is None:
        return {"begun": False, "photos": 0, "why": "It is not recommended now: there is nothing to try."}
    trial, why = begin_trial(request.kind, changes, PHOTOS, uid, deps)
    if trial is None:
        return {"begun": False, "photos": 0, "why": why}
    log.info(log.Event.TRIAL_BEGUN, by=uid, kind=trial.kind, number=trial.number)
    return {"begun": True, "photos": trial.photos, "why": None}
