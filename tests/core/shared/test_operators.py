"""Who is an operator, and who may change something."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.core.shared.errors import NotAdmin
from functions.core.shared.operators import PRESENT_FOR, require_operator

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of an operator who signed in a minute ago with a second factor."""
    sign_in = {"sign_in_provider": "password", "sign_in_second_factor": "totp"}
    signed_in_at = int(NOW.timestamp()) - 60
    return {"admin": True, "email_verified": True, "auth_time": signed_in_at, "firebase": sign_in, **changes}


def problem(given: dict[str, Any], *, changes: bool = True, second_factor: bool = True) -> object:
    """Return what is wrong with somebody's claims; "" for somebody who is no operator, None for nothing."""
    try:
        require_operator(given, NOW, changes=changes, second_factor=second_factor)
    except NotAdmin as error:
        return error.details.get("problem", "")
    return None


def test_an_operator_who_has_just_signed_in_may_change_things() -> None:
    """The claim, a recent sign-in, a second factor, a verified address."""
    assert problem(claims()) is None


@pytest.mark.parametrize("admin", [None, False, "true", 1, [True]])
def test_operators_are_those_with_the_claim(admin: object) -> None:
    """`admin: true` in the token, and nothing that only looks like it."""
    assert problem(claims(admin=admin), changes=False) == ""


@pytest.mark.parametrize("verified", [None, False, "true"])
def test_a_password_proves_nothing_without_a_verified_address(verified: object) -> None:
    """Anybody can sign up with an operator's address; it counts when its owner has opened the mail."""
    assert problem(claims(email_verified=verified), changes=False) == "emailNotVerified"
    google = {"sign_in_provider": "google.com", "sign_in_second_factor": "totp"}
    assert problem(claims(email_verified=verified, firebase=google)) is None


@pytest.mark.parametrize(
    "auth_time",
    [None, "now", int((NOW - PRESENT_FOR - timedelta(seconds=1)).timestamp()), int(NOW.timestamp()) - 400 * 86_400],
)
def test_a_session_that_was_left_open_changes_nothing(auth_time: object) -> None:
    """It may look, and has to sign in again to change something."""
    assert problem(claims(auth_time=auth_time), changes=False) is None
    assert problem(claims(auth_time=auth_time)) == "signInAgain"


@pytest.mark.parametrize(
    "sign_in", [None, "totp", {}, {"sign_in_provider": "google.com"}, {"sign_in_second_factor": ""}]
)
def test_a_second_factor_is_asked_for_where_the_deploy_wants_it(sign_in: object) -> None:
    """Without it an operator may look; and change things only where the deploy says so."""
    assert problem(claims(firebase=sign_in), changes=False) is None
    assert problem(claims(firebase=sign_in)) == "secondFactor"
    assert problem(claims(firebase=sign_in), second_factor=False) is None
