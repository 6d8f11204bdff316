"""Who gets a push: whoever is signed in on the telephone, and nobody who was before."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from firebase_admin import messaging
from firebase_admin.exceptions import FirebaseError, InvalidArgumentError, UnavailableError
from google.api_core.exceptions import ServiceUnavailable

from functions.adapters.messaging import PushMessaging, Sent
from functions.core.wallet.profile import DEVICES_MAX, PUSHED_DEVICES_MAX, PushSummary, device_key
from functions.use_cases.wallet.register_device import RegisterDevice, register_device
from tests.app import photo
from tests.wire import Wire, content, id_token, new_wire

PHONE, TOKEN = "the-telephone", "token-of-the-telephone"
SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "tick"}


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions in front of a fresh cloud, and a photo of each user."""
    with new_wire(monkeypatch) as wire:
        for uid in ("ann", "bob"):
            wire.cloud.upload(uid, "can.jpg", photo(32))
        yield wire


def call(wire: Wire, uid: str, name: str, **data: Any) -> Any:
    """Call a function as a user. Returns the answer, or the refusal."""
    told = content(wire.call(name, data, id_token(uid)))
    return told.get("result", told.get("error"))


def register(wire: Wire, uid: str, device: str = PHONE, token: str = TOKEN, **more: Any) -> Any:
    """Register a device, as the app does after each sign-in."""
    return call(wire, uid, "register_device", deviceId=device, pushToken=token, platform="android", **more)


def queue(wire: Wire, uid: str, number: int = 1) -> None:
    """Put a photo into the batch lane."""
    path = f"users/{uid}/uploads/can.jpg"
    answer = call(wire, uid, "classify_image", requestId=f"request-{number}", imagePath=path, mode="batch")
    assert answer["status"] == "queued"


def ticks(wire: Wire, hours: float) -> None:
    """Let time pass and the batch lane's crons run."""
    for _ in range(round(hours * 2)):
        wire.cloud.clock.advance(timedelta(minutes=30))
        for name in ("submit_batches", "poll_batches"):
            assert wire.request(name, **SCHEDULERS).status_code == 200


def pushed(wire: Wire) -> list[tuple[str, tuple[str, ...]]]:
    """Return who was told, and where, since the last look."""
    sent = [(news.uid, news.push_tokens) for news in wire.cloud.messaging.sent]
    wire.cloud.messaging.sent.clear()
    return sent


def devices(wire: Wire, uid: str) -> tuple[list[str], list[str]]:
    """Return a user's tokens: those of the profile, and those that pushes go to."""
    profile = wire.cloud.client.document("users", uid).get().to_dict() or {}
    wallet = wire.cloud.client.document("users", uid, "wallet", "main").get().to_dict() or {}
    return [device["pushToken"] for device in profile.get("devices", {}).values()], wallet.get("pushTokens", [])


# Two users, one telephone


@pytest.mark.parametrize("submitted", [False, True], ids=["queued", "processing"])
def test_the_next_user_of_a_telephone_takes_it_over(wire: Wire, submitted: bool) -> None:
    """Also for photos that the user before had paid for, whether they wait or are being classified already."""
    register(wire, "ann")
    queue(wire, "ann")
    if submitted:
        ticks(wire, 0.5)
    register(wire, "bob")
    queue(wire, "bob")
    ticks(wire, 6)
    assert pushed(wire) == [("bob", (TOKEN,))]
    assert devices(wire, "ann") == ([], [])
    assert devices(wire, "bob") == ([TOKEN], [TOKEN])


@pytest.mark.parametrize("submitted", [False, True], ids=["queued", "processing"])
def test_who_signs_out_gets_no_more_pushes(wire: Wire, submitted: bool) -> None:
    """On this device; photos are classified all the same, and other devices are told."""
    register(wire, "ann")
    register(wire, "ann", "the-tablet", "token-of-the-tablet")
    queue(wire, "ann")
    if submitted:
        ticks(wire, 0.5)
    assert call(wire, "ann", "unregister_device", deviceId=PHONE) == {"devices": 1}
    assert call(wire, "ann", "unregister_device", deviceId=PHONE) == {"devices": 1}
    ticks(wire, 6)
    assert pushed(wire) == [("ann", ("token-of-the-tablet",))]
    assert call(wire, "ann", "list_jobs")["jobs"][0]["status"] == "done"
    queue(wire, "ann", 2)
    ticks(wire, 6)
    assert pushed(wire) == [("ann", ("token-of-the-tablet",))]


