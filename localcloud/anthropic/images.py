"""From an image block to pixels: base64 and https sources, with Anthropic's limits and errors."""

import base64
import binascii
from typing import Any

from localcloud.anthropic.errors import invalid, required
from localcloud.openai.errors import ApiError as GalleryError
from localcloud.openai.images import Gallery, Picture

MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
IMAGE_MB_MAX = 10
IMAGE_BYTES_MAX = IMAGE_MB_MAX * 1024 * 1024
"""Of the base64 text."""
SIDE_MAX = 8_000
NOT_PROCESSED = "Could not process image"


def open_image(gallery: Gallery, where: str, source: object) -> Picture:
    """Return the picture of an image block's `source`; `where` is the block's path in the request.

    Raises:
        ApiError: 400 that says what is wrong with the source or the image.
    """
    if not isinstance(source, dict):
        raise required(f"{where}.source")
    match source.get("type"):
        case "base64":
            return _inline(gallery, f"{where}.source.base64", source)
        case "url":
            return _download(gallery, f"{where}.source.url", source)
        case other:
            raise invalid(f"{where}.source: Input tag '{other}' found using 'type' does not match: 'base64', 'url'")


def _inline(gallery: Gallery, where: str, source: dict[str, Any]) -> Picture:
    media_type, data = source.get("media_type"), source.get("data")
    if media_type not in MEDIA_TYPES:
        raise invalid(f"{where}.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'")
    if not isinstance(data, str):
        raise required(f"{where}.data")
    if len(data) > IMAGE_BYTES_MAX:
        size = f"{len(data)} bytes > {IMAGE_BYTES_MAX} bytes"
        raise invalid(f"{where}: image exceeds {IMAGE_MB_MAX} MB maximum: {size}")
    try:
        head = base64.b64decode(data[:64], validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{where}: invalid base64 data") from error
    if _media_type(head) not in {media_type, None}:
        raise invalid(f"{where}.data: Image does not match the provided media type {media_type}")
    return _fitting(gallery, where, f"data:{media_type};base64,{data}")


def _download(gallery: Gallery, where: str, source: dict[str, Any]) -> Picture:
    url = source.get("url")
    if not isinstance(url, str):
        raise required(where)
    if not url.startswith("https://"):
        raise invalid(f"{where}: Only HTTPS URLs are supported.")
    return _fitting(gallery, where, url)


def _fitting(gallery: Gallery, where: str, url: str) -> Picture:
    try:
        picture = gallery.open(url)
    except GalleryError as error:
        if error.code == "failed_to_download_image":
            raise invalid("Unable to download the file. Please verify the URL and try again.") from error
        raise invalid(NOT_PROCESSED) from error
    if max(picture.width, picture.height) > SIDE_MAX:
        block = where.partition(".image.")[0]
        details = {"error_code": "image_dimensions_too_large", "max_side_length_pixels": SIDE_MAX, "paths": [block]}
        limit = f"At least one of the image dimensions exceed max allowed size: {SIDE_MAX} pixels"
        raise invalid(f"{where}.data: {limit}", details)
    return picture


def _media_type(head: bytes) -> str | None:
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"GIF8"):
        return "image/gif"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None
