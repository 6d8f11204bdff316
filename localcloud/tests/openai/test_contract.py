"""What must hold for the stand-in and for the real service alike.

Runs on the stand-in always. With `OPENAI_CONTRACT=1` and `OPENAI_API_KEY` (and `OPENAI_BASE_URL` for another compatible
server) the same tests run there too; they cost a fraction of a cent with the cheapest model, which
`OPENAI_CONTRACT_MODEL` may replace. The first variable keeps a key in the environment from being spent by accident.
"""

import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema
import openai
import pytest
from openai import OpenAI

SERVICES = ["stand-in in process", "stand-in over a socket"]
if os.environ.get("OPENAI_CONTRACT") and os.environ.get("OPENAI_API_KEY"):
    SERVICES.append("service of the environment")


@dataclass
class Service:
    """A client of the service under test and the model to ask."""

    client: OpenAI
    model: str


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, make_world: Callable[..., Any]) -> Iterator[Service]:
    """Each service in turn."""
    if request.param.startswith("stand-in"):
        yield Service(make_world(socket="socket" in request.param).client, "gpt-6-luna")
        return
    with OpenAI() as client:
        yield Service(client, os.environ.get("OPENAI_CONTRACT_MODEL", "gpt-6-luna"))


def _ask(service: Service, **changes: Any) -> Any:
    body = {"model": service.model, "messages": [{"role": "user", "content": "Answer in one short sentence."}]}
    return service.client.chat.completions.create(**{**body, **changes})


def _upload(service: Service, lines: list[Any]) -> Any:
    content = "\n".join(json.dumps(line) for line in lines).encode()
    policy: Any = {"anchor": "created_at", "seconds": 3600}
    return service.client.files.create(file=("input.jsonl", content), purpose="batch", expires_after=policy)


def _line(service: Service) -> Any:
    body = {"model": service.model, "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 50}
    return {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": body}


def test_an_image_and_a_strict_schema(service: Service, kit: Any) -> None:
    """An inline image with a strict schema gets an answer valid against it, with usage."""
    schema = kit.item_schema()
    messages = kit.showing(kit.data_url(kit.picture()), "low", text="What is in the photo?")
    answer = _ask(service, messages=messages, response_format=kit.strictly(schema))
    jsonschema.validate(json.loads(answer.choices[0].message.content), schema)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 100
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_unknown_model(service: Service) -> None:
    """A model that nobody offers is a 404 with its code."""
    with pytest.raises(openai.NotFoundError) as caught:
        _ask(service, model="gpt-no-such-model")
    assert caught.value.code == "model_not_found"


def test_unknown_parameter(service: Service) -> None:
    """A parameter that nobody knows is a 400."""
    with pytest.raises(openai.BadRequestError):
        _ask(service, extra_body={"frobnicate": True})


def test_schema_that_is_not_strict(service: Service, kit: Any) -> None:
    """An open object in a strict schema is a 400 on response_format."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    with pytest.raises(openai.BadRequestError, match="additionalProperties"):
        _ask(service, response_format=kit.strictly(schema))


def test_image_that_is_none(service: Service, kit: Any) -> None:
    """Text in an image's place is a 400."""
    with pytest.raises(openai.BadRequestError):
        _ask(service, messages=kit.showing(kit.data_url(b"this is text named .jpg")))


def test_cut_answer(service: Service) -> None:
    """An answer that does not fit is cut and says so."""
    messages = [{"role": "user", "content": "Count from one to five hundred in words."}]
    assert _ask(service, messages=messages, max_completion_tokens=16).choices[0].finish_reason == "length"


def test_max_tokens_is_for_older_models(service: Service) -> None:
    """Reasoning models refuse max_tokens by name."""
    with pytest.raises(openai.BadRequestError) as caught:
        _ask(service, max_tokens=16)
    assert caught.value.param == "max_tokens"


def test_files(service: Service) -> None:
    """A file is there after its upload, as it was sent, and gone after its deletion."""
    file = _upload(service, [_line(service)])
    assert file.expires_at == file.created_at + 3600
    assert service.client.files.retrieve(file.id).bytes == file.bytes
    assert json.loads(service.client.files.content(file.id).text)["custom_id"] == "one"
    assert service.client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        service.client.files.retrieve(file.id)


def test_batches(service: Service) -> None:
    """A batch begins to be validated, is found in the list by its metadata, and can be cancelled."""
    ours = str(uuid.uuid4())
    batch = service.client.batches.create(
        input_file_id=_upload(service, [_line(service)]).id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"batchId": ours},
    )
    assert (batch.status, batch.expires_at) == ("validating", batch.created_at + 24 * 3600)
    found = [
        listed.id
        for listed in service.client.batches.list(limit=20).data
        if (listed.metadata or {}).get("batchId") == ours
    ]
    assert found == [batch.id]
    assert service.client.batches.cancel(batch.id).status in {"cancelling", "cancelled"}


def test_batch_requests_out_of_order(service: Service) -> None:
    """Another window than 24 hours, or metadata over the limits, is a 400 at once."""
    file = _upload(service, [_line(service)])
    wrong: Any
    for wrong in ({"completion_window": "1h"}, {"metadata": {"key": "v" * 513}}):
        request: Any = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        with pytest.raises(openai.BadRequestError):
            service.client.batches.create(**{**request, **wrong})
    service.client.files.delete(file.id)


def test_no_such_batch(service: Service) -> None:
    """A batch that is not there is a 404."""
    with pytest.raises(openai.NotFoundError):
        service.client.batches.retrieve("batch_000000000000000000000000")


def test_no_key(service: Service) -> None:
    """A call without a valid key is a 401."""
    client = service.client.with_options(default_headers={"Authorization": "Basic bm9ib2R5"})
    with pytest.raises(openai.AuthenticationError):
        client.batches.list()
