"""What a caller who does not pay can have us do: photos are fetched for those who can pay for them, and whatever comes
to nothing is rationed, in the process and at no read."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from functions.adapters.process_memory import (
    CALLS_AT_ONCE,
    PHOTOS_AT_ONCE,
    PHOTOS_IN_MEMORY_MAX,
    REFUSED_LATELY,
    USERS_REMEMBERED_MAX,
    Callers,
    Rate,
)
from functions.use_cases.jobs import admission
from functions.use_cases.jobs.classify_images import IMAGES_MAX
from scripts.inprocess import InProcessCloud, StillClock
from tests.app import photo
from tests.wire import Wire, content, id_token, new_wire

PAGE = "users/ana/uploads/photo.jpg"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions over HTTP, with a photo of Ana's."""
    with new_wire(monkeypatch) as wire:
        wire.cloud.upload("ana", "photo.jpg", photo(64))
        yield wire


@pytest.fixture
def fetched(wire: Wire) -> Counter[str]:
    """Counts the photos that are downloaded, as `photos`."""
    counts: Counter[str] = Counter()

    def watch(call: str, when: str) -> None:
        counts["photos"] += (call, when) == ("storage.read_photo", "before")

    wire.cloud.interrupt = watch
    return counts


def call(wire: Wire, name: str, data: dict[str, Any]) -> Any:
    """Call a function as Ana. Returns the answer, or `details` of its refusal."""
    answer = content(wire.call(name, data, id_token("ana")))
    return answer["result"] if "result" in answer else answer["error"]["details"]


def images(prefix: str, count: int = IMAGES_MAX) -> dict[str, Any]:
    """Return a call of `classify_images`."""
    return {"images": [{"requestId": f"{prefix}-{number:06}", "imagePath": PAGE} for number in range(count)]}


def image(key: str, mode: str = "batch") -> dict[str, Any]:
    """Return a call of `classify_image`."""
    return {"requestId": f"request-{key}", "imagePath": PAGE, "mode": mode}


def reasons(answer: dict[str, Any]) -> Counter[str]:
    """Count what became of each photo of `classify_images`."""
    return Counter(result["error"]["reason"] if "error" in result else "taken" for result in answer["results"])


def spend_all(wire: Wire) -> None:
    """Leave Ana with no token."""
    assert reasons(call(wire, "classify_images", images("spent", 10))) == {"taken": 10}


def test_a_hundred_calls_without_a_token_fetch_no_photo(wire: Wire, fetched: Counter[str]) -> None:
    """At balance 0, calls with fifty photos each are refused before a photo is downloaded."""
    spend_all(wire)
    fetched.clear()
    for number in range(100):
        assert reasons(call(wire, "classify_images", images(f"call-{number}"))) == {"INSUFFICIENT_TOKENS": IMAGES_MAX}
    assert fetched["photos"] == 0


def test_of_many_photos_those_are_fetched_that_can_be_paid(wire: Wire, fetched: Counter[str]) -> None:
    """With ten tokens, ten of fifty photos."""
    call(wire, "get_wallet", {})
    assert reasons(call(wire, "classify_images", images("many"))) == {"taken": 10, "INSUFFICIENT_TOKENS": 40}
    assert fetched["photos"] == 10


def test_a_call_of_many_photos_costs_one_read_as_before(wire: Wire) -> None:
    """The look at the wallet is the charge's own read, moved: it is written under the version that was seen."""
    call(wire, "get_wallet", {})
    wire.cloud.firestore.bill.reset()
    assert reasons(call(wire, "classify_images", images("cheap", 5))) == {"taken": 5}
    totals = wire.cloud.firestore.bill.reset()["totals"]
    assert (totals["reads"], totals["writes"]) == (1, 1 + 2 * 5)


