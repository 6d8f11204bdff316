"""What an operator may change without a deploy: one typed document, `config/runtime`, with safe defaults. Every value
has a range, so that a slip is an error and not a bill. Prices are tokens, times carry their unit."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BeforeValidator, Field, model_validator

from functions.core.config.achievements import AchievementRules
from functions.core.config.billing import BillingRules
from functions.core.config.bulk import BulkRules
from functions.core.config.events import AheadRules
from functions.core.config.leaderboard import LeaderboardRules
from functions.core.config.plans import Allowances, Plans
from functions.core.config.price_overrides import PriceOverride
from functions.core.config.provider_rules import ProviderRules
from functions.core.config.shop import ShopRules
from functions.core.config.tokens import TokenRules
from functions.core.rollouts.flags import Flags
from functions.core.shared.records import Record, Uid
from functions.core.shared.time_limits import CALL_TIMEOUT, FUNCTION_TIMEOUT


class ImageRules(Record):
    """How a photo is prepared before it is sent: its longest side in pixels, and its JPEG quality. `next_side_max` is
    the side that the flag `side` tries beside `side_max`; none, and nobody's photo has it."""

    side_max: Annotated[int, Field(ge=128, le=2048)] = 512
    next_side_max: Annotated[int, Field(ge=128, le=2048)] | None = None
    jpeg_quality: Annotated[int, Field(ge=40, le=95)] = 80


class InstantRules(Record):
    """Whether the instant lane is open, how long it waits for the provider, and what it says when that is down."""

    open: bool = True
    provider_timeout_seconds: Annotated[float, Field(ge=0.1, le=50)] = 25
    lease_seconds: Annotated[int, Field(gt=CALL_TIMEOUT.total_seconds(), le=3_600)] = 180
    retry_after_seconds: Annotated[int, Field(ge=1, le=3_600)] = 30


JOBS_PER_BATCH_MAX = 5_000
"""What a run can prepare: 190 MB are 5,000 photos of 37 kB as text, and six minutes are 78 ms for each, on one CPU."""


def _at_most_a_run(value: object) -> object:
    """Take what earlier releases allowed, up to OpenAI's own 50,000, for the most."""
    return JOBS_PER_BATCH_MAX if isinstance(value, int) and JOBS_PER_BATCH_MAX < value <= 50_000 else value


class BatchRules(Record):
    """How queued jobs become batches. `signed_urls` sends links to the prepared photos instead of the photos,
    where these are too large: IAM promises links for twelve hours, a batch can take 24, and a dead link costs an
    attempt."""

    signed_urls: bool = False

    jobs_per_batch: Annotated[int, BeforeValidator(_at_most_a_run), Field(ge=1, le=JOBS_PER_BATCH_MAX)] = 100
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
    """What the AI provider may cost, in micro-dollars. `batch_only_percent` of the daily limit leaves only the batch
    lane open. `override_mode` closes or opens lanes until `override_until`; it never lifts a limit."""

    daily_limit_micros: Annotated[int, Field(ge=0, le=10_000_000_000)] = 10_000_000
    monthly_limit_micros: Annotated[int, Field(ge=0, le=100_000_000_000)] = 200_000_000
    per_user_daily_micros: Annotated[int, Field(ge=0, le=10_000_000_000)] = 2_000_000
    batch_only_percent: Annotated[int, Field(ge=1, le=100)] = 80
    override_mode: Literal["normal", "batch_only", "closed"] | None = None
    override_until: AwareDatetime | None = None
    alert_uids: Annotated[tuple[Uid, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _override_ends(self) -> "BudgetRules":
        if (self.override_mode is None) != (self.override_until is None):
            raise ValueError("overrideMode and overrideUntil go together: an override that nobody ends stays for ever")
        return self


class RefreshRules(Record):
    """What comes by itself, for how long after a user's last contact, and how many users one commit takes."""

    allowances: Allowances = Allowances()
    dormant_days: Annotated[int, Field(ge=1, le=365)] = 14
    users_per_page: Annotated[int, Field(ge=1, le=250)] = 200


class CacheMode(StrEnum):
    """What a tier of the cache does: nothing, note what it would have answered, or answer."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


class CacheRules(Record):
    """Whether a user's photo that comes again gets the answer that there is: the same file (`exact`), and nearly the
    same picture (`near`), as far as that is certified to be wrong in at most `wrong_percent_max` of its answers. No
    answer is given again after `age_days_max`, nor one from before `not_before`. With `shared` in shadow it is counted
    how often a photo is another user's, too; that never answers."""

    exact: CacheMode = CacheMode.OFF
    near: CacheMode = CacheMode.OFF
    shared: Literal[CacheMode.OFF, CacheMode.SHADOW] = CacheMode.OFF
    age_days_max: Annotated[int, Field(ge=1, le=89)] = 30
    wrong_percent_max: Annotated[float, Field(ge=0.1, le=10)] = 1
    not_before: AwareDatetime | None = None

    @property
    def modes(self) -> set[CacheMode]:
        """What its tiers do."""
        return {self.exact, self.near}


class ModelRules(Record):
    """`next` is the model that the flag `model` tries beside the deploy's OPENAI_MODEL; none, and nobody gets it.
    `prices` are those that hold instead of the price library's."""

    next: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    prices: Annotated[tuple[PriceOverride, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _one_price_a_day(self) -> "ModelRules":
        if len({(each.provider, each.model, each.lane, each.since) for each in self.prices}) < len(self.prices):
            raise ValueError("two prices of one model and lane begin on the same day")
        return self


class RuntimeConfig(Record):
    """The whole document. An absent document, section or field means its default."""

    tokens: TokenRules = TokenRules()
    plans: Plans = Plans()
    images: ImageRules = ImageRules()
    instant: InstantRules = InstantRules()
    providers: ProviderRules = ProviderRules()
    batch: BatchRules = BatchRules()
    bulk: BulkRules = BulkRules()
    budget: BudgetRules = BudgetRules()
    refresh: RefreshRules = RefreshRules()
    model: ModelRules = ModelRules()
    cache: CacheRules = CacheRules()
    ahead: AheadRules = AheadRules()
    billing: BillingRules = BillingRules()
    achievements: AchievementRules = AchievementRules()
    leaderboard: LeaderboardRules = LeaderboardRules()
    shop: ShopRules = ShopRules()
    flags: Flags = Flags()
    default_region: Annotated[str, Field(min_length=2, max_length=64)] = "US"
    default_language: Annotated[str, Field(min_length=2, max_length=35)] = "en"
