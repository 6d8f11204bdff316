"""Sixteen callers at one instance of `classify_images`, each with fifty photos of 10 MB: the memory that takes.

Everything is real but Google: the functions framework with 16 threads, photos of 12 megapixels in Storage, wallets in
Firestore. Photos that the instance has no time for are to be sent again (`RATE_LIMITED`), and are not charged for.
"""

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from functions.core.jobs.uploads import IMAGE_BYTES_MAX
from functions.deploy.params import CALLERS_AT_ONCE
from functions.use_cases.jobs.classify_images import IMAGES_MAX
from localcloud.cloud import LocalCloud, SignedIn
from scripts.benchmarks.instant import UNBOUNDED
from scripts.ecolane_cloud import ecolane_cloud
from scripts.functions_alone import Served, answered, served

PIXELS = (4_000, 3_000)
ANSWER_SECONDS_MAX = 120  # what the platform gives the function


def run(callers: int = CALLERS_AT_ONCE, images: int = IMAGES_MAX, pixels: tuple[int, int] = PIXELS) -> dict[str, Any]:
    """Return megabytes of an instance before and at its most, of a photo; what became of photos; seconds."""
    photo = large_photo(pixels)
    with ecolane_cloud(firestore="embedded") as cloud:
        cloud.firestore_client().document("config/runtime").set(UNBOUNDED)
        users = [_with_photo(cloud, photo) for _ in range(callers)]
        with served("classify_images", cloud.environment) as instance:
            answered(instance, {"data": {}}, {})
            before, started = peak_mb(instance), time.perf_counter()
            with ThreadPoolExecutor(callers) as pool:
                ended = sum(pool.map(lambda user: _call(instance, user, images), users), Counter[str]())
            seconds, peak = time.perf_counter() - started, peak_mb(instance)
    return {
        "callers": callers,
        "photos": callers * images,
        "photo_mb": round(len(photo) / 1024**2, 1),
        "rss_mb_before": round(before),
        "rss_mb_peak": round(peak),
        "seconds": round(seconds, 1),
        **{f"photos_{reason.lower()}": count for reason, count in sorted(ended.items())},
    }


def large_photo(pixels: tuple[int, int]) -> bytes:
    """Return a JPEG of so many pixels, filled up to nearly what may be uploaded, as phones do with what they append."""
    noise = Image.frombytes("L", (500, 500), random.Random(1).randbytes(250_000))  # noqa: S311  (a picture)
    out = BytesIO()
    noise.resize(pixels).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue().ljust(IMAGE_BYTES_MAX - 1, b"\0")


def peak_mb(instance: Served) -> float:
    """Return the most memory that a server's worker has had in its life, in megabytes."""
    pages = [Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in instance._pids()]
    return max(int(page.partition("VmHWM:")[2].split()[0]) for page in pages) / 1024


def _with_photo(cloud: LocalCloud, photo: bytes) -> SignedIn:
    user = cloud.sign_up()
    blob = cloud.storage_client().bucket(cloud.bucket).blob(f"users/{user.uid}/uploads/photo.jpg")
    blob.upload_from_string(photo, content_type="image/jpeg")
    cloud.call("get_wallet", {}, user.id_token)
    return user


def _call(instance: Served, user: SignedIn, images: int) -> Counter[str]:
    """Send many photos and count what became of them."""
    path = f"users/{user.uid}/uploads/photo.jpg"
    data = {"images": [{"requestId": f"request-{number}", "imagePath": path} for number in range(images)]}
    headers = {"Authorization": f"Bearer {user.id_token}"}
    try:
        response = httpx.post(instance.url, json={"data": data}, headers=headers, timeout=ANSWER_SECONDS_MAX)
    except httpx.TimeoutException:
        return Counter(unanswered=images)
    if response.status_code != httpx.codes.OK:
        return Counter({str(response.json()["error"]["details"]["reason"]): images})
    return Counter(
        str(each["error"]["reason"]) if "error" in each else "taken" for each in response.json()["result"]["results"]
    )
