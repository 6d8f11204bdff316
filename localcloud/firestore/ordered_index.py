"""One physical index: the documents of a collection or collection group in the order a query shape needs.

An entry's key is the encoded values of the fields compared by equality, then of the fields ordered by, then the
document's name. A query is one slice of it, found by two binary searches, however many documents there are.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sortedcontainers import SortedList

from .paths import DOCUMENT_ID
from .protos import DocumentPb, ValuePb
from .values import complement, encode, encode_path

FieldPath = tuple[str, ...]
NAME: FieldPath = (DOCUMENT_ID,)


class Order(NamedTuple):
    """One field to order by."""

    field: FieldPath
    descending: bool


class Shape(NamedTuple):
    """What an index holds: an entry per document that has all of the fields, or per element of its array `contains`."""

    equal: tuple[FieldPath, ...]
    contains: FieldPath | None
    orders: tuple[Order, ...]  # the last one is by name


def lookup(document: DocumentPb, field: FieldPath) -> ValuePb | None:
    """Return a document's value at a field path, or None when it has none there."""
    fields = document.fields
    for name in field[:-1]:
        if name not in fields or not fields[name].HasField("map_value"):
            return None
        fields = fields[name].map_value.fields
    if field[-1] not in fields:  # reading an absent key of a protobuf map would create it
        return None
    return fields[field[-1]]


def order_key(path: str, document: DocumentPb, orders: Iterable[Order]) -> bytes | None:
    """Return the bytes that put a document in its place, or None when it lacks a field ordered by."""
    parts = []
    for field, descending in orders:
        encoded = _encoded_field(path, document, field)
        if encoded is None:
            return None
        parts.append(complement(encoded) if descending else encoded)
    return b"".join(parts)


def _encoded_field(path: str, document: DocumentPb, field: FieldPath) -> bytes | None:
    if field == NAME:
        return encode_path(path)
    value = lookup(document, field)
    return None if value is None else encode(value)


def prefixes(equal: Iterable[FieldPath], contains: FieldPath | None, path: str, document: DocumentPb) -> list[bytes]:
    """Return what a document's index keys start with: its values at `equal`, then each element of its array."""
    parts = []
    for field in equal:
        encoded = _encoded_field(path, document, field)
        if encoded is None:
            return []
        parts.append(encoded)
    prefix = b"".join(parts)
    if contains is None:
        return [prefix]
    array = lookup(document, contains)
    if array is None or not array.HasField("array_value"):
        return []
    return [prefix + encode(element) for element in array.array_value.values]


def index_keys(shape: Shape, path: str, document: DocumentPb) -> set[bytes]:
    """Return the keys of a document's entries in an index of this shape."""
    found = prefixes(shape.equal, shape.contains, path, document)
    suffix = order_key(path, document, shape.orders) if found else None
    return set() if suffix is None else {prefix + suffix for prefix in found}


class OrderedIndex:
    """The entries of one shape, kept in order while documents come, change and go."""

    def __init__(self, shape: Shape, documents: Iterable[tuple[str, DocumentPb]]) -> None:
        self._shape = shape
        self._entries: SortedList[tuple[bytes, str]] = SortedList(
            (key, path) for path, document in documents for key in index_keys(shape, path, document)
        )

    def update(self, path: str, old: DocumentPb | None, new: DocumentPb | None) -> None:
        """Follow a document from `old` to `new`; None stands for absent."""
        before = index_keys(self._shape, path, old) if old is not None else set()
        after = index_keys(self._shape, path, new) if new is not None else set()
        for key in before - after:
            self._entries.remove((key, path))
        for key in after - before:
            self._entries.add((key, path))

    def scan(self, prefix: bytes, low: bytes, high: bytes | None) -> Iterator[tuple[bytes, str]]:
        """Yield (order key, path) of the entries under `prefix` with order keys in [low, high), None being no bound."""
        cut = len(prefix)
        start, stop = self._bounds(prefix, low, high)
        for key, path in self._entries.islice(start, stop):
            yield key[cut:], path

    def count(self, prefix: bytes, low: bytes, high: bytes | None) -> int:
        """Return how many entries `scan` would yield, without visiting them."""
        start, stop = self._bounds(prefix, low, high)
        return max(0, stop - start)

    def _bounds(self, prefix: bytes, low: bytes, high: bytes | None) -> tuple[int, int]:
        start = self._entries.bisect_left((prefix + low,))
        if high is not None:
            return start, self._entries.bisect_left((prefix + high,))
        # No order key starts with 0xFF, so this lies above every key under the prefix.
        return start, self._entries.bisect_left((prefix + b"\xff",))
