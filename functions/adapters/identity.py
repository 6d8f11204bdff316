"""Who calls: Firebase Authentication's ID tokens, verified by the Admin SDK, and App Check's tokens, by PyJWT.

An ID token counts if Google signed it (RS256, by a key it publishes) for this project (audience and issuer) and a
subject, and it is neither from the future nor expired. The SDK takes unsigned ones only where
FIREBASE_AUTH_EMULATOR_HOST is set; `load_settings` refuses that variable outside of an emulator.

An App Check token counts if Google's App Check signed it (RS256) for this project and an app, and it is valid now
(https://firebase.google.com/docs/app-check/custom-resource-backend). The SDK verifies them too, but refuses one as from
the future if this machine's clock is a second behind the issuer's.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from time import monotonic
from typing import Any

import jwt
from firebase_admin import auth, get_app
from firebase_admin.auth import CertificateFetchError
from firebase_admin.exceptions import (
    DeadlineExceededError,
    InternalError,
    ResourceExhaustedError,
    UnavailableError,
    UnknownError,
)
from jwt import PyJWKClient, PyJWKClientConnectionError

CLOCK_SKEW_SECONDS = 10
"""How far our clock and the issuer's may differ. On a token of an hour ten seconds are no risk, and spare honest
callers."""

APP_CHECK_ISSUER = "https://firebaseappcheck.googleapis.com/"
APP_CHECK_KEYS_URL = APP_CHECK_ISSUER + "v1/jwks"
APP_CHECK_KEYS_SECONDS = 6 * 60 * 60
"""How long its keys may be kept, by its documentation."""

KEYS_TIMEOUT_SECONDS = 5

CERTIFICATES_SECONDS = 300
"""How long Google's certificates are taken as they were read last, beyond the hours that their own headers allow. The
SDK keeps them as well, but reads the stored HTTP response anew for each token: 0.5 ms of the 0.6 that one takes."""

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

    `check_revoked` asks Firebase whether the user was disabled or deleted, or the token revoked, since it was issued.
    One request. Raises InvalidTokenError or IdentityDownError.
    """
    claims = _claims(_user_claims, id_token)
    if check_revoked:
        _require_current(id_token)
    return claims


def verified_app(app_check_token: str) -> dict[str, Any]:
    """Return an App Check token's claims; `sub` is the app's id. Raises InvalidTokenError or IdentityDownError."""
    return _claims(_app_claims, app_check_token)


def delete_sign_in(uid: str) -> None:
    """Remove a user's sign-in, with e-mail address and all. One that is gone is no error."""
    with suppress(auth.UserNotFoundError):
        auth.delete_user(uid)


class _Kept:
    """Google's certificates for ID tokens, as the SDK asks for them."""

    def __init__(self, fetch: Callable[..., Any]) -> None:
        """`fetch` is what the SDK asks with."""
        self._fetch = fetch
        self._known: dict[str, tuple[float, Any]] = {}

    def __call__(self, url: str, *args: Any, **options: Any) -> Any:
        """Return the answer of a URL, an earlier one if it is fresh and was a success."""
        until, response = self._known.get(url, (0.0, None))
        if monotonic() >= until:
            response = self._fetch(url, *args, **options)
            if response.status == HTTPStatus.OK:
                self._known[url] = (monotonic() + CERTIFICATES_SECONDS, response)
        return response


def _keep_certificates() -> None:
    verifier = auth._get_client(None)._token_verifier  # noqa: SLF001  (the SDK has no public way to its cache)
    if not isinstance(verifier.request, _Kept):
        verifier.request = _Kept(verifier.request)


def _user_claims(token: str, *, check_revoked: bool = False) -> dict[str, Any]:
    _keep_certificates()
    claims: dict[str, Any] = auth.verify_id_token(
        token, check_revoked=check_revoked, clock_skew_seconds=CLOCK_SKEW_SECONDS
    )
    return claims


def _app_claims(token: str) -> dict[str, Any]:
    audience = f"projects/{get_app().project_id}"
    read = jwt.decode_complete(
        token,
        _app_check_keys().get_signing_key_from_jwt(token),
        algorithms=["RS256"],
        audience=audience,
        leeway=CLOCK_SKEW_SECONDS,
        options={"require": ["aud", "exp", "iss", "sub"]},
    )
    claims: dict[str, Any] = read["payload"]
    ours = claims["iss"].startswith(APP_CHECK_ISSUER) and isinstance(claims["aud"], list) and claims["sub"]
    if not ours or read["header"].get("typ") != "JWT":
        raise ValueError("this is no App Check token")
    return claims


@cache
def _app_check_keys() -> PyJWKClient:
    return PyJWKClient(APP_CHECK_KEYS_URL, lifespan=APP_CHECK_KEYS_SECONDS, timeout=KEYS_TIMEOUT_SECONDS)


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
        _user_claims(id_token, check_revoked=True)
    except NOT_TO_BE_REACHED as error:
        raise IdentityDownError(type(error).__name__) from error
    except (auth.RevokedIdTokenError, auth.UserDisabledError, auth.UserNotFoundError) as error:
        raise InvalidTokenError(type(error).__name__) from None
