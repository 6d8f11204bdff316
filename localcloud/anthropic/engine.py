"""What the stand-in does, without sockets and threads: messages and batches, all by the clock handed in."""

from pathlib import Path
from typing import Any

from localcloud.anthropic import messages
from localcloud.anthropic.batches import ENDPOINT, Batches
from localcloud.anthropic.faults import KINDS
from localcloud.anthropic.settings import Settings
from localcloud.clock import Clock
from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.images import Fetch, Gallery
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids


class Engine:
    """The parts put together. Every method may be called from several threads."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        settings: Settings,
        *,
        seed: int = 0,
        answers: Answer = no_wish,
        fetch: Fetch | None = None,
    ) -> None:
        """Keep files in `directory`; `clock` returns an aware UTC time. The rest is described in AnthropicStandIn."""
        self._clock = clock
        self.settings = settings
        self.ids = Ids(seed)
        self.faults = Faults(seed, KINDS)
        self._gallery = Gallery(answers, fetch)
        self.batches = Batches(settings, directory, self.faults, self.ids, self._answer_line)

    def now(self) -> float:
        """Return the time by the clock handed in, in seconds since 1970."""
        return self._clock().timestamp()

    def message(self, body: object, *, endpoint: str = "POST /v1/messages", custom_id: str = "") -> dict[str, Any]:
        """Return the message for a request's JSON. `endpoint` and `custom_id` are what faults select by.

        Raises:
            ApiError: the request is not in order.
        """
        return messages.complete(
            body,
            self._gallery,
            message_id=self.ids.new("msg_"),
            tool_use_id=self.ids.new("toolu_"),
            settings=self.settings,
            tier="batch" if custom_id else "standard",
            fault=self.faults.strike("answer", endpoint, custom_id),
        )

    def tick(self) -> int:
        """Move batches to where the clock is. Anthropic sends no events: returns 0."""
        self.batches.advance(self.now())
        return 0

    def _answer_line(self, params: dict[str, Any], custom_id: str) -> dict[str, Any]:
        return self.message(params, endpoint=ENDPOINT, custom_id=custom_id)
