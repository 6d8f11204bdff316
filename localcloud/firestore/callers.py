"""Who calls, and the streams that they open, whatever carries them."""

import grpc

from localcloud.auth.accounts import AuthError
from localcloud.auth.tokens import decode

from .errors import FirestoreError
from .listen import ListenStream
from .service import Service
from .streams import Caller, Stream
from .write_stream import WriteStream

STREAMS: dict[str, type[Stream]] = {"Listen": ListenStream, "Write": WriteStream}
OWNER = "owner"  # what server clients send to emulators


def open_stream(service: Service, rpc: str, authorization: str | None) -> Stream:
    """Open a stream, for who sends this Authorization header. Raises as `caller_of` does."""
    return STREAMS[rpc](service, caller_of(authorization))


def caller_of(authorization: str | None) -> Caller | None:
    """Return who sends this Authorization header: None for a server client, to whom no security rules apply.

    An ID token is believed as Google's emulator believes it: nobody has signed it, and its date is not looked at, as
    the web SDK's `mockUserToken` carries one of 1970.

    Raises:
        FirestoreError: UNAUTHENTICATED when it is neither `Bearer owner` nor an ID token.
    """
    if not authorization:
        return Caller()
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise _refused(f'its scheme is "{scheme}"')
    if token == OWNER:
        return None
    try:
        claims = decode(token, "it is no JSON Web Token")
    except AuthError as error:
        raise _refused(error.message) from None
    if not isinstance(claims.get("sub"), str):
        raise _refused("its token names no user (sub)")
    return Caller(claims)


def _refused(why: str) -> FirestoreError:
    text = f"The Authorization header is not valid: {why}. Send 'Bearer owner' or 'Bearer <ID token>', or none."
    return FirestoreError(grpc.StatusCode.UNAUTHENTICATED, text)
