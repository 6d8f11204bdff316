"""What is told of a change by hand."""

from functions.core.operations.change_alerts import CHANGES_TOLD, change_alert
from functions.core.shared.alerts import AlertKind
from tests.builders import NOW


def changed(field: str, before: object = None, after: object = 1) -> dict[str, object]:
    """Return one line of an audit entry."""
    return {"field": field, "before": before, "after": after}


def test_a_change_is_told_with_the_budget_first_and_the_rest_counted() -> None:
    """Each value is cut, and carries nothing that a screen obeys."""
    fields = [changed(f"batch.field{number}") for number in range(CHANGES_TOLD + 1)]
    audit = {"by": "eve\x1b[2J", "changed": [*fields, changed("budget.alertUids", ["a\u202e"], ["b" * 200])]}
    told = change_alert(AlertKind.CONFIG_CHANGED, "the config", audit, ["root"], NOW, "1")
    assert told.text.startswith(
        'eve[2J changed the config: budget.alertUids: ["a"] -> ["' + "b" * 98 + "...; batch.field0"
    )
    assert told.text.endswith("; 2 more.")
    assert told.data == {"by": audit["by"], "changed": audit["changed"]}
    assert (told.alert_id, told.uids, told.due_at) == ("config_changed-2026-11-21-1", ("root",), NOW)


def test_two_changes_of_a_day_are_two_alerts() -> None:
    """Each by the id of its audit entry."""
    audit = {"by": "eve", "changed": [changed("tokens.welcome")]}
    first, second = (change_alert(AlertKind.CONFIG_CHANGED, "the config", audit, [], NOW, key) for key in "12")
    assert first.alert_id != second.alert_id
    assert first.text == "eve changed the config: tokens.welcome: (default) -> 1."
