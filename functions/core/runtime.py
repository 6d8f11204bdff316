"""What an operator may change without a deploy: one typed document, `config/runtime`, with safe defaults.

Every value has a range, so that a slip of the hand is an error and not a bill. Prices are tokens, times carry their
unit.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import Field, model_validator

from functions.core.records import Record

FUNCTION_TIMEOUT = timedelta(seconds=540)
"""The longest a scheduled function may run (main.py asks for it); leases have to outlive it."""


class TokenRules(Record):
    """What tokens cost and bring."""

    welcome: Annotated[int, Field(ge=0, le=1_000)] = 10
    instant_price: Annotated[int, Field(ge=1, le=1_000)] = 5
    batch_price: Annotated[int, Field(ge=1, le=1_000)] = 1
    balance_cap: Annotated[int, Field(ge=1, le=100_000)] = 200

    @model_validator(mode="after")
    def _payable(self) -> "TokenRules":
        if max(self.instant_price, self.batch_price, self.welcome) > self.balance_cap:
            raise ValueError("prices and the welcome bonus must not exceed balanceCap: nobody could ever hold enough")
        return self


class ImageRules(Record):
    """How a photo is prepared before it is sent: its longest side in pixels, and its JPEG quality."""

    side_max: Annotated[int, Field(ge=128, le=2048)] = 512
    jpeg_quality: Annotated[int, Field(ge=40, le=95)] = 80


class InstantRules(Record):
    """How long an instant call waits for the provider, and what it tells the app when the provider is down."""

    provider_timeout_seconds: Annotated[float, Field(ge=0.1, le=50)] = 25
    lease_seconds: Annotated[int, Field(ge=60, le=3_600)] = 180
    retry_after_seconds: Annotated[int, Field(ge=1, le=3_600)] = 30

    @model_validator(mode="after")
    def _lease_outlives_call(self) -> "InstantRules":
        if self.lease_seconds <= 2 * self.provider_timeout_seconds:
            raise ValueError("leaseSeconds must be more than twice providerTimeoutSeconds")
        return self


class BatchRules(Record):
    """How queued jobs become OpenAI batches."""

    jobs_per_batch: Annotated[int, Field(ge=1, le=3_000)] = 100
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


class RuntimeConfig(Record):
    """The whole document. An absent document, section or field means its default."""

    tokens: TokenRules = TokenRules()
    images: ImageRules = ImageRules()
    instant: InstantRules = InstantRules()
    batch: BatchRules = BatchRules()
    default_region: Annotated[str, Field(min_length=2, max_length=64)] = "US"
    default_language: Annotated[str, Field(min_length=2, max_length=35)] = "en"
