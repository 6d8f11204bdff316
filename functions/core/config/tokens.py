"""What an operator may change of tokens: a part of `config/runtime`."""

from typing import Annotated

from pydantic import Field, model_validator

from functions.core.shared.records import Record


class SurgeStep(Record):
    """Above this many queued jobs a batch photo costs this many percent of its price."""

    queued_above: Annotated[int, Field(ge=1, le=10_000_000)]
    percent: Annotated[int, Field(ge=100, le=1_000)]


class TokenRules(Record):
    """What tokens cost and bring."""

    welcome: Annotated[int, Field(ge=0, le=1_000)] = 10
    instant_price: Annotated[int, Field(ge=1, le=1_000)] = 5
    batch_price: Annotated[int, Field(ge=1, le=1_000)] = 1
    cached_price: Annotated[int, Field(ge=1, le=1_000)] = 1
    balance_cap: Annotated[int, Field(ge=1, le=100_000)] = 200
    daily_bonus: Annotated[int, Field(ge=0, le=1_000)] = 2
    manual_reward: Annotated[int, Field(ge=0, le=1_000)] = 1
    points_per_classification: Annotated[int, Field(ge=0, le=10_000)] = 10
    points_per_cached_answer: Annotated[int, Field(ge=0, le=10_000)] = 0
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
