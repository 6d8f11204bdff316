"""Chat completions: what is answered, counted and refused."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI
from PIL import Image

from localcloud.openai.errors import invalid


def test_an_answer_follows_the_requests_own_schema(world: Any, kit: Any) -> None:
    """Without a word from the project the answer is valid, generic, and the same for the same photo."""
    schema = kit.item_schema()

    def ask(colour: tuple[int, int, int]) -> Any:
        messages = kit.showing(kit.data_url(kit.picture(colour)))
        return world.client.chat.completions.create(
            **world.body(messages=messages, response_format=kit.strictly(schema))
        )

    answers = [ask((shade, 40, 40)) for shade in (10, 10, 60, 110, 160, 210)]
    results = [json.loads(answer.choices[0].message.content) for answer in answers]
    for result in results:
        jsonschema.validate(result, schema)
    assert results[0] == results[1]
    assert len({result["kind"] for result in results}) > 1
    assert results[0]["name"] == "stand-in"
    assert answers[0].choices[0].finish_reason == "stop"
    assert (answers[0].model, answers[0].system_fingerprint) == ("gpt-6-luna", "fp_standin")


def test_a_project_says_what_its_pictures_show(make_world: Callable[..., Any], kit: Any) -> None:
    """Values that the project's function returns stand wherever the schema has a property of that name and type; each
    picture is looked at once."""
    seen: list[tuple[int, int] | None] = []

    def answers(image: Image.Image | None) -> dict[str, Any]:
        seen.append(image.size if image else None)
        return {"name": "cat", "kind": "animal", "confidence": 7, "care": {"steps": ["feed"], "urgent": 3}, "more": 1}

    world = make_world(answers=answers)
    body = world.body(
        messages=kit.showing(kit.data_url(kit.picture())), response_format=kit.strictly(kit.item_schema())
    )
    for _ in range(2):
        result = json.loads(world.client.chat.completions.create(**body).choices[0].message.content)
    assert (result["name"], result["kind"], result["confidence"]) == ("cat", "animal", 1)
    assert result["care"] == {"steps": ["feed"], "urgent": True}
    assert (result["legs"], result["alternatives"]) == (None, [])
    assert seen == [(320, 240)]

    prose = world.client.chat.completions.create(**world.body()).choices[0].message.content
    assert '"name": "cat"' in prose
    assert seen[-1] is None


def test_usage_adds_up(make_world: Callable[..., Any], kit: Any) -> None:
    """Prompt tokens are text, schema, message overhead and image by the model's formula, and cached ones are as set."""
    world = make_world(cached_tokens=100)
    schema = kit.object_schema(itemName={"type": "string"})
    answer = world.client.chat.completions.create(
        **world.body(
            model="gpt-4o",
            messages=kit.showing(kit.data_url(kit.picture(size=(1024, 1024))), "high", text="x" * 40),
            response_format=kit.strictly(schema),
        )
    )
    schema_tokens = -(-len(json.dumps(schema, separators=(",", ":"))) // 4)
    assert answer.usage.prompt_tokens == 10 + schema_tokens + 3 + 3 + 765
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens == -(-len(answer.choices[0].message.content) // 4)
    assert answer.usage.prompt_tokens_details.cached_tokens == 100
    assert answer.usage.completion_tokens_details.reasoning_tokens == 0


def test_low_detail_costs_the_base_alone(world: Any, kit: Any) -> None:
    """On a tile model, detail low saves all tiles."""
    url = kit.data_url(kit.picture(size=(1024, 1024)))

    def prompt_tokens(detail: str) -> int:
        body = world.body(model="gpt-4o", messages=kit.showing(url, detail))
        return int(world.client.chat.completions.create(**body).usage.prompt_tokens)

    assert prompt_tokens("high") - prompt_tokens("low") == 4 * 170
    assert prompt_tokens("auto") == prompt_tokens("high")


def test_answers_without_a_schema(world: Any) -> None:
    """Asked for text there is prose that says what it is, asked for a JSON object there is one."""
    prose = world.client.chat.completions.create(**world.body()).choices[0].message.content
    assert prose.startswith("Stand-in answer:")
    body = world.body(response_format={"type": "json_object"})
    answer = json.loads(world.client.chat.completions.create(**body).choices[0].message.content)
    assert answer == {"answer": "stand-in"}


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_answer_is_cut_at_the_limit(world: Any, limit: str) -> None:
    """An answer longer than the limit is cut there and says so."""
    body = world.body(model="gpt-4o", **{limit: 10})
    answer = world.client.chat.completions.create(**body)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 10


def test_harmless_parameters_are_accepted(world: Any) -> None:
    """Parameters that change nothing here are accepted as the service accepts them."""
    options = {
        "temperature": 0.2, "seed": 7, "user": "u", "metadata": {"a": "b"}, "n": 1, "prompt_cache_key": "k",
        "store": False, "reasoning_effort": "low", "top_p": 1, "service_tier": "auto", "verbosity": "low",
        "max_completion_tokens": 900,
    }  # fmt: skip
    assert world.client.chat.completions.create(**world.body(**options)).choices


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"extra_body": {"frobnicate": 1}}, "unknown_parameter", "frobnicate"),
        ({"temperature": 3}, "decimal_out_of_range", "temperature"),
        ({"temperature": "warm"}, "invalid_type", "temperature"),
        ({"n": 2}, "unsupported_value", "n"),
        ({"reasoning_effort": "heroic"}, "invalid_value", "reasoning_effort"),
        ({"max_completion_tokens": 0}, "integer_below_min_value", "max_completion_tokens"),
        ({"max_completion_tokens": "ten"}, "invalid_type", "max_completion_tokens"),
        ({"max_tokens": 10}, "unsupported_parameter", "max_tokens"),
        ({"messages": []}, "empty_array", "messages"),
        ({"messages": "hello"}, "invalid_type", "messages"),
        ({"messages": [3]}, "invalid_type", "messages[0]"),
        ({"messages": [{"role": "pope", "content": "x"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "invalid_type", "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "missing_required_parameter",
            "messages[0].content[0].text",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
            "invalid_value",
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "invalid_type",
            "messages[0].content[0].image_url",
        ),
        ({"metadata": {f"k{number}": "v" for number in range(17)}}, "object_above_max_properties", "metadata"),
        ({"metadata": {"k" * 65: "v"}}, "string_above_max_length", "metadata"),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "metadata.k"),
        ({"metadata": {"k": 1}}, "invalid_type", "metadata.k"),
        ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "missing_required_parameter", "response_format.json_schema"),
    ],
)
def test_bad_requests(world: Any, changes: dict[str, Any], code: str, param: str) -> None:
    """A request that is not in order is refused with a 400 that names the parameter and the rule."""
    with pytest.raises(BadRequestError) as caught:
        world.client.chat.completions.create(**world.body(**changes))
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.type == "invalid_request_error"


