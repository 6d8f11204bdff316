"""Errors in the shape Anthropic answers with: `{"type": "error", "error": {"type", "message"}, "request_id"}`.

Types by status: https://platform.claude.com/docs/en/api/errors. The messages are as the service is seen to send them.
"""

from typing import Any

STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class ApiError(Exception):
    """An answer other than success: an error type with its status."""

    def __init__(
        self, kind: str, message: str, *, details: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """Keep what the answer says; `kind` is one of STATUS_OF, an `error_code` in `details` names the cause."""
        super().__init__(message)
        self.kind, self.message, self.details = kind, message, details
        self.status = STATUS_OF[kind]
        self.headers = headers or {}

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        details = {"details": self.details} if self.details else {}
        return {
            "type": "error",
            "error": {"type": self.kind, "message": self.message, **details},
            "request_id": request_id,
        }


def invalid(message: str, details: dict[str, Any] | None = None) -> ApiError:
    """Return the 400 for a request that cannot be served as it is."""
    return ApiError("invalid_request_error", message, details=details)


def required(where: str) -> ApiError:
    """Return the 400 for a field that was left out."""
    return invalid(f"{where}: Field required")


def not_found(message: str) -> ApiError:
    """Return the 404 for something that is not there."""
    return ApiError("not_found_error", message)
