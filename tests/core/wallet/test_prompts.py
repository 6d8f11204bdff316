"""Which plan a refusal names: the cheapest one on sale that would have admitted the call, and once a day."""

from datetime import timedelta
from typing import Any

import pytest

from functions.core.config.runtime import RuntimeConfig
from functions.core.shared.errors import EcolaneError, InsufficientTokens, RateLimited
from functions.core.wallet.accounts import Account, charge
from functions.core.wallet.prompts import prompted
from functions.core.wallet.refusals import AccountBlocked, MonthlyLimit, PlanRequired
from tests.builders import NOW, account, offered


def product(name: str, plan: str | None, minor: int, tokens: int = 10, **more: Any) -> dict[str, Any]:
    """Return what the config says of a product."""
    return {"name": name, "plan": plan, "minor": minor, "tokens": tokens, "storeIds": [name], **more}


SOLD = [
    product("pro_month", "pro", 899, 100),
    product("plus_month", "plus", 499, 30),
    product("business_month", "business", 2_900, 0),
    product("pack", None, 99),
    product("nowhere", "enterprise", 60, 0, storeIds=[]),
]
LIMITED = MonthlyLimit("Enough for this month.")


def named(
    error: EcolaneError, admitted_on: str | None, user: Account | None = None, **billing: Any
) -> list[dict[str, Any]]:
    """Return the plans that a refusal names if those after this one admit the call."""
    rules = RuntimeConfig.model_validate({"billing": {"sellOn": ["ios"], "products": SOLD, **billing}})
    order = ["free", "plus", "pro", "business"]

    def admit(tried: Account) -> None:
        if admitted_on is None or order.index(tried.wallet.plan) < order.index(admitted_on):
            raise MonthlyLimit("Not on this plan.")

    error.details.pop("plans", None)
    return offered(prompted(error, user or account(), rules, NOW, admit))


def on_plan(plan: str, **more: Any) -> Account:
    """Return the account of somebody on a plan."""
    return account().with_fields(plan=plan, **more)


def test_the_cheapest_plan_that_would_have_admitted_the_call_is_named() -> None:
    """With its price and its product; not the first one, nor one that nobody can buy."""
    assert named(LIMITED, "plus") == [{"plan": "plus", "product": "plus_month", "minor": 499, "currency": "usd"}]
    assert [each["plan"] for each in named(LIMITED, "pro")] == ["pro"]
    assert [each["plan"] for each in named(LIMITED, "business")] == ["business"]


@pytest.mark.parametrize(
    "nothing",
    [
        named(LIMITED, None),
        named(LIMITED, "plus", sellOn=[]),
        named(LIMITED, "free", on_plan("enterprise")),
        named(LIMITED, "plus", on_plan("of a newer release")),
        named(LIMITED, "plus", on_plan("free", prompted_day="2026-11-21")),
        named(RateLimited("Wait."), "plus"),
        named(AccountBlocked("No."), "plus"),
    ],
    ids=["none helps", "nothing sold", "the highest", "a newer plan", "today already", "too fast", "blocked"],
)
def test_nothing_is_named_that_would_not_help_or_was_named_today(nothing: list[dict[str, Any]]) -> None:
    """Such a refusal is as it was."""
    assert nothing == []


def test_a_plan_is_named_again_on_the_next_day() -> None:
    """A day is midnight to midnight."""
    yesterday = f"{NOW - timedelta(days=1):%Y-%m-%d}"
    assert len(named(LIMITED, "plus", on_plan("free", prompted_day=yesterday))) == 1
    assert len(named(PlanRequired("No.", feature="bulk", plan="plus"), "plus")) == 1


@pytest.mark.parametrize(("price", "owed", "plan"), [(30, 0, "plus"), (31, 0, "pro"), (30, 1, "pro"), (101, 0, None)])
def test_a_plan_brings_the_tokens_of_a_period(price: int, owed: int, plan: str | None) -> None:
    """What is owed is paid from them first; if no plan brings enough, none is named."""
    rules = RuntimeConfig.model_validate({"billing": {"sellOn": ["web"], "products": SOLD[:2]}})
    error = prompted(
        InsufficientTokens("Too few."),
        account().with_fields(owed=owed),
        rules,
        NOW,
        lambda tried: charge(tried, "job", price, NOW),
    )
    assert [each["plan"] for each in offered(error)] == ([plan] if plan else [])