def test_streaming_is_refused_in_clear_words(world: Any) -> None:
    """The one thing that is not served says so."""
    with pytest.raises(BadRequestError, match="does not stream"):
        world.client.chat.completions.create(**world.body(stream=True))


def test_unknown_model_is_404(world: Any) -> None:
    """A model that nobody offers is not found."""
    with pytest.raises(NotFoundError) as caught:
        world.client.chat.completions.create(**world.body(model="gpt-99"))
    assert caught.value.code == "model_not_found"
    with pytest.raises(NotFoundError, match="gpt-99"):
        world.client.models.retrieve("gpt-99")
    assert world.client.models.retrieve("gpt-6-luna").id == "gpt-6-luna"


def test_no_key_is_401(world: Any) -> None:
    """Without a key nothing is answered."""
    client = OpenAI(api_key=" ", base_url=world.standin.base_url, http_client=world.standin.http_client())
    with pytest.raises(AuthenticationError, match="API key"):
        client.chat.completions.create(**world.body())


def test_unknown_path_is_404(world: Any) -> None:
    """A path that the stand-in does not serve answers in OpenAI's error shape."""
    with pytest.raises(NotFoundError, match=r"Invalid URL \(GET /v1/models\)"):
        world.client.models.list()


def test_body_that_is_no_json_is_400(world: Any) -> None:
    """A body that does not parse, or nests without end, is a 400 and no crash."""
    http = world.standin.http_client()
    for content in (b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3"):
        response = http.post("/chat/completions", content=content, headers={"authorization": "Bearer x"})
        assert response.status_code == 400
        assert response.json()["error"]["type"] == "invalid_request_error"


def _bomb(kit: Any) -> bytes:
    png: bytes = kit.picture(size=(8, 8), kind="PNG")
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + png[24:29]  # claims 3.6 gigapixels
    return png[:12] + header + zlib.crc32(header).to_bytes(4, "big") + png[33:]


@pytest.mark.parametrize(
    ("make_url", "code"),
    [
        (lambda kit: kit.data_url(b"this is text named .jpg"), "invalid_image_format"),
        (lambda kit: kit.data_url(kit.picture()[:400]), "image_parse_error"),
        (lambda kit: kit.data_url(kit.picture(kind="BMP")), "invalid_image_format"),
        (lambda kit: kit.data_url(kit.picture(), "image/bmp"), "invalid_image_format"),
        (lambda kit: kit.data_url(b""), "empty_image_file"),
        (lambda kit: kit.data_url(b"\xff\xd8" + bytes(20 * 1024 * 1024)), "image_file_too_large"),
        (lambda kit: kit.data_url(_bomb(kit), "image/png"), "image_too_large"),
        (lambda kit: kit.data_url(kit.picture(size=(8000, 7000), kind="PNG"), "image/png"), "image_too_large"),
        (lambda _: "data:image/jpeg;base64,%%%", "invalid_base64_image"),
        (lambda _: "data:image/jpeg;base64,\ud800", "invalid_base64_image"),
        (lambda _: "data:image/jpeg,plain", "invalid_image_url"),
        (lambda _: "file:///etc/passwd", "invalid_image_url"),
        (lambda _: "http://127.0.0.1:1/x.jpg", "failed_to_download_image"),
        (lambda _: "http://[bad", "failed_to_download_image"),
    ],
)
def test_bad_images(world: Any, kit: Any, make_url: Callable[[Any], str], code: str) -> None:
    """An image that cannot be read is a 400 with OpenAI's code for the reason."""
    body = json.dumps(world.body(messages=kit.showing(make_url(kit))))
    http = world.standin.http_client()
    response = http.post("/chat/completions", content=body, headers={"authorization": "Bearer x"})
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)


