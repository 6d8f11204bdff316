"""One database: its documents, by their paths below it, its collections, and commits."""

from collections.abc import Sequence
from functools import partial

from google.api_core import exceptions
from google.cloud.firestore import Client

from functions.adapters.firestore.query import Collection, Query
from functions.adapters.firestore.transactions import Transaction, Writes
from functions.adapters.firestore.values import Snapshot, path_of, snapshot
from functions.adapters.firestore.wire import Wire


class Database:
    """Reads and writes of documents, over the client library's connection."""

    def __init__(self, client: Client) -> None:
        self.wire = Wire(client)

    def document(self, *names: str) -> str:
        """Return a document's path."""
        return "/".join(names)

    def collection(self, *names: str) -> Collection:
        """Return a collection, as `users`, `ana`, `ledger`."""
        return Collection(self.wire, "/".join(names[:-1]), names[-1])

    def collection_group(self, name: str) -> Query:
        """Return a query for all collections of this name."""
        return Query(self.wire, "", name, everywhere=True)

    def get(
        self, path: str, transaction: Transaction | None = None, *, once: bool = False, seconds: float | None = None
    ) -> Snapshot:
        """Read a document. One read. Outside of a transaction it can be tried `once`, for so many seconds."""
        if transaction:
            return self.get_all([path], transaction)[0]
        request = self.wire.request("GetDocument")
        request.name = self.wire.name(path)
        try:
            return snapshot(self.wire.call("GetDocument", request, once=once, seconds=seconds))
        except exceptions.NotFound:
            return Snapshot(path)

    def get_all(
        self,
        paths: Sequence[str],
        transaction: Transaction | None = None,
        *,
        once: bool = False,
        seconds: float | None = None,
    ) -> list[Snapshot]:
        """Read documents at one moment, and return them in this order. A read each, but for those that the
        transaction has read before. `once` and `seconds` as for `get`."""
        call = partial(self.wire.call, once=once, seconds=seconds)
        read, found = (transaction.read, transaction.seen) if transaction else (call, {})
        request = self.wire.request("BatchGetDocuments")
        request.documents.extend(self.wire.name(path) for path in paths if path not in found)
        for each in read("BatchGetDocuments", request) if request.documents else ():
            if each.HasField("found"):
                found[path_of(each.found.name)] = snapshot(each.found)
            elif each.missing:
                found[path_of(each.missing)] = Snapshot(path_of(each.missing))
        return [found[path] for path in paths]

    def batch(self) -> Writes:
        """Return a commit to be filled."""
        return Writes(self.wire)

    def transaction(self, *, read_only: bool = False) -> Transaction:
        """Return a transaction to be run: see `writes.run_transaction`."""
        return Transaction(self.wire, read_only=read_only)


def connected(project: str) -> Client:
    """Return the client library's client of a project, or of the emulator that the environment names."""
    return Client(project=project)


class Documents:
    """What all reads and writes of documents have: the database."""

    def __init__(self, client: Client) -> None:
        self._client = Database(client)
