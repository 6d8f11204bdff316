"""Fixtures for pytest, there as soon as the package is installed.

`localcloud` runs the project in pytest's root directory for the session; the others are its parts, emptied after each
test. Override `localcloud_settings` in your conftest.py to start it in another way.
"""

from collections.abc import Iterator

import pytest
from google.cloud.firestore import Client

from localcloud.anthropic import AnthropicStandIn
from localcloud.cloud import CloudSettings, LocalCloud
from localcloud.cron import CronClock
from localcloud.openai import OpenAIStandIn


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
    if localcloud.openai is None:
        pytest.fail("localcloud_settings starts no stand-in; openai='standin' does", pytrace=False)
    yield localcloud.openai
    localcloud.openai.faults.clear()
    localcloud.openai.requests.reset()


@pytest.fixture
def anthropic_standin(localcloud: LocalCloud) -> Iterator[AnthropicStandIn]:
    """The stand-in for Anthropic. After the test its faults and counts are gone."""
    if localcloud.anthropic is None:
        pytest.fail("localcloud_settings starts none; anthropic=True does", pytrace=False)
    yield localcloud.anthropic
    localcloud.anthropic.faults.clear()
    localcloud.anthropic.requests.reset()


@pytest.fixture
def cron_clock(localcloud: LocalCloud) -> CronClock:
    """The clock of the scheduled functions: `advance(timedelta)` fires what falls due, `fire(name)` one of them."""
    return localcloud.cron
