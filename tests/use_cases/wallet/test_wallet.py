"""The token economy, called as the app calls it: earning, converting, quoting, limits, and what operators may
change."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from localcloud.callables import CallableError
from tests.app import App
from tests.conftest import Configure

WELCOME = ("welcome", 10, 10)


def device() -> str:
    """Return a device that nobody has used before."""
    return f"device-{uuid.uuid4().hex}"


def manual(app: App, **changes: object) -> dict[str, object]:
    """Return a manual classification's payload."""
    return {"requestId": uuid.uuid4().hex, "deviceId": device(), "itemName": "Can", "category": "Dry Waste", **changes}


def test_eight_claims_at_once_are_one(app: App) -> None:
    """Concurrent claims of the same day post one entry, and all get it."""
    phone = device()
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda _: app.call("claim_daily_bonus", deviceId=phone), range(8)))
    assert all(claim == claims[0] for claim in claims)
    assert app.statement() == [WELCOME, ("bonus", 2, 12)]


def test_a_device_earns_for_three_users_a_day(app: App) -> None:
    """A fourth account on the same device gets no bonus today, and no wallet out of it."""
    phone = device()
    for _ in range(3):
        App(app.cloud, app.cloud.sign_up()).call("claim_daily_bonus", deviceId=phone)
    error = app.refused("claim_daily_bonus", deviceId=phone)
    assert (error.status, error.details["reason"], error.details["limit"]) == (429, "DAILY_LIMIT", 3)
    assert error.details["resetsAt"].endswith("T00:00:00Z")
    assert app.stored_documents() == 0


def test_a_manual_classification_is_rewarded(app: App) -> None:
    """A user's own classification brings a token and ten points, once a key."""
    payload = manual(app)
    first = app.call("record_manual_classification", **payload)
    assert app.call("record_manual_classification", **payload) == first
    wallet = app.call("get_wallet")
    assert (wallet["balance"], wallet["points"]) == (11, 10)
    assert app.statement() == [WELCOME, ("manual", 1, 11)]


def test_a_manual_key_belongs_to_its_item(app: App) -> None:
    """A key that comes back with another item is refused, and the field is named."""
    payload = manual(app)
    app.call("record_manual_classification", **payload)
    error = app.refused("record_manual_classification", **(payload | {"itemName": "Bottle"}))
    assert error.details == {"reason": "KEY_REUSED", "field": "itemName"}


def test_points_become_tokens_and_stay_on_the_leaderboard(app: App, configure: Configure) -> None:
    """A hundred points buy a token; the lifetime points do not shrink, what is left to convert does."""
    configure({"tokens": {"pointsPerClassification": 100}})
    for _ in range(3):
        app.classify()
    first = app.call("convert_points", requestId="convert-it", points=200)
    assert first["entry"]["delta"] == 2
    assert app.call("convert_points", requestId="convert-it", points=200) == first
    wallet = app.call("get_wallet")
    assert (wallet["balance"], wallet["points"], wallet["pointsAvailable"]) == (9, 300, 100)
    assert wallet["pointsPerToken"] == 100
    assert app.refused("convert_points", requestId="convert-it", points=100).details["reason"] == "KEY_REUSED"


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (150, "INVALID_REQUEST"),
        (0, "INVALID_REQUEST"),
        (-100, "INVALID_REQUEST"),
        (100.5, "INVALID_REQUEST"),
        ("100", "INVALID_REQUEST"),
        (True, "INVALID_REQUEST"),
        (None, "INVALID_REQUEST"),
        (10**30, "INVALID_REQUEST"),
        (1_000, "CONVERSION_LIMIT"),
        (600, "CONVERSION_LIMIT"),
        (400, "CONVERSION_LIMIT"),
    ],
)
def test_a_conversion_that_cannot_be(app: App, configure: Configure, points: object, reason: str) -> None:
    """No part of a token, nothing negative, huge or textual, not more than there is or than a day allows."""
    configure({"tokens": {"pointsPerClassification": 100}})
    for _ in range(3):
        app.classify()
    before = app.call("get_wallet")
    error = app.refused("convert_points", requestId="convert-it", points=points)
    assert error.details["reason"] == reason
    assert app.call("get_wallet") == before


def test_the_ledger_in_pages(app: App) -> None:
    """The whole history comes newest first in pages, each entry once, and the last page says so."""
    for _ in range(4):
        app.classify()
    entries, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = app.call("list_ledger", limit=2, **({"cursor": cursor} if cursor else {}))
        entries += page["entries"]
        cursor, pages = page["nextCursor"], pages + 1
    assert [(entry["reason"], entry["delta"], entry["balanceAfter"]) for entry in entries] == app.statement()[::-1]
    assert pages == 3


def test_nobodys_ledger_is_empty(app: App) -> None:
    """A user without a wallet has an empty history, and looking makes none."""
    assert app.call("list_ledger") == {"entries": [], "nextCursor": None}
    assert app.stored_documents() == 0


