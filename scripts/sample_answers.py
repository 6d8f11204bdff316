"""What the OpenAI stand-in says about a photo: facts per kind of waste, composed into an answer of a realistic length.
The local cloud's stand-in fills the schema of a request with it; no model is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from localcloud.openai.answers import LABEL
from scripts.sample_vision import look

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


def answers(image: Image.Image | None) -> dict[str, Any]:
    """Return the full answer about a picture, with the property names of the result schema. Without a picture it is
    about an unknown item and asks for review. Raises OSError if the image data is cut or damaged."""
    if image is None:
        ranking: tuple[tuple[str, float], ...] = (("Plastic", 0.2),)
        explanation = f"{LABEL} there was no picture to look at, so plastic is a guess from nothing."
    else:
        size, sighting = "{} x {}".format(*image.size), look(image)
        ranking, seen = sighting.ranking, sighting.measures
        explanation = (
            f"{LABEL} of all kinds compared, the {size} pixels (object saturation {seen.object_saturation:.2f}, "
            f"background tint {seen.background_tint:.2f}) are closest to {ranking[0][0].lower()}. "
            "No model has seen this picture."
        )
    return described(ranking, explanation)


def described(ranking: Sequence[tuple[str, float]], explanation: str) -> dict[str, Any]:
    """Return the full answer for the first of these subcategories, each with how sure it is; the next are named as
    alternatives."""
    subcategory, confidence = ranking[0]
    kind = KINDS[subcategory]
    hazardous = kind.category == "Hazardous Waste"
    return {
        "itemName": kind.item,
        "category": kind.category,
        "subcategory": subcategory,
        "explanation": explanation,
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
