"""What the OpenAI stand-in says of photos here: valid, labelled, and drawn from the pixels."""

import io
import json
from typing import Any

import jsonschema
import pytest
from openai import OpenAI
from PIL import Image, ImageDraw

from functions.core.model.classification import answer_schema
from functions.core.model.dialects.openai import completion_request
from functions.core.model.prompts import image_data_url
from localcloud.openai import OpenAIStandIn
from scripts.drawings import drawn_photos
from scripts.played_days import small
from scripts.sample_answers import answers


def picture(colour: tuple[int, int, int], kind: str = "JPEG") -> bytes:
    """Return an ellipse before a grey wall."""
    image = Image.new("RGB", (320, 240), (200, 200, 200))
    ImageDraw.Draw(image).ellipse((80, 60, 240, 180), fill=colour)
    content = io.BytesIO()
    image.save(content, kind)
    return content.getvalue()


def test_an_answer_is_valid_and_labelled() -> None:
    """Our own request gets a valid, sensible answer of a realistic length that says whose it is."""
    standin = OpenAIStandIn(answers=answers)
    body = completion_request("gpt-6-luna", image_data_url(picture((180, 40, 40))), "DE", "de")
    with OpenAI(api_key="any", base_url=standin.base_url, http_client=standin.http_client()) as client:
        answer = client.chat.completions.create(**body)
    standin.stop()

    result: dict[str, Any] = json.loads(answer.choices[0].message.content or "")
    jsonschema.validate(result, answer_schema())
    assert result["explanation"].startswith("Stand-in answer:")
    assert 0 < result["confidence"] <= 1
    assert result["needsReview"] == (result["confidence"] < 0.5)
    assert len(result["alternatives"]) == 2
    assert answer.usage is not None
    assert 150 <= answer.usage.completion_tokens <= 400


@pytest.mark.parametrize(
    ("colour", "kind", "seen"),
    [((30, 160, 40), kind, "Garden Waste") for kind in ("JPEG", "PNG", "WEBP", "GIF")]
    + [((120, 120, 125), "JPEG", "Plastic")],
)
def test_answers_come_from_the_pixels(colour: tuple[int, int, int], kind: str, seen: str) -> None:
    """The same pixels get the same answer, other pixels another, and the file format does not matter."""
    assert answers(Image.open(io.BytesIO(picture(colour, kind))))["subcategory"] == seen


def test_the_drawings_are_told_for_what_they_are() -> None:
    """What the demo and the played days send looks right to whoever sees it beside its answer, as a thumbnail too."""
    shown = {
        "bottle": "Plastic",
        "can": "Metal",
        "newspaper": "Paper",
        "banana": "Food Waste",
        "battery": "Batteries",
        "carton": "Paper",
        "jar": "Glass",
        "leaves": "Garden Waste",
    }
    photos = {name.removesuffix(".jpg"): photo for name, photo in drawn_photos().items()}
    for made in (photos, {name: small(photo) for name, photo in photos.items()}):
        found = {name: answers(Image.open(io.BytesIO(photo)))["subcategory"] for name, photo in made.items()}
        assert found == shown


def test_no_picture_asks_for_review() -> None:
    """Without a picture the answer is a guess that says so."""
    assert answers(None)["needsReview"] is True
