"""Signatures of webhooks: only who knows the secret, only of this body, only for some minutes."""

import hashlib
import hmac

import pytest

from functions.core.payments.signatures import SIGNATURES_MAX, TOLERANCE_SECONDS, is_signed

SECRET = "whsec_0123456789abcdef"  # pragma: allowlist secret
BODY, NOW = b'{"type": "invoice.paid"}', 1_800_000_000


def hex_of(at: int = NOW, body: bytes = BODY, secret: str = SECRET) -> str:
    """Return the signature of a body at a time."""
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def header(at: int = NOW, **of: object) -> str:
    """Return the header of a well-signed request."""
    return f"t={at},v1={hex_of(at, **of)}"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sent",
    [
        header(),
        header(NOW - TOLERANCE_SECONDS),
        header(NOW + TOLERANCE_SECONDS),
        f"t={NOW}, v0=1, v1={'0' * 64}, v1={hex_of()}",
    ],
)
def test_what_was_signed_is_taken(sent: str) -> None:
    """Also by one of two secrets, while they are being replaced."""
    assert is_signed(sent, BODY, SECRET, NOW)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "t=,v1=",
        f"v1={hex_of()}",
        f"t={NOW}",
        f"t={NOW},t={NOW},v1={hex_of()}",
        f"t=+{NOW},v1={hex_of()}",
        f"t={'9' * 14},v1={hex_of()}",
        f"t=١٢,v1={hex_of()}",
        f"t={NOW},v1=é",
        header(body=b"{}"),
        header(secret="whsec_another_secret_of_theirs"),
        header(NOW - TOLERANCE_SECONDS - 1),
        header(NOW + TOLERANCE_SECONDS + 1),
        f"t={NOW}," + f"v1={'0' * 64}," * SIGNATURES_MAX + f"v1={hex_of()}",
    ],
)
def test_what_was_not_is_refused(sent: str) -> None:
    """Without a time or a signature, of another body or secret, too old or from the future, or one of very many."""
    assert not is_signed(sent, BODY, SECRET, NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short"])
def test_a_secret_that_is_none_takes_nothing(secret: str) -> None:
    """Whoever signs with the empty secret knows it as everybody does."""
    assert not is_signed(header(secret=secret), BODY, secret, NOW)
