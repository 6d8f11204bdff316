"""`storage.rules` on what apps do with objects of Cloud Storage.

Variables and functions: https://firebase.google.com/docs/reference/rules/rules.firebase.storage
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Any

from localcloud.rules import EvaluationError, Request, RulesError
from localcloud.rules.file import RulesFile
from localcloud.rules.values import NANOS, Path, Timestamp, Value

SERVICE = "firebase.storage"
DOCUMENTS_MAX = 2  # of Firestore, that the rules may read for one request

Documents = Callable[[Path], dict[str, Value] | None]
"""Looks up a document of Firestore by its path, as rules see it; None if there is none."""

_NUMBERS = ("size", "generation", "metageneration")
_TIMES = ("timeCreated", "updated")
_TEXTS = ("name", "bucket", "contentType", "contentDisposition", "contentEncoding", "contentLanguage", "cacheControl")
_DIGESTS = ("md5Hash", "crc32c", "etag")


def no_documents(path: Path) -> dict[str, Value] | None:
    """Refuse to look up a document: there is no Firestore to ask."""
    raise EvaluationError(f"there is no embedded Firestore to look up {path}")


@dataclass(frozen=True)
class Access:
    """What an app wants: an operation (get, list, create, update or delete) on an object or, for a list, on a prefix.

    `claims` are those of the caller's ID token, None while nobody is signed in. `before` and `after` are the object's
    metadata as Cloud Storage keeps it, None where there is no object.
    """

    operation: str
    bucket: str
    name: str
    claims: Mapping[str, Any] | None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


class StorageSecurity:
    """The rules of Storage in force.

    Args:
        file: `storage.rules`, read again whenever it changes; without one, or while it does not exist, apps may do
            nothing.
        documents: how `firestore.get` and `firestore.exists` find documents.

    Raises:
        RulesError: the file cannot be loaded.
    """

    def __init__(self, file: FilePath | None = None, documents: Documents = no_documents) -> None:
        self._file, self._documents = RulesFile(file, SERVICE), documents

    def refusal(self, access: Access) -> str | None:
        """Return why an app may not do something; None if it may."""
        segments = ("b", access.bucket, "o", *filter(None, access.name.split("/")))
        claims = access.claims
        request = {
            "auth": None if claims is None else {"uid": claims["sub"], "token": dict(claims)},
            "method": access.operation,
            "path": Path(segments),
            "time": _time(datetime.now(UTC)),
            "resource": _resource(access.after),
        }
        lookups = _Lookups(self._documents)
        functions = {"firestore.get": lookups.get, "firestore.exists": lookups.exists}
        variables = {"request": request, "resource": _resource(access.before)}
        try:
            decision = self._file.current().decide(Request(access.operation, segments, variables, functions))
        except RulesError as error:
            return str(error)
        return None if decision.allowed else str(decision)


class _Lookups:
    """The documents that one request has looked up."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._known: dict[str, dict[str, Value] | None] = {}

    def get(self, path: Path) -> dict[str, Value]:
        found = self._find(path)
        if found is None:
            raise EvaluationError(f"there is no document {path}")
        return found

    def exists(self, path: Path) -> bool:
        return self._find(path) is not None

    def _find(self, path: Path) -> dict[str, Value] | None:
        name = str(path)
        if name not in self._known:
            if len(self._known) == DOCUMENTS_MAX:
                raise EvaluationError(f"the rules read more than {DOCUMENTS_MAX} documents")
            self._known[name] = self._documents(path)
        return self._known[name]


def _resource(metadata: Mapping[str, Any] | None) -> dict[str, Value] | None:
    """Return an object's metadata as rules see it."""
    if metadata is None:
        return None
    found: dict[str, Value] = {name: metadata[name] for name in (*_TEXTS, *_DIGESTS) if metadata.get(name) is not None}
    found |= {name: int(metadata[name]) for name in _NUMBERS if metadata.get(name) is not None}
    found |= {name: _time(datetime.fromisoformat(metadata[name])) for name in _TIMES if metadata.get(name)}
    return {**found, "metadata": dict(metadata.get("metadata") or {})}


def _time(moment: datetime) -> Timestamp:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Timestamp((since.days * 86_400 + since.seconds) * NANOS + since.microseconds * 1000)
