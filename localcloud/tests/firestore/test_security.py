"""Security rules on the embedded Firestore: who is held to them, what a refusal says, what they read and cost."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.auth.accounts import Account
from localcloud.auth.tokens import Session, Tokens
from localcloud.firestore import FirestoreServer
from localcloud.rules import RulesError
from localcloud.tests.firestore.streaming import RawStream

PROJECT = "demo-security"
DATABASE = f"projects/{PROJECT}/databases/(default)"
DOCUMENTS = f"{DATABASE}/documents"
OWNER = "Bearer owner"
SIGNED_IN = "request.auth.uid == 'ann'"

Ask = Callable[..., httpx.Response]


def rules_of(condition: str) -> str:
    """Return rules under which everything depends on a condition, which stands on line 4."""
    return (
        "rules_version = '2';\nservice cloud.firestore {\n  match /databases/{db}/documents/x/{id} {\n"
        f"    allow read, write: if {condition};\n  }}\n}}\n"
    )


def token(**changes: Any) -> str:
    """Return an Authorization header of Ann's, with changed claims."""
    claims = json.dumps({"sub": "ann", "aud": PROJECT, "iat": 1, "exp": time.time() + 3_600, **changes}).encode()
    return f"Bearer e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the rules are. There is no file yet."""
    return tmp_path / "firestore.rules"


@pytest.fixture
def server(file: Path) -> Iterator[FirestoreServer]:
    """A server under the rules, with the documents x/a and x/b."""
    server = FirestoreServer(security_rules=file)
    server.start()
    for name in "ab":
        made = httpx.patch(
            f"http://{server.app_host}/v1/{DOCUMENTS}/x/{name}",
            json={"fields": {"n": {"integerValue": "1"}}},
            headers={"Authorization": OWNER},
        )
        assert made.status_code == 200
    yield server
    server.stop()


@pytest.fixture
def ask(server: FirestoreServer) -> Iterator[Ask]:
    """Asks for something below the documents, by default for x/a as Ann."""
    with httpx.Client(base_url=f"http://{server.app_host}/v1/{DOCUMENTS}") as client:

        def ask(path: str = "/x/a", method: str = "GET", body: Any = None, who: str | None = None) -> httpx.Response:
            headers = {} if who == "" else {"Authorization": who or token()}
            url = f"http://{server.app_host}/v1/{DOCUMENTS}{path}"
            return client.request(method, url, json=body, headers=headers)

        yield ask


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (OWNER, 200),
        (token(), 200),
        (token(iat=0, exp=3600), 200),  # as mockUserToken makes them
        (token(sub="bob"), 403),
        ("", 403),
        (token(exp=time.time() - 1), 401),
        (token(aud="demo-other"), 401),
        ("Bearer nonsense", 401),
        (f"Bearer {Tokens(PROJECT).id_token(Account('ann'), Session('ann', 'anonymous'))}", 200),
    ],
    ids=["owner", "Ann", "mock token", "Bob", "nobody", "run out", "of another project", "nonsense", "of our Auth"],
)
def test_who_is_held_to_the_rules(file: Path, ask: Ask, who: str, status: int) -> None:
    """Server clients are not; a user's token is looked at; without one nobody is signed in."""
    file.write_text(rules_of(SIGNED_IN))
    assert ask(who=who).status_code == status


def test_without_rules_apps_may_do_nothing(ask: Ask) -> None:
    """No file is no permission."""
    assert ask().json()["error"]["message"] == "Missing or insufficient permissions.\nNo matching allow statements"


def test_a_refusal_says_which_line_and_why(file: Path, ask: Ask) -> None:
    """It begins with production's text; then comes what helps whoever wrote the rules."""
    file.write_text(rules_of("resource.data.q == 1"))
    error = ask().json()["error"]

    assert error["status"] == "PERMISSION_DENIED"
    assert error["message"].splitlines() == [
        "Missing or insufficient permissions.",
        "property q is undefined on the object for 'get' @ L4",
    ]


