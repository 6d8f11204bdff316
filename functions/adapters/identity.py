"""Who calls: Firebase Authentication's ID tokens and App Check's tokens, verified by the Admin SDK.

An ID token counts if Google signed it (RS256, by a key it publishes), for this project (audience and issuer), for
somebody (subject), and if it is not from the future and has not expired. Only where FIREBASE_AUTH_EMULATOR_HOST is set
does the SDK take unsigned ones; `load_settings` refuses that variable outside of an emulator.
"""

from collections.abc import Callable
from typing import Any

from firebase_admin import app_check, auth
from firebase_admin.auth import CertificateFetchError
from firebase_admin.exceptions import (
    DeadlineExceededError,
    InternalError,
    ResourceExhaustedError,
    UnavailableError,
    UnknownError,
)
from jwt import PyJWKClientConnectionError

NOT_TO_BE_REACHED = (
    CertificateFetchError,
    DeadlineExceededError,
    InternalError,
    PyJWKClientConnectionError,
    ResourceExhaustedError,
    UnavailableError,
    UnknownError,
)


class InvalidTokenError(Exception):
    """The token proves nothing. The message is a class of error and never a part of the token: it is logged."""


class IdentityDownError(Exception):
    """Whether the token counts could not be found out: Google's keys, or its accounts, were not to be reached."""


def verified_user(id_token: str, *, check_revoked: bool) -> dict[str, Any]:
    """Return the claims of an ID token, with the user's id as `uid`.

    With `check_revoked` Firebase is asked whether the user has been disabled or deleted or the token revoked since it
    was issued, up to an hour ago. One request.

    Raises:
        InvalidTokenError, IdentityDownError
    """
    claims = _claims(auth.verify_id_token, id_token)
    if check_revoked:
        _require_current(id_token)
    return claims


def verified_app(app_check_token: str) -> dict[str, Any]:
    """Return the claims of an App Check token; `sub` is the app's id.

    Raises:
        InvalidTokenError, IdentityDownError
    """
    return _claims(app_check.verify_token, app_check_token)


def _claims(verify: Callable[[str], dict[str, Any]], token: str) -> dict[str, Any]:
    try:
        return verify(token)
    except NOT_TO_BE_REACHED as error:
        raise IdentityDownError(type(error).__name__) from error
    except Exception as error:  # noqa: BLE001  (a token is anybody's text: whatever it breaks, it proves nothing)
        raise InvalidTokenError(type(error).__name__) from None


def _require_current(id_token: str) -> None:
    """Ask Firebase about a good token. A role that is missing is no fault of the caller's, and stays a defect."""
    try:
        auth.verify_id_token(id_token, check_revoked=True)
    except NOT_TO_BE_REACHED as error:
        raise IdentityDownError(type(error).__name__) from error
    except (auth.RevokedIdTokenError, auth.UserDisabledError, auth.UserNotFoundError) as error:
        raise InvalidTokenError(type(error).__name__) from None