def test_a_wallet_that_changes_while_photos_are_fetched_is_read_anew(wire: Wire) -> None:
    """The last tokens are spent once, by whoever comes first; nothing is charged by what the wallet was."""
    call(wire, "get_wallet", {})
    answers = []

    def add_cost(name: str, when: str) -> None:
        if (name, when) == ("storage.read_photo", "before"):
            wire.cloud.interrupt = lambda _call, _when: None
            answers.append(call(wire, "classify_image", image("faster", "instant")))

    wire.cloud.interrupt = add_cost
    assert reasons(call(wire, "classify_images", images("slower", 10))) == {"taken": 5, "INSUFFICIENT_TOKENS": 5}
    assert answers[0]["status"] == "done"
    assert call(wire, "get_wallet", {})["balance"] == 0


@pytest.mark.parametrize("mode", ["instant", "batch"])
def test_whoever_was_refused_is_refused_before_the_next_photo_is_fetched(
    wire: Wire, fetched: Counter[str], mode: str
) -> None:
    """One photo at the most is downloaded for a caller without tokens; somebody who has got some is served at once."""
    spend_all(wire)
    fetched.clear()
    for number in range(30):
        assert call(wire, "classify_image", image(f"poor-{number}", mode))["reason"] == "INSUFFICIENT_TOKENS"
    assert fetched["photos"] == 1
    wire.cloud.clock.advance(timedelta(days=1))
    assert call(wire, "get_wallet", {})["balance"] == 5  # the day's allowance
    assert call(wire, "classify_image", image("richer", mode))["status"] in {"done", "queued"}


def test_a_photo_at_the_price_of_somebody_elses_refusal_costs_no_read(wire: Wire) -> None:
    """A caller who was never refused is charged with one read, whatever others do."""
    call(wire, "get_wallet", {})
    wire.cloud.deps.callers.note_refusal("bob", refused=True)
    wire.cloud.firestore.bill.reset()
    call(wire, "classify_image", image("honest"))
    assert wire.cloud.firestore.bill.reset()["totals"]["reads"] == 1


def test_a_repeated_request_is_answered_without_tokens_and_without_its_photo(wire: Wire, fetched: Counter[str]) -> None:
    """A refusal stands only if the key is new, also one that comes before the photo."""
    first = call(wire, "classify_images", images("spent", 10))
    call(wire, "classify_image", image("poor"))
    wire.cloud.files.objects.clear()
    fetched.clear()
    again = call(wire, "classify_images", images("spent", 10))
    assert [found["job"]["jobId"] for found in again["results"]] == [
        found["job"]["jobId"] for found in first["results"]
    ]
    assert call(wire, "classify_image", {**image(""), "requestId": "spent-000000"})["status"] == "queued"
    assert fetched["photos"] == 0


def test_photos_that_come_to_nothing_are_rationed(wire: Wire, fetched: Counter[str]) -> None:
    """Photos that cannot be used, and requests that are repeated, are fetched so many times and no more; what was paid
    for does not count, and time brings more."""
    wire.cloud.configure({"tokens": {"welcome": 150}})
    call(wire, "get_wallet", {})
    wire.cloud.files.objects.clear()
    missing = 0
    for number in range(4):
        found = reasons(call(wire, "classify_images", images(f"gone-{number}")))
        missing += found["IMAGE_NOT_FOUND"]
    assert missing == PHOTOS_AT_ONCE == fetched["photos"]
    refused = call(wire, "classify_image", image("one-more"))
    assert (refused["reason"], refused["retryAfter"]) == ("RATE_LIMITED", 2)
    wire.cloud.clock.advance(timedelta(seconds=refused["retryAfter"]))
    wire.cloud.upload("ana", "photo.jpg", photo(64))
    assert call(wire, "classify_image", image("one-more"))["status"] == "queued"


def test_whoever_pays_meets_no_ration(wire: Wire) -> None:
    """A user who classifies more than the ration in one go, with tokens for it, is never told to wait by it."""
    plan = {"instantPerDay": 500, "batchPerDay": 500, "manualPerDay": 5, "callsPerMinute": 500, "priority": 0}
    wire.cloud.configure({"tokens": {"welcome": 200}, "plans": {"free": plan}})
    taken: Counter[str] = Counter()
    for number in range(3):
        taken += reasons(call(wire, "classify_images", images(f"paid-{number}")))
    assert taken == {"taken": 150}


# Upgrades


