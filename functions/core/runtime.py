"""What an operator may change without a deploy: one typed document, `config/runtime`, with safe defaults.

Every value has a range, so that a slip of the hand is an error and not a bill. Prices are tokens, times carry their
unit.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from functions.core.records import Record

FUNCTION_TIMEOUT = timedelta(seconds=540)
"""The longest a scheduled function may run (main.py asks for it); leases have to outlive it."""


class SurgeStep(Record):
    """Above this many queued jobs a batch photo costs this many percent of its price."""

    queued_above: Annotated[int, Field(ge=1, le=10_000_000)]
    percent: Annotated[int, Field(ge=100, le=1_000)]


class TokenRules(Record):
    """What tokens cost and bring."""

    welcome: Annotated[int, Field(ge=0, le=1_000)] = 10
    instant_price: Annotated[int, Field(ge=1, le=1_000)] = 5
    batch_price: Annotated[int, Field(ge=1, le=1_000)] = 1
    balance_cap: Annotated[int, Field(ge=1, le=100_000)] = 200
    daily_bonus: Annotated[int, Field(ge=0, le=1_000)] = 2
    manual_reward: Annotated[int, Field(ge=0, le=1_000)] = 1
    points_per_classification: Annotated[int, Field(ge=0, le=10_000)] = 10
    points_per_token: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    conversion_tokens_per_day: Annotated[int, Field(ge=0, le=1_000)] = 5
    instant_recommended_scans: Annotated[int, Field(ge=0, le=1_000)] = 3
    streak_days_for_priority: Annotated[int, Field(ge=1, le=365)] = 7
    bonuses_per_device: Annotated[int, Field(ge=1, le=1_000)] = 3
    manual_per_device: Annotated[int, Field(ge=1, le=10_000)] = 20
    surge: Annotated[tuple[SurgeStep, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _payable(self) -> "TokenRules":
        if max(self.instant_price, self.batch_price, self.welcome) > self.balance_cap:
            raise ValueError("prices and the welcome bonus must not exceed balanceCap: nobody could ever hold enough")
        if self.batch_price > self.instant_price:
            raise ValueError("batchPrice must not exceed instantPrice: the slow lane is the cheap one")
        return self


class PlanRules(Record):
    """What one plan allows. `priority` moves a user's photos forward in the batch queue."""

    instant_per_day: Annotated[int, Field(ge=0, le=100_000)]
    batch_per_day: Annotated[int, Field(ge=0, le=100_000)]
    manual_per_day: Annotated[int, Field(ge=0, le=10_000)]
    calls_per_minute: Annotated[int, Field(ge=1, le=10_000)]
    priority: Annotated[int, Field(ge=0, le=10)]


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

    def of(self, plan: str) -> PlanRules:
        """Return the rules of a wallet's plan."""
        rules: PlanRules = getattr(self, plan) if plan in type(self).model_fields else self.free
        return rules


class ImageRules(Record):
    """How a photo is prepared before it is sent: its longest side in pixels, and its JPEG quality."""

    side_max: Annotated[int, Field(ge=128, le=2048)] = 512
    jpeg_quality: Annotated[int, Field(ge=40, le=95)] = 80


class InstantRules(Record):
    """Whether the instant lane is open, how long it waits for the provider, and what it says when that is down."""

    open: bool = True
    provider_timeout_seconds: Annotated[float, Field(ge=0.1, le=50)] = 25
    lease_seconds: Annotated[int, Field(ge=60, le=3_600)] = 180
    retry_after_seconds: Annotated[int, Field(ge=1, le=3_600)] = 30

    @model_validator(mode="after")
    def _lease_outlives_call(self) -> "InstantRules":
        if self.lease_seconds <= 2 * self.provider_timeout_seconds:
            raise ValueError("leaseSeconds must be more than twice providerTimeoutSeconds")
        return self