def test_who_signs_in_again_is_told_again(wire: Wire) -> None:
    """Ann, then bob, then ann: the photo that waited through all of it is ann's, and so is the telephone."""
    register(wire, "ann")
    queue(wire, "ann")
    register(wire, "bob")
    register(wire, "ann")
    ticks(wire, 6)
    assert pushed(wire) == [("ann", (TOKEN,))]
    assert devices(wire, "bob") == ([], [])


def test_who_signs_out_and_in_again_is_told_again(wire: Wire) -> None:
    """Under the same token, since the app was not removed."""
    register(wire, "ann")
    queue(wire, "ann")
    call(wire, "ann", "unregister_device", deviceId=PHONE)
    register(wire, "ann")
    ticks(wire, 6)
    assert pushed(wire) == [("ann", (TOKEN,))]


def test_two_users_of_the_time_before_are_told_apart(wire: Wire) -> None:
    """A token that two wallets hold, as it was possible once, is whose who registers next, changed or not."""
    register(wire, "ann")
    register(wire, "bob")
    wire.cloud.client.document("users/ann/wallet/main").update({"pushTokens": [TOKEN]})
    wire.cloud.clock.advance(timedelta(days=1))
    register(wire, "bob")
    assert devices(wire, "ann")[1] == []
    assert devices(wire, "bob")[1] == [TOKEN]


def test_a_user_whose_documents_are_damaged_keeps_nobody_from_signing_in(wire: Wire) -> None:
    """The next user of the telephone takes the token from them as they are."""
    register(wire, "ann")
    wire.cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    wire.cloud.client.document("users/ann").update({"preferences": 7})
    register(wire, "bob")
    assert devices(wire, "ann") == ([], [])
    assert devices(wire, "bob") == ([TOKEN], [TOKEN])


def test_of_two_who_register_one_token_at_once_one_has_it(wire: Wire) -> None:
    """Whoever comes last, and nobody beside."""
    request = RegisterDevice(deviceId=PHONE, pushToken=TOKEN, platform="ios")
    users = [f"user-{number}" for number in range(6)]
    with ThreadPoolExecutor(len(users)) as pool:
        list(pool.map(lambda uid: register_device(request, uid, wire.cloud.deps), users * 3))
    assert sorted(devices(wire, uid) == ([TOKEN], [TOKEN]) for uid in users) == [False] * 5 + [True]
    assert sum(devices(wire, uid) == ([], []) for uid in users) == 5


def test_who_wants_no_pushes_gets_none_for_what_is_queued_either(wire: Wire) -> None:
    """On no device; and again on those that register after they are wanted again."""
    register(wire, "ann")
    register(wire, "ann", "the-tablet", "token-of-the-tablet", notifications=False)
    queue(wire, "ann")
    ticks(wire, 6)
    assert pushed(wire) == []
    register(wire, "ann")
    queue(wire, "ann", 2)
    register(wire, "ann", notifications=False)
    ticks(wire, 6)
    assert pushed(wire) == []


def test_a_token_that_was_refreshed_is_not_pushed_to(wire: Wire) -> None:
    """The photo that waits carries the token of the time before; what it leads to is nobody's business."""
    register(wire, "ann")
    queue(wire, "ann")
    register(wire, "ann", token="token-2")
    ticks(wire, 6)
    assert pushed(wire) == []


# Signing out


def test_signing_out_where_nobody_signed_in_is_no_error(wire: Wire) -> None:
    """No device, no wallet: nothing is there, and nothing is made."""
    assert call(wire, "eve", "unregister_device", deviceId=PHONE) == {"devices": 0}
    assert not wire.cloud.client.document("users/eve/wallet/main").get().exists


def test_nobody_signs_another_user_out(wire: Wire) -> None:
    """Knowing the telephone's id is not enough: a call changes what is the caller's."""
    register(wire, "ann")
    assert call(wire, "bob", "unregister_device", deviceId=PHONE) == {"devices": 0}
    assert devices(wire, "ann") == ([TOKEN], [TOKEN])


