"""What photos cost in money, worked out by hand."""

from typing import Any

from functions.core.config.runtime import RuntimeConfig
from functions.core.payments.comparison import months, photo_costs
from functions.core.wallet.ledger import UsedMonth, empty_wallet
from tests.builders import NOW

DEARER = {"name": "small", "tokens": 25, "minor": 199, "storeIds": ["small"]}
PACK = {"name": "large", "tokens": 100, "minor": 499, "stripePrice": "price_1"}
UNSOLD = {"name": "unsold", "tokens": 500, "minor": 99}
PLUS = {"name": "plus_month", "tokens": 30, "plan": "plus", "minor": 499, "storeIds": ["plus"]}
BUSINESS = {"name": "business_month", "tokens": 0, "plan": "business", "minor": 2_900, "storeIds": ["business"]}
SOLD = [DEARER, PACK, UNSOLD, PLUS, BUSINESS]


def config(products: list[dict[str, Any]] | None = None, **sections: Any) -> RuntimeConfig:
    """Return a config that sells these products."""
    billing = {"sellOn": ["web"], "products": SOLD if products is None else products}
    return RuntimeConfig.model_validate({"billing": billing, **sections})


def used(runtime: RuntimeConfig, **counts: int) -> dict[str, Any]:
    """Return what is shown of a month with these counts."""
    wallet = empty_wallet(NOW).with_fields(months=(UsedMonth(month="2026-11", **counts),))
    (shown,) = months(wallet, runtime)
    return shown


def test_a_photo_costs_its_tokens_at_the_cheapest_pack() -> None:
    """Rounded up to whole cents: 5 x 4.99, and 4.99. A pack that nobody can buy is no price."""
    assert photo_costs("free", config()) == {
        "instant": {"tokens": 5, "minor": 25},
        "batch": {"tokens": 1, "minor": 5},
        "product": "large",
        "currency": "usd",
    }
    assert photo_costs("business", config())["instant"] == {"tokens": 0, "minor": 0}


def test_where_no_pack_is_sold_a_photo_has_no_price_in_money() -> None:
    """Its tokens are told all the same; a plan that takes no tokens still has its price."""
    for runtime in (config([UNSOLD, PLUS, BUSINESS]), RuntimeConfig.model_validate({"billing": {"products": SOLD}})):
        assert photo_costs("free", runtime) == {
            "instant": {"tokens": 5, "minor": None},
            "batch": {"tokens": 1, "minor": None},
            "product": None,
            "currency": None,
        }
    shown = used(config([UNSOLD, PLUS, BUSINESS]), instant=100, tokens=500)
    assert (shown["minor"], [each["plan"] for each in shown["plans"]]) == (None, ["business"])
    assert used(RuntimeConfig.model_validate({"billing": {"products": SOLD}}), batch=1)["plans"] == []


def test_a_month_says_what_the_other_lane_and_the_plans_would_have_cost() -> None:
    """60 instant and 90 batch photos are 390 tokens. Plus brings 30 and 300 of them; business takes none."""
    shown = used(config(), instant=60, batch=90, tokens=385)
    assert {name: shown[name] for name in ("month", "instant", "batch", "tokens", "minor")} == {
        "month": "2026-11",
        "instant": 60,
        "batch": 90,
        "tokens": 385,
        "minor": 1_922,  # 385 x 4.99
    }
    assert (shown["allInstant"], shown["allBatch"]) == (
        {"tokens": 750, "minor": 3_743},
        {"tokens": 150, "minor": 749},
    )
    assert shown["plans"] == [
        {"plan": "plus", "product": "plus_month", "minor": 499 + 300, "currency": "usd"},
        {"plan": "business", "product": "business_month", "minor": 2_900, "currency": "usd"},
    ]


def test_a_plan_is_compared_only_if_it_takes_the_month_s_photos() -> None:
    """What merely tops up is not counted on, a monthly allowance once; a month of refunds alone cost nothing."""
    limited = {"plus": {**RuntimeConfig().plans.plus.as_json(), "photosPerMonth": 9}}
    shown = used(config(plans=limited), batch=10, tokens=-3)
    assert (shown["minor"], [each["plan"] for each in shown["plans"]]) == (0, ["business"])
    for kind, every, minor in (("top_up", "day", 499 + 350), ("add", "month", 499 + 50)):
        allowances = {"plus": {"kind": kind, "amount": 60, "every": every}}
        assert used(config(refresh={"allowances": allowances}), batch=100)["plans"][0]["minor"] == minor
