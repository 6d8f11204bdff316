"""Lists that are answered in pages. A page token names the place where the page before ended."""

import base64
import binascii
from collections.abc import Iterable
from typing import TypeVar

from .errors import invalid
from .protos import Message

PAGE_SIZE_DEFAULT = 300

T = TypeVar("T")


def page_of(entries: Iterable[tuple[bytes, T]], request: Message) -> tuple[list[T], str]:
    """Return the page that a request asks for, and the token for the next one (empty: this is the last).

    Args:
        entries: the whole list, each entry with a key; the keys rise. The list may have changed between two pages.
        request: has `page_size` (0: the server chooses) and `page_token`.

    Raises:
        FirestoreError: INVALID_ARGUMENT for a negative size or a token that is none of ours.
    """
    if request.page_size < 0:
        raise invalid("page_size must be greater than or equal to zero.")
    after = _decode(request.page_token)
    remaining = [entry for entry in entries if entry[0] > after]
    page = remaining[: request.page_size or PAGE_SIZE_DEFAULT]
    token = base64.urlsafe_b64encode(page[-1][0]).decode() if len(page) < len(remaining) else ""
    return [item for _, item in page], token


def _decode(token: str) -> bytes:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except binascii.Error:
        raise invalid("The page token is not one this server has given out.") from None