@pytest.mark.parametrize("cursor", ["", "x", "seq-", "seq-0", "seq--1", "seq-1e3", "seq-9999999999999", 5, "../seq-1"])
def test_a_malformed_cursor(app: App, cursor: object) -> None:
    """A cursor that we did not give is refused by name."""
    assert app.refused("list_ledger", cursor=cursor).details == {"reason": "INVALID_REQUEST", "field": "cursor"}


@pytest.mark.parametrize("function", ["get_wallet", "list_ledger", "quote"])
def test_nobody_names_another_users_wallet(app: App, other_app: App, function: str) -> None:
    """There is no way to ask for somebody else's wallet."""
    error = app.refused(function, uid=other_app.user.uid)
    assert error.details == {"reason": "INVALID_REQUEST", "field": "uid"}


def test_a_wallet_shows_what_is_the_users_and_no_bookkeeping(app: App) -> None:
    """These fields and no others: push tokens are secrets of the user's devices, and stay where they are."""
    token = uuid.uuid4().hex
    app.call("register_device", deviceId="telephone", pushToken=token, platform="ios")
    wallet = app.call("get_wallet")
    assert token not in str(wallet)
    tokens = {"balance", "totalEarned", "totalSpent", "recent", "plan", "nextRefreshAt"}
    points = {"points", "pointsAvailable", "pointsPerToken", "scans", "streakDays", "bonusDay", "achievements"}
    points |= {"perks", "priorityUntil", "streakSavers"}
    assert set(wallet) == {*tokens, *points, "today", "month", "unlimited", "createdAt", "updatedAt"}


def test_a_quote_recommends_instant_to_new_users(app: App) -> None:
    """The first three scans are recommended instant, as far as the tokens go; after that batch."""
    quote = app.call("quote")
    assert (quote["recommended"], quote["balance"]) == ("instant", 10)
    assert (quote["instant"]["price"], quote["batch"]["price"], quote["instant"]["open"]) == (5, 1, True)
    assert quote["batch"]["queuePosition"] >= 1
    assert quote["batch"]["waitMinutes"] > 0
    app.classify(mode="instant")
    assert app.call("quote")["recommended"] == "instant"
    app.classify(mode="instant")
    assert app.call("quote")["recommended"] == "batch"


def test_the_price_shown_is_the_price_paid(app: App, configure: Configure) -> None:
    """A price that rose since the quote is not charged: the app learns the new one."""
    shown = app.call("quote")["batch"]["price"]
    configure({"tokens": {"batchPrice": 2}})
    error = app.refused("classify_image", requestId="a-good-key", imagePath=app.upload(), mode="batch", maxTokens=shown)
    assert (error.code, error.details["reason"]) == ("failed-precondition", "PRICE_CHANGED")
    assert (error.details["price"], error.details["maxTokens"]) == (2, 1)
    assert error.details["priceVersion"] == app.call("quote")["priceVersion"]
    assert app.stored_documents() == 0


def test_a_long_queue_raises_the_batch_price(app: App, configure: Configure) -> None:
    """The configured curve applies from the queue length on that it names, and is in the quote."""
    app.cloud.firestore_client().document("stats/queue").set({"queued": 101})
    configure({"tokens": {"surge": [{"queuedAbove": 100, "percent": 250}]}})
    assert app.call("quote")["batch"]["price"] == 3
    assert app.classify()["tokensCost"] == 3
    app.cloud.firestore_client().document("stats/queue").set({"queued": 100})
    configure({"tokens": {"surge": [{"queuedAbove": 100, "percent": 250}]}})
    assert app.call("quote")["batch"]["price"] == 1


def test_a_closed_instant_lane_serves_batch_and_says_so(app: App, configure: Configure) -> None:
    """While the instant lane is closed an instant photo becomes a batch one at that price, unless that is forbidden."""
    configure({"instant": {"open": False}})
    quote = app.call("quote")
    assert (quote["instant"]["open"], quote["instant"]["closedBecause"]) == (False, "OPERATOR")
    assert quote["recommended"] == "batch"
    job = app.classify(mode="instant")
    assert (job["requestedMode"], job["mode"], job["status"], job["tokensCost"]) == ("instant", "batch", "queued", 1)
    error = app.refused(
        "classify_image", requestId="a-good-key", imagePath=app.upload(), mode="instant", allowBatch=False
    )
    assert error.details == {"reason": "INSTANT_CLOSED"}


def test_calls_are_limited_by_the_minute(app: App, configure: Configure) -> None:
    """Above the plan's rate a photo is refused with the seconds to wait; nothing is charged for it."""
    rules = {"instantPerDay": 20, "batchPerDay": 100, "manualPerDay": 5, "callsPerMinute": 2, "priority": 0}
    configure({"plans": {"free": rules}})
    refusals = []
    for _ in range(6):  # more than two minutes' worth, should a minute end meanwhile
        try:
            app.classify()
        except CallableError as error:
            refusals.append(error)
    assert len(refusals) >= 2
    assert all((error.status, error.details["reason"]) == (429, "RATE_LIMITED") for error in refusals)
    assert all(1 <= error.details["retryAfter"] <= 60 for error in refusals)
    assert len(app.statement()) == 1 + 6 - len(refusals)


