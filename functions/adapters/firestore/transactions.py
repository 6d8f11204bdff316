"""Writes that happen together, and transactions, which read before they write."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from google.api_core import exceptions
from google.cloud.firestore import DELETE_FIELD, Increment

from functions.adapters.firestore.values import (
    Message,
    Snapshot,
    decoded_time,
    encode,
    encode_fields,
    encode_time,
    field_path,
    leaves,
)
from functions.adapters.firestore.wire import Wire


class Writes:
    """Writes that are committed together, or not at all; each names a document by its path."""

    def __init__(self, wire: Wire) -> None:
        self._wire, self._request = wire, wire.request("Commit")
        self.messages = self._request.writes
        self.versions: list[datetime] = []
        """Of what the commit has written, in this order."""

    def create(self, path: str, fields: Mapping[str, Any]) -> "Writes":
        """Write a document that must not be there yet."""
        self._written(path, fields).current_document.exists = False
        return self

    def set(self, path: str, fields: Mapping[str, Any]) -> "Writes":
        """Write a document, in place of what is there."""
        self._written(path, fields)
        return self

    def update(self, path: str, fields: Mapping[str, Any], version: datetime | None = None) -> "Writes":
        """Write these fields of a document, each as a whole. It must be there, and at its version if one is given."""
        write = self._put(path, fields)
        if version is None:
            write.current_document.exists = True
        else:
            encode_time(version, write.current_document.update_time)
        return self

    def put(self, path: str, fields: Mapping[str, Any]) -> "Writes":
        """Write these fields of a document, each as a whole. It need not be there."""
        self._put(path, fields)
        return self

    def merge(self, path: str, fields: Mapping[str, Any]) -> "Writes":
        """Write these fields into a document, and leave what else is in its maps. It need not be there. A field can be
        an `Increment`, or `DELETE_FIELD`."""
        write = self._written(path, {})
        write.update_mask.SetInParent()
        for names, value in leaves(fields):
            name = field_path(*names)
            if isinstance(value, Increment):
                encode(value.value, write.update_transforms.add(field_path=name).increment)
                continue
            write.update_mask.field_paths.append(name)
            if value is not DELETE_FIELD:
                into = write.update.fields
                for above in names[:-1]:
                    into = into[above].map_value.fields
                encode(value, into[names[-1]])
        return self

    def delete(self, path: str, version: datetime | None = None, *, exists: bool = False) -> "Writes":
        """Remove a document, which must be at its version if one is given, and be there if it must exist."""
        write = self.messages.add(delete=self._wire.name(path))
        if version is not None:
            encode_time(version, write.current_document.update_time)
        elif exists:
            write.current_document.exists = True
        return self

    def commit(self, *, once: bool = False) -> None:
        """Write all, or nothing; try it only `once`, or also after errors that may pass. Raises
        google.api_core.exceptions.GoogleAPICallError."""
        results = self._wire.call("Commit", self._request, once=once).write_results
        self.versions = [decoded_time(each.update_time) for each in results]

    def commit_each(self) -> Message:
        """Write each, whether or not the others can be written. Returns the response, which tells what became of each.
        Raises as `commit`."""
        request = self._wire.request("BatchWrite")
        request.writes.extend(self.messages)
        return self._wire.call("BatchWrite", request)

    def _written(self, path: str, fields: Mapping[str, Any]) -> Message:
        write = self.messages.add()
        write.update.name = self._wire.name(path)
        encode_fields(fields, write.update.fields)
        return write

    def _put(self, path: str, fields: Mapping[str, Any]) -> Message:
        write = self._written(path, fields)
        write.update_mask.field_paths.extend(map(field_path, sorted(fields)))
        return write


class Transaction(Writes):
    """A transaction: what it reads does not change before it commits, or it writes nothing."""

    def __init__(self, wire: Wire, *, read_only: bool = False) -> None:
        super().__init__(wire)
        self._id, self._first, self._read_only = b"", b"", read_only
        self.seen: dict[str, Snapshot] = {}
        """What it has read by name, by path: a document is read once."""

    def start_over(self) -> None:
        """Forget what an attempt that has lost to others has read and written."""
        self._id = b""
        self.seen.clear()
        del self.messages[:]

    def begin(self) -> None:
        """Begin by a call of its own, before reading what everybody needs. Otherwise the first read begins it, which
        saves this call; but if its reply is lost, nobody knows the transaction, and what it read stays locked for a
        minute."""
        request = self._wire.request("BeginTransaction")
        self._put_options(request.options)
        self._begun(self._wire.call("BeginTransaction", request))

    def read(self, rpc: str, request: Message, **options: Any) -> list[Message]:
        """Make a reading call as part of it, and return the responses. Reads come before writes."""
        if self.messages:
            raise RuntimeError("a transaction reads before it writes")
        if self._id:
            request.transaction = self._id
        else:
            self._put_options(request.new_transaction)
        responses: list[Message] = self._wire.call(rpc, request, **options)
        if not self._id:
            self._begun(responses[0])
        return responses

    def _put_options(self, options: Message) -> None:
        if self._read_only:
            options.read_only.SetInParent()
        else:  # Firestore lets an older one go first, and another attempt is as old as the first
            options.read_write.retry_transaction = self._first

    def _begun(self, response: Message) -> None:
        self._id = response.transaction
        self._first = self._first or self._id

    def commit(self, *, once: bool = False) -> None:
        """Write all, or nothing, and end. What has read nothing needs no transaction."""
        if not self._id and not self.messages:
            return
        self._request.transaction = self._id
        try:
            super().commit(once=once)
        except exceptions.Aborted:
            self._id = b""  # it is over
            raise

    def roll_back(self) -> None:
        """End without effect. If that fails, its locks go by themselves."""
        if self._id:
            request = self._wire.request("Rollback")
            request.transaction = self._id
            with suppress(exceptions.GoogleAPICallError):
                self._wire.call("Rollback", request)
