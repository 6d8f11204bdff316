"""Who counts as an operator, by the claims of a verified ID token.

An operator's token is worth a day's budget, and a phone's session never ends by itself: whoever changes something must
have signed in just now, with a second factor.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.core.shared.errors import NotAdmin

PRESENT_FOR = timedelta(minutes=15)
"""How long after signing in an operator may change things."""


def require_operator(claims: Mapping[str, Any], now: datetime, *, changes: bool, second_factor: bool) -> None:
    """Check that this is an operator; for changes, the person and not only the phone. NotAdmin's detail `problem` says
    what to do: `emailNotVerified`, `signInAgain`, `secondFactor`.
    https://firebase.google.com/docs/reference/admin/node/firebase-admin.auth.decodedidtoken has the claims."""
    if claims.get("admin") is not True:
        raise NotAdmin("Only operators may call this.")
    sign_in = claims.get("firebase")
    sign_in = sign_in if isinstance(sign_in, Mapping) else {}
    if sign_in.get("sign_in_provider") == "password" and claims.get("email_verified") is not True:
        raise NotAdmin("Verify your e-mail address first.", problem="emailNotVerified")
    if not changes:
        return
    signed_in_at = claims.get("auth_time")
    if not isinstance(signed_in_at, int) or now - datetime.fromtimestamp(signed_in_at, UTC) > PRESENT_FOR:
        minutes = PRESENT_FOR // timedelta(minutes=1)
        raise NotAdmin(f"Sign in again: changes are taken for {minutes} minutes after it.", problem="signInAgain")
    if second_factor and not sign_in.get("sign_in_second_factor"):
        raise NotAdmin("Sign in with a second factor to change something.", problem="secondFactor")
