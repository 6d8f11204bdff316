"""Readers before writers: every function reads what the last release has written, and what the next one may write.

`documents/last_release.json` is a small project as the code of the last release (8a65891) left it;
`documents/next_release.json` lies over it, with fields and values that nobody here knows.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.privacy.erase_accounts import erase_accounts
from functions.use_cases.refresh.refresh_credits import refresh_credits
from scripts.inprocess import InProcessCloud
from scripts.sample_calls import sample_calls
from tests.app import photo
from tests.wire import Wire, content, id_token, new_wire, operator_token

FOLDER = Path(__file__).parent / "documents"
LAST = json.loads((FOLDER / "last_release.json").read_text(encoding="utf-8"))
NEXT = json.loads((FOLDER / "next_release.json").read_text(encoding="utf-8"))["changes"]
CRONS = (refresh_credits, submit_batches, poll_batches, recover_jobs, erase_accounts, guard_budget)


def decoded(value: Any) -> Any:
    """Return a value as Firestore holds it: times are times."""
    if isinstance(value, dict):
        time = value.get("$time")
        return datetime.fromisoformat(time) if time else {name: decoded(each) for name, each in value.items()}
    return [decoded(each) for each in value] if isinstance(value, list) else value


DOCUMENTS: dict[str, dict[str, Any]] = decoded(LAST["documents"])
JOBS = {Path(fields["imagePath"]).stem: path for path, fields in DOCUMENTS.items() if path.startswith("aiJobs/")}
UNKNOWN: dict[str, dict[str, Any]] = decoded(NEXT)


@pytest.fixture(params=["last", "next"])
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions over HTTP, in front of the documents of another release."""
    cloud = InProcessCloud(seed=1)
    cloud.clock.now = datetime.fromisoformat(LAST["now"])
    for path, fields in DOCUMENTS.items():
        cloud.client.document(path).set(fields)
    if request.param == "next":
        for path, fields in UNKNOWN.items():
            cloud.client.document(path).set(fields, merge=True)
    for path, text in LAST["files"].items():
        cloud.files.objects[path] = text.encode()
    for name in ("queued", "sent", "photo"):
        cloud.upload("ann", f"{name}.jpg", photo(64))
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    with new_wire(monkeypatch, cloud) as wire:
        yield wire


def requests() -> dict[str, dict[str, Any]]:
    """Return a request to every callable: of a user with a telephone, and with jobs that have gone different ways."""
    calls = sample_calls("ann")
    for data in calls.values():
        data.update({"deviceId": "phone-of-ann"} if "deviceId" in data else {})
    for name, job in (
        ("get_job", "instant"),
        ("upgrade_job", "queued"),
        ("cancel_job", "sent"),
        ("report_answer", "instant"),
    ):
        calls[name]["jobId"] = JOBS[job].removeprefix("aiJobs/")
    return calls


REFUSED = {"convert_points": "CONVERSION_LIMIT", "cancel_job": "JOB_NOT_CANCELLABLE"}
REFUSED |= {
    "buy_perk": "PURCHASE_NOT_HERE",
    "give_tokens": "INVALID_REQUEST",
    "start_checkout": "PURCHASE_NOT_HERE",
    "set_pay_per_use": "PURCHASE_NOT_HERE",
    "open_billing_portal": "NOTHING_BOUGHT",
}
"""What these documents refuse, whichever release has written them."""


def call(wire: Wire, name: str, data: dict[str, Any]) -> Any:
    """Call a function as its user."""
    return wire.call(name, data, operator_token() if name.startswith("admin_") else id_token("ann"))


def test_every_callable_reads_them(wire: Wire) -> None:
    """Nobody meets an error of ours; what is refused is refused for what it is."""
    for name, data in requests().items():
        answer = content(call(wire, name, data))
        assert answer.get("error", {}).get("details", {}).get("reason") == REFUSED.get(name), (name, answer)


