"""The accounts of one project, and the rules Google's Identity Toolkit applies to them.

Messages of errors are Google's own, because the SDKs switch on them:
https://cloud.google.com/identity-platform/docs/reference/rest/v1/accounts
"""

import json
import secrets
import string
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PASSWORD_LENGTH_MIN = 6
UID_LENGTH_MAX = 128
CLAIMS_LENGTH_MAX = 1000
RESERVED_CLAIMS = frozenset(
    {"acr", "amr", "at_hash", "aud", "auth_time", "azp", "cnf", "c_hash"}
    | {"exp", "firebase", "iat", "iss", "jti", "nbf", "nonce", "sub"}
)
_UID_ALPHABET = string.ascii_letters + string.digits
_UID_LENGTH = 28


class AuthError(Exception):
    """A refusal, with the message the SDKs switch on and the HTTP status that goes with it."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Keep `message` (`EMAIL_EXISTS`, `WEAK_PASSWORD : why`) and the HTTP `status`."""
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass
class Account:
    """One user.

    Times are the machine's, since 1970: `created_ms` and `last_login_ms` in milliseconds,
    `valid_since` in seconds.
    """

    uid: str
    email: str | None = None
    password: str | None = None
    display_name: str | None = None
    photo_url: str | None = None
    email_verified: bool = False
    disabled: bool = False
    custom_claims: dict[str, Any] = field(default_factory=dict)
    created_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    last_login_ms: int | None = None
    valid_since: int = field(default_factory=lambda: int(time.time()))

    def as_json(self) -> dict[str, Any]:
        """Return the account as `accounts:lookup` shows it."""
        record: dict[str, Any] = {
            "localId": self.uid,
            "emailVerified": self.email_verified,
            "disabled": self.disabled,
            "createdAt": str(self.created_ms),
            "validSince": str(self.valid_since),
            "providerUserInfo": self._providers(),
        }
        optional = {
            "email": self.email,
            "displayName": self.display_name,
            "photoUrl": self.photo_url,
            "lastLoginAt": None if self.last_login_ms is None else str(self.last_login_ms),
            "customAttributes": json.dumps(self.custom_claims) if self.custom_claims else None,
        }
        return record | {name: value for name, value in optional.items() if value is not None}

    def _providers(self) -> list[dict[str, str]]:
        if self.email is None or self.password is None:
            return []
        identity = {"federatedId": self.email, "rawId": self.email, "email": self.email}
        return [{"providerId": "password", **identity}]


class Accounts:
    """Every account of the project. Not locked: the server takes one request at a time."""

    def __init__(self) -> None:
        """Start without users."""
        self._by_uid: dict[str, Account] = {}

    def __iter__(self) -> Iterator[Account]:
        """Go through the accounts in order of uid."""
        return iter([self._by_uid[uid] for uid in sorted(self._by_uid)])

    def create(self, uid: str | None = None, **profile: Any) -> Account:
        """Add an account with the fields of `profile` as the REST API names them.

        Raises:
            AuthError: the uid or e-mail address is taken, or a field breaks its rule.
        """
        if uid is not None and uid in self._by_uid:
            raise AuthError("DUPLICATE_LOCAL_ID")
        if uid is not None and not 0 < len(uid) <= UID_LENGTH_MAX:
            raise AuthError("INVALID_LOCAL_ID")
        account = Account(uid=uid or "".join(secrets.choice(_UID_ALPHABET) for _ in range(_UID_LENGTH)))
        self.update(account, profile)
        self._by_uid[account.uid] = account
        return account

    def find(self, uid: str) -> Account | None:
        """Return the account of `uid`, or None."""
        return self._by_uid.get(uid)

    def find_by_email(self, email: str) -> Account | None:
        """Return the account of the e-mail address, in whatever case it is written, or None."""
        return next((account for account in self._by_uid.values() if account.email == email.lower()), None)

    def update(self, account: Account, changes: dict[str, Any]) -> None:
        """Change the fields that `changes` names, all or none of them.

        Raises:
            AuthError: a field breaks its rule, or the e-mail address is someone else's.
        """
        email, password = self._checked_email(account, changes), _checked_password(changes)
        claims = _checked_claims(changes)
        if email is not None:
            account.email = email
        if password is not None:
            # A new password signs every other device out.
            account.password, account.valid_since = password, int(time.time())
        if claims is not None:
            account.custom_claims = claims
        if "validSince" in changes:
            account.valid_since = int(changes["validSince"])
        account.display_name = changes.get("displayName", account.display_name)
        account.photo_url = changes.get("photoUrl", account.photo_url)
        account.email_verified = bool(changes.get("emailVerified", account.email_verified))
        account.disabled = bool(changes.get("disableUser", changes.get("disabled", account.disabled)))
        for attribute in changes.get("deleteAttribute", ()):
            if attribute == "DISPLAY_NAME":
                account.display_name = None
            elif attribute == "PHOTO_URL":
                account.photo_url = None

    def delete(self, uid: str) -> None:
        """Remove an account.

        Raises:
            AuthError: there is none of that uid.
        """
        if self._by_uid.pop(uid, None) is None:
            raise AuthError("USER_NOT_FOUND")

    def clear(self) -> None:
        """Remove every account."""
        self._by_uid.clear()

    def _checked_email(self, account: Account, changes: dict[str, Any]) -> str | None:
        if changes.get("email") is None:
            return None
        email = str(changes["email"]).lower()
        name, at, domain = email.partition("@")
        if not (name and at and domain) or "@" in domain or " " in email:
            raise AuthError("INVALID_EMAIL")
        holder = self.find_by_email(email)
        if holder is not None and holder is not account:
            raise AuthError("EMAIL_EXISTS")
        return email


def _checked_password(changes: dict[str, Any]) -> str | None:
    password = changes.get("password")
    if password is None:
        return None
    if len(str(password)) < PASSWORD_LENGTH_MIN:
        raise AuthError(f"WEAK_PASSWORD : Password should be at least {PASSWORD_LENGTH_MIN} characters")
    return str(password)


def _checked_claims(changes: dict[str, Any]) -> dict[str, Any] | None:
    text = changes.get("customAttributes")
    if text is None:
        return None
    if len(text) > CLAIMS_LENGTH_MAX:
        raise AuthError("CLAIMS_TOO_LARGE")
    try:
        claims = json.loads(text or "{}")
    except ValueError as error:
        raise AuthError("INVALID_CLAIMS") from error
    if not isinstance(claims, dict):
        raise AuthError("INVALID_CLAIMS")
    for name in sorted(RESERVED_CLAIMS & claims.keys()):
        raise AuthError(f"FORBIDDEN_CLAIM : {name}")
    return claims
