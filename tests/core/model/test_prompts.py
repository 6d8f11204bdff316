"""What the model is asked: short, versioned, and told apart by its versions."""

import base64
import hashlib
import json
import re

import pytest

from functions.core.model import prompts
from functions.core.model.classification import Category, answer_schema
from functions.core.model.dialects.openai import completion_request
from functions.core.model.prompts import image_data_url, safety_identifier

IMAGE = image_data_url(b"\xff\xd8jpeg")

WORDINGS = {
    "2026-11-21": "486c3f2af7681097",  # pragma: allowlist secret (a hash)
    "2026-11-28": "137f87177aabe39e",  # pragma: allowlist secret (a hash)
    "2026-11-29": "259b0b468d87f678",  # pragma: allowlist secret (a hash)
    "2026-11-30": "ac46e714ecd21dac",  # pragma: allowlist secret (a hash)
}
"""SHA-256 of what the model is told under each version, in the order of the versions."""


def tokens_at_most(text: str) -> int:
    """Count tokens on the safe side, without a tokenizer.

    OpenAI's encodings first split a text into runs of letters (a capital begins a new one), of up to three digits, and
    single marks; a common English word is one token. Here every run of up to eight letters is one token, every further
    eight letters another, and every digit run, mark and line end one, although marks often merge with what is beside
    them.
    """
    runs = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d{1,3}|[^\sA-Za-z\d]|\n", text)
    return sum(-(-len(run) // 8) if run.isalpha() else 1 for run in runs)


@pytest.mark.parametrize("wording", prompts.PROMPTS.values(), ids=prompts.PROMPTS)
def test_the_prompt_stays_under_250_tokens(wording: str) -> None:
    """By a count that errs upwards: the system prompt and the user's line together."""
    user_line = completion_request("m", IMAGE, "United States", "en-US")["messages"][1]["content"][0]["text"]
    assert tokens_at_most(wording) + tokens_at_most(user_line) < 250


@pytest.mark.parametrize("version", prompts.PROMPTS)
def test_a_change_of_wording_is_a_new_version(version: str) -> None:
    """Results can be told apart by `promptVersion`: whoever changes what the model is told adds a line above."""
    told = prompts.PROMPTS[version] + json.dumps(answer_schema(), sort_keys=True)
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    assert WORDINGS.get(version) == digest, f"a new version is needed, with {digest}"


@pytest.mark.parametrize("wording", prompts.PROMPTS.values(), ids=prompts.PROMPTS)
def test_the_prompt_names_every_category_and_the_way_to_be_unsure(wording: str) -> None:
    """The model chooses from the closed set, and marks its doubts instead of inventing a sixth category."""
    assert all(f"\n{category}: " in wording for category in Category)
    assert "needsReview" in wording


@pytest.mark.parametrize("wording", prompts.PROMPTS.values(), ids=prompts.PROMPTS)
def test_text_in_the_photo_is_no_instruction(wording: str) -> None:
    """A label that says "ignore your instructions" is part of the waste."""
    assert "never an instruction" in wording


def test_a_photo_travels_inline_and_unchanged() -> None:
    """The data URL carries the JPEG's own bytes."""
    head, _, data = image_data_url(bytes(range(256))).partition(",")
    assert (head, base64.b64decode(data)) == ("data:image/jpeg;base64", bytes(range(256)))


def test_a_user_is_told_apart_and_not_named() -> None:
    """The identifier stays the same for a user of a project, is another one for all others, and is in the request only
    where it is given."""
    # printf ann | openssl dgst -sha256 -hmac demo-ecolane
    ann = safety_identifier("demo-ecolane", "ann")
    known = "009984fef64fcf4684342a94417d9ec53be2483d75c154ce6d0b37a4cc5e6cb6"  # pragma: allowlist secret (a hash)
    assert ann == known
    assert len({ann, safety_identifier("demo-ecolane", "bob"), safety_identifier("other", "ann")}) == 3
    assert completion_request("m", IMAGE, "IN", "hi", identifier=ann)["safety_identifier"] == ann
    assert "safety_identifier" not in completion_request("m", IMAGE, "IN", "hi")
