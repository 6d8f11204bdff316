"""Changes of `config/runtime`: laid over the document, listed for the audit, or taken from Firebase Remote Config."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from functions.core.config.reading import readable
from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.errors import InvalidRequest, SettingsChanged
from functions.core.shared.records import problems


def merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with these changes, section by section. None takes a field out, back to its default."""
    result = dict(document)
    for name, value in changes.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Return what differs between two documents, as `{field, before, after}` by dotted name; None is the default."""
    found: list[dict[str, Any]] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            found += differences(
                old if isinstance(old, Mapping) else {}, new if isinstance(new, Mapping) else {}, f"{prefix}{name}."
            )
        elif old != new:
            found.append({"field": prefix + name, "before": old, "after": new})
    return found


@dataclass(frozen=True)
class Proposal:
    """A change in range: the document to be stored, the config it results in, and the `differences`."""

    document: dict[str, Any]
    config: RuntimeConfig
    changed: list[dict[str, Any]]


def proposed(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> Proposal:
    """Lay changes over a stored document, and check their sections. Errors elsewhere, and fields of a newer release,
    stay as they are. What is stored is what was validated. Raises InvalidRequest for an unknown field, with the nearest
    name, or a value out of range."""
    document = merged(stored, changes)
    try:
        RuntimeConfig.model_validate(document, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        for each, (field, why) in zip(found, problems(error), strict=True):
            if each["type"] != "extra_forbidden" and (not field or each["loc"][0] in changes):
                where = field or "changes"  # a name that is no text belongs to no field; it can only be new
                raise InvalidRequest(f"{where}: {why}.", field=where) from error
            if each["type"] == "extra_forbidden" and _sets(changes, each["loc"]):
                raise InvalidRequest(unknown_field(field), field=field) from error
    config = readable(document, RuntimeConfig())[0]
    document = _typed(document, changes, config.as_json())
    return Proposal(document, config, differences(stored, document))


def _typed(document: Mapping[str, Any], changes: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with what was read of each change in place of what was written."""
    result = dict(document)
    for name in changes.keys() & result.keys() & read.keys():
        nested = isinstance(changes[name], Mapping) and isinstance(read[name], Mapping)
        result[name] = _typed(result[name], changes[name], read[name]) if nested else read[name]
    return result


def require_seen(stored: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    """Check that a stored document has, by dotted name, what its operator has `seen` there; None is the default. Raises
    SettingsChanged for the first that differs."""
    for field, value in seen.items():
        now = value_at(stored, field)
        if now != value:
            raise SettingsChanged(f"{field} has been changed meanwhile. Look again.", field=field, value=now)


def value_at(stored: Mapping[str, Any], field: str) -> Any:
    """Return what is stored in a field by its dotted name, None for a default."""
    found: Any = stored
    for part in field.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


LIMITS = ("daily_limit_micros", "monthly_limit_micros", "per_user_daily_micros")

OVERRIDE_MAX = timedelta(days=31)
"""An override that outlives everybody's memory of it is a lane that nobody knows why it is closed."""


def require_sense(new: Proposal, photo_micros: int, now: datetime) -> None:
    """Check for slips within range: a limit that buys no photo at `photo_micros`, the most that one costs in the batch
    lane, or an override for a year. Zero closes on purpose, and is taken. Raises InvalidRequest, which names the
    field."""
    changed, rules = {each["field"] for each in new.changed}, new.config.budget
    for name in LIMITS:
        field, micros = f"budget.{to_camel(name)}", getattr(rules, name)
        if field in changed and 0 < micros < photo_micros:
            raise InvalidRequest(
                f"{field}: {micros} micro-dollars buy no photo, of which one costs up to {photo_micros}. "
                "Write dollars as $5; 0 closes on purpose.",
                field=field,
            )
    until, field = rules.override_until, "budget.overrideUntil"
    if field in changed and until is not None and not now < until <= now + OVERRIDE_MAX:
        raise InvalidRequest(
            f"{field}: an override ends within {OVERRIDE_MAX.days} days, and not before now.", field=field
        )


def _sets(changes: Any, path: tuple[int | str, ...]) -> bool:
    """Whether these changes put something there, and do not take it out."""
    for part in path:
        changes = changes.get(part) if isinstance(changes, Mapping) else None
    return changes is not None


def known_fields(model: type[BaseModel] = RuntimeConfig, prefix: str = "") -> Iterator[str]:
    """Yield every field that can be set, by dotted name."""
    for name, field in model.model_fields.items():
        dotted = prefix + (field.alias or name)
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from known_fields(inner, f"{dotted}.")
        else:
            yield dotted


def unknown_field(field: str) -> str:
    """Return what to say about a field that there is not."""
    fields = list(known_fields())
    # A name without its section, or with another one, is found by its last part.
    last = {name.rpartition(".")[2]: name for name in fields}
    own = field.rpartition(".")[2]
    near = [last[own]] if own in last else get_close_matches(field, fields, 1)
    near = near or [last[name] for name in get_close_matches(own, last, 1)]
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"{field}: there is no such field{hint}."


REMOTE_KEYS: Mapping[str, tuple[str, str, Decimal]] = {
    "batch_token_price": ("tokens", "batchPrice", Decimal(1)),
    "instant_token_price": ("tokens", "instantPrice", Decimal(1)),
    "points_to_token_rate": ("tokens", "pointsPerToken", Decimal(1)),
    "daily_budget_usd": ("budget", "dailyLimitMicros", Decimal(1_000_000)),
}
"""Keys of Firebase Remote Config: their section and field, and the factor to our unit."""


def overlaid(document: Mapping[str, Any], values: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return a document with the values of Remote Config over its own, and the keys that were left out. Each value
    stands alone: a slip in one price leaves the others in force, and a slip in the document all of them."""
    result, refused = dict(document), []
    wrong = _wrong(result)
    for key in sorted(values.keys() & REMOTE_KEYS.keys()):
        section, field, factor = REMOTE_KEYS[key]
        try:
            changed = merged(result, {section: {field: Decimal(values[key].strip()) * factor}})
        except ArithmeticError:
            refused.append(key)
            continue
        still_wrong = _wrong(changed)
        if still_wrong <= wrong - {f"{section}.{field}"}:
            result, wrong = changed, still_wrong
        else:
            refused.append(key)
    return result, refused


def _wrong(document: Mapping[str, Any]) -> set[str]:
    try:
        RuntimeConfig.model_validate(document)
    except ValidationError as error:
        return {field for field, _ in problems(error)}
    return set()
