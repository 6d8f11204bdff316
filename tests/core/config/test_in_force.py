"""What a config comes to that cannot be read as a whole: each field stands alone, and a fault widens no budget."""

from typing import Any

import pytest

from functions.core.config.in_force import noted_limits, read_config, under_ceiling
from functions.core.config.runtime import BudgetRules, RuntimeConfig

NOTED = {"dailyLimitMicros": 1_000_000, "monthlyLimitMicros": 20_000_000, "perUserDailyMicros": 100_000}
LAST = RuntimeConfig.model_validate({"tokens": {"instantPrice": 7}, "budget": NOTED})


def limits(config: RuntimeConfig) -> tuple[int, int, int]:
    """Return the budget's limits: of a day, a month, and a user's day."""
    rules = config.budget
    return rules.daily_limit_micros, rules.monthly_limit_micros, rules.per_user_daily_micros


@pytest.mark.parametrize("last", [None, LAST], ids=["new process", "running"])
def test_one_bad_field_costs_that_field(last: RuntimeConfig | None) -> None:
    """Everything else in its section and in the others is in force, whatever was before."""
    stored = {
        "tokens": {"instantPrice": -1, "welcome": 3},
        "plans": {"free": {"instantPerDay": "many", "batchPerDay": 1, "manualPerDay": 2, "callsPerMinute": 3}},
        "batch": {"leaseMinutes": "x", "jobsPerBatch": 7},
        "budget": {"dailyLimitMicros": 1_000_000, "alertUids": ["a/b"]},
    }
    reading = read_config(stored, {}, last, {})
    config = reading.config
    assert (config.tokens.instant_price, config.tokens.welcome) == (7 if last else 5, 3)
    assert (config.plans.free.instant_per_day, config.plans.free.batch_per_day, config.plans.free.priority) == (
        20,
        1,
        0,
    )
    assert (config.batch.lease_minutes, config.batch.jobs_per_batch) == (15, 7)
    assert (config.budget.daily_limit_micros, config.budget.alert_uids) == (1_000_000, ())
    assert [problem.split(":")[0] for problem in reading.problems] == [
        "tokens.instantPrice",
        "plans.free.instantPerDay",
        "plans.free.priority",
        "batch.leaseMinutes",
        "budget.alertUids.0",
    ]


@pytest.mark.parametrize("section", [{"instantPrice": 3, "batchPrice": 4}, "cheap", None], ids=str)
def test_a_section_that_does_not_agree_with_itself_stays_as_it_was(section: object) -> None:
    """Prices in the wrong order, or no section at all: nobody can tell which of them was meant."""
    reading = read_config({"tokens": section, "defaultRegion": "DE"}, {}, LAST, {})
    assert (reading.config.tokens, reading.config.default_region) == (LAST.tokens, "DE")
    assert all(problem.startswith("tokens: ") for problem in reading.problems)
    assert len(reading.problems) == 1


@pytest.mark.parametrize(
    ("stored", "noted", "in_force"),
    [
        ({"budget": {"dailyLimitMicros": "1O"}}, NOTED, (1_000_000, 200_000_000, 2_000_000)),
        ({"budget": {"dailyLimitMicros": -5}}, {}, (0, 200_000_000, 2_000_000)),
        ({"budget": "closed"}, NOTED, (1_000_000, 20_000_000, 100_000)),
        ({"budget": 5}, {}, (0, 0, 0)),
        ({"budget": 5}, {"dailyLimitMicros": -1, "monthlyLimitMicros": 7}, (0, 7, 0)),
        (None, NOTED, (1_000_000, 20_000_000, 100_000)),
        (None, {}, (10_000_000, 200_000_000, 2_000_000)),
        ({}, NOTED, (10_000_000, 200_000_000, 2_000_000)),
    ],
)
def test_a_new_process_knows_no_higher_limit_than_was_in_force(
    stored: dict[str, Any] | None, noted: dict[str, int], in_force: tuple[int, int, int]
) -> None:
    """What the guard has noted; nothing, if it has noted nothing. A new project, and a section that somebody took out,
    have the defaults."""
    assert limits(read_config(stored, {}, None, noted).config) == in_force


def test_a_document_that_is_gone_is_told_only_if_it_matters() -> None:
    """A project that never had one is as it should be."""
    assert read_config(None, {}, None, {}).problems == ()
    assert read_config(None, {}, RuntimeConfig(), noted_limits(BudgetRules())).problems == ()
    assert "the document is gone" in read_config(None, {}, None, NOTED).problems[0]
    assert limits(read_config(None, {}, LAST, {}).config) == limits(LAST)


@pytest.mark.parametrize(
    "override",
    [{"overrideMode": "closed"}, {"overrideMode": "shut", "overrideUntil": "2026-11-21T12:00:00Z"}],
    ids=str,
)
def test_half_an_override_counts_for_none_and_costs_no_limit(override: dict[str, Any]) -> None:
    """It never lifted a limit; the limits beside it are in force."""
    reading = read_config({"budget": {"dailyLimitMicros": 5, **override}}, {}, None, NOTED)
    assert (reading.config.budget.daily_limit_micros, reading.config.budget.override_mode) == (5, None)
    assert len(reading.problems) == 1


@pytest.mark.parametrize("remote", [None, {"daily_budget_usd": "1O"}], ids=["unknown", "slip"])
def test_while_the_daily_budget_of_remote_config_is_not_known_it_does_not_grow(
    remote: dict[str, str] | None,
) -> None:
    """The document may say more; less than was in force counts at once. A new project goes by its document."""
    document = {"budget": {"dailyLimitMicros": 5_000_000}}
    assert read_config(document, remote, LAST, {}).config.budget.daily_limit_micros == 1_000_000
    assert read_config(document, remote, None, NOTED).config.budget.daily_limit_micros == 1_000_000
    assert read_config({"budget": {"dailyLimitMicros": 5}}, remote, LAST, {}).config.budget.daily_limit_micros == 5
    assert read_config(document, remote, None, {}).config.budget.daily_limit_micros == 5_000_000
    assert read_config(document, remote, LAST, {}).config.budget.monthly_limit_micros == 200_000_000
    assert read_config(document, {"daily_budget_usd": "4"}, LAST, NOTED).config.budget.daily_limit_micros == 4_000_000


def test_a_slip_in_the_document_leaves_remote_config_in_force() -> None:
    """And the other way round: each value is taken for itself."""
    document = {"tokens": {"instantPrice": 6}, "images": {"sideMax": 1}}
    reading = read_config(document, {"batch_token_price": "2", "instant_token_price": "0"}, None, {})
    assert (reading.config.tokens.batch_price, reading.config.tokens.instant_price) == (2, 6)
    assert (reading.refused, len(reading.problems)) == (("instant_token_price",), 1)
    damaged = {"tokens": {"instantPrice": "x"}}
    assert read_config(damaged, {"instant_token_price": "9"}, None, {}).config.tokens.instant_price == 9
    assert read_config(damaged, {"instant_token_price": "y"}, LAST, {}).config.tokens.instant_price == 7


def test_no_limit_is_above_the_deploys() -> None:
    """Whoever has written it: what is above is in force as the deploy's, and told; what is below is left alone."""
    reading = read_config({"budget": {"dailyLimitMicros": 5_000_000}}, {}, None, NOTED)
    assert under_ceiling(reading, 5_000_000) == reading
    lowered = under_ceiling(reading, 4_000_000)
    assert limits(lowered.config)[0] == 4_000_000
    assert lowered.problems == ("budget.dailyLimitMicros: the deploy allows at most 4000000",)
