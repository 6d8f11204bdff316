"""Fixtures for pytest, there as soon as the package is installed.

`localcloud` runs the project in pytest's root directory for the session; the others are its parts, emptied after each
test. Override `localcloud_settings` in your conftest.py to start it in another way.
"""

from collections.abc import Iterator
from typing import TypeVar

import pytest
from google.cloud.firestore import Client

from localcloud.anthropic import AnthropicStandIn
from localcloud.cloud import CloudSettings, LocalCloud
from localcloud.cron import CronClock
from localcloud.openai import OpenAIStandIn
from localcloud.revenuecat import RevenueCatStandIn
from localcloud.standins.base import StandIn
from localcloud.stripe import StripeStandIn

S = TypeVar("S", bound=StandIn)


@pytest.fixture(scope="session")
def localcloud_settings(pytestconfig: pytest.Config) -> CloudSettings:
    """How the cloud is started: as firebase.json says, with the OpenAI stand-in whatever the environment says."""
    return CloudSettings.of(pytestconfig.rootpath, openai="standin")


@pytest.fixture(scope="session")
def localcloud(localcloud_settings: CloudSettings) -> Iterator[LocalCloud]:
    """The running local cloud, one for the session."""
    with LocalCloud(localcloud_settings) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def _firestore_client(localcloud: LocalCloud) -> Client:
    return localcloud.firestore_client()


@pytest.fixture
def firestore(localcloud: LocalCloud, _firestore_client: Client) -> Iterator[Client]:
    """A real Firestore client. After the test all documents are gone, and with them faults and the bill."""
    yield _firestore_client
    localcloud.firestore.clear(localcloud.project)


@pytest.fixture
def openai_standin(localcloud: LocalCloud) -> Iterator[OpenAIStandIn]:
    """The stand-in that the functions ask. After the test its faults and counts are gone."""
    yield from _for_one_test(localcloud.openai, "openai='standin'")


@pytest.fixture
def anthropic_standin(localcloud: LocalCloud) -> Iterator[AnthropicStandIn]:
    """The stand-in for Anthropic, likewise."""
    yield from _for_one_test(localcloud.anthropic, "anthropic=True")


@pytest.fixture
def stripe_standin(localcloud: LocalCloud) -> Iterator[StripeStandIn]:
    """The stand-in for Stripe, likewise."""
    yield from _for_one_test(localcloud.stripe, "stripe_webhook='the function for its events'")


@pytest.fixture
def revenuecat_standin(localcloud: LocalCloud) -> Iterator[RevenueCatStandIn]:
    """The stand-in for RevenueCat, likewise."""
    yield from _for_one_test(localcloud.revenuecat, "revenuecat_webhook='the function for its events'")


def _for_one_test(standin: S | None, how: str) -> Iterator[S]:
    if standin is None:
        pytest.fail(f"localcloud_settings starts no stand-in; {how} does", pytrace=False)
    yield standin
    standin.faults.clear()
    standin.requests.reset()


@pytest.fixture
def cron_clock(localcloud: LocalCloud) -> CronClock:
    """The clock of the scheduled functions: `advance(timedelta)` fires what falls due, `fire(name)` one of them."""
    return localcloud.cron