def test_a_change_of_the_file_counts_at_once(file: Path, ask: Ask) -> None:
    """Rules that are saved are in force; with a mistake in them nothing is allowed until it is mended."""
    answers = []
    for text in (rules_of("true"), rules_of("tru"), rules_of("true ")):
        file.write_text(text)
        answers.append(ask())

    assert [answer.status_code for answer in answers] == [200, 403, 200]
    assert f"{file}:4:27: there is no variable tru" in answers[1].json()["error"]["message"]


def test_a_mistake_stops_the_start(file: Path) -> None:
    """A server does not begin with rules that cannot be meant."""
    file.write_text(rules_of("tru"))
    with pytest.raises(RulesError, match="there is no variable tru"):
        FirestoreServer(security_rules=file)


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ("true", 1),
        ("exists(/databases/$(db)/documents/x/b) && get(/databases/$(db)/documents/x/b).data.n == 1", 2),
        ("exists(/databases/$(db)/documents/x/missing) || true", 2),
    ],
)
def test_documents_that_conditions_read_are_billed_once(
    file: Path, server: FirestoreServer, ask: Ask, condition: str, reads: int
) -> None:
    """Whether they are there or not, and however often they are asked for."""
    file.write_text(rules_of(condition))
    server.bill.reset()

    assert ask().status_code == 200
    assert server.bill.snapshot()["totals"]["reads"] == reads


def any_of(count: int) -> str:
    """Return a condition that reads so many documents, the last of which is there."""
    missing = [f"exists(/databases/$(db)/documents/x/{number})" for number in range(count - 1)]
    return " || ".join([*missing, "exists(/databases/$(db)/documents/x/b)"])


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 403)])
def test_conditions_read_ten_documents_for_one(file: Path, ask: Ask, count: int, status: int) -> None:
    """The eleventh has no value."""
    file.write_text(rules_of(any_of(count)))
    assert ask().status_code == status


def test_a_commit_is_all_or_nothing(file: Path, ask: Ask) -> None:
    """One write that is not allowed keeps the others from being made; what is there is told only to who may write."""
    file.write_text(rules_of("request.resource.data.n == 2"))

    def write(name: str, number: int) -> dict[str, Any]:
        return {
            "update": {"name": f"{DOCUMENTS}/x/{name}", "fields": {"n": {"integerValue": str(number)}}},
            "currentDocument": {"exists": False},
        }

    denied = ask(":commit", "POST", {"writes": [write("new", 2), write("a", 3)]})
    too_late = ask(":commit", "POST", {"writes": [write("new", 2), write("a", 2)]})
    made = ask(":commit", "POST", {"writes": [write("new", 2)]})

    assert [answer.status_code for answer in (denied, too_late, made)] == [403, 409, 200]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (":batchWrite", {"writes": []}),
        (":listCollectionIds", {}),
    ],
)
def test_some_calls_are_for_server_clients(file: Path, ask: Ask, path: str, body: Any) -> None:
    """Apps may not, whatever the rules say, as at Google's emulator."""
    file.write_text(rules_of("true"))

    assert ask(path, "POST", body).status_code == 403
    assert ask(path, "POST", body, who=OWNER).status_code == 200


def test_a_listener_ends_when_the_rules_no_longer_allow_it(file: Path, server: FirestoreServer, ask: Ask) -> None:
    """It gets what is allowed, and REMOVE with PERMISSION_DENIED instead of the first change that is not."""
    file.write_text(rules_of("resource.data.n == 1"))
    with RawStream(server.host, "Listen", DATABASE, token()) as stream:
        stream.send(add_target={"target_id": 2, "documents": {"documents": [f"{DOCUMENTS}/x/a"]}})
        kinds = [stream.next().WhichOneof("response_type") for _ in range(4)]
        ask("/x/a", "PATCH", {"fields": {"n": {"integerValue": "2"}}}, who=OWNER)
        removed = stream.next().target_change
        stream.send(
            add_target={
                "target_id": 4,
                "query": {"parent": DOCUMENTS, "structured_query": {"from_": [{"collection_id": "x"}]}},
            }
        )
        added, refused = stream.next().target_change, stream.next().target_change

    assert kinds == ["target_change", "document_change", "target_change", "target_change"]
    assert (removed.target_ids[0], removed.cause.code) == (2, 7)
    assert "for 'get' @ L4" in removed.cause.message
    assert (added.cause.code, refused.target_ids[0], refused.cause.code) == (0, 4, 7)