def queued(wire: Wire, key: str = "upgraded") -> str:
    """Put a photo into the queue and return its job's id."""
    return str(call(wire, "classify_image", image(key))["jobId"])


def test_an_upgrade_that_cannot_be_paid_fetches_no_photo_twice(wire: Wire, fetched: Counter[str]) -> None:
    """The first one finds out; the next ones are refused before."""
    job_id = queued(wire)
    call(wire, "classify_images", images("spent", 9))
    fetched.clear()
    for _ in range(20):
        assert call(wire, "upgrade_job", {"jobId": job_id})["reason"] == "INSUFFICIENT_TOKENS"
    assert fetched["photos"] <= 1


def test_an_upgrade_too_late_or_too_dear_fetches_nothing(wire: Wire, fetched: Counter[str]) -> None:
    """What the job itself says, and the price, need no photo."""
    job_id = queued(wire)
    fetched.clear()
    assert call(wire, "upgrade_job", {"jobId": job_id, "maxTokens": 1})["reason"] == "PRICE_CHANGED"
    call(wire, "cancel_job", {"jobId": job_id})
    assert call(wire, "upgrade_job", {"jobId": job_id})["reason"] == "JOB_NOT_UPGRADABLE"
    assert fetched["photos"] == 0


def test_upgrades_that_come_to_nothing_are_rationed(wire: Wire, fetched: Counter[str]) -> None:
    """A photo that is gone is looked for so many times."""
    job_id = queued(wire)
    wire.cloud.files.objects.clear()
    fetched.clear()
    found = Counter(call(wire, "upgrade_job", {"jobId": job_id})["reason"] for _ in range(CALLS_AT_ONCE))
    assert found == {"IMAGE_NOT_FOUND": PHOTOS_AT_ONCE}
    wire.cloud.clock.advance(timedelta(seconds=1))
    assert call(wire, "upgrade_job", {"jobId": job_id})["reason"] == "RATE_LIMITED"
    wire.cloud.clock.advance(timedelta(minutes=1))
    wire.cloud.upload("ana", "photo.jpg", photo(64))
    assert call(wire, "upgrade_job", {"jobId": job_id})["status"] == "done"


# Calls


@pytest.mark.parametrize("name", ["list_jobs", "list_ledger", "quote", "get_wallet"])
def test_calls_that_only_look_have_a_rate(wire: Wire, name: str) -> None:
    """One user calls a function so often at once, another user and another function are served, and the refusal says
    when to come back."""
    for _ in range(CALLS_AT_ONCE):
        assert "reason" not in call(wire, name, {})
    wire.cloud.firestore.bill.reset()
    refused = call(wire, name, {})
    assert (refused["reason"], refused["retryAfter"]) == ("RATE_LIMITED", 1)
    assert wire.cloud.firestore.bill.reset()["totals"]["reads"] == 0
    assert "result" in content(wire.call(name, {}, id_token("bob")))
    wire.cloud.clock.advance(timedelta(seconds=1))
    assert "reason" not in call(wire, name, {})