def test_signing_out_names_the_device(wire: Wire) -> None:
    """Without its id, or with one that is none, it is refused."""
    for sent in ({}, {"deviceId": "short"}, {"deviceId": PHONE, "pushToken": TOKEN}):
        assert call(wire, "ann", "unregister_device", **sent)["details"]["reason"] == "INVALID_REQUEST"


# Registering


def billed(wire: Wire) -> tuple[int, int]:
    """Return the reads and writes since the last look."""
    total = wire.cloud.firestore.bill.reset()["totals"]
    return total["reads"], total["writes"]


def test_registering_again_writes_only_what_has_changed(wire: Wire) -> None:
    """An app registers at each start: nothing is written for it more than once a day."""
    register(wire, "ann")
    wire.cloud.deps.runtime()
    wire.cloud.firestore.bill.reset()
    assert register(wire, "ann") == {"devices": 1, "preferences": {"notifications": True, "language": None}}
    assert billed(wire) == (2, 0)
    register(wire, "ann", language="de")
    assert billed(wire) == (3, 2)
    register(wire, "ann", notifications=False)
    assert billed(wire) == (3, 3)
    register(wire, "ann", notifications=False)
    assert billed(wire) == (2, 0)
    register(wire, "ann", token="token-2")
    assert devices(wire, "ann") == (["token-2"], ["token-2"])


def test_a_device_is_seen_once_a_day(wire: Wire) -> None:
    """So that the devices that have not been seen for longest are known, and their user is no dormant one."""
    register(wire, "ann")
    before = (wire.cloud.client.document("users/ann").get().to_dict() or {})["devices"][device_key(PHONE)]["seenAt"]
    wire.cloud.clock.advance(timedelta(hours=25))
    register(wire, "ann")
    after = (wire.cloud.client.document("users/ann").get().to_dict() or {})["devices"][device_key(PHONE)]["seenAt"]
    assert after - before >= timedelta(hours=25)


def test_a_user_has_a_few_devices(wire: Wire) -> None:
    """Ten are kept, and the three that registered last get pushes."""
    for number in range(DEVICES_MAX + 2):
        answer = register(wire, "ann", f"device-{number:04}", f"token-{number}")
    assert answer["devices"] == DEVICES_MAX
    kept, told = devices(wire, "ann")
    assert len(kept) == DEVICES_MAX
    assert told == [f"token-{DEVICES_MAX + 1 - number}" for number in range(PUSHED_DEVICES_MAX)]


def test_an_installation_that_forgot_its_id_is_one_device(wire: Wire) -> None:
    """The same token under another id: the first one is gone."""
    register(wire, "ann", "device-one", TOKEN)
    assert register(wire, "ann", "device-two", TOKEN)["devices"] == 1
    assert devices(wire, "ann") == ([TOKEN], [TOKEN])


@pytest.mark.parametrize("token", ["", " ", "a b", "ä", "a\n", "x" * 513])
def test_what_is_no_push_token_is_refused(wire: Wire, token: str) -> None:
    """Wallets and jobs carry tokens; one of 512 characters is three times as long as any that was seen."""
    refusal = register(wire, "ann", token=token)
    assert refusal["details"] == {"reason": "INVALID_REQUEST", "field": "pushToken"}
    assert "Firebase Cloud Messaging" in refusal["message"]
    assert register(wire, "ann", token="x" * 512)["devices"] == 1


# Tokens that lead nowhere


def test_a_dead_token_is_taken_from_its_user(wire: Wire) -> None:
    """Nobody pushes there twice: not for the photos that are queued already, and not for later ones."""
    register(wire, "ann")
    register(wire, "ann", "the-tablet", "token-of-the-tablet")
    wire.cloud.messaging.dead_tokens.add(TOKEN)
    queue(wire, "ann", 1)
    ticks(wire, 0.5)
    queue(wire, "ann", 2)
    ticks(wire, 6)
    first, second = pushed(wire)
    assert set(first[1]) == {TOKEN, "token-of-the-tablet"}
    assert second == ("ann", ("token-of-the-tablet",))
    assert devices(wire, "ann") == (["token-of-the-tablet"], ["token-of-the-tablet"])


