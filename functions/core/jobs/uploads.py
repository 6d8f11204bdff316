"""Which Storage objects a user may name, and whether one is still what it was."""

import re
from hashlib import sha256

from functions.core.shared.errors import ImageNotFound, NotYourImage

IMAGE_BYTES_MAX = 10 * 1024 * 1024
"""The same limit stands in storage.rules: a larger upload is refused there, and here if it came another way."""

PATH_CHARACTERS_MAX = 512

PATH_BYTES_MAX = 1024
"""Cloud Storage's own limit, in UTF-8: https://cloud.google.com/storage/docs/objects#naming"""

_FILE_NAME = re.compile(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]+")
"""One path segment. Storage has no folders, so `..` climbs nowhere, but it has no business in an upload either."""


def upload_folder(uid: str) -> str:
    """Return the Storage prefix that this user, and nobody else, uploads to."""
    return f"users/{uid}/uploads/"


def own_upload(uid: str, image_path: str) -> str:
    """Return `image_path` if it names an object directly in the user's upload folder. Raises NotYourImage for any other
    path: another user's, another bucket's, a URL, or one that tries to climb out."""
    folder = upload_folder(uid)
    name = image_path.removeprefix(folder)
    plain = _FILE_NAME.fullmatch(name) is not None and name not in {".", ".."}
    short = len(image_path) <= PATH_CHARACTERS_MAX and len(image_path.encode(errors="replace")) <= PATH_BYTES_MAX
    if name == image_path or not plain or not short:
        raise NotYourImage(f"imagePath must name a file directly in your own folder, {folder}")
    return image_path


def digest_of(upload: bytes) -> str:
    """Return what an upload is known by: the SHA-256 of its bytes, as 64 hexadecimal digits."""
    return sha256(upload).hexdigest()


def unchanged(upload: bytes, digest: str | None) -> bytes:
    """Return an upload that was read again if it still has this digest; None matches any. Bytes count and not Storage's
    generation: an interrupted app uploads the same photo again, as a new one. Raises ImageNotFound if it was
    replaced."""
    if digest is not None and digest_of(upload) != digest:
        raise ImageNotFound(
            "The photo was replaced after you requested its classification. Upload the new one under its own name."
        )
    return upload
