"""The stand-in for OpenAI as its users hold it."""

import time
from collections.abc import Callable, Mapping
from typing import TypedDict, Unpack

from localcloud.clock import Clock, utc_now
from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.api import Api
from localcloud.openai.azure import BASE_PATH, Azure, Deployment
from localcloud.openai.engine import Engine
from localcloud.openai.images import Fetch
from localcloud.openai.settings import Settings
from localcloud.standins.base import StandIn
from localcloud.standins.deliveries import Send, post


class SettingsArguments(TypedDict, total=False):
    """The fields of Settings, as keyword arguments."""

    batch_minutes: float
    latency_ms: float
    enqueued_token_limit: int | None
    cached_tokens: int
    blank_error_file_share: float
    batch_lines_max: int
    batch_bytes_max: int
    webhook_url: str | None
    webhook_secret: str | None


class OpenAIStandIn(StandIn):
    """Answers the OpenAI client: chat completions with images, files, batches and signed events."""

    settings: Settings

    def __init__(
        self,
        port: int = 0,
        clock: Clock = utc_now,
        *,
        seed: int = 0,
        answers: Answer = no_wish,
        fetch: Fetch | None = None,
        send_webhook: Send = post,
        signing_time: Callable[[], float] = time.time,
        azure: Mapping[str, Deployment] | None = None,
        **settings: Unpack[SettingsArguments],
    ) -> None:
        """Put the parts together; nothing listens before `start`.

        Args:
            port: Where to listen on 127.0.0.1; 0 takes a free port.
            clock: Returns the time as an aware datetime; everything but webhook signatures reads it.
            seed: What identifiers, orders, durations and faults are drawn from.
            answers: What to say of a picture, as far as a request's schema lets it; see answers.py.
            fetch: How image URLs are fetched (URL to bytes); by default over HTTP.
            send_webhook: How events are sent (URL, body, headers to HTTP status); by default over HTTP.
            signing_time: Seconds since 1970 for webhook signatures; see webhooks.py for why it is not the clock.
            azure: Deployments by name, to be a resource of Azure in place of OpenAI; see azure.py for what differs.
            settings: Fields of Settings, such as `batch_minutes`, `latency_ms` and `webhook_url`.
        """
        super().__init__("openai", port)
        self.settings = Settings(**settings)
        self.engine = Engine(
            self.directory,
            clock,
            self.settings,
            seed=seed,
            answers=answers,
            fetch=fetch,
            send=send_webhook,
            signing_time=signing_time,
            azure=None if azure is None else Azure(azure),
        )
        self.faults, self.application = self.engine.faults, Api(self.engine, self.requests)

    @property
    def base_path(self) -> str:
        """Where the API begins."""
        return "/v1" if self.engine.azure is None else BASE_PATH

    def tick(self) -> int:
        """Move batches to where the clock is, deliver due webhooks, return how many were accepted."""
        return self.engine.tick()
