"""Names of databases, documents, collections and fields: taking apart, checking, putting together.

Inside the server a document is known by its path relative to the database, such as `users/u1/ledger/welcome`; on the
wire by its full name, `projects/P/databases/D/documents/users/u1/ledger/welcome`. Limits:
https://firebase.google.com/docs/firestore/quotas
"""

import re
from functools import lru_cache

from .errors import invalid

ID_BYTES_MAX = 1500
NAME_BYTES_MAX = 6 * 1024
DEPTH_MAX = 100  # collections nested within each other

DOCUMENT_ID = "__name__"

_SIMPLE_FIELD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_QUOTED_FIELD = re.compile(r"`((?:[^`\\]|\\.)+)`")
_RESERVED_ID = re.compile(r"__.*__", re.DOTALL)
_NUMERIC_ID = re.compile(r"__id-?\d+__")  # ids carried over from Datastore, the one reserved form that may be used
_DATABASE = re.compile(r"projects/[^/]+/databases/[^/]+")


def split_name(name: str) -> tuple[str, str]:
    """Split a full resource name into its database and the path under `documents` (empty for the root).

    Raises:
        FirestoreError: INVALID_ARGUMENT when it is not such a name.
    """
    parts = name.split("/", 5)
    if (
        len(parts) < 5
        or parts[0] != "projects"
        or parts[2] != "databases"
        or parts[4] != "documents"
        or not (parts[1] and parts[3])
    ):
        raise invalid(
            f'"{name}" is not a document name: it must start with "projects/PROJECT/databases/DATABASE/documents".'
        )
    return f"projects/{parts[1]}/databases/{parts[3]}", parts[5] if len(parts) == 6 else ""


def check_database(name: str) -> str:
    """Return `name` when it is a database's full name, else raise INVALID_ARGUMENT."""
    if not _DATABASE.fullmatch(name):
        raise invalid(f'"{name}" is not a database name: it must look like "projects/PROJECT/databases/DATABASE".')
    return name


def document_path(name: str, database: str) -> str:
    """Return the relative path of the document called `name` in `database`.

    Raises:
        FirestoreError: INVALID_ARGUMENT when it is no document's name, or one of another database.
    """
    found, path = split_name(name)
    if found != database:
        raise invalid(f'Document "{name}" does not belong to the database "{database}" of the request.')
    check_document_path(path, name)
    return path


def full_name(database: str, path: str) -> str:
    """Return the name on the wire of the document at `path`."""
    return f"{database}/documents/{path}"


def check_document_path(path: str, name: str) -> None:
    """Raise INVALID_ARGUMENT unless `path` has an even number of valid segments; `name` is how the caller wrote it."""
    segments = path.split("/")
    if len(segments) % 2:
        raise invalid(
            f'Document name "{name}" lacks "/" at index {len(name)}: a document path has an even number of segments.'
        )
    check_segments(segments, name)


def check_segments(segments: list[str], name: str) -> None:
    """Raise INVALID_ARGUMENT unless every segment may be a collection's or a document's id."""
    if len(segments) > 2 * DEPTH_MAX:
        raise invalid(f'"{name}" is nested deeper than {DEPTH_MAX} collections.')
    if len(name) * 4 > NAME_BYTES_MAX and len(name.encode()) > NAME_BYTES_MAX:
        raise invalid(f"The resource name is longer than {NAME_BYTES_MAX} bytes.")
    for segment in segments:
        check_id(segment, name)


def check_id(segment: str, name: str) -> None:
    """Raise INVALID_ARGUMENT unless `segment`, a part of `name`, may be an id."""
    if not segment or segment in {".", ".."} or "/" in segment:
        raise invalid(f'"{name}" has the id "{segment}": an id is not empty, not "." or ".." and has no "/".')
    if segment.startswith("__") and _RESERVED_ID.fullmatch(segment) and not _NUMERIC_ID.fullmatch(segment):
        raise invalid(f'Resource id "{segment}" is invalid because it is reserved.')
    if len(segment) * 4 > ID_BYTES_MAX and len(segment.encode()) > ID_BYTES_MAX:
        raise invalid(f'The id starting with "{segment[:20]}" is longer than {ID_BYTES_MAX} bytes.')


def collection_of(path: str) -> str:
    """Return the path of the collection a document lies in: `users/u1` lies in `users`."""
    return path.rpartition("/")[0]


def collection_id(path: str) -> str:
    """Return the id of the collection a document lies in: `users/u1/ledger/e` lies in one called `ledger`."""
    return path.rsplit("/", 2)[-2]


@lru_cache(maxsize=4096)
def parse_field_path(text: str) -> tuple[str, ...]:
    """Split a field path into its names, undoing the quoting: ``a.`b.c` `` gives `("a", "b.c")`.

    Raises:
        FirestoreError: INVALID_ARGUMENT when a name is empty, or not simple and not quoted with backticks.
    """
    names: list[str] = []
    position = 0
    while True:
        quoted = _QUOTED_FIELD.match(text, position)
        found = quoted or _SIMPLE_FIELD.match(text, position)
        if found is None:
            raise invalid(f'Invalid property path "{text}". Unquoted property names must match [A-Za-z_][A-Za-z_0-9]*.')
        names.append(re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL) if quoted else found[0])
        position = found.end()
        if position == len(text):
            return tuple(names)
        if text[position] != ".":
            raise invalid(f'Invalid property path "{text}": "." expected at index {position}.')
        position += 1


def format_field_path(names: tuple[str, ...]) -> str:
    """Join field names into a field path, quoting where needed: the inverse of `parse_field_path`."""
    return ".".join(name if _SIMPLE_FIELD.fullmatch(name) else f"`{_escape(name)}`" for name in names)


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")
