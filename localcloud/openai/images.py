"""From an `image_url` to pixels: inline data and downloads, with limits and OpenAI's errors."""

import base64
import binascii
import hashlib
import io
import threading
import warnings
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from PIL import Image, UnidentifiedImageError

from localcloud.openai.answers import Answer, no_wish
from localcloud.openai.errors import ApiError, invalid

IMAGE_BYTES_MAX = 20 * 1024 * 1024  # "Please make sure your image is below 20 MB"
IMAGE_PIXELS_MAX = 50_000_000  # ours: a decompression bomb must not fell a developer's machine
DOWNLOAD_SECONDS_MAX = 10.0
REDIRECTS_MAX = 3
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
MEDIA_TYPES = ("image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp")
CACHE_ENTRIES_MAX = 4096

Fetch = Callable[[str], bytes]

_UNSUPPORTED = (
    "You uploaded an unsupported image. Please make sure your image is below 20 MB in size and is of one the following "
    "formats: ['png', 'jpeg', 'gif', 'webp']."
)
_NOT_AN_IMAGE = (
    "The image data you provided does not represent a valid image. Please check your input and try again with one of "
    "the supported image formats: ['image/jpeg', 'image/png', 'image/gif', 'image/webp']."
)


@dataclass(frozen=True)
class Picture:
    """An image as the stand-in keeps it: its size in pixels, a number drawn from its bytes, and what to say of it."""

    width: int
    height: int
    seed: int
    wish: Mapping[str, Any]


class Gallery:
    """Opens images, and remembers what was seen in each so that the same photo is decoded once."""

    def __init__(self, answers: Answer = no_wish, fetch: Fetch | None = None) -> None:
        """Ask `answers` what to say of each image. Use `fetch` for http(s) URLs (URL to bytes; raises ApiError), by
        default a plain download."""
        self._answers, self._fetch = answers, fetch or download
        self._seen: OrderedDict[bytes, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, url: str) -> Picture:
        """Return the picture behind an `image_url`: a data URL or an http(s) address.

        Raises:
            ApiError: 400 with the code that says what is wrong with the address or the image.
        """
        if url.startswith("data:"):
            return self._remembered(url.encode(errors="replace"), lambda: _inline_bytes(url))
        if url.startswith(("http://", "https://")):
            content = self._fetch(url)  # every time: what is behind an address may change
            return self._remembered(content, lambda: content)
        raise invalid("Invalid image URL: expected a data URL or an http(s) URL.", code="invalid_image_url")

    def unseen(self) -> Picture:
        """Return what stands for the picture of a request that shows none."""
        return Picture(0, 0, 0, self._answers(None))

    def _remembered(self, identity: bytes, content: Callable[[], bytes]) -> Picture:
        key = hashlib.sha256(identity).digest()
        with self._lock:
            known = self._seen.get(key)
            if known is not None:
                self._seen.move_to_end(key)
                return known
        picture = decode(content(), self._answers)
        with self._lock:
            self._seen[key] = picture
            if len(self._seen) > CACHE_ENTRIES_MAX:
                self._seen.popitem(last=False)
        return picture


def decode(content: bytes, answers: Answer) -> Picture:
    """Return the size of an image and what is seen in it.

    Raises:
        ApiError: 400; the content is empty, too large, of another format, or cut.
    """
    if not content:
        raise invalid("The image file is empty.", code="empty_image_file")
    if len(content) > IMAGE_BYTES_MAX:
        raise invalid(_UNSUPPORTED, code="image_file_too_large")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit, below, is stricter
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise invalid(_UNSUPPORTED, code="invalid_image_format") from error
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except (OSError, ValueError, SyntaxError) as error:
        raise invalid(_NOT_AN_IMAGE, code="image_parse_error") from error
    with image:
        width, height = image.size
        if width * height > IMAGE_PIXELS_MAX:
            raise _too_large()
        try:
            wish = answers(image)
            image.draft("RGB", (1, 1))  # a JPEG that is whole at a fraction of its size is whole
            image.load()
        except (OSError, ValueError, SyntaxError) as error:
            raise invalid(_NOT_AN_IMAGE, code="image_parse_error") from error
    return Picture(width, height, zlib.crc32(content), wish)


def download(url: str) -> bytes:
    """Return what is behind an http(s) address, within the limits of time and size.

    Raises:
        ApiError: 400 `failed_to_download_image`, or `image_file_too_large`.
    """
    content = bytearray()
    try:
        with (
            httpx2.Client(timeout=DOWNLOAD_SECONDS_MAX, follow_redirects=True, max_redirects=REDIRECTS_MAX) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != 200:
                raise _not_downloaded(f"Error while downloading {url}: HTTP status {response.status_code}.")
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > IMAGE_BYTES_MAX:
                    raise invalid(_UNSUPPORTED, code="image_file_too_large")
    except httpx2.TimeoutException as error:
        raise _not_downloaded(f"Timeout while downloading {url}.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _not_downloaded(f"Error while downloading {url}.") from error
    return bytes(content)


def _too_large() -> ApiError:
    return invalid(f"The image has more than the maximum of {IMAGE_PIXELS_MAX} pixels.", code="image_too_large")


def _not_downloaded(message: str) -> ApiError:
    return invalid(message, param="image_url", code="failed_to_download_image")


def _inline_bytes(url: str) -> bytes:
    header, comma, payload = url.partition(",")
    media_type, *attributes = header.removeprefix("data:").split(";")
    if not comma or "base64" not in attributes:
        message = "Invalid base64 image_url: expected 'data:image/<format>;base64,<data>'."
        raise invalid(message, param="image_url", code="invalid_image_url")
    if media_type.lower() not in MEDIA_TYPES:
        raise invalid(_UNSUPPORTED, param="image_url", code="invalid_image_format")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Invalid base64 image_url.", param="image_url", code="invalid_base64_image") from error
