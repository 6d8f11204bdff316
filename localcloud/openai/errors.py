"""Errors in the shape OpenAI answers with: `{"error": {"message", "type", "param", "code"}}`.

Codes for images are those of `openai.types.responses.ResponseError`; the others are as the service is seen to send
them.
"""

from typing import Any


class ApiError(Exception):
    """An answer other than success: an HTTP status with OpenAI's error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> None:
        """Keep what the answer says; `kind` is the error's `type`, `headers` go with the response, `more` are further
        fields of the error."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = headers or {}
        self.more = more or {}

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": {**error, **self.more}}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Return the 400 for a request that cannot be served as it is."""
    return ApiError(400, message, param=param, code=code)


def missing_parameter(name: str) -> ApiError:
    """Return the 400 for a required parameter that was left out."""
    return invalid(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def wrong_type(name: str, expected: str) -> ApiError:
    """Return the 400 for a parameter of another type than `expected` (words, such as "an object")."""
    return invalid(f"Invalid type for '{name}': expected {expected}.", param=name, code="invalid_type")


def no_such(what: str, name: str) -> ApiError:
    """Return the 404 for an object that is not there, or not any more."""
    return ApiError(404, f"No such {what} object: {name}", param="id")


def unknown_model(model: str) -> ApiError:
    """Return the 404 for a model that nobody offers."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return ApiError(404, message, code="model_not_found")
