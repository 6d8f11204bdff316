"""What a call can fail with. The text is written where the error is raised and reaches the client unchanged."""

import grpc


class FirestoreError(Exception):
    """An RPC's failure: one of gRPC's status codes and a text for the developer."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> FirestoreError:
    """Return the error for a request that can never succeed."""
    return FirestoreError(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(message: str) -> FirestoreError:
    """Return the error for a document that must exist and does not."""
    return FirestoreError(grpc.StatusCode.NOT_FOUND, message)


def already_exists(message: str) -> FirestoreError:
    """Return the error for a document that must not exist and does."""
    return FirestoreError(grpc.StatusCode.ALREADY_EXISTS, message)


def failed_precondition(message: str) -> FirestoreError:
    """Return the error for a request that the database's state, or its indexes, do not allow."""
    return FirestoreError(grpc.StatusCode.FAILED_PRECONDITION, message)


def aborted(message: str) -> FirestoreError:
    """Return the error for a conflict between transactions: trying again from the start may succeed."""
    return FirestoreError(grpc.StatusCode.ABORTED, message)


def exhausted(message: str) -> FirestoreError:
    """Return the error for a client that asks for more than it may have."""
    return FirestoreError(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def unauthenticated(why: str) -> FirestoreError:
    """Return the error for an Authorization header that proves nothing."""
    text = f"The Authorization header is not valid: {why}. Send 'Bearer owner' or 'Bearer <ID token>', or none."
    return FirestoreError(grpc.StatusCode.UNAUTHENTICATED, text)


def unimplemented(what: str) -> FirestoreError:
    """Return the error for what only the official emulator serves."""
    hint = "not served by the embedded Firestore; run with FIRESTORE=official to use Google's emulator"
    return FirestoreError(grpc.StatusCode.UNIMPLEMENTED, f"{what} is {hint}.")
