"""The local cloud for whole-product tests: one for the session, and a fresh user for each test."""

from collections.abc import Iterator

import pytest

from scripts.emulators.cloud import LocalCloud, SignedIn


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """The running local cloud. Its data is shared by the session's tests: assert on your own user's."""
    with LocalCloud() as cloud:
        yield cloud


@pytest.fixture
def user(cloud: LocalCloud) -> SignedIn:
    """A user that nobody has used before, signed in: `user.uid` and `user.id_token`."""
    return cloud.sign_up()
