"""What a change of the config makes of it, whoever it comes from."""

import copy
from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.changes import (
    differences,
    known_fields,
    merged,
    overlaid,
    proposed,
    require_seen,
    require_sense,
    unknown_field,
)
from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.errors import InvalidRequest, SettingsChanged
from tests.builders import NOW

BEFORE: dict[str, Any] = {"tokens": {"instantPrice": 5, "welcome": 3}, "defaultRegion": "IN"}


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({}, BEFORE),
        ({"tokens": {"instantPrice": 7}}, {"tokens": {"instantPrice": 7, "welcome": 3}, "defaultRegion": "IN"}),
        ({"tokens": {"welcome": None}}, {"tokens": {"instantPrice": 5}, "defaultRegion": "IN"}),
        ({"tokens": None, "other": None}, {"defaultRegion": "IN"}),
        ({"batch": {"jobsPerBatch": 9}}, {**BEFORE, "batch": {"jobsPerBatch": 9}}),
        ({"defaultRegion": {"a": 1}}, {**BEFORE, "defaultRegion": {"a": 1}}),
        ({"tokens": 5}, {"tokens": 5, "defaultRegion": "IN"}),
    ],
)
def test_changes_are_laid_over_the_document(changes: dict[str, Any], after: dict[str, Any]) -> None:
    """Field by field; null takes one out, back to its default; the document itself stays as it was read."""
    before = copy.deepcopy(BEFORE)
    assert merged(before, changes) == after
    assert before == BEFORE


@pytest.mark.parametrize(
    ("after", "found"),
    [
        (BEFORE, []),
        ({**BEFORE, "defaultRegion": "DE"}, [("defaultRegion", "IN", "DE")]),
        ({"defaultRegion": "IN"}, [("tokens.instantPrice", 5, None), ("tokens.welcome", 3, None)]),
        ({**BEFORE, "batch": {"jobsPerBatch": 9}}, [("batch.jobsPerBatch", None, 9)]),
    ],
)
def test_what_an_operator_changed_is_listed_by_name(
    after: dict[str, Any], found: list[tuple[str, object, object]]
) -> None:
    """Every field that differs, with both values: the audit entry of a change."""
    assert differences(BEFORE, after) == [{"field": f, "before": old, "after": new} for f, old, new in found]


def test_each_key_has_its_field_and_unit() -> None:
    """Tokens are tokens, points are points, and dollars become micro-dollars."""
    values = {
        "batch_token_price": "2",
        "instant_token_price": " 7 ",
        "points_to_token_rate": "50",
        "daily_budget_usd": "12.5",
    }
    document, refused = overlaid({"tokens": {"welcome": 20}}, values)
    config = RuntimeConfig.model_validate(document)
    assert refused == []
    assert (config.tokens.batch_price, config.tokens.instant_price, config.tokens.points_per_token) == (2, 7, 50)
    assert (config.budget.daily_limit_micros, config.tokens.welcome) == (12_500_000, 20)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "five", "", "NaN", "Infinity", "1e99", "201"])
def test_a_slip_in_one_leaves_the_others(value: str) -> None:
    """A value that is out of range, or no number, is left out and named; the others are in force."""
    document, refused = overlaid({}, {"instant_token_price": value, "points_to_token_rate": "50"})
    config = RuntimeConfig.model_validate(document)
    assert refused == ["instant_token_price"]
    assert (config.tokens.instant_price, config.tokens.points_per_token) == (5, 50)


@pytest.mark.parametrize(
    ("field", "nearest"),
    [
        ("tokens.batchPrce", "; the nearest is tokens.batchPrice."),
        ("batchPrice", "; the nearest is tokens.batchPrice."),
        ("budget.batchPrice", "; the nearest is tokens.batchPrice."),
        ("refresh.allowances.free.amont", "; the nearest is refresh.allowances.free.amount."),
        ("x", "."),
    ],
)
def test_an_unknown_field_is_told_with_its_nearest(field: str, nearest: str) -> None:
    """A slip in a name is answered with the name that was meant, also one without its section."""
    assert unknown_field(field) == f"{field}: there is no such field{nearest}"
    assert field not in set(known_fields())