@pytest.mark.parametrize(("broken", "told"), [("released", []), ("release_tokens", [("ann", (TOKEN,))])])
def test_results_do_not_wait_for_tokens(
    wire: Wire,
    broken: str,
    told: list[tuple[str, tuple[str, ...]]],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where it cannot be found out whose a token is nobody is told; a dead one that cannot be taken now is taken at the
    next push. The photo is classified, and the run is no failure."""

    def down(*_: object) -> None:
        raise ServiceUnavailable("Firestore is not there")  # type: ignore[no-untyped-call]

    register(wire, "ann")
    wire.cloud.messaging.dead_tokens.add(TOKEN)
    monkeypatch.setattr(wire.cloud.deps.store, broken, down)
    queue(wire, "ann")
    ticks(wire, 6)
    assert call(wire, "ann", "list_jobs")["jobs"][0]["status"] == "done"
    assert pushed(wire) == told
    assert "push_failed" in "".join(capfd.readouterr())
    assert devices(wire, "ann") == ([TOKEN], [TOKEN])
    wire.cloud.restart()
    queue(wire, "ann", 2)
    ticks(wire, 6)
    assert devices(wire, "ann") == ([], [])


class Fcm:
    """What Firebase Cloud Messaging answers, by token; anything that is no error is a success."""

    def __init__(self, answers: dict[str, FirebaseError]) -> None:
        self.answers = answers
        self.messages: list[messaging.Message] = []

    def send_each(self, messages: Sequence[messaging.Message]) -> messaging.BatchResponse:
        """Answer each message."""
        self.messages += messages
        errors = [self.answers.get(message.token) for message in messages]
        return messaging.BatchResponse(
            [messaging.SendResponse(None if error else {"name": "m"}, error) for error in errors]
        )


NO_TOKEN = "The registration token is not a valid FCM registration token"
ANSWERS: dict[str, tuple[FirebaseError, bool]] = {
    "the app was removed": (messaging.UnregisteredError("Requested entity was not found."), True),
    "another project's": (messaging.SenderIdMismatchError("SenderId mismatch"), True),
    "no token": (InvalidArgumentError(NO_TOKEN), True),
    "the message is at fault": (InvalidArgumentError("Message too big"), False),
    "too many": (messaging.QuotaExceededError("Quota exceeded"), False),
    "Apple's certificate": (messaging.ThirdPartyAuthError("Auth error from APNS"), False),
    "down": (UnavailableError("The service is currently unavailable."), False),
}


BY_TOKEN = pytest.mark.filterwarnings("ignore:Message.token is deprecated")
"""The SDK would rather have installation ids, which FlutterFire's messaging does not give."""


@BY_TOKEN
@pytest.mark.parametrize("what", ANSWERS)
def test_a_token_is_dead_only_if_it_is_the_tokens_fault(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours, or an outage, costs nobody their token; other devices are reached."""
    error, dead = ANSWERS[what]
    monkeypatch.setattr("firebase_admin.messaging.send_each", Fcm({"bad": error}).send_each)
    sent = PushMessaging().send([PushSummary("ann", ("good", "bad")), PushSummary("bob", ("fine",))])
    assert sent == Sent(2, (("ann", "bad"),) if dead else ())
    alerted = PushMessaging().alert([("ann", "good"), ("ann", "bad")], "closed", "2026-11-21", "text")
    assert alerted == Sent(1, (("ann", "bad"),) if dead else ())


@BY_TOKEN
def test_what_a_message_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of photos; of a bulk job its id as well, and each bulk job's notice stands beside the others'."""
    fcm = Fcm({})
    monkeypatch.setattr("firebase_admin.messaging.send_each", fcm.send_each)
    PushMessaging().send([PushSummary("ann", ("one",), done=2), PushSummary("ann", ("one",), 9, 1, bulk_id="b" * 32)])
    photos, bulk = fcm.messages
    assert photos.data == {"event": "batch_results", "done": "2", "failed": "0"}
    assert bulk.data == {"event": "bulk_done", "bulkId": "b" * 32, "done": "9", "failed": "1"}
    assert (photos.android.collapse_key, bulk.android.collapse_key) == ("batch_results", "b" * 32)


@BY_TOKEN
def test_more_devices_than_one_call_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer belongs to its own message, over all calls."""
    monkeypatch.setattr(
        "firebase_admin.messaging.send_each", Fcm({"token-700": messaging.UnregisteredError("gone")}).send_each
    )
    news = [PushSummary(f"user-{number}", (f"token-{number}",)) for number in range(1_001)]
    assert PushMessaging().send(news) == Sent(1_000, (("user-700", "token-700"),))
