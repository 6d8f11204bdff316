"""The stand-in for Anthropic as its users hold it."""

from typing import TypedDict, Unpack

from localcloud.anthropic.api import Api
from localcloud.anthropic.engine import Engine
from localcloud.anthropic.settings import Settings
from localcloud.clock import Clock, utc_now
from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.images import Fetch
from localcloud.standins.base import StandIn


class SettingsArguments(TypedDict, total=False):
    """The fields of Settings, as keyword arguments."""

    batch_minutes: float
    latency_ms: float
    cache_read_tokens: int
    cache_write_tokens: int
    batch_requests_max: int
    batch_bytes_max: int


class AnthropicStandIn(StandIn):
    """Answers the Anthropic client: messages with images, structured outputs and tools, and message batches."""

    settings: Settings

    def __init__(
        self,
        port: int = 0,
        clock: Clock = utc_now,
        *,
        seed: int = 0,
        answers: Answer = no_wish,
        fetch: Fetch | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """Put the parts together; nothing listens before `start`.

        Args:
            port: Where to listen on 127.0.0.1; 0 takes a free port.
            clock: Returns the time as an aware datetime.
            seed: What identifiers, orders, durations and faults are drawn from.
            answers: What to say of a picture, as far as a request's schema lets it; see localcloud/openai/answers.py.
            fetch: How image URLs are fetched (URL to bytes); by default over HTTPS.
            settings: Fields of Settings, such as `batch_minutes` and `latency_ms`.
        """
        super().__init__("anthropic", port)
        self.settings = Settings(**settings)
        self.engine = Engine(self.directory, clock, self.settings, seed=seed, answers=answers, fetch=fetch)
        self.faults, self.application = self.engine.faults, Api(self.engine, self.requests)

    def tick(self) -> int:
        """Move batches to where the clock is."""
        return self.engine.tick()