def test_every_cron_reads_them(wire: Wire) -> None:
    """Nothing crashes, nobody is given up, no document is called damaged but one in a state that nobody here knows."""
    for cron in CRONS:
        counts: Mapping[str, int] = cron(wire.cloud.deps)
        assert not {name: counts[name] for name in ("crashed", "failed", "damaged", "givenUp") if counts.get(name)}, (
            cron.__name__
        )
    assert [each.id for each in wire.cloud.client.collection("deadLetters").stream()] == []


def test_what_a_release_does_not_know_stays_as_it_is(wire: Wire) -> None:
    """After every function has run: unknown fields and values are where the newer release has put them, also in
    documents, maps and lists that are written as a whole. Only whoever leaves leaves nothing."""
    for name, data in requests().items():
        if name != "delete_account":
            call(wire, name, data)
    for cron in CRONS:
        cron(wire.cloud.deps)
    if not wire.cloud.client.document("batches/from-tomorrow").get().exists:
        return  # the last release, which has put nothing there that is not known
    for path, fields in UNKNOWN.items():
        after = wire.cloud.client.document(path).get().to_dict() or {}
        known = DOCUMENTS.get(path, {"status": 0, "runs": 0} if path.startswith("stats/") else fields)
        assert {name: after[name] for name in fields.keys() - known.keys()} == {
            name: value for name, value in fields.items() if name not in known
        }, path
    wallet = wire.cloud.client.document("users/ann/wallet/main").get().to_dict() or {}
    gift = next(each for each in wallet["recent"] if each["reason"] == "team_gift")
    assert gift == UNKNOWN["users/ann/wallet/main"]["recent"][0]
    assert wallet["today"]["bulk"] == 7
    cancelled = wire.cloud.client.document(JOBS["cancelled"]).get().to_dict() or {}
    assert (cancelled["status"], cancelled["error"]["code"]) == ("archived", "LOST_IN_SPACE")
    assert (wire.cloud.client.document("config/runtime").get().to_dict() or {})["budget"]["weeklyLimitMicros"] == 5


def test_unknown_states_are_left_alone_and_reported(wire: Wire) -> None:
    """A batch and a job in a state of a newer release are nobody's to end; the guard and operators name them."""
    paths = ["batches/from-tomorrow", f"aiJobs/{'f' * 32}"]
    known = [path for path in paths if wire.cloud.client.document(path).get().exists]
    before = [wire.cloud.client.document(path).get().update_time for path in known]
    for cron in CRONS:
        cron(wire.cloud.deps)
    assert [wire.cloud.client.document(path).get().update_time for path in known] == before
    answer = content(call(wire, "admin_stats", {}))
    assert "result" in answer, answer
    shown = answer["result"]
    damaged = {each["path"] for each in shown["damaged"]}
    assert damaged == ({*known, JOBS["cancelled"]} if known else set())


def test_a_day_of_the_last_release_can_be_reviewed_by_both(wire: Wire) -> None:
    """It knows eight shards of a day and counts its reviews on: whichever limit is set now, the day stays like that."""
    path = "budget/2026-11-21"
    wire.cloud.client.document("config/runtime").set({"budget": {"dailyLimitMicros": 100_000_000}}, merge=True)
    guard_budget(wire.cloud.deps)
    book = wire.cloud.client.document(path).get().to_dict() or {}
    limits = [each.get("limit") for each in wire.cloud.client.collection(f"{path}/shards").stream()]
    assert (book["reviews"], len(limits)) == (DOCUMENTS[path]["reviews"] + 1, 8)
    assert book["limit"] - 8 < sum(limits) <= book["limit"] == 100_000_000


def test_the_app_sees_values_that_it_may_not_know(wire: Wire) -> None:
    """Of a newer release's category, reason and failure: as they are stored."""
    result = content(call(wire, "get_job", {"jobId": JOBS["instant"][7:]}))["result"]["result"]
    job = wire.cloud.client.document(JOBS["instant"]).get().to_dict() or {}
    assert result == job["result"]
    recent = content(call(wire, "get_wallet", {}))["result"]["recent"]
    wallet = wire.cloud.client.document("users/ann/wallet/main").get().to_dict() or {}
    assert [each["reason"] for each in recent] == [each["reason"] for each in wallet["recent"]]
