"""Firestore's REST API: which RPC a request is, and its answer in JSON.

    POST   /v1/{database}/documents:{verb}           batchGet, beginTransaction, commit, rollback, batchWrite
    POST   /v1/{database}/documents[/{path}]:{verb}  runQuery, runAggregationQuery, listCollectionIds
    GET    /v1/{name}                                a document, or with a collection's name the list of its documents
    PATCH, DELETE /v1/{name}                         updateMask.fieldPaths, currentDocument.exists, ... in the address
    POST   /v1/{collection}                          a new document; documentId in the address

https://firebase.google.com/docs/firestore/reference/rest
"""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.empty_pb2 import Empty

from localcloud.firestore.engine import Caller
from localcloud.firestore.errors import invalid, not_found
from localcloud.firestore.protos import Document, rpc_types
from localcloud.firestore.service import RPCS, Service, Wait

from .json_wire import Json, json_of, message_of

Parameters = Iterable[tuple[str, str]]
"""Name and value of each parameter in a request's address."""

_TARGET = re.compile(r"(?P<database>projects/[^/]+/databases/[^/]+)/documents(?:/(?P<path>.+?))?(?::(?P<verb>\w+))?")
_ON_DATABASE = {
    "batchGet": "BatchGetDocuments",
    "beginTransaction": "BeginTransaction",
    "commit": "Commit",
    "rollback": "Rollback",
    "batchWrite": "BatchWrite",
}
_ON_PARENT = {
    "runQuery": "RunQuery",
    "runAggregationQuery": "RunAggregationQuery",
    "listCollectionIds": "ListCollectionIds",
}
_ON_DOCUMENT = {"GET": "GetDocument", "PATCH": "UpdateDocument", "DELETE": "DeleteDocument"}
_ANSWERS = {
    "GetDocument": Document,
    "CreateDocument": Document,
    "UpdateDocument": Document,
    "DeleteDocument": Empty,
    "Rollback": Empty,
}
_SYSTEM = {"key", "alt", "prettyPrint", "$prettyPrint", "$alt", "$httpHeaders", "quotaUser", "userProject"}
_FLAGS = {"exists", "showMissing"}


def answer(
    service: Service, method: str, target: str, parameters: Parameters, body: Any, wait: Wait, caller: Caller | None
) -> Any:
    """Answer a request for `target`, the path below `/v1/`, and return the JSON to send.

    Args:
        service: who answers.
        method: GET, POST, PATCH or DELETE.
        target: without percent encoding.
        parameters: those of the address.
        body: parsed JSON, {} where there is none.
        wait: how the call waits for locks.
        caller: who calls; None is a server client.

    Raises:
        FirestoreError: what is wrong with the request, or its outcome.
    """
    rpc, content = _rpc(method, target, parameters, body)
    request = message_of(RPCS[rpc].request, content)
    answers = service.answer(rpc, request, wait, caller)
    kind = _ANSWERS.get(rpc) or rpc_types(rpc)[1]
    shown = [json_of(kind, raw) for raw in answers]
    return shown if RPCS[rpc].streams else shown[0]


def streams(method: str, target: str) -> bool:
    """Tell whether the answer to a request, and an error too, is a list."""
    verb = target.rpartition(":")[2]
    rpc = (_ON_DATABASE | _ON_PARENT).get(verb)
    return method == "POST" and rpc is not None and RPCS[rpc].streams


def _rpc(method: str, target: str, parameters: Parameters, body: Any) -> tuple[str, Json]:
    """Return the RPC that a request stands for, and its message as JSON."""
    found = _TARGET.fullmatch(target)
    if found is None:
        raise not_found(f"{target} is not served; {__name__} says what is.")
    database, path, verb = found["database"], found["path"], found["verb"]
    root = f"{database}/documents"
    name = f"{root}/{path}" if path else root
    if not isinstance(body, dict):
        raise invalid("The body is a JSON object.")
    if method == "POST" and verb in _ON_DATABASE and not path:
        return _ON_DATABASE[verb], {**body, "database": database}
    if method == "POST" and verb in _ON_PARENT:
        return _ON_PARENT[verb], {**body, "parent": name}
    # A colon may be a part of an id.
    name += f":{verb}" if verb else ""
    asked = _asked(parameters)
    segments = name.removeprefix(f"{root}/").split("/") if name != root else []
    if segments and len(segments) % 2 == 0 and method in _ON_DOCUMENT:
        if method == "PATCH":
            return _ON_DOCUMENT[method], {**asked, "document": {**body, "name": name}}
        return _ON_DOCUMENT[method], {**asked, "name": name}
    if len(segments) % 2 and method in {"GET", "POST"}:
        parent, _, collection = name.rpartition("/")
        more = {"document": body} if method == "POST" else {}
        rpc = "CreateDocument" if method == "POST" else "ListDocuments"
        return rpc, {**asked, **more, "parent": parent, "collectionId": collection}
    raise not_found(f"{method} {target} is not served; {__name__} says what is.")


def _asked(parameters: Parameters) -> Json:
    """Return the parameters of an address as the JSON of a message: `mask.fieldPaths=a` is `{"mask": {...}}`."""
    asked: Json = {}
    for name, text in parameters:
        if name in _SYSTEM:
            continue
        *outer, last = name.split(".")
        part = asked
        for step in outer:
            part = part.setdefault(step, {})
            if not isinstance(part, dict):
                raise invalid(f"{name} contradicts another parameter.")
        if last == "fieldPaths":
            part.setdefault(last, []).append(text)
        else:
            part[last] = text == "true" if last in _FLAGS else text
    return asked