def test_images_behind_urls_are_fetched_each_time(make_world: Callable[..., Any], kit: Any) -> None:
    """An http(s) URL is fetched for every request, and what is there now is what is answered about."""
    shown = [kit.picture((30, 160, 40)), kit.picture((120, 120, 125))]
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return bytes(shown[len(asked) - 1])

    world = make_world(fetch=fetch, answers=lambda image: {"colour": image and image.getpixel((160, 120))[1]})
    body = world.body(messages=kit.showing("https://x.example/a.jpg"), response_format={"type": "json_object"})
    answers = [world.client.chat.completions.create(**body).choices[0].message.content for _ in range(2)]
    assert [round(json.loads(answer)["colour"], -1) for answer in answers] == [160, 120]
    assert asked == ["https://x.example/a.jpg"] * 2


def test_failed_downloads_reach_the_caller(make_world: Callable[..., Any], kit: Any) -> None:
    """What goes wrong while fetching is the caller's 400."""

    def fetch(url: str) -> bytes:
        raise invalid(f"Timeout while downloading {url}.", code="failed_to_download_image")

    world = make_world(fetch=fetch, answers=lambda image: {"colour": image and image.getpixel((160, 120))[1]})
    with pytest.raises(BadRequestError, match="Timeout while downloading"):
        world.client.chat.completions.create(**world.body(messages=kit.showing("https://x.example/a.jpg")))
