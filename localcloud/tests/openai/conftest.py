"""What the stand-in's tests share: a clock to move, clients in process and over a socket, pictures, batch lines."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from openai import OpenAI
from openai.types import Batch, FileObject
from PIL import Image, ImageDraw

from localcloud.openai import OpenAIStandIn
from localcloud.tests.still_clock import Clock

ENDPOINT: Final = "/v1/chat/completions"
MODEL = "gpt-6-luna"

Answer = dict[str, Any]


@dataclass
class World:
    """A stand-in, a client that talks to it, and the clock both live by."""

    standin: OpenAIStandIn
    client: OpenAI
    clock: Clock

    def body(self, **changes: Any) -> dict[str, Any]:
        """A small text request."""
        return {"model": MODEL, "messages": [{"role": "user", "content": "What is it?"}], **changes}

    def lines(self, count: int, **changes: Any) -> list[dict[str, Any]]:
        """Batch input lines `job-0`, `job-1`, ..."""
        return [
            {"custom_id": f"job-{number}", "method": "POST", "url": ENDPOINT, "body": self.body(**changes)}
            for number in range(count)
        ]

    def upload(self, lines: list[dict[str, Any]] | bytes) -> FileObject:
        """Upload a batch input."""
        content = lines if isinstance(lines, bytes) else "\n".join(json.dumps(line) for line in lines).encode()
        return self.client.files.create(file=("input.jsonl", content), purpose="batch")

    def submit(self, lines: list[dict[str, Any]] | bytes, **options: Any) -> Batch:
        """Upload a batch input and create the batch."""
        file = self.upload(lines)
        return self.client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", **options)

    def later(self, batch: Batch, **step: float) -> Batch:
        """Move the clock and look at the batch again."""
        self.clock.advance(**step)
        return self.client.batches.retrieve(batch.id)

    def finished(self, lines: list[dict[str, Any]] | bytes, **options: Any) -> Batch:
        """Submit a batch and wait until it must be through."""
        return self.later(self.submit(lines, **options), minutes=self.standin.settings.batch_minutes)

    def output(self, file_id: str | None) -> list[Answer]:
        """The lines of an output or error file."""
        assert file_id
        return [json.loads(line) for line in self.client.files.content(file_id).text.splitlines()]


@pytest.fixture
def clock() -> Clock:
    """A clock at noon."""
    return Clock()


@pytest.fixture
def make_world(clock: Clock) -> Iterator[Callable[..., World]]:
    """Make a stand-in with given settings, in process unless `socket=True`."""
    made: list[World] = []

    def make(*, socket: bool = False, **arguments: Any) -> World:
        standin = OpenAIStandIn(clock=clock, **arguments)
        if socket:
            standin.start()
        http = None if socket else standin.http_client()
        client = OpenAI(api_key="sk-test", base_url=standin.base_url, http_client=http, max_retries=0)
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


def picture(
    colour: tuple[int, int, int] = (180, 40, 40), size: tuple[int, int] = (320, 240), kind: str = "JPEG"
) -> bytes:
    """An ellipse before a grey wall."""
    image = Image.new("RGB", size, (200, 200, 200))
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4), fill=colour)
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


def data_url(content: bytes, media_type: str = "image/jpeg") -> str:
    """Bytes as a data URL."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def showing(url: str, detail: str = "auto", text: str = "What is it?") -> list[Any]:
    """Messages that show one image."""
    image = {"type": "image_url", "image_url": {"url": url, "detail": detail}}
    return [{"role": "user", "content": [{"type": "text", "text": text}, image]}]


def strictly(schema: dict[str, Any], name: str = "answer") -> Any:
    """A strict `response_format`."""
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def item_schema() -> dict[str, Any]:
    """A schema with what strict mode offers: enums, limits, null, lists, objects in objects."""
    text, flag = {"type": "string"}, {"type": "boolean"}
    kind = {"type": "string", "enum": ["animal", "plant", "thing"]}
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return _object(
        name=text,
        kind=kind,
        confidence=share,
        isAlive=flag,
        legs={"anyOf": [{"type": "integer", "minimum": 0, "maximum": 8}, {"type": "null"}]},
        care=_object(steps={"type": "array", "items": text, "minItems": 1, "maxItems": 6}, urgent=flag),
        alternatives={"type": "array", "maxItems": 3, "items": _object(kind=kind, confidence=share)},
    )


@dataclass(frozen=True)
class Kit:
    """The helpers above, for tests to ask for: test folders are no packages to import from."""

    picture: Callable[..., bytes] = picture
    data_url: Callable[..., str] = data_url
    showing: Callable[..., list[Any]] = showing
    strictly: Callable[..., Any] = strictly
    item_schema: Callable[[], dict[str, Any]] = item_schema
    object_schema: Callable[..., dict[str, Any]] = _object


@pytest.fixture(scope="session")
def kit() -> Kit:
    """Pictures, requests and schemas."""
    return Kit()
