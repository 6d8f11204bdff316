"""What prices, limits and plans cost: tokens given away, and what the AI provider is paid for them. Pure arithmetic.

A month is 30 days. The most that a photo can cost is what the budget holds back for it; what it is expected to cost is
the same request with an answer of usual length.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.core.budget.estimates import input_tokens, input_tokens_max, most_micros
from functions.core.config.plans import AllowanceKind, Every, Plan
from functions.core.config.runtime import RuntimeConfig
from functions.core.model.usage import ModelPrice, Usage, cost_micros
from functions.core.wallet.token_prices import prices_now

MONTH_DAYS = 30


@dataclass(frozen=True)
class Assumptions:
    """What the config does not say: the model and its `prices` by lane, a photo of `size` pixels, an answer's tokens,
    how many users each plan has, photos a user and day, and how many percent of them instant."""

    model: str
    prices: Mapping[str, ModelPrice]
    size: tuple[int, int]
    answer_tokens: int
    users: Mapping[str, int]
    photos_per_day: float
    instant_percent: int


@dataclass(frozen=True)
class Line:
    """One figure, with how it comes about. `unit` is `micros`, `tokens` or `photos`."""

    name: str
    unit: str
    value: int
    arithmetic: str


def projection(config: RuntimeConfig, given: Assumptions) -> list[Line]:
    """Return every figure, each one built from those before it."""
    expected, most = photo_costs(config, given)
    lines = _cost_lines(config, given, expected, most)
    share = given.instant_percent / 100
    mix = round(share * expected["instant"] + (1 - share) * expected["batch"])
    how = f"{share:.0%} x {expected['instant']} + {1 - share:.0%} x {expected['batch']}"
    lines.append(Line("a photo, mixed", "micros", mix, how))
    month = 0
    for plan in Plan:
        plan_lines, cost = _plan_lines(config, given, plan, mix, most)
        lines += plan_lines
        month += given.users.get(plan, 0) * cost
    users = " + ".join(f"{given.users.get(plan, 0):,} {plan}" for plan in Plan)
    lines.append(Line("all users a month", "micros", month, f"{users}, each as expected"))
    daily = config.budget.daily_limit_micros
    for name, cost in (("instant", expected["instant"]), ("batch", expected["batch"]), ("mixed", mix)):
        lines.append(Line(f"photos a day, {name}", "photos", daily // max(cost, 1), f"{daily:,} / {cost}"))
    needed = round(month / MONTH_DAYS)
    lines.append(Line("needed a day", "micros", needed, f"{month:,} / {MONTH_DAYS}; the daily limit is {daily:,}"))
    return lines


def photo_costs(config: RuntimeConfig, given: Assumptions) -> tuple[dict[str, int], dict[str, int]]:
    """Return what a photo is expected to cost, and the most that it can, by lane, in micro-dollars."""
    usage = Usage(input_tokens=_input(config, given), output_tokens=given.answer_tokens)
    largest = input_tokens_max(given.model, config.images.side_max)
    expected = {lane: cost_micros(usage, price) for lane, price in given.prices.items()}
    most = {lane: most_micros(largest, price) for lane, price in given.prices.items()}
    return expected, most


def _input(config: RuntimeConfig, given: Assumptions) -> int:
    size = prepared(given.size, config.images.side_max)
    return input_tokens(given.model, config.default_region, config.default_language, size)


def prepared(size: tuple[int, int], side_max: int) -> tuple[int, int]:
    """Return the size in which a photo is sent: made smaller, never larger."""
    scale = min(1.0, side_max / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _cost_lines(
    config: RuntimeConfig, given: Assumptions, expected: Mapping[str, int], most: Mapping[str, int]
) -> list[Line]:
    width, height = prepared(given.size, config.images.side_max)
    prices = prices_now(config.tokens, 0)
    lines = []
    for lane, price in (("instant", prices.instant), ("batch", prices.batch)):
        paid = given.prices[lane]
        tokens = f"{_input(config, given):,} x {paid.input} + {given.answer_tokens} x {paid.output}"
        photo = f"{tokens} ({width} x {height} px)"
        lines += [
            Line(f"{lane}: a photo", "micros", expected[lane], photo),
            Line(f"{lane}: at most", "micros", most[lane], "what the budget holds back"),
            Line(f"{lane}: price", "tokens", price, f"{expected[lane] / price:.0f} µ$ a token"),
        ]
    return lines


def _plan_lines(
    config: RuntimeConfig, given: Assumptions, plan: str, mix: int, most: Mapping[str, int]
) -> tuple[list[Line], int]:
    """Return a plan's lines, and what one of its users is expected to cost a month."""
    tokens, how = given_away(config, given, plan)
    prices, share = prices_now(config.tokens, 0), given.instant_percent / 100
    limits, price = config.plans.of(plan), share * prices.instant + (1 - share) * prices.batch
    wished = MONTH_DAYS * given.photos_per_day
    if limits.photos_per_month is not None:
        wished = min(wished, limits.photos_per_month)
    expected = round((wished if limits.unlimited else min(wished, tokens / price)) * mix)
    worst, worst_how = _worst(config, plan, tokens, most)
    why = f"min({wished:.0f} wished, {tokens:,} tokens / {price:.1f}) x {mix}"
    if limits.unlimited:
        why = f"{wished:.0f} wished x {mix}"
    return [
        Line(f"{plan}: tokens a month", "tokens", tokens, how),
        Line(f"{plan}: user as expected", "micros", expected, why),
        Line(f"{plan}: user at worst", "micros", worst, worst_how),
    ], expected


