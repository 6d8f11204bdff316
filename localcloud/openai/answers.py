"""What the stand-in says about a picture: facts per kind of waste, composed into an answer of a realistic length."""

import json
from dataclasses import dataclass
from typing import Any

from localcloud.openai.images import Picture
from localcloud.openai.instances import fill

LABEL = "Stand-in answer:"
REVIEW_BELOW = 0.5  # confidence under which the answer asks for a human look
ALTERNATIVES_MAX = 2


@dataclass(frozen=True)
class Kind:
    """What is said about one subcategory of waste."""

    category: str
    item: str
    materials: tuple[str, ...]
    method: str
    steps: tuple[str, ...]
    tip: str
    recycling_code: int | None = None
    hazard_level: int = 1
    warning: str | None = None


KINDS: dict[str, Kind] = {
    "Glass": Kind(
        "Dry Waste",
        "Glass bottle",
        ("glass",),
        "recycle",
        ("Empty and rinse it", "Take off the lid or cork", "Put it into the glass container, by colour"),
        "Deposit bottles go back to the shop.",
        warning="Broken glass cuts: wrap it before you carry it.",
    ),
    "Metal": Kind(
        "Dry Waste",
        "Metal can",
        ("aluminium", "steel"),
        "recycle",
        ("Empty and rinse it", "Push sharp edges inwards", "Put it into the recycling bin for metal"),
        "Crushed cans take less room in the bin.",
    ),
    "Paper": Kind(
        "Dry Waste",
        "Paper or cardboard",
        ("paper", "cardboard"),
        "recycle",
        ("Take off tape and plastic windows", "Fold it flat", "Put it dry into the paper bin"),
        "Greasy or wet paper belongs with the compost instead.",
    ),
    "Plastic": Kind(
        "Dry Waste",
        "Plastic bottle",
        ("PET",),
        "recycle",
        ("Empty and rinse it", "Press it flat and put the cap back on", "Put it into the recycling bin for plastic"),
        "Look for the number in the triangle on the bottom.",
        recycling_code=1,
    ),
    "Garden Waste": Kind(
        "Wet Waste",
        "Leaves or cuttings",
        ("plant matter",),
        "compost",
        ("Shake off soil and stones", "Cut long branches", "Put them on the compost or into the organic bin"),
        "Leaves also protect flower beds in winter.",
    ),
    "Food Waste": Kind(
        "Wet Waste",
        "Fruit or vegetable scraps",
        ("food",),
        "compost",
        ("Take off stickers and packaging", "Let liquids drain", "Put the scraps into the organic bin"),
        "Wrap scraps in newspaper to keep the bin clean.",
    ),
    "Batteries": Kind(
        "Hazardous Waste",
        "Household battery",
        ("metal", "electrolyte"),
        "hazardous",
        ("Tape over the poles", "Keep it away from heat", "Hand it in at a collection box in a shop"),
        "Rechargeable batteries replace hundreds of single-use ones.",
        hazard_level=4,
        warning="Never put batteries into the bin: they can catch fire.",
    ),
}


def classification(picture: Picture | None) -> dict[str, Any]:
    """Return the full answer about a picture, with the property names of Ecolane's result schema.

    Without a picture the answer is about an unknown item and asks for review.
    """
    if picture is None:
        ranking: tuple[tuple[str, float], ...] = (("Plastic", 0.2),)
    else:
        ranking = picture.sighting.ranking
    subcategory, confidence = ranking[0]
    kind = KINDS[subcategory]
    hazardous = kind.category == "Hazardous Waste"
    return {
        "itemName": kind.item,
        "category": kind.category,
        "subcategory": subcategory,
        "explanation": _explanation(subcategory, picture),
        "confidence": round(confidence, 2),
        "needsReview": confidence < REVIEW_BELOW,
        "materials": list(kind.materials),
        "recyclingCode": kind.recycling_code,
        "isRecyclable": kind.method == "recycle",
        "isCompostable": kind.method == "compost",
        "requiresSpecialDisposal": hazardous,
        "hazardLevel": kind.hazard_level,
        "disposal": {
            "primaryMethod": kind.method,
            "steps": list(kind.steps),
            "timeframe": "at the next collection",
            "location": "collection point" if hazardous else None,
            "warnings": [kind.warning] if kind.warning else [],
            "tips": [kind.tip],
            "urgent": hazardous,
        },
        "alternatives": [
            {
                "category": KINDS[name].category,
                "subcategory": name,
                "confidence": round(share, 2),
                "reason": f"Its colours also fit {name.lower()}.",
            }
            for name, share in ranking[1 : 1 + ALTERNATIVES_MAX]
        ],
    }


def structured(schema: dict[str, Any], picture: Picture | None) -> str:
    """Return JSON text valid against `schema`: our classification where it asks for one, else generic values."""
    return json.dumps(fill(schema, classification(picture)), ensure_ascii=False)


def as_json(picture: Picture | None) -> str:
    """Return the classification as JSON text without a schema to follow."""
    return json.dumps(classification(picture), ensure_ascii=False)


def as_prose(picture: Picture | None) -> str:
    """Return the classification in a sentence or two."""
    answer = classification(picture)
    steps = "; ".join(answer["disposal"]["steps"])
    return f"{answer['explanation']} It goes to {answer['category']}. What to do: {steps}."


def _explanation(subcategory: str, picture: Picture | None) -> str:
    if picture is None:
        return f"{LABEL} there was no picture to look at, so {subcategory.lower()} is a guess from nothing."
    seen = picture.sighting.measures
    return (
        f"{LABEL} of all kinds compared, the {picture.width} x {picture.height} pixels (object saturation "
        f"{seen.object_saturation:.2f}, background tint {seen.background_tint:.2f}) are closest to "
        f"{subcategory.lower()}. No model has seen this picture."
    )
