"""Faults on request hit exactly the calls they are meant for, with the effect they promise."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest
from google.api_core.exceptions import Aborted, GoogleAPICallError, ServiceUnavailable
from google.cloud.firestore import Client, Increment, Transaction, transactional

from localcloud.firestore import FirestoreServer
from localcloud.firestore.faults import FaultRule, Faults


def once(reference: Any, content: dict[str, Any]) -> None:
    """Write without the client's own retries."""
    reference.set(content, merge=True, retry=None)


def test_an_aborted_commit_has_no_effect(strict: Client, server: FirestoreServer) -> None:
    """`abort` answers ABORTED without doing anything, once by default."""
    server.faults.add("abort", rpc="Commit")
    with pytest.raises(Aborted):
        once(strict.document("a/x"), {"n": 1})
    assert not strict.document("a/x").get().exists
    once(strict.document("a/x"), {"n": 1})


def test_a_transaction_outlives_an_abort(strict: Client, server: FirestoreServer) -> None:
    """The client retries an aborted commit by itself."""
    rule = server.faults.add("abort", rpc="Commit", count=2)
    attempts = []

    def body(transaction: Transaction) -> None:
        attempts.append(1)
        transaction.set(strict.document("a/x"), {"n": len(attempts)})

    transactional(body)(strict.transaction())
    assert (len(attempts), rule.struck) == (3, 2)
    assert strict.document("a/x").get().to_dict() == {"n": 3}


def test_unavailable_has_no_effect(strict: Client, server: FirestoreServer) -> None:
    """`unavailable` answers UNAVAILABLE without doing anything."""
    server.faults.add("unavailable", rpc="Commit")
    with pytest.raises(ServiceUnavailable):
        once(strict.document("a/x"), {"n": 1})
    assert not strict.document("a/x").get().exists


def test_a_lost_reply_has_had_its_effect(strict: Client, server: FirestoreServer) -> None:
    """`reply_lost` does what was asked, bills it, and lets the client see UNAVAILABLE."""
    server.faults.add("reply_lost", rpc="Commit")
    with pytest.raises(ServiceUnavailable):
        once(strict.document("a/x"), {"n": 1})
    assert strict.document("a/x").get().to_dict() == {"n": 1}
    assert server.bill.snapshot()["totals"]["writes"] == 1


def test_a_lost_reply_makes_a_blind_retry_count_twice(strict: Client, server: FirestoreServer) -> None:
    """The client's own retry repeats a commit whose reply was lost, as it would against production."""
    server.faults.add("reply_lost", rpc="Commit")
    strict.document("a/x").set({"n": Increment(1)}, merge=True)
    assert strict.document("a/x").get().to_dict() == {"n": 2}


def test_a_delay_is_a_delay(strict: Client, server: FirestoreServer) -> None:
    """`delay` holds the call back and then lets it through."""
    server.faults.add("delay", rpc="BatchGetDocuments", delay_ms=120)
    started = time.perf_counter()
    strict.document("a/x").get()
    assert time.perf_counter() - started > 0.12


def test_faults_are_chosen_by_path(strict: Client, server: FirestoreServer) -> None:
    """A pattern hits calls that touch a matching document or collection, and no others."""
    rule = server.faults.add("abort", path="users/*/wallet/*", count=None)
    once(strict.document("users/u1"), {"n": 1})
    for _ in range(2):
        with pytest.raises(Aborted):
            once(strict.document("users/u1/wallet/main"), {"n": 1})
    with pytest.raises(Aborted):
        strict.document("users/u2/wallet/main").get()
    strict.document("users/u2").get()
    assert rule.struck == 3
    server.faults.clear()
    server.faults.add("abort", path="jobs")
    with pytest.raises(Aborted):
        strict.collection("jobs").get()


def test_skip_and_count() -> None:
    """A rule lets the first calls pass, strikes its number of times, and is spent."""
    rule = FaultRule("abort", skip=2, count=3)
    assert [rule.strikes("Commit", []) for _ in range(7)] == [False, False, True, True, True, False, False]


def test_chance_is_repeatable() -> None:
    """The same seed strikes the same calls; another seed others; about as often as asked."""
    runs = [
        [rule.strikes("Commit", []) for _ in range(400)]
        for rule in (FaultRule("abort", count=None, probability=0.25, seed=seed) for seed in (1, 1, 2))
    ]
    assert runs[0] == runs[1] != runs[2]
    assert 60 < sum(runs[0]) < 140


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "explode"},
        {"kind": "abort", "probability": 2},
        {"kind": "abort", "skip": -1},
        {"kind": "abort", "colour": 1},
    ],
)
def test_senseless_rules_are_refused(wrong: dict[str, Any]) -> None:
    """A rule with an unknown kind or attribute, or one out of range, is a ValueError."""
    with pytest.raises(ValueError, match=r"kind|probability|negative|colour"):
        Faults().add(**wrong)


def admin(server: FirestoreServer, method: str, path: str, body: Any = None) -> Any:
    """Make an admin request."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{server.admin_url}{path}", data=data, method=method)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def test_faults_over_http(strict: Client, server: FirestoreServer) -> None:
    """Rules are added, shown with what they did, and removed over the admin port."""
    rules = [{"kind": "abort", "rpc": "Commit"}, {"kind": "unavailable", "rpc": "RunQuery", "count": 5}]
    assert [rule["kind"] for rule in admin(server, "POST", "/faults", rules)] == ["abort", "unavailable"]
    with pytest.raises(Aborted):
        once(strict.document("a/x"), {"n": 1})
    assert [rule["struck"] for rule in admin(server, "GET", "/faults")] == [1, 0]
    assert admin(server, "DELETE", "/faults") == []
    once(strict.document("a/x"), {"n": 1})


@pytest.mark.parametrize("body", [{"kind": "explode"}, ["no rule"], {"rpc": "Commit"}])
def test_bad_rules_over_http_are_refused(server: FirestoreServer, body: Any) -> None:
    """A senseless rule is answered with 400 and a text."""
    with pytest.raises(urllib.error.HTTPError) as refusal:
        admin(server, "POST", "/faults", body)
    assert refusal.value.code == 400
    assert json.load(refusal.value)["error"]
    refusal.value.close()


def test_every_rpc_can_fail(strict: Client, server: FirestoreServer) -> None:
    """A rule without a pattern hits whatever comes, reads included."""
    server.faults.add("unavailable", count=None)
    anything: Any = strict.collection("a")
    for attempt in (
        lambda: strict.document("a/x").get(retry=None),
        lambda: strict.collection("a").get(retry=None),
        lambda: list(strict.collections(retry=None)),
        lambda: anything.count().get(retry=None),
    ):
        with pytest.raises(GoogleAPICallError):
            attempt()
