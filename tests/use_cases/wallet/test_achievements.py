"""Achievements as the app meets them: unlocked by the call that reaches them, shown with the wallet, never twice."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from localcloud.cloud import LocalCloud
from tests.app import App
from tests.conftest import Configure
from tests.use_cases.wallet.test_wallet import WELCOME, device, manual

RULES = [
    {"name": "begun", "counter": "scans", "atLeast": 2, "tokens": 3},
    {"name": "back_again", "counter": "streakDays", "atLeast": 1, "tokens": 0},
    {"name": "helpful", "counter": "corrections", "atLeast": 1, "tokens": 1},
]


@pytest.fixture(autouse=True)
def achievements(cloud: LocalCloud, configure: Configure) -> Iterator[None]:
    """Have three, and none after it: a process may know the old config for a minute."""
    configure({"achievements": {"open": True, "rules": RULES}})
    yield
    configure({})
    cloud.clock.advance(timedelta(seconds=31))


def unlocked(app: App) -> list[str]:
    """Return which the app shows as unlocked."""
    return [each["name"] for each in app.call("get_wallet")["achievements"] if each["unlocked"]]


def test_each_call_that_counts_unlocks(app: App) -> None:
    """Photos, bonus and own classifications; the call answers with its own entry, and one that comes again posts
    nothing."""
    app.classify()
    payload = {"deviceId": device()}
    assert app.call("claim_daily_bonus", **payload)["entry"]["reason"] == "bonus"
    assert app.call("claim_daily_bonus", **payload)["entry"]["reason"] == "bonus"
    assert app.call("record_manual_classification", **manual(app))["entry"]["reason"] == "manual"
    assert unlocked(app) == ["back_again", "helpful"]
    app.classify()
    app.classify()
    assert unlocked(app) == ["begun", "back_again", "helpful"]
    assert app.statement() == [
        WELCOME,
        ("charge", -1, 9),
        ("bonus", 2, 11),
        ("achieve", 0, 11),
        ("manual", 1, 12),
        ("achieve", 1, 13),
        ("charge", -1, 12),
        ("achieve", 3, 15),
        ("charge", -1, 14),
    ]


def test_calls_at_once_unlock_once(app: App) -> None:
    """Eight photos at the same time reach the same achievement."""
    app.classify()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: app.classify(request_id=uuid.uuid4().hex), range(8)))
    assert [reason for reason, _, _ in app.statement()].count("achieve") == 1


def test_many_photos_of_one_call_unlock_with_it(app: App) -> None:
    """The entry stands behind all of the call's charges."""
    images = [{"requestId": uuid.uuid4().hex, "imagePath": app.upload()} for _ in range(3)]
    app.call("classify_images", images=images)
    assert [reason for reason, _, _ in app.statement()] == ["welcome", *["charge"] * 3, "achieve"]


def test_the_first_screen_shows_them(app: App) -> None:
    """With the balance, at no further read."""
    shown = app.call("get_home", parts=["balance"])["balance"]["achievements"]
    assert shown[0] == {**RULES[0], "reached": 0, "unlocked": False}
