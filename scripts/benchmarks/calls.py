"""Having a photo classified, as benchmarks without a network do."""

from typing import Any

from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from scripts.drawings import drawn_photos
from scripts.inprocess import InProcessCloud

PHOTO = next(iter(drawn_photos().values()))  # a photo of usual size, as JPEG


UNLIMITED = {
    "instantPerDay": 100_000,
    "batchPerDay": 100_000,
    "manualPerDay": 5,
    "callsPerMinute": 10_000,
    "priority": 0,
}
"""A plan whose limits are out of the way."""


def classify(cloud: InProcessCloud, uid: str, request_id: str, mode: str, **more: Any) -> dict[str, Any]:
    """Have the photo classified for a user, and return the answer. Raises EcolaneError if the call is refused."""
    path = cloud.upload(uid, f"{request_id}.jpg", PHOTO)
    request = {"requestId": request_id, "imagePath": path, "mode": mode, **more}
    return classify_image(ClassifyImage.model_validate(request), uid, cloud.deps)
