"""Apps in the past, on both servers: security rules judge a read at a time by the documents of that time."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer, OfficialFirestore, find_official
from localcloud.firestore.protos import GetDocumentRequest, Message
from localcloud.tests.firestore.support import close, connect, documents_root, request_of

RULES = """rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /notes/{note} { allow read: if resource.data.owner == request.auth.uid; }
    match /shared/{document} {
      allow read: if get(/databases/$(database)/documents/members/m).data.uid == request.auth.uid;
    }
  }
}
"""
Ask = Callable[[Message], bool]


@pytest.fixture(scope="module", params=["embedded", "official"])
def guarded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host of each server, under the rules."""
    rules: Path = tmp_path_factory.mktemp("rules") / "firestore.rules"
    rules.write_text(RULES)
    server: FirestoreServer | OfficialFirestore
    if request.param == "embedded":
        server = FirestoreServer(security_rules=rules)
    else:
        install, reason = find_official()
        if install is None:
            pytest.skip(reason)
        server = OfficialFirestore(rules=rules)
    server.start()
    yield server.host
    server.stop()


@pytest.fixture
def owner(guarded: str) -> Iterator[Client]:
    """A server client, whom no rules concern, of an empty database."""
    client = connect(guarded)
    yield client
    close(client)


@pytest.fixture
def ann(guarded: str, owner: Client) -> Iterator[Ask]:
    """What tells whether Ann's app is let to read."""
    now, project = int(time.time()), owner.project
    claims = {"sub": "ann", "user_id": "ann", "aud": project, "iat": now, "exp": now + 3600}
    claims["iss"] = f"https://securetoken.google.com/{project}"
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."
    with grpc.insecure_channel(guarded) as channel:

        def ask(request: Message) -> bool:
            rpc = type(request).DESCRIPTOR.name.removesuffix("Request")
            method = channel.unary_stream(f"/google.firestore.v1.Firestore/{rpc}")
            metadata = [("authorization", f"Bearer {token}")]
            try:
                return bool(list(method(request.SerializeToString(), metadata=metadata, wait_for_ready=True)))
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.PERMISSION_DENIED, error  # noqa: PT017 - either is an answer
                return False

        yield ask


def reads(client: Client, path: str, at: Any) -> dict[str, Message]:
    """Return a read of one document by each RPC that apps may use, at a time if there is one."""
    root = documents_root(client)
    collection = path.rpartition("/")[0]
    value = {"reference_value": f"{root}/{path}"}
    by_name = {"field_filter": {"field": {"field_path": "__name__"}, "op": 5, "value": value}}
    query = {"from_": [{"collection_id": collection}], "where": by_name}
    counted = {"structured_query": query, "aggregations": [{"count": {}}]}
    database = client._database_string  # noqa: SLF001
    found = {
        "get": GetDocumentRequest(name=f"{root}/{path}"),
        "batch": request_of("BatchGetDocuments", database=database, documents=[f"{root}/{path}"]),
        "query": request_of("RunQuery", parent=root, structured_query=query),
        "count": request_of("RunAggregationQuery", parent=root, structured_aggregation_query=counted),
    }
    for request in found.values():
        if at is not None:
            request.read_time.CopyFrom(at.timestamp_pb())
    return found


@pytest.mark.parametrize("how", ["get", "batch", "query", "count"])
def test_the_document_of_that_time_decides(owner: Client, ann: Ask, how: str) -> None:
    """What was somebody else's stays hidden in the past, and what was one's own stays open there."""
    got = owner.document("notes/got").set({"owner": "bob"}).update_time
    owner.document("notes/got").set({"owner": "ann"})
    given = owner.document("notes/given").set({"owner": "ann"}).update_time
    owner.document("notes/given").set({"owner": "bob"})
    allowed = [
        ann(reads(owner, path, at)[how])
        for path, at in (("notes/got", None), ("notes/got", got), ("notes/given", None), ("notes/given", given))
    ]
    assert allowed == [True, False, False, True]


@pytest.mark.parametrize("how", ["get", "batch", "query", "count"])
def test_conditions_look_up_documents_of_that_time(owner: Client, ann: Ask, how: str) -> None:
    """A read at a time before one became a member is refused, one of a time after that is served."""
    owner.document("shared/x").set({"n": 1})
    before = owner.document("members/m").set({"uid": "bob"}).update_time
    after = owner.document("members/m").set({"uid": "ann"}).update_time
    assert [ann(reads(owner, "shared/x", at)[how]) for at in (before, after, None)] == [False, True, True]
