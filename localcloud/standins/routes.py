"""How a stand-in finds who answers a request, and sends a file in pieces."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Generic, TypeVar

from werkzeug.wrappers import Request, Response

CHUNK_BYTES = 64 * 1024

Answer = TypeVar("Answer", bound=Callable[..., object])


class Routes(Generic[Answer]):
    """Handlers by method and path. Of two that fit a path, the one that was named first answers."""

    def __init__(self, routes: Iterable[tuple[str, str, Answer]]) -> None:
        """Take methods, paths with names in braces such as `/v1/files/{id}`, and their handlers."""
        self._routes = [
            (method, template, re.compile(re.sub(r"\{\w+\}", "([^/]+)", template) + "/?"), handler)
            for method, template, handler in routes
        ]

    def find(self, request: Request, path: str | None = None) -> tuple[str, Answer, tuple[str, ...]] | None:
        """Return the endpoint as it is counted, its handler, and what stands in place of the names; None if nobody
        answers. `path` counts in place of the request's own."""
        for method, template, pattern, handler in self._routes:
            match = pattern.fullmatch(path or request.path) if method == request.method else None
            if match:
                return f"{method} {template}", handler, match.groups()
        return None


def file_response(path: Path, content_type: str) -> Response:
    """Answer with a file. It is open before the answer begins: one that is deleted meanwhile is still sent to its
    end."""
    file = path.open("rb")
    response = Response(_chunks(file), content_type=content_type)
    response.call_on_close(file.close)
    response.content_length = path.stat().st_size
    return response


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
