"""What the stand-in says. It has no model: an answer follows the request's own schema, filled with a project's wishes.

The wishes come from a function that a project hands in as `answers`. It is called once for each picture, with the image
as Pillow opened it, and with None for a request that shows none. It returns values by property name:

    def answers(image: Image.Image | None) -> dict[str, Any]:
        return {"category": "cat" if image is not None and image.width > image.height else "dog"}

Wherever the schema of the request has a property of that name and type, at any depth, the answer has that value. All
else is generic: texts say "stand-in", and enums take a value by the bytes of the picture, so that the same photo always
gets the same answer.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from localcloud.openai.instances import fill

LABEL = "Stand-in answer:"

Answer = Callable[[Image.Image | None], Mapping[str, Any]]
"""What a project would like to say of a picture, or of none: see above. Called from several threads."""


def no_wish(_: Image.Image | None) -> Mapping[str, Any]:
    """Leave all to the schema: the answers of a project that hands in none."""
    return {}


def structured(schema: dict[str, Any], wish: Mapping[str, Any], seed: int) -> str:
    """Return JSON text valid against `schema`: what is wished where it asks for that, else generic values by `seed`."""
    return json.dumps(fill(schema, wish, seed), ensure_ascii=False)


def as_json(wish: Mapping[str, Any]) -> str:
    """Return what is wished as JSON text without a schema to follow."""
    return json.dumps(wish or {"answer": "stand-in"}, ensure_ascii=False)


def as_prose(wish: Mapping[str, Any]) -> str:
    """Return what is wished in a sentence or two."""
    said = f" If it had to say something: {json.dumps(wish, ensure_ascii=False)}." if wish else ""
    return f"{LABEL} no model has read this request, so that the text says nothing about what it asks for.{said}"
