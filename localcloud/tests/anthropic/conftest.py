"""What the stand-in's tests share: a clock to move, the real client in process and over a socket, pictures."""

import base64
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import pytest
from anthropic import Anthropic
from anthropic.types.messages import MessageBatch
from PIL import Image

from localcloud.anthropic import AnthropicStandIn
from localcloud.tests.still_clock import Clock

MODEL: Final = "claude-haiku-5-5"


@dataclass
class World:
    """A stand-in, the real client that talks to it, and the clock both live by."""

    standin: AnthropicStandIn
    client: Anthropic
    clock: Clock

    def body(self, **changes: Any) -> dict[str, Any]:
        """A small text request that does not think."""
        messages = [{"role": "user", "content": "What is it?"}]
        return {
            "model": MODEL,
            "max_tokens": 900,
            "messages": messages,
            "thinking": {"type": "disabled"},
            **changes,
        }

    def ask(self, **changes: Any) -> Any:
        """Send it."""
        return self.client.messages.create(**self.body(**changes))

    def submit(self, count: int, **changes: Any) -> MessageBatch:
        """Create a batch of requests `job-0`, `job-1`, ..."""
        lines: list[Any] = [{"custom_id": f"job-{number}", "params": self.body(**changes)} for number in range(count)]
        return self.client.messages.batches.create(requests=lines)

    def later(self, batch: MessageBatch, **step: float) -> MessageBatch:
        """Move the clock and look at the batch again."""
        self.clock.advance(**step)
        return self.client.messages.batches.retrieve(batch.id)

    def results(self, batch: MessageBatch) -> list[tuple[str, Any]]:
        """Return custom_id and result of each line."""
        return [(line.custom_id, line.result) for line in self.client.messages.batches.results(batch.id)]


@pytest.fixture
def clock() -> Clock:
    """A clock at noon."""
    return Clock()


@pytest.fixture
def make_world(clock: Clock) -> Iterator[Callable[..., World]]:
    """Make a stand-in with given settings, in process unless `socket=True`."""
    made: list[World] = []

    def make(*, socket: bool = False, **arguments: Any) -> World:
        standin = AnthropicStandIn(clock=clock, **arguments)
        if socket:
            standin.start()
        http = None if socket else standin.http_client()
        client = Anthropic(api_key="sk-ant-test", base_url=standin.base_url, http_client=http, max_retries=0)
        made.append(World(standin, client, clock))
        return made[-1]

    yield make
    for world in made:
        world.client.close()
        world.standin.stop()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A stand-in in process."""
    return make_world()


@pytest.fixture
def wire(make_world: Callable[..., World]) -> World:
    """A stand-in behind a socket."""
    return make_world(socket=True)


def picture(size: tuple[int, int] = (320, 240), kind: str = "JPEG", shade: int = 90) -> bytes:
    """A plain picture."""
    content = io.BytesIO()
    Image.new("RGB", size, (shade, 40, 40)).save(content, kind)
    return content.getvalue()


def inline(content: bytes, media_type: str = "image/jpeg") -> dict[str, Any]:
    """A base64 source."""
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(content).decode()}


def showing(source: Any) -> list[Any]:
    """Messages that show one image."""
    return [{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]}]


def strictly(schema: dict[str, Any]) -> dict[str, Any]:
    """An `output_config` with a schema."""
    return {"format": {"type": "json_schema", "schema": schema}}


def item_schema() -> dict[str, Any]:
    """A schema with what structured outputs take."""
    properties = {
        "name": {"type": "string"},
        "kind": {"type": "string", "enum": ["animal", "plant", "thing"]},
        "legs": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "steps": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    }
    return {"type": "object", "additionalProperties": False, "required": [*properties], "properties": properties}


@pytest.fixture
def kit() -> SimpleNamespace:
    """The makers above, for tests in other files."""
    return SimpleNamespace(
        picture=picture, inline=inline, showing=showing, strictly=strictly, item_schema=item_schema, model=MODEL
    )
