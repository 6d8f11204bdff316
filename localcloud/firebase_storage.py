"""Cloud Storage as apps see it: the protocol of the Firebase SDKs, under `storage.rules`.

    POST   /v0/b/{bucket}/o?name=N       upload: X-Goog-Upload-Protocol multipart or resumable, or the bare bytes
    GET    /v0/b/{bucket}/o/{N}          metadata; with alt=media the bytes, which a download token opens as well
    DELETE /v0/b/{bucket}/o/{N}          delete
    GET    /v0/b/{bucket}/o              list, in one page: prefix=P, delimiter=/

Objects are those of the server's Cloud Storage API: what an app uploads here, the functions read there.
"""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gcp_storage_emulator.exceptions import Conflict, NotFound
from gcp_storage_emulator.handlers.objects import _checksums, _make_object_resource
from gcp_storage_emulator.storage import Storage

from localcloud.auth.accounts import AuthError
from localcloud.auth.tokens import Tokens
from localcloud.storage_rules import Access, StorageSecurity

PREFIX = "/v0/"
_ROUTE = re.compile(r"/v0/b/(?P<bucket>[^/]+)/o(?:/(?P<name>.+))?")
_OWNER = "owner"  # what the Admin SDK sends to emulators, for which there are no rules
_TOKENS = "firebaseStorageDownloadTokens"  # where Cloud Storage keeps the tokens of download links
_SHOWN = {"name", "bucket", "generation", "metageneration", "contentType", "timeCreated", "updated", "storageClass"}
_SHOWN |= {"size", "md5Hash", "crc32c", "etag", "contentDisposition", "contentLanguage", "cacheControl"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request of an app."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # found without regard to case
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path alone, still quoted."""
        return urlsplit(self.target).path

    @property
    def origin(self) -> str:
        """Return the address at which the caller has found us."""
        return f"http://{self.header('Host')}"

    def asked(self, name: str) -> str:
        """Return a field of the query, empty if it is not there."""
        return parse_qs(urlsplit(self.target).query).get(name, [""])[0]

    def header(self, name: str) -> str:
        """Return a header, empty if it is not there."""
        return self.headers.get(name) or ""


@dataclass(frozen=True)
class Reply:
    """The answer to a call."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Json, status: int = HTTPStatus.OK, **headers: str) -> "Reply":
        """Return JSON; the underscores of `headers` are hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(content).encode(), {"Content-Type": "application/json", **named})


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class _Upload:
    """A resumable upload on its way: what it will be, and the bytes so far. `reply` once it has ended."""

    bucket: str
    name: str
    metadata: Json
    content: bytearray = field(default_factory=bytearray)
    reply: Reply | None = None


class FirebaseStorage:
    """Answers apps out of the store of a Cloud Storage emulator. The caller holds the store's lock."""

    def __init__(self, store: Storage, project: str, security: StorageSecurity) -> None:
        """Take ID tokens of `project`."""
        self._store, self._security = store, security
        self._tokens = Tokens(project)
        self._uploads: dict[str, _Upload] = {}

    def answer(self, call: Call) -> Reply:
        """Answer one request; what is wrong with it is in the reply too."""
        try:
            return self._answer(call)
        except _RefusedError as refused:
            return _error(refused.status, str(refused))
        except AuthError as error:
            return _error(HTTPStatus.UNAUTHORIZED, f"the ID token is not valid: {error.message}")
        except NotFound:
            return _error(HTTPStatus.NOT_FOUND, "Not Found.")
        except Conflict as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))

    def _answer(self, call: Call) -> Reply:
        route = _ROUTE.fullmatch(call.path)
        if route is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, f"{call.path} is not served; {__name__} says what is")
        bucket, name = unquote(route["bucket"]), unquote(route["name"] or "") or call.asked("name")
        if call.method in {"POST", "PUT"} and not call.header("X-HTTP-Method-Override"):
            return self._upload(call, bucket, name)
        if call.method == "GET" and not name:
            return self._list(call, bucket)
        if call.method == "GET":
            return self._get(call, bucket, name)
        if call.method == "DELETE":
            self._require_allowed(call, "delete", bucket, name)
            self._store.delete_file(bucket, name)
            return Reply(HTTPStatus.NO_CONTENT)
        raise _RefusedError(HTTPStatus.NOT_IMPLEMENTED, f"{call.method} is not served; {__name__} says what is")

    def _require_allowed(
        self, call: Call, operation: str, bucket: str, name: str, new: Mapping[str, Any] | None = None
    ) -> None:
        """Hold a request to the rules. `new` is the metadata of a new object.

        Raises:
            _RefusedError: 403, as the real service answers, with what helps a developer to see why.
        """
        scheme, _, token = call.header("Authorization").partition(" ")
        if token and scheme not in {"Firebase", "Bearer"}:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "send 'Authorization: Firebase <ID token>'")
        if token == _OWNER:
            return
        claims = self._tokens.read(token) if token else None
        there = None if operation == "list" else self._store.objects.get(bucket, {}).get(name)
        why = self._security.refusal(Access(operation, bucket, name, claims, there, new))
        if why is not None:
            action = {"get": "READ", "list": "LIST"}.get(operation, "WRITE")
            raise _RefusedError(HTTPStatus.FORBIDDEN, f"Permission denied. No {action} permission. {why}")

    def _list(self, call: Call, bucket: str) -> Reply:
        prefix, delimiter = call.asked("prefix"), call.asked("delimiter")
        self._require_allowed(call, "list", bucket, prefix)
        names, folders = [], set()
        for name in sorted(self._store.objects.get(bucket, {})):
            if name.startswith(prefix):
                rest = name.removeprefix(prefix)
                inner, found, _ = rest.partition(delimiter) if delimiter else (rest, "", "")
                folders |= {prefix + inner + found} if found else set()
                names += [] if found else [name]
        items = [{"name": name, "bucket": bucket} for name in names]
        return Reply.of({"prefixes": sorted(folders), "items": items})

    def _get(self, call: Call, bucket: str, name: str) -> Reply:
        media = call.asked("alt") == "media"
        found = self._store.objects.get(bucket, {}).get(name)
        tokens = _download_tokens(found or {})
        if not (media and call.asked("token") in tokens):
            self._require_allowed(call, "get", bucket, name)
        if found is None:
            raise NotFound
        if not media:
            return Reply.of(_shown(found))
        content = bytes(self._store.get_file(bucket, name, show_error=False))
        return Reply(HTTPStatus.OK, content, {"Content-Type": found["contentType"], "Cache-Control": "private"})

    def _upload(self, call: Call, bucket: str, name: str) -> Reply:
        command = call.header("X-Goog-Upload-Command")
        if command == "start":
            return self._start(call, bucket, _named(name))
        if command:
            return self._continue(call, command)
        if call.header("X-Goog-Upload-Protocol") == "multipart":
            metadata, content = _parts(call)
        else:
            metadata, content = {"contentType": call.header("Content-Type")}, call.body
        return self._keep(call, bucket, _named(name), metadata, content)

    def _start(self, call: Call, bucket: str, name: str) -> Reply:
        upload_id = secrets.token_urlsafe(16)
        metadata = {"contentType": call.header("X-Goog-Upload-Header-Content-Type"), **_json_object(call.body or b"{}")}
        self._uploads[upload_id] = _Upload(bucket, name, metadata)
        query = f"name={quote(name, safe='')}&upload_id={upload_id}&upload_protocol=resumable"
        url = f"{call.origin}/v0/b/{quote(bucket, safe='')}/o?{query}"
        return Reply.of({}, X_Goog_Upload_Status="active", X_Goog_Upload_URL=url, X_GUploader_UploadID=upload_id)

    def _continue(self, call: Call, command: str) -> Reply:
        upload_id = call.asked("upload_id")
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "there is no such upload, or it was cancelled")
        if command == "cancel":
            del self._uploads[upload_id]
            return Reply.of({}, X_Goog_Upload_Status="cancelled")
        if command == "query" or upload.reply is not None:
            status = "final" if upload.reply else "active"
            received = str(len(upload.content))
            reply = upload.reply or Reply.of({})
            more = {"X-Goog-Upload-Status": status, "X-Goog-Upload-Size-Received": received}
            return Reply(reply.status, reply.body, {**reply.headers, **more})
        steps = {step.strip() for step in command.split(",")}
        if not steps <= {"upload", "finalize"}:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"unknown X-Goog-Upload-Command {command!r}")
        if "upload" in steps:
            if call.header("X-Goog-Upload-Offset") != str(len(upload.content)):
                raise _RefusedError(HTTPStatus.BAD_REQUEST, f"{len(upload.content)} bytes are here: go on from there")
            upload.content += call.body
        if "finalize" not in steps:
            return Reply.of({}, X_Goog_Upload_Status="active")
        upload.reply = self._ended(call, upload)
        return upload.reply

    def _ended(self, call: Call, upload: _Upload) -> Reply:
        """Keep a complete upload. The same answer is given again to an app that has missed it."""
        try:
            kept = self._keep(call, upload.bucket, upload.name, upload.metadata, bytes(upload.content))
        except _RefusedError as refused:
            kept = _error(refused.status, str(refused))
        return Reply(kept.status, kept.body, {**kept.headers, "X-Goog-Upload-Status": "final"})

    def _keep(self, call: Call, bucket: str, name: str, metadata: Json, content: bytes) -> Reply:
        content_type = metadata.get("contentType") or "application/octet-stream"
        operation = "update" if name in self._store.objects.get(bucket, {}) else "create"
        given = metadata.get("metadata") or {}
        kept = {"contentDisposition": "inline", **metadata, "metadata": given}
        made = _make_object_resource(call.origin, bucket, name, content_type, str(len(content)), kept)
        resource = _checksums(content, made)
        self._require_allowed(call, operation, bucket, name, resource)
        resource["metadata"] = {**given, _TOKENS: secrets.token_hex(16)}
        self._store.create_file(bucket, name, content, resource)
        return Reply.of(_shown(resource))