def given_away(config: RuntimeConfig, given: Assumptions, plan: str) -> tuple[int, str]:
    """Return the tokens that a user of this plan can earn in a month, claiming everything every day, and how."""
    rules, limits = config.tokens, getattr(config.plans, plan)
    allowance = getattr(config.refresh.allowances, plan)
    times = MONTH_DAYS if allowance.every is Every.DAY else 1
    manual = min(limits.manual_per_day, rules.manual_per_device)
    points = (given.photos_per_day + manual) * rules.points_per_classification
    converted = min(rules.conversion_tokens_per_day, points / rules.points_per_token)
    parts = {
        "allowance" if allowance.kind is AllowanceKind.ADD else "top-up": times * allowance.amount,
        "bonus": MONTH_DAYS * rules.daily_bonus,
        "manual": MONTH_DAYS * manual * rules.manual_reward,
        "points": int(MONTH_DAYS * converted),
    }
    return sum(parts.values()), " + ".join(f"{tokens} {name}" for name, tokens in parts.items())


def _worst(config: RuntimeConfig, plan: str, tokens: int, most: Mapping[str, int]) -> tuple[int, str]:
    """Spend all tokens where one costs the operator most, up to the plan's limits, the rest in the other lane."""
    prices, limits = prices_now(config.tokens, 0), getattr(config.plans, plan)
    lanes = {
        "instant": (prices.instant, MONTH_DAYS * limits.instant_per_day),
        "batch": (prices.batch, MONTH_DAYS * limits.batch_per_day),
    }
    total, parts = 0, []
    for lane in sorted(lanes, key=lambda each: -most[each] / lanes[each][0]):
        price, photos_max = lanes[lane]
        photos = photos_max if limits.unlimited else min(tokens // price, photos_max)
        tokens -= photos * price
        total += photos * most[lane]
        if photos:
            parts.append(f"{photos} {lane} x {most[lane]}")
    everybody = config.budget.per_user_daily_micros
    daily = config.plans.micros_per_day(plan, everybody)
    cap, by = MONTH_DAYS * daily, "budget.perUserDailyMicros" if daily == everybody else f"plans.{plan}.microsPerDay"
    if limits.photos_per_month is not None:
        of_month = limits.photos_per_month * max(most.values())
        cap, by = min((cap, by), (of_month, f"plans.{plan}.photosPerMonth"))
    how = " + ".join(parts) or "no tokens, no photos"
    return min(total, cap), how if total <= cap else f"{how}, at most {cap:,} by {by}"
