"""Which photos a bulk job is about, and their price."""

import pytest

from functions.core.bulk.listing import bulk_offer, chosen, require_one, whole_price
from functions.core.config.bulk import BulkRules
from functions.core.shared.errors import EcolaneError, ImageNotFound, InvalidRequest, NotYourImage

ONE, TWO, FOREIGN = "users/ana/uploads/1.jpg", "users/ana/uploads/2.jpg", "users/bob/uploads/1.jpg"


def test_photos_are_named_in_one_way() -> None:
    """By a prefix or one by one."""
    require_one("trip", None)
    require_one(None, [ONE])
    for prefix, images in ((None, None), ("trip", [ONE])):
        with pytest.raises(InvalidRequest):
            require_one(prefix, images)


def test_a_list_keeps_its_order_and_a_prefix_its_usable_photos() -> None:
    """What was stored past the rules under a name that no job can have is left out."""
    assert chosen("ana", [TWO, ONE], None, 5) == [TWO, ONE]
    assert chosen("ana", [ONE, "users/ana/uploads/a/b.jpg"], "1", 5) == [ONE]


@pytest.mark.parametrize(
    ("named", "prefix", "error"),
    [
        ([ONE, FOREIGN], None, NotYourImage),
        ([ONE, ONE], None, InvalidRequest),
        ([ONE, TWO, "users/ana/uploads/3.jpg"], None, InvalidRequest),
        ([ONE, TWO, "users/ana/uploads/3.jpg"], "t", InvalidRequest),
        ([], "trip", ImageNotFound),
    ],
)
def test_what_cannot_be_started_is_refused(named: list[str], prefix: str | None, error: type[EcolaneError]) -> None:
    """A photo of somebody else's, one twice, too many, none."""
    with pytest.raises(error):
        chosen("ana", named, prefix, 2)


def test_the_price_of_all() -> None:
    """Rounded up; any time may cost less."""
    rules = BulkRules(any_time_percent=50)
    assert whole_price(101, 1, rules, any_time=False) == 101
    assert whole_price(101, 1, rules, any_time=True) == 51
    assert whole_price(1, 1, BulkRules(any_time_percent=1), any_time=True) == 1


def test_what_is_offered_before_it_is_paid() -> None:
    """Both prices, and how many photos there may be."""
    rules = BulkRules(any_time_percent=50, photos_max=100)
    assert bulk_offer(3, 2, rules) == {"photos": 3, "price": 6, "anyTimePrice": 3, "photosMax": 100}
