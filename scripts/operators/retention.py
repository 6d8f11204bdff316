"""`retention`: how long users' photos are kept.

Storage deletes them itself, by a rule of the bucket: that costs nothing, and no function needs the right to delete
photos of users who stay. A cron would list the whole bucket, a billed operation for every thousand photos and day; by
their jobs it could not find them, which are gone by then.
"""

from itertools import starmap
from typing import Annotated, Any

import typer

from scripts.operators.printing import change
from scripts.operators.session import Operation, changing, command

RETENTION_DAYS = 90
"""As long as a job is kept, whose answer the photo belongs to."""

DAYS_MIN = 3
"""A job needs its photo for 28 hours, and Storage looks once a day. A photo of a bulk job can wait for days to become a
job."""

PHOTOS = "users/"

OTHERS = {"batches/": 7, "bulks/": 90}
"""Days of what belongs to no user: batch files that a finished batch failed to delete itself; lists and reports of bulk
jobs, which end with their jobs."""


@command(changing)
def retention(
    operation: Operation,
    days: Annotated[
        int | None,
        typer.Argument(min=DAYS_MIN, max=3_650, help=f"Days after the upload; {RETENTION_DAYS} by default."),
    ] = None,
) -> None:
    """How long photos are kept; with DAYS, keep them so long. Storage deletes what is older within a day or two."""
    files = operation.deps.files
    rules, version = files.lifecycle()
    kept = _kept(rules)
    wanted = None if days is None else [*_theirs(rules), *starmap(_rule, {PHOTOS: days, **OTHERS}.items())]
    changed = wanted is not None and wanted != rules
    if wanted is not None and changed:
        changes = [change("photos are kept, days", kept, days)]
        follows = [] if kept is not None and kept <= (days or 0) else ["Older photos are deleted for good."]
        bulk_days = operation.deps.runtime().bulk.days_max
        if (days or 0) < bulk_days + DAYS_MIN:
            follows.append(f"Bulk jobs go on for {bulk_days} days: their photos that are gone by then fail, refunded.")
        operation.ask(changes, "Users' photos", follows=follows)
        operation.store.record(operation.audit("retention", PHOTOS, changes))
        files.set_lifecycle(wanted, version)
    now = days or kept
    said = f"Photos are deleted {now} days after their upload." if now else "Photos are kept for good: no rule is set."
    operation.show({"changed": changed, "days": now}, said)


def _rule(prefix: str, days: int) -> dict[str, Any]:
    return {"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": [prefix]}}


def _kept(rules: list[dict[str, Any]]) -> int | None:
    ages = [each["condition"].get("age") for each in rules if _prefix(each) == PHOTOS]
    return min((age for age in ages if age is not None), default=None)


def _theirs(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in rules if _prefix(each) not in {PHOTOS, *OTHERS}]


def _prefix(rule: dict[str, Any]) -> str | None:
    """Return which folder a rule deletes, if it is one of ours."""
    prefixes = rule["condition"].get("matchesPrefix", [])
    return prefixes[0] if rule["action"]["type"] == "Delete" and len(prefixes) == 1 else None
