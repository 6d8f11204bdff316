"""REST as the web SDK and tools call it: both servers answer the same."""

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

ORIGIN = "http://localhost:3000"
ASKED = "authorization,x-goog-api-client"
OWNER = {"Authorization": "Bearer owner"}

RULES = """
rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /rooms/{room} {
      allow get: if request.auth.uid == 'ada';
    }
  }
}
"""

Json = dict[str, Any]
Call = Callable[..., httpx.Response]


@pytest.fixture
def database() -> str:
    """The name of a database that nobody has used."""
    return f"projects/demo-{uuid.uuid4().hex[:12]}/databases/(default)"


@pytest.fixture
def http(app_host: str) -> Iterator[httpx.Client]:
    """A page's requests to each server in turn."""
    headers = {"Origin": ORIGIN, **OWNER}
    with httpx.Client(base_url=f"http://{app_host}", headers=headers, timeout=60) as client:
        yield client


@pytest.fixture
def call(http: httpx.Client, database: str) -> Call:
    """Calls what lies under the database's documents."""

    def call(method: str, path: str, body: Json | None = None, **parameters: Any) -> httpx.Response:
        return http.request(method, f"/v1/{database}/documents{path}", json=body, params=parameters)

    return call


@pytest.fixture
def name(database: str) -> str:
    """The name of the document `rooms/hall`."""
    return f"{database}/documents/rooms/hall"


def without_times(content: Any) -> Any:
    """Return JSON without what differs from one time to another."""
    if isinstance(content, list):
        return [without_times(each) for each in content]
    if isinstance(content, dict):
        times = {"readTime", "createTime", "updateTime", "commitTime", "done"}
        return {key: without_times(value) for key, value in content.items() if key not in times}
    return content


FIELDS = {
    "null": {"nullValue": None},
    "yes": {"booleanValue": True},
    "whole": {"integerValue": "9007199254740993"},
    "part": {"doubleValue": 0.5},
    "endless": {"doubleValue": "-Infinity"},
    "when": {"timestampValue": "2026-02-03T04:05:06.789Z"},
    "text": {"stringValue": "grüße 🌍 \u2028"},
    "bytes": {"bytesValue": "AQID/w=="},
    "place": {"geoPointValue": {"latitude": 1.5, "longitude": -2.5}},
    "list": {"arrayValue": {"values": [{"integerValue": "1"}, {"stringValue": ""}]}},
    "map": {"mapValue": {"fields": {"odd name": {"integerValue": "0"}}}},
}


def test_a_document_comes_back_as_it_was_sent(call: Call, name: str) -> None:
    """Every type of value survives the way through JSON."""
    written = call("PATCH", "/rooms/hall", {"fields": FIELDS})
    read = call("GET", "/rooms/hall")

    assert without_times(read.json()) == {"name": name, "fields": FIELDS}
    assert read.json() == written.json()


def test_a_commit_and_its_transforms(call: Call, name: str) -> None:
    """`:commit` writes, and answers with the results of transforms."""
    transform = {"fieldPath": "n", "increment": {"integerValue": "2"}}
    write = {"update": {"name": name, "fields": {}}, "updateTransforms": [transform]}
    answer = call("POST", ":commit", {"writes": [write]})

    assert without_times(answer.json()) == {"writeResults": [{"transformResults": [{"integerValue": "2"}]}]}


def test_a_batch_get_says_what_is_missing(call: Call, name: str) -> None:
    """`:batchGet` answers a list: what is found, and what is not."""
    call("PATCH", "/rooms/hall", {"fields": {}})
    answer = call("POST", ":batchGet", {"documents": [name, f"{name}way"]})

    found = {next(iter(each)): each for each in without_times(answer.json())}
    assert found == {"found": {"found": {"name": name}}, "missing": {"missing": f"{name}way"}}


def test_a_query_and_a_count(call: Call, name: str) -> None:
    """`:runQuery` and `:runAggregationQuery` answer lists; a query without results still has a time."""
    call("PATCH", "/rooms/hall", {"fields": {}})
    query: Json = {"from": [{"collectionId": "rooms"}]}
    counted = {"structuredQuery": query, "aggregations": [{"alias": "a", "count": {}}]}

    found = call("POST", ":runQuery", {"structuredQuery": query})
    below = call("POST", "/rooms/hall:runQuery", {"structuredQuery": query})
    count = call("POST", ":runAggregationQuery", {"structuredAggregationQuery": counted})

    assert without_times(found.json()) == [{"document": {"name": name}}]
    assert [set(each) - {"done"} for each in below.json()] == [{"readTime"}]
    assert without_times(count.json()) == [{"result": {"aggregateFields": {"a": {"integerValue": "1"}}}}]


def test_documents_are_made_listed_and_deleted(call: Call, name: str) -> None:
    """The calls of tools: a new document under a name, a list with a page and a mask, collection ids, deletion."""
    fields = {"a": {"integerValue": "1"}, "b": {"integerValue": "2"}}
    made = call("POST", "/rooms", {"fields": fields}, documentId="hall")
    listed = call("GET", "/rooms", pageSize=1, **{"mask.fieldPaths": "b"})
    collections = call("POST", ":listCollectionIds", {})
    deleted = call("DELETE", "/rooms/hall", **{"currentDocument.exists": "true"})

    assert without_times(made.json()) == {"name": name, "fields": fields}
    assert without_times(listed.json())["documents"] == [{"name": name, "fields": {"b": {"integerValue": "2"}}}]
    assert collections.json() == {"collectionIds": ["rooms"]}
    assert deleted.json() == {}
    assert call("GET", "/rooms/hall").status_code == 404


