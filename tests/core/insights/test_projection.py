"""What prices, plans and a model mean in money and tokens: each figure, with its arithmetic."""

from dataclasses import replace

from functions.core.config.changes import proposed
from functions.core.config.runtime import RuntimeConfig
from functions.core.insights.projection import Assumptions, Line, given_away, photo_costs, prepared, projection
from tests.builders import BATCH_PRICE, PRICE

GIVEN = Assumptions(
    model="gpt-6-luna",
    prices={"instant": PRICE, "batch": BATCH_PRICE},
    size=(4_000, 3_000),
    answer_tokens=230,
    users={"free": 100, "plus": 10},
    photos_per_day=1.0,
    instant_percent=20,
)


def lines(given: Assumptions = GIVEN, **changes: object) -> dict[str, Line]:
    """Return the figures by name, under the defaults with these sections changed."""
    return {line.name: line for line in projection(proposed({}, changes).config, given)}


def test_a_photo_costs_its_input_and_its_answer() -> None:
    """A batch one half of an instant one; the most is above what is expected; the mix is between them."""
    expected, most = photo_costs(RuntimeConfig(), GIVEN)
    found = lines()
    assert found["instant: a photo"].value == expected["instant"]
    assert abs(expected["instant"] - 2 * expected["batch"]) <= 1  # each is rounded
    assert found["instant: at most"].value == most["instant"] > expected["instant"]
    assert "(512 x 384 px)" in found["instant: a photo"].arithmetic
    assert found["a photo, mixed"].value == round(0.2 * expected["instant"] + 0.8 * expected["batch"])


def test_a_larger_photo_costs_more_and_a_small_one_is_not_enlarged() -> None:
    """`images.sideMax` bounds it."""
    assert lines(images={"sideMax": 1024})["batch: a photo"].value > lines()["batch: a photo"].value
    assert prepared((200, 100), 512) == (200, 100)
    assert prepared((5_000, 1), 512) == (512, 1)


def test_a_user_has_what_a_plan_gives_away_and_no_more() -> None:
    """Top-ups or additions, the bonus, manual entries and points, each as often as it comes in a month of 30 days."""
    config = RuntimeConfig()
    assert given_away(config, GIVEN, "free") == (
        30 * 5 + 30 * 2 + 30 * 5 * 1 + 18,
        "150 top-up + 60 bonus + 150 manual + 18 points",
    )
    monthly = proposed({}, {"refresh": {"allowances": {"plus": {"kind": "add", "amount": 400, "every": "month"}}}})
    assert given_away(monthly.config, GIVEN, "plus")[1].startswith("400 allowance + ")


def test_a_user_is_expected_to_send_what_is_wished_or_what_tokens_buy() -> None:
    """Whatever is less; all users together are the sum, and the budget needs a thirtieth of it."""
    found = lines()
    mix = found["a photo, mixed"].value
    assert found["free: user as expected"].value == 30 * mix
    greedy = lines(replace(GIVEN, photos_per_day=100.0))
    tokens = greedy["free: tokens a month"].value
    assert greedy["free: user as expected"].value == round(tokens / 1.8 * greedy["a photo, mixed"].value)
    month = found["all users a month"]
    assert month.value == 110 * 30 * mix
    assert month.arithmetic == "100 free + 10 plus + 0 pro + 0 business + 0 enterprise, each as expected"
    assert found["needed a day"].value == round(month.value / 30)
    assert found["photos a day, mixed"].value == 10_000_000 // mix


def test_a_user_at_worst_spends_every_token_where_it_costs_most() -> None:
    """Up to the plan's photos, then in the other lane, and never beyond the limit of one user."""
    found = lines(
        plans={"free": {"instantPerDay": 1, "batchPerDay": 1, "manualPerDay": 0, "callsPerMinute": 1, "priority": 0}}
    )
    worst = found["free: user at worst"]
    _, most = photo_costs(RuntimeConfig(), GIVEN)
    assert worst.arithmetic == f"30 batch x {most['batch']} + 30 instant x {most['instant']}"
    assert worst.value == 30 * most["batch"] + 30 * most["instant"]
    capped = lines(budget={"perUserDailyMicros": 1_000})["free: user at worst"]
    assert capped.value == 30_000
    assert capped.arithmetic.endswith("at most 30,000 by budget.perUserDailyMicros")
    plus = {**RuntimeConfig().plans.plus.as_json(), "microsPerDay": 500}
    own = lines(plans={"plus": plus})["plus: user at worst"]
    assert (own.value, own.arithmetic.partition(", at most ")[2]) == (15_000, "15,000 by plans.plus.microsPerDay")
    nothing = lines(
        tokens={"dailyBonus": 0, "manualReward": 0, "conversionTokensPerDay": 0},
        refresh={"allowances": {"free": {"kind": "add", "amount": 0, "every": "day"}}},
    )["free: user at worst"]
    assert (nothing.value, nothing.arithmetic) == (0, "no tokens, no photos")


def test_an_unlimited_plan_has_the_photos_that_are_wished_and_at_worst_its_limits() -> None:
    """Tokens bound neither; a monthly limit bounds both."""
    found = lines(replace(GIVEN, photos_per_day=100.0), budget={"perUserDailyMicros": 10**10})
    mix = found["a photo, mixed"].value
    expected = found["enterprise: user as expected"]
    assert (expected.value, expected.arithmetic) == (3_000 * mix, f"3000 wished x {mix}")
    _, most = photo_costs(RuntimeConfig(), GIVEN)
    worst = found["enterprise: user at worst"].value
    assert worst == 30 * (10_000 * most["instant"] + 50_000 * most["batch"])
    limited = {**RuntimeConfig().plans.enterprise.as_json(), "photosPerMonth": 40}
    bound = lines(replace(GIVEN, photos_per_day=100.0), plans={"enterprise": limited})
    assert bound["enterprise: user as expected"].value == 40 * mix
    assert bound["enterprise: user at worst"].value == 40 * most["instant"]
    assert bound["enterprise: user at worst"].arithmetic.endswith(" by plans.enterprise.photosPerMonth")