def test_a_proposal_is_checked_as_a_whole() -> None:
    """What is stored already counts: the document, what it comes to, and what would change."""
    new = proposed({"tokens": {"instantPrice": 7}}, {"tokens": {"batchPrice": 3}})
    assert new.document == {"tokens": {"instantPrice": 7, "batchPrice": 3}}
    assert (new.config.tokens.instant_price, new.config.tokens.batch_price) == (7, 3)
    assert new.changed == [{"field": "tokens.batchPrice", "before": None, "after": 3}]
    for changes, text in (
        ({"tokens": {"batchPrice": 8}}, "tokens: batchPrice must not exceed instantPrice"),
        ({"tokens": {"batchPrce": 8}}, "tokens.batchPrce: there is no such field; the nearest is tokens.batchPrice"),
        ({"\ud800": 8}, "changes: must be text in Unicode"),
        ({"tokens": {"\ud800": 8}}, "tokens: must be text in Unicode"),
        ({"": 8}, ": there is no such field"),
    ):
        with pytest.raises(InvalidRequest, match=text):
            proposed({"tokens": {"instantPrice": 7}}, changes)


def test_a_proposal_is_not_refused_for_what_it_does_not_touch() -> None:
    """A slip in another section, and a field of a newer release, stay for whoever put them there."""
    stored = {"tokens": {"instantPrice": -1}, "budget": {"monthlyPercent": 3}}
    new = proposed(stored, {"budget": {"dailyLimitMicros": 5}, "instant": {"open": False}})
    assert new.document == {
        **stored,
        "budget": {"monthlyPercent": 3, "dailyLimitMicros": 5},
        "instant": {"open": False},
    }
    assert (new.config.tokens.instant_price, new.config.budget.daily_limit_micros) == (5, 5)
    assert proposed(stored, {"budget": {"monthlyPercent": None}}).document["budget"] == {}
    with pytest.raises(InvalidRequest, match="monthlyPercent: there is no such field"):
        proposed(stored, {"budget": {"monthlyPercent": 4}})


def test_what_was_validated_is_what_is_stored() -> None:
    """Typed, also in a section that is new; a default taken back is no value."""
    new = proposed({"tokens": {"welcome": 3}}, {"instant": {"open": "no"}, "tokens": {"welcome": None}})
    assert new.document == {"tokens": {}, "instant": {"open": False}}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dailyLimitMicros": 9}, "budget.dailyLimitMicros"),
        ({"monthlyLimitMicros": 1}, "budget.monthlyLimitMicros"),
        ({"perUserDailyMicros": 9}, "budget.perUserDailyMicros"),
        ({"overrideMode": "closed", "overrideUntil": NOW + timedelta(days=32)}, "budget.overrideUntil"),
        ({"overrideMode": "closed", "overrideUntil": NOW}, "budget.overrideUntil"),
    ],
)
def test_what_is_in_range_and_still_a_slip_is_refused(changes: dict[str, Any], field: str) -> None:
    """A limit that buys no photo, an override that nobody will remember, or that is over."""
    with pytest.raises(InvalidRequest) as refused:
        require_sense(proposed({}, {"budget": changes}), 10, NOW)
    assert refused.value.details == {"field": field}


def test_what_was_meant_is_taken() -> None:
    """Nothing at all closes on purpose; what was a slip before is no matter of this change."""
    for changes in ({"dailyLimitMicros": 0}, {"dailyLimitMicros": 10}, {"batchOnlyPercent": 50}):
        require_sense(proposed({"budget": {"monthlyLimitMicros": 1}}, {"budget": changes}), 10, NOW)
    soon = {"overrideMode": "closed", "overrideUntil": NOW + timedelta(days=31)}
    require_sense(proposed({}, {"budget": soon}), 10, NOW)


@pytest.mark.parametrize(
    ("seen", "differs"),
    [
        ({}, None),
        ({"tokens.instantPrice": 6, "tokens.welcome": None}, None),
        ({"tokens.instantPrice": None}, ("tokens.instantPrice", 6)),
        ({"tokens.instantPrice": 5}, ("tokens.instantPrice", 6)),
        ({"budget.dailyLimitMicros": 1}, ("budget.dailyLimitMicros", None)),
        ({"defaultRegion": None, "tokens.instantPrice.deeper": 1}, ("tokens.instantPrice.deeper", None)),
    ],
)
def test_a_change_rests_on_what_its_operator_saw(seen: dict[str, Any], differs: tuple[str, Any] | None) -> None:
    """A field that is another by now is named, with its value; a default is None."""
    stored = {"tokens": {"instantPrice": 6}}
    if differs is None:
        require_seen(stored, seen)
        return
    with pytest.raises(SettingsChanged) as refused:
        require_seen(stored, seen)
    assert refused.value.details == {"field": differs[0], "value": differs[1]}
