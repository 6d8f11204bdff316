"""What a wallet's plan allows."""

import pytest

from functions.core.config.plans import Allowances, Plan, Plans, rank


@pytest.mark.parametrize(
    ("plan", "priority"), [("free", 0), ("plus", 1), ("pro", 2), ("enterprise", 4), ("gold", 0), ("of", 0), ("", 0)]
)
def test_a_plan_that_there_is_not_is_the_free_one(plan: str, priority: int) -> None:
    """A wallet may name any plan; what is not on the list gives nothing for free."""
    assert Plans().of(plan).priority == priority


@pytest.mark.parametrize(("own", "cap"), [(None, 1_000), (900, 900), (5_000, 1_000), (0, 0)])
def test_a_plan_costs_no_more_than_it_says_and_never_more_than_everybody(own: int | None, cap: int) -> None:
    """Its own limit lowers that of all users; a higher one changes nothing."""
    plans = Plans.model_validate({"plus": {**Plans().plus.as_json(), "microsPerDay": own}})
    assert plans.micros_per_day("plus", 1_000) == cap
    assert plans.micros_per_day("gold", 1_000) == 1_000


def test_every_plan_has_its_rules_and_its_allowance() -> None:
    """A further plan is written in three places of one file; none of them is forgotten."""
    assert list(Plans.model_fields) == list(Allowances.model_fields) == list(Plan)


def test_a_higher_plan_ranks_higher_and_a_newer_release_s_highest() -> None:
    """What we do not know is never taken from anybody."""
    assert sorted([*Plan, "gold"], key=rank) == [*Plan, "gold"]


def test_what_costs_no_tokens_has_a_limit_of_cost() -> None:
    """A month of business at the most costs the operator less than it is sold for."""
    business = Plans().business
    assert business.unlimited
    assert 30 * Plans().micros_per_day("business", 10**9) < 29_000_000
