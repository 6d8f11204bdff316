"""Which photos a bulk job is about, and what they cost together."""

from collections.abc import Sequence
from typing import Annotated, Any

from functions.core.config.bulk import BulkRules
from functions.core.jobs.uploads import own_upload
from functions.core.shared.errors import ImageNotFound, InvalidRequest, NotYourImage
from functions.core.shared.records import Form

Prefix = Annotated[str, Form(r"[^/\\\x00-\x1f\x7f\ud800-\udfff]{1,128}", "must be the beginning of a file's name")]
"""How the names of a bulk job's photos begin, as an app names those of one folder."""


def require_one(prefix: str | None, images: Sequence[str] | None) -> None:
    """Check that the photos are named in one way. Raises InvalidRequest."""
    if (prefix is None) == (images is None):
        raise InvalidRequest("prefix: give either prefix or images.", field="prefix")


def chosen(uid: str, named: Sequence[str], prefix: str | None, most: int) -> list[str]:
    """Return the paths of the photos: those of a list, or those found for a prefix. Raises InvalidRequest, NotYourImage
    and ImageNotFound."""
    field = "images" if prefix is None else "prefix"
    if len(named) > most:
        raise InvalidRequest(f"{field}: a bulk job has at most {most} photos.", field=field)
    if len(set(named)) < len(named):
        raise InvalidRequest("images: name every photo once.", field=field)
    if prefix is None:
        return [own_upload(uid, path) for path in named]
    if usable := [path for path in named if _is_usable(uid, path)]:
        return usable
    raise ImageNotFound("You have no photo whose name begins with this prefix. Upload them first.")


def _is_usable(uid: str, path: str) -> bool:
    """Whether a job can name an upload; what was stored past the rules is left out."""
    try:
        return own_upload(uid, path) == path
    except NotYourImage:
        return False


def whole_price(photos: int, batch_price: int, rules: BulkRules, *, any_time: bool) -> int:
    """Return what so many photos cost together, in tokens, rounded up."""
    percent = rules.any_time_percent if any_time else 100
    return -(-photos * batch_price * percent // 100)


def bulk_offer(photos: int, batch_price: int, rules: BulkRules) -> dict[str, Any]:
    """Return what so many photos cost together now, and for any time, as JSON; and how many one bulk job may have."""
    return {
        "photos": photos,
        "price": whole_price(photos, batch_price, rules, any_time=False),
        "anyTimePrice": whole_price(photos, batch_price, rules, any_time=True),
        "photosMax": rules.photos_max,
    }
