"""Whose fault it is that the provider said no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.model.provider_errors import TROUBLES, Trouble, code_of, trouble_of


@pytest.mark.parametrize(
    ("status", "error", "trouble"),
    [
        (400, {"code": "invalid_image_format"}, Trouble.PHOTO),
        (400, {"code": "image_content_policy_violation"}, Trouble.POLICY),
        (400, {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}, Trouble.POLICY),
        (400, {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}, Trouble.POLICY),
        (403, {"code": 403, "metadata": {"error_type": "content_policy_violation"}}, Trouble.POLICY),
        (413, None, Trouble.PHOTO),
        (413, {"code": "insufficient_quota"}, Trouble.QUOTA),
        (401, None, Trouble.KEY_REFUSED),
        (403, {"code": "unsupported_country_region_territory"}, Trouble.KEY_REFUSED),
        (402, None, Trouble.QUOTA),
        (429, {"code": "insufficient_quota"}, Trouble.QUOTA),
        (429, {"code": None, "type": "insufficient_quota"}, Trouble.QUOTA),
        (400, {"code": "billing_hard_limit_reached"}, Trouble.QUOTA),
        (429, {"code": "rate_limit_exceeded"}, Trouble.OVERLOADED),
        (503, None, Trouble.OVERLOADED),
        (599, None, Trouble.OVERLOADED),
        (400, {"code": "failed_to_download_image"}, Trouble.UNREACHABLE),
        (400, {"code": "invalid_image_url"}, Trouble.UNREACHABLE),
        (400, {"code": "invalid_value", "param": "url"}, Trouble.CONFIGURATION),
        (404, {"code": "model_not_found"}, Trouble.CONFIGURATION),
        (403, {"code": "model_not_found"}, Trouble.CONFIGURATION),
        (404, {"code": "DeploymentNotFound"}, Trouble.CONFIGURATION),
        (400, {"code": "unsupported_value", "param": "reasoning_effort"}, Trouble.CONFIGURATION),
        (400, {"code": "unsupported_parameter"}, Trouble.CONFIGURATION),
        (400, {"code": None, "type": "invalid_request_error"}, Trouble.CONFIGURATION),
        (405, {"message": "Not allowed to POST"}, Trouble.CONFIGURATION),
        (418, {"code": "teapot"}, Trouble.CONFIGURATION),
        (302, None, Trouble.CONFIGURATION),
        (400, {"code": True}, Trouble.CONFIGURATION),
        (400, [], Trouble.CONFIGURATION),
        (400, [{"error": {"code": 400, "details": [{"reason": "API_KEY_INVALID"}]}}], Trouble.KEY_REFUSED),
        (None, {"code": "image_too_small"}, Trouble.PHOTO),
        (None, {"code": "nobody knows it"}, Trouble.UNREACHABLE),
        (None, None, Trouble.UNREACHABLE),
        (None, {"code": 429}, Trouble.OVERLOADED),
        (None, {"code": 401}, Trouble.KEY_REFUSED),
        (None, {"code": [429]}, Trouble.UNREACHABLE),
        (None, {"code": "429"}, Trouble.UNREACHABLE),
    ],
    ids=str,
)
def test_every_refusal_has_somebody_who_can_do_something_about_it(
    status: int | None, error: object, trouble: Trouble
) -> None:
    """A known word counts, wherever a provider puts it; then the status; what is new is not the photo's fault."""
    assert trouble_of(status, error) is trouble


def test_the_code_that_is_told_is_the_one_that_is_known() -> None:
    """An operator looks it up at the provider, so the most telling word of the error is the one to show."""
    assert code_of({"code": 403, "metadata": {"error_type": "refusal"}, "type": "x"}) == "refusal"
    assert code_of({"code": None, "type": "invalid_request_error"}) == "invalid_request_error"
    assert code_of({"code": "not fit, ", "status": "INVALID_ARGUMENT"}) == "INVALID_ARGUMENT"
    assert code_of({"code": "sk-proj-secret"}) is None


@pytest.mark.parametrize("code", TROUBLES)
def test_every_code_of_the_table_can_be_told(code: str) -> None:
    """No entry of the table is unfit to be logged by the rule that keeps keys and sentences out."""
    assert code_of({"code": code}) == code


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(sorted(TROUBLES)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "type", "details", "innererror", "metadata", "error"]), inner)
    ),
    max_leaves=8,
)


@given(status=st.none() | st.integers(100, 999), error=json_values)
def test_any_error_is_read_without_a_crash(status: int | None, error: object) -> None:
    """Whatever stands where the error should be, it is one of the troubles, and its code is short."""
    assert trouble_of(status, error) in Trouble
    assert len(code_of(error) or "") <= 300
