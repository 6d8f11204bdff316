"""`firestore.rules` by a table, on our Firestore and on Google's: users read what is theirs, and functions write."""

import ast
import base64
import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.firestore import FirestoreServer, OfficialFirestore, find_official

ROOT = Path(__file__).resolve().parents[2]
PROJECT = "demo-ecolane"
TABLE = json.loads((ROOT / "tests" / "rules" / "rules_table.json").read_text(encoding="utf-8"))
UIDS = {"owner": "ann", "other": "bob", "admin": "root", "verified": "root", "unverified": "root"}
OWNER = {"Authorization": "Bearer owner"}
OPERATORS = {"admin": "custom", "verified": "password", "unverified": "password"}
"""Who has the claim, and how they sign in."""

DOCUMENTS = {path.replace("{owner}", UIDS["owner"]): allowed for path, allowed in TABLE["documents"].items()}
OWN = {"field": {"fieldPath": "uid"}, "op": "EQUAL", "value": {"stringValue": UIDS["owner"]}}
MEMBERS = {"mapValue": {"fields": {UIDS["owner"]: {"mapValue": {"fields": {"role": {"stringValue": "owner"}}}}}}}
FIELDS = {"fields": {"uid": {"stringValue": UIDS["owner"]}, "balance": {"integerValue": "7"}, "members": MEMBERS}}


def token(caller: str) -> str:
    """Return an unsigned token, as the Auth emulator gives them out."""
    now, uid = int(time.time()), UIDS[caller]
    claims: dict[str, Any] = {"sub": uid, "user_id": uid, "aud": PROJECT, "iat": now, "exp": now + 3_600}
    claims |= {"iss": f"https://securetoken.google.com/{PROJECT}"} | ({"admin": True} if caller in OPERATORS else {})
    claims["firebase"] = {"sign_in_provider": OPERATORS.get(caller, "custom")}
    claims["email_verified"] = caller == "verified"
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.fixture(scope="module", params=["embedded", "official"])
def firestore(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of each server under our rules, with the documents of the table; addresses begin at the documents."""
    server: FirestoreServer | OfficialFirestore
    if request.param == "embedded":
        server = FirestoreServer(security_rules=ROOT / "firestore.rules", indexes=ROOT / "firestore.indexes.json")
    else:
        install, reason = find_official()
        if install is None:
            pytest.skip(reason)
        server = OfficialFirestore(rules=ROOT / "firestore.rules")
    server.start()
    host = server.app_host if isinstance(server, FirestoreServer) else server.host
    base = f"http://{host}/v1/projects/{PROJECT}/databases/(default)/documents"
    try:
        with httpx.Client(base_url=base, timeout=60) as client:  # a JVM starts
            for path in DOCUMENTS:
                made = client.patch(path, json=FIELDS, headers=OWNER)
                assert made.status_code == 200, made.text
            yield client
    finally:
        server.stop()


def attempt(firestore: httpx.Client, path: str, operation: str, caller: str) -> int:
    """Try an operation as somebody, and return the status."""
    parent, _, name = path.rpartition("/")
    folder, _, collection = parent.rpartition("/")
    method, url = "GET", path
    body: dict[str, Any] | None = None
    match operation:
        case "list" | "listOwn" | "listMore" | "listAll" | "group":
            query: dict[str, Any] = {"from": [{"collectionId": collection, "allDescendants": operation == "group"}]}
            if operation != "list":
                query["where"] = {"fieldFilter": OWN}
            if operation != "listAll":
                query["limit"] = 101 if operation == "listMore" else 100
            above = "" if operation == "group" or not folder else f"/{folder}"
            method, url, body = (
                "POST",
                f"{firestore.base_url}".rstrip("/") + f"{above}:runQuery",
                {"structuredQuery": query},
            )
        case "create":
            method, url, body = "POST", f"{parent}?documentId={name}-new", FIELDS
        case "update":
            method, url, body = "PATCH", f"{url}?currentDocument.exists=true", FIELDS
        case "delete":
            method = "DELETE"
    headers = {} if caller == "nobody" else {"Authorization": f"Bearer {token(caller)}"}
    return firestore.request(method, url, headers=headers, json=body).status_code


MATRIX = list(product(DOCUMENTS, TABLE["operations"]))


@pytest.mark.parametrize(("path", "operation"), MATRIX, ids=str)
def test_each_document_allows_what_the_table_says(firestore: httpx.Client, path: str, operation: str) -> None:
    """Every operation on every kind of document by its owner, another user, nobody, and with an operator's token."""
    allowed = DOCUMENTS[path].get(operation, [])
    for caller in TABLE["callers"]:
        assert attempt(firestore, path, operation, caller) == (200 if caller in allowed else 403), caller


@pytest.mark.parametrize(("caller", "status"), [("verified", 200), ("unverified", 403)])
def test_an_operator_with_a_password_has_verified_the_address(
    firestore: httpx.Client, caller: str, status: int
) -> None:
    """As for calls: whoever guesses at an address gets no further with its claim."""
    assert attempt(firestore, "budget/2026-11-21", "get", caller) == status


def test_the_table_has_every_collection() -> None:
    """Each collection that the Firestore adapter names is tried, wherever it is."""
    tried = {path.split("/")[-2] for path in DOCUMENTS}
    assert named() <= tried
    assert {"users", "wallet", "ledger", "aiJobs", "shards", "audit"} <= named()


def named() -> set[str]:
    """Return the collections in the paths that the adapter spells out."""
    found: set[str] = set()
    for file in (ROOT / "functions" / "adapters" / "firestore").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                parts = [part.value if isinstance(part, ast.Constant) else None for part in node.args]
                if node.func.attr in {"collection", "document"} and isinstance(parts[:1] and parts[0], str):
                    whole = [name for part in parts for name in (str(part).split("/") if part else [None])]
                    found |= {name for name in whole[::2] if name}
                elif node.func.attr == "document" and len(parts) > 1:  # below a document, whose path is at hand
                    found |= {str(name) for name in parts[1::2] if name}
                if node.func.attr == "collection_group":
                    found |= {str(parts[0])}
    return found
