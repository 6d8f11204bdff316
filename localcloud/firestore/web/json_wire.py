"""The protocol's JSON: proto3's own mapping, and Google's form of errors.

https://protobuf.dev/programming-guides/json and https://google.aip.dev/193
"""

import json
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from localcloud.firestore.errors import FirestoreError, invalid
from localcloud.firestore.protos import Message
from localcloud.firestore.service import REQUEST_BYTES_MAX

Json = dict[str, Any]

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


def message_of(kind: Message, content: Any) -> Message:
    """Return the message of the class `kind` that parsed JSON stands for.

    Raises:
        FirestoreError: INVALID_ARGUMENT when it is no such message, or larger than a request may be.
    """
    if not isinstance(content, dict):
        raise invalid(f"A {kind.DESCRIPTOR.name} is a JSON object.")
    try:
        message = ParseDict(content, kind())
    except ParseError as error:
        raise invalid(f"The request is not a valid {kind.DESCRIPTOR.name}: {error}") from None
    if message.ByteSize() > REQUEST_BYTES_MAX:
        raise invalid(f"Request payload size exceeds the limit: {REQUEST_BYTES_MAX} bytes.")
    return message


def parsed(text: str | bytes) -> Any:
    """Return what JSON stands for.

    Raises:
        FirestoreError: INVALID_ARGUMENT when it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid(f"The request is not valid JSON: {error}") from None


def json_of(kind: Message, raw: bytes) -> Json:
    """Return an answer in wire form as JSON; `kind` is its message class."""
    content: Json = MessageToDict(kind.FromString(raw))
    return content


def json_of_error(error: FirestoreError) -> Json:
    """Return `{"error": {"code", "message", "status"}}`, its code an HTTP status."""
    details = {"code": status_of(error), "message": error.message, "status": error.code.name}
    return {"error": details}


def status_of(error: FirestoreError) -> int:
    """Return the HTTP status of an error."""
    return HTTP_STATUS.get(error.code, 500)
