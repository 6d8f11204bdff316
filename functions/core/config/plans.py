"""The plans: what a user may do on each, and the tokens that it brings by itself. A further plan is a value of `Plan`
and a field in each of `Plans` and `Allowances`."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from functions.core.shared.records import Record


class Plan(StrEnum):
    """What a user has subscribed to, or what an operator has set by contract; the higher ones last."""

    FREE = "free"
    PLUS = "plus"
    PRO = "pro"
    BUSINESS = "business"
    ENTERPRISE = "enterprise"


def rank(plan: str) -> int:
    """Return how high a plan is. A newer release's is above all that we know."""
    return list(Plan).index(Plan(plan)) if plan in set(Plan) else len(Plan)


class Feature(StrEnum):
    """What a plan may have or not: several photos in one call, and the instant lane for a photo that is queued."""

    BULK = "bulk"
    UPGRADE = "upgrade"


class PlanRules(Record):
    """What one plan allows. `priority` moves a user's photos forward in the batch queue. `micros_per_day` is the most
    that one user's photos of a day may cost the operator, so that a plan cannot cost more than it earns; None leaves it
    to `budget.per_user_daily_micros`, which no plan passes. `photos_per_month`: None for no such limit. `unlimited`:
    photos cost no tokens, and what they may cost is fair use."""

    instant_per_day: Annotated[int, Field(ge=0, le=100_000)]
    batch_per_day: Annotated[int, Field(ge=0, le=100_000)]
    manual_per_day: Annotated[int, Field(ge=0, le=10_000)]
    calls_per_minute: Annotated[int, Field(ge=1, le=10_000)]
    priority: Annotated[int, Field(ge=0, le=10)]
    micros_per_day: Annotated[int, Field(ge=0, le=10_000_000_000)] | None = None
    photos_per_month: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    unlimited: bool = False
    features: Annotated[tuple[Feature, ...], Field(max_length=10)] = tuple(Feature)


class Plans(Record):
    """The plans there are. A wallet that names another one is on the free plan."""

    free: PlanRules = PlanRules(
        instant_per_day=20, batch_per_day=100, manual_per_day=5, calls_per_minute=60, priority=0
    )
    plus: PlanRules = PlanRules(
        instant_per_day=60, batch_per_day=300, manual_per_day=10, calls_per_minute=60, priority=1
    )
    pro: PlanRules = PlanRules(
        instant_per_day=200, batch_per_day=1_000, manual_per_day=20, calls_per_minute=120, priority=2
    )
    business: PlanRules = PlanRules(
        instant_per_day=1_000,
        batch_per_day=5_000,
        manual_per_day=20,
        calls_per_minute=300,
        priority=3,
        micros_per_day=900_000,
        unlimited=True,
    )
    enterprise: PlanRules = PlanRules(
        instant_per_day=10_000,
        batch_per_day=50_000,
        manual_per_day=20,
        calls_per_minute=1_000,
        priority=4,
        unlimited=True,
    )

    def of(self, plan: str) -> PlanRules:
        """Return the rules of a wallet's plan."""
        rules: PlanRules = getattr(self, plan) if plan in type(self).model_fields else self.free
        return rules

    def micros_per_day(self, plan: str, everybody: int) -> int:
        """Return what the photos of a user on this plan may cost a day, of what those of `everybody` may."""
        own = self.of(plan).micros_per_day
        return everybody if own is None else min(own, everybody)


class AllowanceKind(StrEnum):
    """How an allowance meets the balance that it finds."""

    TOP_UP = "top_up"
    ADD = "add"


class Every(StrEnum):
    """How often it comes."""

    DAY = "day"
    MONTH = "month"


class Allowance(Record):
    """Tokens that come by themselves: `amount` more of them (`add`), or as many as are missing to it (`top_up`)."""

    kind: AllowanceKind
    amount: Annotated[int, Field(ge=0, le=100_000)]
    every: Every


class Allowances(Record):
    """Each plan's allowance."""

    free: Allowance = Allowance(kind=AllowanceKind.TOP_UP, amount=5, every=Every.DAY)
    plus: Allowance = Allowance(kind=AllowanceKind.ADD, amount=10, every=Every.DAY)
    pro: Allowance = Allowance(kind=AllowanceKind.ADD, amount=30, every=Every.DAY)
    business: Allowance = Allowance(kind=AllowanceKind.ADD, amount=0, every=Every.DAY)
    enterprise: Allowance = Allowance(kind=AllowanceKind.ADD, amount=0, every=Every.DAY)

    def of(self, plan: str) -> Allowance | None:
        """Return a plan's allowance, None if the config has no such plan."""
        allowance: Allowance | None = getattr(self, plan) if plan in type(self).model_fields else None
        return allowance
