"""`firestore.rules` on Google's emulator: users read what is theirs, and nobody but functions writes anything."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.emulators.firestore import OfficialFirestore, find_official

ROOT = Path(__file__).resolve().parents[1]
PROJECT = "demo-ecolane"
DOCUMENT = {"fields": {"uid": {"stringValue": "ann"}}}
ANNS = ("users/ann", "users/ann/wallet/main", "users/ann/ledger/welcome", "aiJobs/job-1")
NOBODYS = (
    "batches/b1",
    "budget/2026-11-21",
    "budget/2026-11-21/shards/0",
    "config/runtime",
    "config/runtime/audit/a1",
    "stats/queue",
    "alerts/a1",
    "deadLetters/d1",
    "devices/d1",
    "users/ann/wallet/other",
    "elsewhere/e1",
)
CALLERS = {"ann": {}, "bob": {}, "root": {"admin": True}}


def token(uid: str) -> str:
    """Return an unsigned token, as the Auth emulator gives them out."""
    now = int(time.time())
    claims = {"sub": uid, "user_id": uid, "aud": PROJECT, "iat": now, "exp": now + 3_600, **CALLERS[uid]}
    claims["iss"] = f"https://securetoken.google.com/{PROJECT}"
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


@pytest.fixture(scope="module")
def firestore() -> Iterator[str]:
    """Google's emulator under our rules, with one document of each kind; the address of its documents."""
    install, reason = find_official()
    if install is None:
        pytest.skip(reason)
    server = OfficialFirestore(rules=ROOT / "firestore.rules")
    server.start()
    base = f"http://{server.host}/v1/projects/{PROJECT}/databases/(default)/documents"
    try:
        for path in (*ANNS, *NOBODYS):
            made = httpx.patch(f"{base}/{path}", json=DOCUMENT, headers={"Authorization": "Bearer owner"})
            assert made.status_code == 200, made.text
        yield base
    finally:
        server.stop()


def call(method: str, url: str, caller: str | None, body: object = None) -> int:
    """Call the emulator as somebody, and return the status."""
    headers = {"Authorization": f"Bearer {token(caller)}"} if caller else {}
    return httpx.request(method, url, headers=headers, json=body).status_code


@pytest.mark.parametrize("caller", ["ann", "bob", "root", None])
@pytest.mark.parametrize("path", ANNS)
def test_only_the_owner_reads_what_is_theirs(firestore: str, path: str, caller: str | None) -> None:
    """Ann reads her profile, wallet, ledger and job; another user, an operator's token and nobody do not."""
    assert call("GET", f"{firestore}/{path}", caller) == (200 if caller == "ann" else 403)


@pytest.mark.parametrize("caller", ["ann", "bob", "root", None])
@pytest.mark.parametrize("path", NOBODYS)
def test_the_rest_is_read_by_functions_alone(firestore: str, path: str, caller: str | None) -> None:
    """Whatever else there is, or may come to be, no client reads."""
    assert call("GET", f"{firestore}/{path}", caller) == 403


@pytest.mark.parametrize("caller", ["ann", "bob", "root", None])
@pytest.mark.parametrize("path", [*ANNS, *NOBODYS])
def test_no_client_writes(firestore: str, path: str, caller: str | None) -> None:
    """Nobody creates, changes or deletes a document, not even their own."""
    assert call("PATCH", f"{firestore}/{path}", caller, DOCUMENT) == 403
    assert call("PATCH", f"{firestore}/{path}-new", caller, DOCUMENT) == 403
    assert call("DELETE", f"{firestore}/{path}", caller) == 403


@pytest.mark.parametrize(("caller", "allowed"), [("ann", True), ("bob", False), (None, False)])
def test_jobs_are_listed_by_their_owner(firestore: str, caller: str | None, allowed: bool) -> None:
    """A query for Ann's jobs is Ann's; one for all jobs is nobody's."""
    owned = {"fieldFilter": {"field": {"fieldPath": "uid"}, "op": "EQUAL", "value": {"stringValue": "ann"}}}
    query = {"from": [{"collectionId": "aiJobs"}]}
    mine = call("POST", f"{firestore}:runQuery", caller, {"structuredQuery": {**query, "where": owned}})
    everybodys = call("POST", f"{firestore}:runQuery", caller, {"structuredQuery": query})
    assert (mine == 200, everybodys == 200) == (allowed, False)