class BatchRules(Record):
    """How queued jobs become OpenAI batches. `signed_urls` sends links to the prepared photos instead of the photos."""

    signed_urls: bool = False

    jobs_per_batch: Annotated[int, Field(ge=1, le=50_000)] = 100
    batches_per_run: Annotated[int, Field(ge=1, le=100)] = 10
    polls_per_run: Annotated[int, Field(ge=1, le=1_000)] = 100
    attempts_max: Annotated[int, Field(ge=1, le=10)] = 3
    lease_minutes: Annotated[int, Field(ge=1, le=120)] = 15
    expected_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 240

    @model_validator(mode="after")
    def _lease_outlives_run(self) -> "BatchRules":
        if timedelta(minutes=self.lease_minutes) <= FUNCTION_TIMEOUT:
            raise ValueError("leaseMinutes must outlive the functions' timeout of 9 minutes")
        return self


class BudgetRules(Record):
    """What the AI provider may cost, in micro-dollars, and from which share on a day is served by the batch lane alone.

    `override_mode` sets the mode until `override_until`: it closes lanes, or opens them early; it never lifts a limit.
    """

    daily_limit_micros: Annotated[int, Field(ge=0, le=10_000_000_000)] = 10_000_000
    monthly_limit_micros: Annotated[int, Field(ge=0, le=100_000_000_000)] = 200_000_000
    per_user_daily_micros: Annotated[int, Field(ge=0, le=10_000_000_000)] = 2_000_000
    batch_only_percent: Annotated[int, Field(ge=1, le=100)] = 80
    override_mode: Literal["normal", "batch_only", "closed"] | None = None
    override_until: AwareDatetime | None = None
    alert_uids: Annotated[tuple[str, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _override_ends(self) -> "BudgetRules":
        if (self.override_mode is None) != (self.override_until is None):
            raise ValueError("overrideMode and overrideUntil go together: an override that nobody ends stays for ever")
        return self


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

    def of(self, plan: str) -> Allowance | None:
        """Return a plan's allowance, None for a plan that there is not: what it was to bring, nobody can tell."""
        allowance: Allowance | None = getattr(self, plan) if plan in type(self).model_fields else None
        return allowance


class RefreshRules(Record):
    """What comes by itself, for how long after a user's last contact, and how many users one commit takes."""

    allowances: Allowances = Allowances()
    dormant_days: Annotated[int, Field(ge=1, le=365)] = 14
    users_per_page: Annotated[int, Field(ge=1, le=250)] = 200


class RuntimeConfig(Record):
    """The whole document. An absent document, section or field means its default."""

    tokens: TokenRules = TokenRules()
    plans: Plans = Plans()
    images: ImageRules = ImageRules()
    instant: InstantRules = InstantRules()
    batch: BatchRules = BatchRules()
    budget: BudgetRules = BudgetRules()
    refresh: RefreshRules = RefreshRules()
    default_region: Annotated[str, Field(min_length=2, max_length=64)] = "US"
    default_language: Annotated[str, Field(min_length=2, max_length=35)] = "en"


def merged(document: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with these changes, section by section. None takes a field out, back to its default."""
    result = dict(document)
    for name, value in changes.items():
        before = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Return what differs between two documents, as `{field, before, after}` by dotted name; None is the default."""
    found: list[dict[str, Any]] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            found += differences(
                old if isinstance(old, Mapping) else {}, new if isinstance(new, Mapping) else {}, f"{prefix}{name}."
            )
        elif old != new:
            found.append({"field": prefix + name, "before": old, "after": new})
    return found


REMOTE_KEYS: Mapping[str, tuple[str, str, Decimal]] = {
    "batch_token_price": ("tokens", "batchPrice", Decimal(1)),
    "instant_token_price": ("tokens", "instantPrice", Decimal(1)),
    "points_to_token_rate": ("tokens", "pointsPerToken", Decimal(1)),
    "daily_budget_usd": ("budget", "dailyLimitMicros", Decimal(1_000_000)),
}
"""What may be set in Firebase Remote Config: the section and field that a key stands for, and its factor to our
unit."""


def overlaid(document: Mapping[str, Any], values: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Return a document with the values of Remote Config over its own, and the keys that were left out.

    Each is taken for itself, if the whole is in range with it: a slip in one price leaves the others in force.
    """
    result, refused = dict(document), []
    for key in sorted(values.keys() & REMOTE_KEYS.keys()):
        section, field, factor = REMOTE_KEYS[key]
        try:
            changed = merged(result, {section: {field: Decimal(values[key].strip()) * factor}})
            RuntimeConfig.model_validate(changed)
        except (ArithmeticError, ValueError):
            refused.append(key)
        else:
            result = changed
    return result, refused