def _named(name: str) -> str:
    if not name:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "name the object: ?name=folder/name")
    return name


def _parts(call: Call) -> tuple[Json, bytes]:
    """Return the metadata and the content of a multipart upload, whose parts are the two of them in this order."""
    boundary = re.search(r'boundary="?([^";]+)', call.header("Content-Type"))
    parts = call.body.split(b"--" + boundary[1].encode()) if boundary else []
    if len(parts) != 4:  # before the first, the two, and after the last
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "a multipart upload has two parts: metadata and content")
    (_, _, metadata), (headers, _, content) = (part.partition(b"\r\n\r\n") for part in parts[1:3])
    named = re.search(rb"(?i)content-type:\s*([^\r\n;]+)", headers)
    typed = {"contentType": named[1].decode()} if named else {}
    return {**typed, **_json_object(metadata)}, content.removesuffix(b"\r\n")


def _json_object(text: bytes) -> Json:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the metadata is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the metadata is no JSON object")
    return content


def _download_tokens(resource: Json) -> set[str]:
    return set((resource.get("metadata") or {}).get(_TOKENS, "").split(",")) - {""}


def _shown(resource: Json) -> Json:
    """Return what apps are shown of an object."""
    own = {name: value for name, value in (resource.get("metadata") or {}).items() if name != _TOKENS}
    shown = {name: resource[name] for name in sorted(_SHOWN) if resource.get(name) is not None}
    tokens = ",".join(sorted(_download_tokens(resource)))
    return {**shown, "contentEncoding": "identity", "downloadTokens": tokens, **({"metadata": own} if own else {})}


def _error(status: HTTPStatus, message: str) -> Reply:
    return Reply.of({"error": {"code": int(status), "message": message}}, status)
