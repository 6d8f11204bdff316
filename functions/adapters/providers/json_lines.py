"""Lines of JSON out of a stream of bytes."""

import json
from collections.abc import Iterator
from typing import Any

LINE_BYTES_MAX = 1_000_000
"""No line of an output file comes near; a broken file must not fill the memory."""


def json_lines(chunks: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the objects. A line that is none is left out."""
    for text in _lines(chunks):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict):
            yield line


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Split at newlines and nowhere else. Of a line that is too long only the length is kept in mind."""
    rest, skipping = b"", False
    for chunk in chunks:
        *ends, rest = (rest + chunk).split(b"\n")
        for line in ends:
            if not skipping and len(line) <= LINE_BYTES_MAX:
                yield line
            skipping = False
        if len(rest) > LINE_BYTES_MAX:
            rest, skipping = b"", True
    if rest and not skipping:
        yield rest
