"""What a provider's refusal comes to: whose fault, billed or not, when to ask again."""

import pytest

from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError, ProviderRejectedError, error_in_success, refusal


@pytest.mark.parametrize(
    ("status", "billed"), [(401, False), (429, False), (500, False), (503, False), (502, True), (504, True)]
)
def test_only_a_gateways_refusal_may_be_billed(status: int, *, billed: bool) -> None:
    """What the provider refuses in its own words costs nothing; behind a gateway's 502 or 504 it may have answered."""
    down = refusal(status, None)
    assert isinstance(down, ProviderDownError)
    assert down.may_be_billed is billed


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", None), ("7", 7), ("0", 1), ("86400", 3_600), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)],
)
def test_a_wait_is_whole_seconds_up_to_an_hour(header: str, seconds: int | None) -> None:
    """A Retry-After is passed on within bounds, and one that counts no seconds is none."""
    down = refusal(429, {"code": "rate_limit_exceeded"}, header)
    assert isinstance(down, ProviderDownError)
    assert down.retry_after_seconds == seconds


def test_a_photo_is_refused_only_in_words_about_photos() -> None:
    """An unknown 400 is ours, a known word about the picture is the photo's, and the message quotes only the code."""
    photo = refusal(400, {"code": "image_too_small", "message": "key sk-1"})
    assert isinstance(photo, ProviderRejectedError)
    assert (photo.trouble, photo.status, photo.code) == (Trouble.PHOTO, 400, "image_too_small")
    assert str(photo) == "status 400, code image_too_small"
    ours = refusal(400, {"code": "unknown_parameter"})
    assert isinstance(ours, ProviderDownError)
    assert ours.trouble is Trouble.CONFIGURATION


def test_a_batch_or_file_that_is_not_found_is_refused_alone() -> None:
    """A 404 about one thing is that thing's; the same in HTML, or about the key, is a provider that takes nothing."""
    assert isinstance(refusal(404, {"code": None}, about_a_thing=True), ProviderRejectedError)
    for status, error in ((404, "<html>"), (404, None), (401, {"code": None})):
        assert isinstance(refusal(status, error, about_a_thing=True), ProviderDownError)


def test_a_rejection_where_no_photo_can_be_at_fault_is_a_provider_that_is_down() -> None:
    """Seen as down, a rejection keeps its words and bills nothing."""
    down = refusal(400, {"code": "invalid_image"}).as_down()
    assert (down.trouble, down.status, down.code, down.may_be_billed) == (Trouble.PHOTO, 400, "invalid_image", False)


def test_an_error_in_a_success_is_billed_if_it_reports_tokens() -> None:
    """An error under a 200 is read by its words; tokens beside it may be on the bill."""
    assert isinstance(error_in_success({"code": "content_filter"}, billed=True), ProviderRejectedError)
    for billed in (False, True):
        down = error_in_success({"code": 502}, billed=billed)
        assert isinstance(down, ProviderDownError)
        assert (down.status, down.may_be_billed, str(down)) == (200, billed, "an error in a success, code 502")


@pytest.mark.parametrize(
    ("status", "billed", "undone"),
    [(None, False, True), (401, False, True), (529, False, True), (500, False, False), (504, True, False)],
)
def test_what_was_refused_or_never_arrived_is_not_there(status: int | None, billed: bool, undone: bool) -> None:
    """An error of the provider's own leaves open whether it has done what was asked."""
    down = ProviderDownError("no", Trouble.OVERLOADED, status, may_be_billed=billed)
    assert down.surely_undone is undone
