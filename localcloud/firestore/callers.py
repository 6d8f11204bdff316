"""Who calls, and the streams that they open, whatever carries them."""

from localcloud.auth.accounts import AuthError
from localcloud.auth.tokens import claims_of

from .engine import Caller
from .errors import unauthenticated
from .listen import ListenStream
from .service import Service
from .streams import Stream
from .write_stream import WriteStream

STREAMS: dict[str, type[Stream]] = {"Listen": ListenStream, "Write": WriteStream}
OWNER = "owner"  # what server clients send to emulators


def open_stream(service: Service, rpc: str, authorization: str | None) -> Stream:
    """Open a stream, for who sends this Authorization header. Raises as `caller_of` does."""
    return STREAMS[rpc](service, caller_of(authorization))


def caller_of(authorization: str | None) -> Caller | None:
    """Return who sends this Authorization header: None for a server client, to whom no security rules apply.

    An ID token is believed if its date is right, though nobody has signed it. Whether it is one of the right project is
    seen where a database is named, see `Engine.asking`.

    Raises:
        FirestoreError: UNAUTHENTICATED when it is neither `Bearer owner` nor an ID token that is still good.
    """
    if not authorization:
        return Caller()
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthenticated(f'its scheme is "{scheme}"')
    if token == OWNER:
        return None
    try:
        return Caller(claims_of(token))
    except AuthError as error:
        raise unauthenticated(error.message) from None
