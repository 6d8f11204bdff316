"""What a fault can do to the connection a request came on; sockets and the in-process transport each have their own."""

from typing import NoReturn, Protocol

import httpx2

CONNECTION = "standin.connection"
"""Where the server puts the Connection into the WSGI environment."""


class Connection(Protocol):
    """The caller's end of the line."""

    def pause(self, seconds: float) -> None:
        """Let time pass before the answer."""

    def hang(self, seconds: float) -> NoReturn:
        """Answer nothing until the caller gives up, at most for `seconds`; then raise."""

    def reset(self) -> NoReturn:
        """Cut the connection; raise."""


class InProcessConnection:
    """No time passes in process: what a client would see in the end is raised at once."""

    def pause(self, seconds: float) -> None:
        """Do nothing: the latency of a model is simulated over sockets only."""

    def hang(self, seconds: float) -> NoReturn:
        """Raise what a client raises when its patience is over."""
        raise httpx2.ReadTimeout(f"no answer within {seconds:.0f} s (fault)")

    def reset(self) -> NoReturn:
        """Raise what a client raises when the connection is cut."""
        raise httpx2.ReadError("connection reset (fault)")
