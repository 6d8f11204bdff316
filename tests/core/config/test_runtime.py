"""What an operator may set, and what is a slip of the hand."""

from typing import Any

import pytest
from pydantic import ValidationError

from functions.core.config.runtime import CacheMode, RuntimeConfig
from functions.core.shared.time_limits import CALL_TIMEOUT, FUNCTION_TIMEOUT


def test_no_document_means_the_documented_defaults() -> None:
    """Welcome 10, batch 1, instant 5, balance cap 200, 100 jobs a batch."""
    config = RuntimeConfig.model_validate({})
    assert (config.tokens.welcome, config.tokens.batch_price, config.tokens.instant_price) == (10, 1, 5)
    assert (config.tokens.balance_cap, config.batch.jobs_per_batch) == (200, 100)


def test_what_the_document_leaves_out_keeps_its_default() -> None:
    """An operator writes only what they change."""
    config = RuntimeConfig.model_validate({"tokens": {"instantPrice": 7}})
    assert (config.tokens.instant_price, config.tokens.batch_price, config.images) == (7, 1, RuntimeConfig().images)


@pytest.mark.parametrize(
    "document",
    [
        {"tokens": {"instantPrice": 0}},
        {"tokens": {"batchPrice": -1}},
        {"tokens": {"welcome": 1_001}},
        {"tokens": {"balanceCap": 0}},
        {"tokens": {"instantPrice": "five"}},
        {"tokens": {"instantPrice": 2.5}},
        {"tokens": {"instantPrice": None}},
        {"tokens": 5},
        {"images": {"sideMax": 100}},
        {"images": {"sideMax": 4_096}},
        {"images": {"jpegQuality": 100}},
        {"instant": {"providerTimeoutSeconds": 0}},
        {"instant": {"providerTimeoutSeconds": 51}},
        {"instant": {"retryAfterSeconds": 0}},
        {"batch": {"jobsPerBatch": 0}},
        {"batch": {"jobsPerBatch": 50_001}},
        {"batch": {"attemptsMax": 0}},
        {"batch": {"batchesPerRun": 0}},
        {"batch": {"pollsPerRun": 0}},
        {"batch": {"expectedMinutes": 0}},
        {"defaultRegion": ""},
        {"defaultLanguage": "x" * 36},
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(document: dict[str, Any]) -> None:
    """Every setting has a range, so that a slip of the hand is an error and not a bill."""
    with pytest.raises(ValidationError) as refused:
        RuntimeConfig.model_validate(document)
    section = next(iter(document))
    assert refused.value.errors()[0]["loc"][0] == section


@pytest.mark.parametrize(("stored", "meant"), [(1, 1), (5_000, 5_000), (5_001, 5_000), (50_000, 5_000)])
def test_a_batch_is_no_larger_than_a_run_can_prepare(stored: int, meant: int) -> None:
    """What an earlier release let an operator store stays readable, and means the most that works."""
    assert RuntimeConfig.model_validate({"batch": {"jobsPerBatch": stored}}).batch.jobs_per_batch == meant


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"tokens": {"instantPrice": 300}}, "balanceCap"),
        ({"tokens": {"batchPrice": 300}}, "balanceCap"),
        ({"tokens": {"welcome": 201}}, "balanceCap"),
        ({"tokens": {"batchPrice": 6}}, "batchPrice"),
        ({"instant": {"leaseSeconds": CALL_TIMEOUT.total_seconds()}}, "leaseSeconds"),
        ({"batch": {"leaseMinutes": 9}}, "outlive"),
        ({"providers": {"order": ["openai", "openai"]}}, "names a provider twice"),
        ({"providers": {"order": []}}, "at least 1"),
        ({"providers": {"batchOrder": ["anthropic", "anthropic"]}}, "batchOrder names a provider twice"),
        ({"providers": {"batchOrder": ["azure"]}}, "batchOrder"),
        ({"providers": {"order": ["openai", "acme"]}}, "order"),
        ({"budget": {"overrideMode": "closed"}}, "go together"),
        ({"budget": {"overrideUntil": "2026-11-22T00:00:00Z"}}, "go together"),
    ],
)
def test_values_that_contradict_each_other_are_refused(document: dict[str, Any], words: str) -> None:
    """Nobody could hold a price above the cap, and a lease outlives the work that it protects."""
    with pytest.raises(ValidationError, match=words):
        RuntimeConfig.model_validate(document)


@pytest.mark.parametrize(
    "document",
    [
        {"tokens": {"instantPrice": 200, "welcome": 200}},
        {"instant": {"leaseSeconds": CALL_TIMEOUT.total_seconds() + 1, "providerTimeoutSeconds": 50}},
        {"batch": {"leaseMinutes": 10}},
        {"providers": {"order": ["anthropic", "openai"], "firstSeconds": 25, "anthropicRegions": []}},
        {"providers": {"batchOrder": ["anthropic", "openai"]}},
        {"providers": {"order": ["azure", "anthropic"], "azureRegions": ["Germany"]}},
        {"budget": {"overrideMode": "closed", "overrideUntil": "2026-11-22T00:00:00Z"}},
    ],
)
def test_the_borders_of_the_relations_are_allowed(document: dict[str, Any]) -> None:
    """A price equal to the cap can be paid, and the shortest lease that outlives its work is enough."""
    RuntimeConfig.model_validate(document)


def test_the_default_leases_outlive_the_functions() -> None:
    """A batch's lease is longer than the longest run of a scheduled function."""
    assert RuntimeConfig().batch.lease_minutes * 60 > FUNCTION_TIMEOUT.total_seconds()


def test_the_cache_is_off_until_somebody_turns_it_on() -> None:
    """Each tier by itself."""
    assert RuntimeConfig().cache.modes == {CacheMode.OFF}
    cache = RuntimeConfig.model_validate({"cache": {"exact": "on", "near": "shadow"}}).cache
    assert cache.modes == {CacheMode.ON, CacheMode.SHADOW}
