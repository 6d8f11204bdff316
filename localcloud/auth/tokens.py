"""ID tokens as Google's emulator issues them: JSON Web Tokens with algorithm `none` and an empty signature.

They carry the machine's real time, never the moved one, because that is what their readers compare them with.
"""

import base64
import binascii
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from localcloud.auth.accounts import Account, AuthError

TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class Session:
    """One sign-in on one device: what a refresh token stands for. `auth_time` is in seconds since 1970."""

    uid: str
    provider: str  # anonymous, password or custom
    claims: dict[str, Any] = field(default_factory=dict)  # those of a custom token
    auth_time: int = field(default_factory=lambda: int(time.time()))


class Tokens:
    """Issues and reads the tokens of one project."""

    def __init__(self, project: str) -> None:
        """Issue for `project`, which becomes the audience."""
        self.project = project
        self._sessions: dict[str, Session] = {}

    def start(self, account: Account, session: Session) -> dict[str, str]:
        """Sign the account in; return `idToken`, `refreshToken` and `expiresIn` (seconds, as text)."""
        account.last_login_ms = time.time_ns() // 1_000_000
        refresh_token = secrets.token_urlsafe(32)
        self._sessions[refresh_token] = session
        return {
            "idToken": self.id_token(account, session),
            "refreshToken": refresh_token,
            "expiresIn": str(TOKEN_SECONDS),
        }

    def session(self, refresh_token: str) -> Session:
        """Return the sign-in behind a refresh token.

        Raises:
            AuthError: it is not one of ours.
        """
        try:
            return self._sessions[refresh_token]
        except KeyError:
            raise AuthError("INVALID_REFRESH_TOKEN") from None

    def id_token(self, account: Account, session: Session) -> str:
        """Return a token for the account as it is now, good for an hour."""
        now = int(time.time())
        identities = {"email": [account.email]} if account.email else {}
        claims: dict[str, Any] = {
            **account.custom_claims,
            **session.claims,
            "iss": f"https://securetoken.google.com/{self.project}",
            "aud": self.project,
            "sub": account.uid,
            "user_id": account.uid,
            "auth_time": session.auth_time,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "firebase": {"identities": identities, "sign_in_provider": session.provider},
        }
        if session.provider == "anonymous":
            claims["provider_id"] = "anonymous"
        if account.email:
            claims |= {"email": account.email, "email_verified": account.email_verified}
        if account.display_name:
            claims["name"] = account.display_name
        if account.photo_url:
            claims["picture"] = account.photo_url
        return f"{_encode({'alg': 'none', 'typ': 'JWT'})}.{_encode(claims)}."

    def read(self, id_token: str) -> dict[str, Any]:
        """Return the claims of a token that is ours and has not run out.

        Raises:
            AuthError: it is neither.
        """
        claims = claims_of(id_token)
        if claims.get("aud") != self.project:
            raise AuthError("INVALID_ID_TOKEN")
        return claims


def claims_of(id_token: str) -> dict[str, Any]:
    """Return the claims of an ID token of whatever project that has not run out.

    One issued at second 0 never does: the SDKs' `mockUserToken` makes such tokens.

    Raises:
        AuthError: it is no ID token, or has run out.
    """
    claims = decode(id_token, "INVALID_ID_TOKEN")
    expires = claims.get("exp", 0)
    if not isinstance(claims.get("sub"), str) or not isinstance(expires, int | float):
        raise AuthError("INVALID_ID_TOKEN")
    if expires <= time.time() and claims.get("iat") != 0:
        raise AuthError("TOKEN_EXPIRED")
    return claims


def decode(token: str, refusal: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token without asking who signed it.

    Raises:
        AuthError: with the message `refusal` if it is no such token.
    """
    try:
        _, payload, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, binascii.Error) as error:
        raise AuthError(refusal) from error
    if not isinstance(claims, dict):
        raise AuthError(refusal)
    return claims


def _encode(part: dict[str, Any]) -> str:
    text = json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
