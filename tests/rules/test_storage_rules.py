"""`storage.rules` by a table, on Google's rules engine and in our Storage: users have their own photos, and no more."""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import httpx
import pytest

from functions.core.jobs.uploads import IMAGE_BYTES_MAX
from localcloud.auth.accounts import Account
from localcloud.auth.tokens import Session, Tokens
from localcloud.storage import StorageServer
from localcloud.storage_rules import StorageSecurity
from localcloud.tests.rules.google import Question, google_rules
from localcloud.tests.rules.support import ours
from scripts.ecolane_cloud import PROJECT

TESTS = Path(__file__).resolve().parent
RULES = TESTS.parents[1] / "storage.rules"
TABLE = json.loads((TESTS / "storage_rules_table.json").read_text(encoding="utf-8"))
UIDS = {"owner": "ann", "other": "bob", "admin": "root", "nobody": None}
OBJECTS = {name.replace("{owner}", "ann"): allowed for name, allowed in TABLE["objects"].items()}
WRITES = {"create", "update"}
BUCKET = "photos.example"


class Try(NamedTuple):
    """Somebody's request, and whether the table allows it. The size and type are those of an upload."""

    name: str
    operation: str
    caller: str
    allowed: bool
    size: int = 1
    content_type: str = "image/jpeg"


def tries() -> Iterator[Try]:
    """Everybody at every object, and the owner with every photo."""
    for (name, allowed), operation, caller in product(OBJECTS.items(), TABLE["operations"], TABLE["callers"]):
        yield Try(name, operation, caller, caller in allowed.get(operation, []))
    for photo, operation in product(TABLE["photos"], sorted(WRITES)):
        yield Try(
            "users/ann/uploads/photo.jpg", operation, "owner", photo["allowed"], photo["size"], photo["contentType"]
        )


TRIES = [*tries()]


OTHER_RULES = [
    ("request.auth.uid == uid", "true"),
    ("request.auth != null && request.auth.uid == uid", "true"),
    ("{name}", "{name=**}"),
    ("<=", "<"),
    ("10 * 1024 * 1024", "11 * 1024 * 1024"),
    ("image/(jpeg|png|webp)", "image/.*"),
    ("image/(jpeg|png|webp)", ".*image/(jpeg|png|webp).*"),
    ("allow get", "allow get, list"),
    ("create, update", "create"),
    ("get, delete", "get"),
    ("/users/{uid}/uploads/{name}", "/{users}/{uid}/uploads/{name}"),
]
"""What somebody could make of the rules: a condition is gone, or a limit another one."""


def question(request: Try, rules: str) -> Question:
    """Return a request as Google's engine takes it; `request` and `resource` as Storage gives them to the engine."""
    uid, photo = UIDS[request.caller], {"size": request.size, "contentType": request.content_type}
    token = {"sub": uid, **({"admin": True} if request.caller == "admin" else {})}
    asked = {
        "auth": None if uid is None else {"uid": uid, "token": token},
        "resource": photo if request.operation in WRITES else None,
    }
    there = None if request.operation in {"create", "list"} else {"size": 7, "contentType": "image/png"}
    path = f"/b/{BUCKET}/o/{quote(request.name)}"
    return Question(rules, "firebase.storage", request.operation, path, asked, there)


@pytest.fixture(scope="module")
def told() -> list[list[bool]]:
    """What Google's engine allows of `TRIES`, by our rules, and then by each of the others."""
    with google_rules() as google:
        return [[google.ask(question(request, text)) == "allowed" for request in TRIES] for text in texts()]


def texts() -> list[str]:
    """Return our rules, and each of the others."""
    rules = RULES.read_text(encoding="utf-8")
    assert all(mine in rules for mine, _ in OTHER_RULES)
    return [rules, *(rules.replace(mine, other) for mine, other in OTHER_RULES)]


def test_googles_engine_allows_what_the_table_says(told: list[list[bool]]) -> None:
    """The file that is deployed, on the engine that reads it."""
    assert [request for request, allowed in zip(TRIES, told[0], strict=True) if allowed is not request.allowed] == []


@pytest.mark.parametrize("number", range(len(OTHER_RULES)), ids=[" -> ".join(change) for change in OTHER_RULES])
def test_the_table_notices_other_rules(told: list[list[bool]], number: int) -> None:
    """With other rules some answer is another one, so that the table would not hold."""
    assert told[1 + number] != [request.allowed for request in TRIES]


def test_our_engine_agrees_on_all_of_them(told: list[list[bool]]) -> None:
    """Ours decides as Google's does by each of these files, on every request."""
    decided = [[ours(question(request, text)) == "allowed" for request in TRIES] for text in texts()]
    assert decided == told


@pytest.fixture(scope="module")
def storage() -> Iterator[httpx.Client]:
    """Our Storage, as apps reach it."""
    server = StorageServer(BUCKET, project=PROJECT, security=StorageSecurity(RULES))
    server.start()
    with httpx.Client(base_url=server.host) as client:
        yield client
    server.stop()


def attempt(storage: httpx.Client, request: Try) -> int:
    """Try it where the object is there, or is not yet, and return the status."""
    every, operator = f"/v0/b/{BUCKET}/o", {"Authorization": "Bearer owner"}
    one, name = f"{every}/{quote(request.name, safe='')}", {"name": request.name}
    storage.delete(one, headers=operator)
    if request.operation != "create":
        kept = storage.post(every, params=name, content=b"1234567", headers=operator)
        assert kept.status_code == 200, kept.text
    uid, claims = UIDS[request.caller], {"admin": True} if request.caller == "admin" else {}
    headers = {}
    if uid is not None:
        token = Tokens(PROJECT).id_token(Account(uid, custom_claims=claims), Session(uid, "custom"))
        headers = {"Authorization": f"Firebase {token}"}
    match request.operation:
        case "get" | "delete":
            return storage.request(request.operation.upper(), one, headers=headers).status_code
        case "list":
            return storage.get(every, params={"prefix": request.name}, headers=headers).status_code
    headers["Content-Type"] = request.content_type
    return storage.post(every, params=name, content=bytes(request.size), headers=headers).status_code


@pytest.mark.parametrize("operation", TABLE["operations"])
def test_our_storage_allows_what_the_table_says(storage: httpx.Client, operation: str) -> None:
    """What apps are refused here they are refused there, and what works here works there."""
    wrong = {}
    for request in TRIES:
        if request.operation == operation:
            status = attempt(storage, request)
            if (status in {200, 204}, status == 403) != (request.allowed, not request.allowed):
                wrong[request] = status
    assert wrong == {}


def test_the_limit_is_the_one_of_the_functions() -> None:
    """What Storage takes, `classify_image` takes: the table's largest photo is the core's limit."""
    assert max(photo["size"] for photo in TABLE["photos"] if photo["allowed"]) == IMAGE_BYTES_MAX
