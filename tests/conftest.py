"""The local cloud for whole-product tests: one for the session, and a fresh user for each test."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings

from functions.adapters.breaker import OPEN_FOR
from localcloud.cloud import LocalCloud, SignedIn
from scripts.ecolane_cloud import ecolane_cloud
from tests.app import App

# A busy machine is no defect.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """The running local cloud. Its data is shared by the session's tests: assert on your own user's."""
    with ecolane_cloud() as cloud:
        cloud.firestore_client().document("config/runtime").set(QUIET)
        yield cloud


@pytest.fixture
def user(cloud: LocalCloud) -> Iterator[SignedIn]:
    """A user that nobody has used before, signed in: `user.uid` and `user.id_token`. Faults asked for end with the
    test, and so does the pause that the functions then give the provider."""
    yield cloud.sign_up()
    if cloud.openai is not None and cloud.openai.faults.list():
        cloud.openai.faults.clear()
        cloud.clock.advance(OPEN_FOR)


@pytest.fixture
def app(cloud: LocalCloud, user: SignedIn) -> App:
    """The app of a fresh user."""
    return App(cloud, user)


@pytest.fixture
def other_app(cloud: LocalCloud) -> App:
    """The app of another fresh user."""
    return App(cloud, cloud.sign_up())


QUIET = {"refresh": {"allowances": {"free": {"kind": "add", "amount": 0, "every": "day"}}}}
"""No allowance comes by itself: statements would depend on a random user's slot, and on the hour."""

Configure = Callable[[dict[str, Any]], None]


@pytest.fixture
def configure(cloud: LocalCloud) -> Iterator[Configure]:
    """Set `config/runtime` for this test; functions see it at once, because the clock moves past their cache."""
    document = cloud.firestore_client().document("config/runtime")

    def write(config: dict[str, Any]) -> None:
        document.set({**QUIET, **config})
        cloud.clock.advance(timedelta(seconds=31))

    yield write
    write({})
