"""What the stand-in does, without sockets and threads: chat, files, batches, events, all by the clock handed in."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localcloud.clock import Clock
from localcloud.openai import chat
from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.azure import Azure, annotated, filtered
from localcloud.openai.batch_lines import LineWorker
from localcloud.openai.batches import Batches
from localcloud.openai.faults import KINDS
from localcloud.openai.files import Files
from localcloud.openai.images import Fetch, Gallery
from localcloud.openai.settings import Settings
from localcloud.openai.webhooks import Webhooks
from localcloud.standins.deliveries import Send, post
from localcloud.standins.faults import Faults
from localcloud.standins.ids import Ids


class Engine:
    """The parts put together. Every method may be called from several threads."""

    def __init__(  # noqa: PLR0913  (each part that can be replaced)
        self,
        directory: Path,
        clock: Clock,
        settings: Settings,
        *,
        seed: int = 0,
        answers: Answer = no_wish,
        fetch: Fetch | None = None,
        send: Send = post,
        signing_time: Callable[[], float] = time.time,
        azure: Azure | None = None,
    ) -> None:
        """Keep files in `directory`; `clock` returns an aware UTC time. The rest is described in OpenAIStandIn."""
        self._clock, self.azure = clock, azure
        self.settings = settings
        self.ids = Ids(seed)
        self.faults = Faults(seed, KINDS)
        self.files = Files(directory, self.ids)
        self.webhooks = Webhooks(settings, self.faults, self.ids, send, signing_time)
        self._gallery = Gallery(answers, fetch)
        worker = LineWorker(self._answer_line, self.faults, self.ids)
        self.batches = Batches(
            settings, self.files, self.faults, self.ids, self._gallery, worker, self.webhooks.announce, azure
        )

    def now(self) -> int:
        """Return the time by the clock handed in, in whole seconds since 1970."""
        return int(self._clock().timestamp())

    def chat(self, body: object, *, endpoint: str = "POST /v1/chat/completions", custom_id: str = "") -> dict[str, Any]:
        """Return the completion for a request's JSON. `endpoint` and `custom_id` are what faults select by.

        Raises:
            ApiError: the request is not in order.
        """
        if self.azure is not None and isinstance(body, dict):
            body = self.azure.on_model(body, batch=bool(custom_id))
        fault = self.faults.strike("answer", endpoint, custom_id)
        if fault is not None and fault.kind == "content_filter":
            raise filtered()
        completion = chat.complete(
            body,
            self._gallery,
            completion_id=self.ids.new("chatcmpl-"),
            created=self.now(),
            cached_tokens=self.settings.cached_tokens,
            fault=fault,
        )
        return completion if self.azure is None else annotated(completion)

    def tick(self) -> int:
        """Move batches to where the clock is and deliver the events that are due; return how many were accepted."""
        self.batches.advance(self.now())
        return self.webhooks.deliver_due(self.now())

    def _answer_line(self, body: dict[str, Any], custom_id: str) -> dict[str, Any]:
        return self.chat(body, endpoint="BATCH /v1/chat/completions", custom_id=custom_id)