def test_photos_are_limited_by_the_day(app: App, configure: Configure) -> None:
    """The plan's photos of a day, each lane for itself; a refunded one does not count."""
    rules = {"instantPerDay": 1, "batchPerDay": 2, "manualPerDay": 5, "callsPerMinute": 60, "priority": 0}
    configure({"plans": {"free": rules}})
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(kind="server_error", endpoint="POST /v1/chat/completions")
    app.refused("classify_image", requestId="refunded-one", imagePath=app.upload(), mode="instant")
    assert app.classify(mode="instant")["status"] == "done"
    error = app.refused("classify_image", requestId="one-too-many", imagePath=app.upload(), mode="instant")
    assert (error.status, error.details["reason"], error.details["limit"]) == (429, "DAILY_LIMIT", 1)
    app.classify()
    app.classify()
    wallet = app.call("get_wallet")
    assert wallet["today"]["instant"] == {"used": 1, "limit": 1}
    assert wallet["today"]["batch"] == {"used": 2, "limit": 2}


def test_a_deleted_profile_brings_no_second_welcome(app: App) -> None:
    """Whoever deletes profile and wallet finds the tokens that the ledger knows, and no second welcome."""
    app.classify(mode="instant")
    app.call("claim_daily_bonus", deviceId=device())
    client = app.cloud.firestore_client()
    client.document("users", app.user.uid, "wallet", "main").delete()
    client.document("users", app.user.uid).delete()
    wallet = app.call("get_wallet")
    assert (wallet["balance"], wallet["totalEarned"], wallet["totalSpent"], wallet["points"]) == (7, 12, 5, 10)
    assert app.classify()["balance"] == 6
    assert [reason for reason, *_ in app.statement()] == ["welcome", "charge", "bonus", "charge"]


def test_operators_change_the_config(app: App, configure: Configure) -> None:
    """An operator's change is checked, merged, in force at once, and on record with who made it."""
    configure({})
    app.cloud.set_custom_claims(app.user.uid, {"admin": True})
    operator = App(app.cloud, app.cloud.sign_in(app.user.uid))
    answer = operator.call("admin_set_config", changes={"tokens": {"instantPrice": 6}})
    assert answer["changed"] == [{"field": "tokens.instantPrice", "before": None, "after": 6}]
    assert (answer["config"]["tokens"]["instantPrice"], answer["config"]["tokens"]["batchPrice"]) == (6, 1)
    audit = [
        entry.to_dict() or {} for entry in app.cloud.firestore_client().collection("config/runtime/audit").stream()
    ]
    assert [entry["changed"] for entry in audit if entry["by"] == app.user.uid] == [answer["changed"]]
    operator.call("admin_set_config", changes={"tokens": {"instantPrice": None}})
    assert app.cloud.firestore_client().document("config/runtime").get().get("tokens") == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tokens": {"instantPrice": 0}}, "tokens.instantPrice"),
        ({"tokens": {"instantPrice": 201}}, "tokens"),
        ({"tokens": {"batchPrice": 6}}, "tokens"),
        ({"tokens": {"instantPrice": "five"}}, "tokens.instantPrice"),
        ({"tokens": {"instantPriec": 5}}, "tokens.instantPriec"),
        ({"plans": {"gold": {}}}, "plans.gold"),
        ({"plans": {"free": {"instantPerDay": -1}}}, "plans.free.instantPerDay"),
        ({"batch": {"leaseMinutes": 5}}, "batch"),
        ({"budget": {"dailyLimitMicros": -1}}, "budget.dailyLimitMicros"),
        ({"budget": {"monthlyLimitMicros": 10**12}}, "budget.monthlyLimitMicros"),
        ({"budget": {"batchOnlyPercent": 0}}, "budget.batchOnlyPercent"),
        ({"budget": {"overrideMode": "normal"}}, "budget"),
        ({"budget": {"overrideMode": "open", "overrideUntil": "2026-11-22T00:00:00Z"}}, "budget.overrideMode"),
        ({"budget": {"overrideMode": "normal", "overrideUntil": "2026-11-22T00:00:00"}}, "budget.overrideUntil"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_a_config_out_of_range_is_refused(
    app: App, configure: Configure, changes: dict[str, object], field: str
) -> None:
    """A slip is named and nothing is changed."""
    configure({"tokens": {"welcome": 11}})
    app.cloud.set_custom_claims(app.user.uid, {"admin": True})
    operator = App(app.cloud, app.cloud.sign_in(app.user.uid))
    error = operator.refused("admin_set_config", changes=changes)
    assert error.details["reason"] == "INVALID_REQUEST"
    assert error.details["field"].startswith(field)
    assert app.cloud.firestore_client().document("config/runtime").get().get("tokens") == {"welcome": 11}