def test_a_long_page_counts_for_what_it_costs(wire: Wire) -> None:
    """A hundred documents are as many calls as five pages of twenty."""
    for _ in range(CALLS_AT_ONCE // 5):
        assert "reason" not in call(wire, "list_jobs", {"limit": 100})
    assert call(wire, "list_jobs", {})["reason"] == "RATE_LIMITED"


def test_charging_and_cancelling_has_an_end(wire: Wire) -> None:
    """The first ten that are cancelled give their place of the day back; with those after them the day is over, and the
    tokens are all there."""
    plan = {"instantPerDay": 5, "batchPerDay": 3, "manualPerDay": 5, "callsPerMinute": 500, "priority": 0}
    wire.cloud.configure({"plans": {"free": plan}})
    cancelled = 0
    while "jobId" in (taken := call(wire, "classify_image", image(f"loop-{cancelled}"))):
        call(wire, "cancel_job", {"jobId": taken["jobId"]})
        cancelled += 1
    assert (taken["reason"], cancelled) == ("DAILY_LIMIT", 10 + 3)
    assert call(wire, "get_wallet", {})["balance"] == 10


# Memory


def test_an_instance_holds_so_many_photos_of_calls_with_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many callers there are; all of them are served in turn."""
    cloud, held, most, lock = InProcessCloud(seed=1), Counter[str](), Counter[str](), threading.Lock()
    gate = threading.Barrier(PHOTOS_IN_MEMORY_MAX + 1)

    def watch(name: str, when: str) -> None:
        if name == "storage.read_photo":
            with lock:
                held["now"] += 1 if when == "before" else -1
                most["at once"] = max(most["at once"], held["now"])
                most["seen"] += 1 if when == "before" else 0
                first = most["seen"] <= PHOTOS_IN_MEMORY_MAX and when == "before"
            if first:
                gate.wait(20)

    cloud.interrupt = watch
    with new_wire(monkeypatch, cloud) as wire, ThreadPoolExecutor(4) as callers:
        for uid in "abcd":
            cloud.upload(uid, "photo.jpg", photo(64))
        sent = [callers.submit(_classify_ten, wire, uid) for uid in "abcd"]
        gate.wait(20)  # as many as may be are held at one moment, and nobody else gets in
        assert sum((reasons(each.result(60)) for each in sent), Counter()) == {"taken": 40}
    assert most["at once"] == PHOTOS_IN_MEMORY_MAX


def _classify_ten(wire: Wire, uid: str) -> Any:
    order = {"imagePath": f"users/{uid}/uploads/photo.jpg"}
    data = {"images": [{**order, "requestId": f"request-{number}"} for number in range(10)]}
    return content(wire.call("classify_images", data, id_token(uid)))["result"]


def test_a_photo_that_finds_no_room_in_time_is_to_be_sent_again(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting has an end, nothing is charged for what was not read, and the same requestIds are good afterwards."""
    call(wire, "get_wallet", {})
    monkeypatch.setattr(admission, "PHOTOS_SECONDS", 0.1)
    room = wire.cloud.deps.callers.photos_in_memory
    for _ in range(PHOTOS_IN_MEMORY_MAX):
        room.acquire()
    answer = call(wire, "classify_images", images("waiting", 3))
    assert [result["error"]["reason"] for result in answer["results"]] == ["RATE_LIMITED"] * 3
    assert answer["results"][0]["error"]["retryAfter"] == 10
    assert call(wire, "get_wallet", {})["balance"] == 10
    for _ in range(PHOTOS_IN_MEMORY_MAX):
        room.release()
    wire.cloud.clock.advance(timedelta(seconds=10))
    monkeypatch.setattr(admission, "PHOTOS_SECONDS", 20)
    assert reasons(call(wire, "classify_images", images("waiting", 3))) == {"taken": 3}


# What is remembered


def test_a_rate_is_bounded_and_forgets_nobody_who_calls() -> None:
    """Of a crowd those are forgotten who were away for longest."""
    clock = StillClock()
    rate = Rate(2, 60, clock)
    assert (rate.take("ana", 3), rate.take("ana")) == (2, 0)
    for number in range(USERS_REMEMBERED_MAX - 1):
        rate.take(f"user-{number}")
    assert rate.take("ana") == 0
    rate.take("one more")
    assert (rate.take("ana"), rate.take("user-0", 2)) == (0, 2)


def test_a_clock_that_goes_back_takes_nothing_away() -> None:
    """Nor does it bring anything."""
    clock = StillClock()
    rate = Rate(2, 60, clock)
    rate.take("ana")
    clock.advance(timedelta(hours=-1))
    assert rate.take("ana", 2) == 1


def test_refusals_are_remembered_for_a_while_and_of_so_many() -> None:
    """Ten minutes, or until ten thousand others were refused."""
    clock = StillClock()
    callers = Callers(clock)
    callers.note_refusal("ana", refused=True)
    clock.advance(REFUSED_LATELY)
    assert callers.refused_lately("ana")
    clock.advance(timedelta(seconds=1))
    assert not callers.refused_lately("ana")
    callers.note_refusal("ana", refused=True)
    for number in range(USERS_REMEMBERED_MAX):
        callers.note_refusal(f"user-{number}", refused=True)
    assert not callers.refused_lately("ana")
