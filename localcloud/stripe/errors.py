"""Errors in the shape Stripe answers with: `{"error": {"type", "message", "code", "param"}}`.

Types and codes: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes.
"""

from typing import Any


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str, *, kind: str = "invalid_request_error", **details: Any) -> None:
        """Keep what the answer says; `details` are further fields, such as `code`, `param` and `decline_code`."""
        super().__init__(message)
        self.status, self.kind, self.message, self.details = status, kind, message, details

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        return {"error": {"type": self.kind, "message": self.message, **self.details}}


def no_such(kind: str, object_id: str, param: str = "id") -> ApiError:
    """Return the 404 for an object that is not there."""
    return ApiError(404, f"No such {kind}: '{object_id}'", code="resource_missing", param=param)


def missing(param: str) -> ApiError:
    """Return the 400 for a parameter that was left out."""
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)


def invalid(param: str, message: str) -> ApiError:
    """Return the 400 for a parameter that cannot be taken."""
    return ApiError(400, message, code="parameter_invalid", param=param)


def declined(decline_code: str) -> ApiError:
    """Return the 402 of a card whose bank says no."""
    if decline_code == "authentication_required":
        message = "Your card was declined. This transaction requires authentication."
        return ApiError(402, message, kind="card_error", code=decline_code, decline_code=decline_code)
    message = "Your card was declined." if decline_code == "generic_decline" else "Your card has insufficient funds."
    return ApiError(402, message, kind="card_error", code="card_declined", decline_code=decline_code)
