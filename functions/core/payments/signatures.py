"""Signed webhooks, as Stripe and RevenueCat sign them: `t={seconds},v1={hex}`, the HMAC-SHA256 of `{seconds}.{body}`.

https://docs.stripe.com/webhooks/signature. Several `v1` are there while a secret is being replaced.
"""

import hashlib
import hmac

TOLERANCE_SECONDS = 300
"""How old, or how far ahead, a signature may be: what was signed once cannot be sent for ever."""

SECRET_CHARACTERS_MIN = 16
"""What is shorter is a slip, and an empty secret one that everybody has."""

SIGNATURES_MAX = 8
"""Of one header: each is compared."""


def is_signed(header: str, body: bytes, secret: str, now_seconds: float) -> bool:
    """Tell whether whoever knows the secret has signed this body within the last minutes."""
    if len(secret.removeprefix("whsec_")) < SECRET_CHARACTERS_MIN:
        return False
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal()) or len(times[0]) > len("1234567890123"):
        return False
    if abs(now_seconds - int(times[0])) > TOLERANCE_SECONDS:
        return False
    expected = hmac.new(secret.encode(), f"{times[0]}.".encode() + body, hashlib.sha256).hexdigest().encode()
    given = [value.encode() for name, _, value in parts if name == "v1"][:SIGNATURES_MAX]
    return any(hmac.compare_digest(expected, each) for each in given)
