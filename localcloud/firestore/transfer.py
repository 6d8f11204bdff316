"""Export and import: one JSON Lines file.

Its first line names the format, each further one is a document as the REST API shows it, with `name` (in full, so
that several databases fit), `fields`, `createTime` and `updateTime`:

    {"format": "localcloud-firestore", "version": 1}
    {"name": "projects/p/databases/(default)/documents/users/u1", "fields": {"n": {"integerValue": "1"}},
    "createTime": ...}
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from .engine import Engine
from .errors import FirestoreError
from .paths import document_path, split_name
from .protos import Document, DocumentPb
from .store import EVERYWHERE
from .values import check_fields
from .wire import timestamp

HEADER = {"format": "localcloud-firestore", "version": 1}
_FORMER = "-firestore"
"""Ends the name that the format had in the project that the local cloud was a part of; the rest is the same."""


def export_lines(engine: Engine) -> Iterator[str]:
    """Yield the lines of an export of all databases, as they are at the moment of the first line."""
    with engine.mutex:
        stored = [
            document for session in engine.sessions.values() for _, document in session.database.documents(EVERYWHERE)
        ]
    yield json.dumps(HEADER) + "\n"
    for document in stored:
        yield json.dumps(MessageToDict(document.parse()), ensure_ascii=False, separators=(",", ":")) + "\n"


def import_lines(engine: Engine, lines: Iterable[str]) -> int:
    """Add the documents of an export, replacing those of the same name, and return their number. All of them or none.

    Raises:
        ValueError: a line is not what an export holds; the text says which and why.
    """
    documents: list[tuple[str, str, DocumentPb]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
            if number == 1:
                _check_header(content)
            else:
                documents.append(_read(content))
        except (ValueError, ParseError, FirestoreError) as error:
            raise ValueError(f"line {number}: {error}") from error
    with engine.mutex:
        for database, path, document in documents:
            _store(engine, database, path, document)
    return len(documents)


def export_to(engine: Engine, path: Path) -> int:
    """Write an export to a file and return the number of documents. The file is whole or not there at all."""
    partial = path.with_name(f"{path.name}.partial")
    count = -1  # the header is no document
    with partial.open("w") as file:
        for line in export_lines(engine):
            file.write(line)
            count += 1
    partial.replace(path)
    return count


def import_from(engine: Engine, path: Path) -> int:
    """Import a file, see `import_lines`."""
    with path.open() as file:
        return import_lines(engine, file)


def _check_header(content: Any) -> None:
    name = content.get("format") if isinstance(content, dict) else None
    former = isinstance(name, str) and name.endswith(_FORMER) and content == {**HEADER, "format": name}
    if content != HEADER and not former:
        raise ValueError(f"an export starts with {json.dumps(HEADER)}")


def _read(content: Any) -> tuple[str, str, DocumentPb]:
    document = ParseDict(content, Document())
    database, _ = split_name(document.name)
    check_fields(document.fields)
    return database, document_path(document.name, database), document


def _store(engine: Engine, name: str, path: str, document: DocumentPb) -> None:
    tick = engine.tick()
    for field in ("create_time", "update_time"):
        if not document.HasField(field):
            getattr(document, field).CopyFrom(timestamp(tick))
    engine.session(name).database.put(path, document, tick)