def test_a_transaction(call: Call, name: str) -> None:
    """`:beginTransaction`, a read and a commit in it; `:rollback` of another."""
    first, second = (call("POST", ":beginTransaction", {}).json()["transaction"] for _ in range(2))
    read = call("POST", ":batchGet", {"documents": [name], "transaction": first})
    committed = call("POST", ":commit", {"transaction": first, "writes": [{"update": {"name": name, "fields": {}}}]})

    assert [read.status_code, committed.status_code] == [200, 200]
    assert call("POST", ":rollback", {"transaction": second}).json() == {}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (":commit", {"writes": [{"update": {"name": "NAME"}, "currentDocument": {"exists": True}}]}, "NOT_FOUND"),
        (":commit", {"writes": [{"update": {"name": "rooms/hall"}}]}, "INVALID_ARGUMENT"),
        (":runQuery", {"structuredQuery": {"frm": []}}, "INVALID_ARGUMENT"),
        (":runQuery", {"structuredQuery": {"from": [{"collectionId": "a"}], "limit": -1}}, "INVALID_ARGUMENT"),
    ],
)
def test_an_error_has_googles_form(call: Call, name: str, path: str, body: Json, status: str) -> None:
    """The web SDK reads `error.status` and `error.message`, of an error alone or of the first of a list."""
    content = httpx.Request("POST", "http://x", json=body).content.replace(b"NAME", name.encode())
    answer = call("POST", path, json.loads(content))

    found = answer.json()
    error = (found[0] if isinstance(found, list) else found)["error"]
    assert error["status"] == status
    assert error["code"] == answer.status_code == {"NOT_FOUND": 404, "INVALID_ARGUMENT": 400}[status]
    assert error["message"]


def test_pages_of_every_origin_may_ask(http: httpx.Client, database: str) -> None:
    """A preflight is granted to the origin that asks, with credentials and from a public page, as the SDK needs."""
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ASKED,
        "Access-Control-Request-Private-Network": "true",
    }
    granted = http.options(f"/v1/{database}/documents:commit", headers=asked).headers

    assert granted["access-control-allow-origin"] == ORIGIN
    assert granted["access-control-allow-credentials"] == "true"
    assert granted["access-control-allow-private-network"] == "true"
    assert "POST" in granted["access-control-allow-methods"]
    assert granted["access-control-allow-headers"] == ASKED


def test_an_answer_is_for_the_page_that_asked(call: Call) -> None:
    """An error too may be read by the page: without that, the SDK sees no more than a lost connection."""
    answer = call("GET", "/rooms/hall")

    assert answer.status_code == 404
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"


def mock_user(database: str, uid: str) -> dict[str, str]:
    """Return the headers of a user, with a token as the SDKs' `mockUserToken` makes it."""
    user = {"aud": database.split("/")[1], "iat": 0, "exp": 3600, "sub": uid, "user_id": uid}
    parts = ({"alg": "none", "type": "JWT"}, user)
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return {"Authorization": f"Bearer {head}.{body}."}


def test_rules_are_put_in_force(http: httpx.Client, call: Call, database: str) -> None:
    """rules-unit-testing loads rules for its project: they hold for users over REST, and not for server clients."""
    url = f"/emulator/v1/{database.partition('/databases')[0]}:securityRules"
    room = f"/v1/{database}/documents/rooms/hall"
    call("PATCH", "/rooms/hall", {"fields": {}})

    loaded = http.put(url, json={"rules": {"files": [{"content": RULES}]}})

    assert (loaded.status_code, loaded.json()) == (200, {})
    assert http.get(room, headers=mock_user(database, "ada")).status_code == 200
    refused = http.get(room, headers=mock_user(database, "bob"))
    assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert call("GET", "/rooms/hall").status_code == 200


def test_wrong_rules_are_named_and_change_nothing(http: httpx.Client, database: str) -> None:
    """What does not compile is an error that says so."""
    url = f"/emulator/v1/{database.partition('/databases')[0]}:securityRules"
    refused = http.put(url, json={"rules": {"files": [{"content": "service cloud.firestore { allow }"}]}})

    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith("Error compiling rules:\n")


def test_a_database_is_cleared(http: httpx.Client, call: Call, database: str) -> None:
    """rules-unit-testing's clearFirestore() empties one database, and no other."""
    other = f"{database.replace('demo-', 'demo-other-')}/documents/rooms/hall"
    call("PATCH", "/rooms/hall", {"fields": {}})
    http.patch(f"/v1/{other}", json={"fields": {}})

    assert http.delete(f"/emulator/v1/{database}/documents").json() == {}

    assert call("GET", "/rooms/hall").status_code == 404
    assert http.get(f"/v1/{other}").status_code == 200
