"""What operators are told of a change that somebody made by hand: who, of what, before and after."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from functions.core.shared.alerts import Alert, AlertKind, alert
from functions.core.shared.plain_text import cleaned

CHANGES_TOLD, VALUE_CHARACTERS_MAX, NAME_CHARACTERS_MAX = 8, 100, 128
"""Of one change: a push holds 4 kB. The audit has all of it."""


def change_alert(
    kind: AlertKind, what: str, audit: Mapping[str, Any], uids: Collection[str], now: datetime, key: str
) -> Alert:
    """Return an alert of its own for each change, from its audit entry: who, of what, and each field before and after,
    the budget's first; as a whole in its `data`. The devices of these users get it, whatever has changed."""
    changed = sorted(audit["changed"], key=lambda each: not each["field"].startswith("budget."))
    told = [f"{each['field']}: {_value(each['before'])} -> {_value(each['after'])}" for each in changed[:CHANGES_TOLD]]
    more = [f"{len(changed) - len(told)} more"] if len(changed) > len(told) else []
    text = f"{cleaned(audit['by'])[:NAME_CHARACTERS_MAX]} changed {what}: {'; '.join([*told, *more])}."
    data = {"by": audit["by"], "changed": audit["changed"]}
    return alert(kind, text, now).model_copy(update={"key": key, "uids": tuple(uids), "data": data})


def _value(value: object) -> str:
    text = "(default)" if value is None else cleaned(json.dumps(value, default=str, ensure_ascii=False))
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}..."
