"""What a photo was found to be: closed sets and fields that the app understands. `Answer` is the model's,
`Classification` the app's: region and language are ours to echo, unbilled."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from functions.core.shared.providers import Provider, split
from functions.core.shared.records import Record
from functions.core.shared.utc_days import iso_text

TEXT_CHARACTERS_MAX = 2_000
"""Far above any honest answer, far below what would bloat a document."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_CHARACTERS_MAX)]
Texts = Annotated[tuple[Text, ...], Field(max_length=12)]
Share = Annotated[float, Field(ge=0, le=1)]


class Category(StrEnum):
    """Where a thing belongs. When unsure, the most likely one with `needsReview`, never a sixth."""

    WET = "Wet Waste"
    DRY = "Dry Waste"
    HAZARDOUS = "Hazardous Waste"
    MEDICAL = "Medical Waste"
    NON_WASTE = "Non-Waste"


class DisposalMethod(StrEnum):
    """What to do with it, in one word."""

    RECYCLE = "recycle"
    COMPOST = "compost"
    HAZARDOUS = "hazardous"
    LANDFILL = "landfill"
    DONATE = "donate"
    MEDICAL = "medical"


class Disposal(Record):
    """How to dispose of the item, in the order of doing."""

    primary_method: DisposalMethod
    steps: Annotated[tuple[Text, ...], Field(min_length=1, max_length=6)]
    timeframe: Text | None
    location: Text | None
    warnings: Texts
    tips: Texts
    urgent: bool


class Alternative(Record):
    """What else it might be."""

    category: Category
    subcategory: Text
    confidence: Share
    reason: Text


class Answer(Record):
    """What the model is asked to write, and nothing else."""

    item_name: Text
    category: Category
    subcategory: Text
    explanation: Text
    confidence: Share
    needs_review: bool
    materials: Texts
    recycling_code: Annotated[int, Field(ge=1, le=7)] | None
    is_recyclable: bool
    is_compostable: bool
    requires_special_disposal: bool
    hazard_level: Annotated[int, Field(ge=1, le=5)]
    disposal: Disposal
    alternatives: Annotated[tuple[Alternative, ...], Field(max_length=3)]


class Classification(Answer):
    """The answer, and what the function knows better than the model. `classified_at` is ISO 8601 text in UTC;
    `side_max` is what the photo's longest side was brought down to, in pixels, None of a release that did not say."""

    model_config = ConfigDict(protected_namespaces=())

    region: str
    language: str
    provider: str = Provider.OPENAI  # results of releases that asked nobody else do not say
    model: str
    prompt_version: str
    side_max: int | None = None
    classified_at: str

    def seen_within(self, side_max: int) -> bool:
        """Whether the photo was seen in this size, as far as that is known."""
        return self.side_max in {None, side_max}


def classify_as(
    answer: Answer,
    *,
    region: str,
    language: str,
    model: str,
    prompt_version: str,
    side_max: int | None = None,
    now: datetime,
) -> Classification:
    """Complete a model's answer into the result that the app gets. `model` is its name of `core.shared.providers`."""
    provider, known_as = split(model)
    return Classification(
        **answer.model_dump(),
        region=region,
        language=language,
        provider=provider,
        model=known_as,
        prompt_version=prompt_version,
        side_max=side_max,
        classified_at=iso_text(now),
    )


def answer_schema() -> dict[str, Any]:
    """Return the JSON schema of an answer in the subset of OpenAI's strict mode: every property required, no others
    allowed. Names, descriptions and text lengths are dropped, since every photo pays for them as input; the full rules
    check the answer."""
    schema = Answer.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs")

    def strict(node: Any) -> Any:
        if isinstance(node, list):
            return [strict(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return strict(definitions[node["$ref"].rsplit("/", 1)[1]])
        if "properties" in node:
            properties = {name: strict(value) for name, value in node["properties"].items()}
            return {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            }
        kept = ("type", "enum", "items", "anyOf", "minItems", "maxItems", "minimum", "maximum")
        return {key: strict(node[key]) for key in kept if key in node}

    strict_schema: dict[str, Any] = strict(schema)
    return strict_schema
