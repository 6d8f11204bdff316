"""The servers that the Firestore tests run on, and a client of a database of its own for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer, OfficialFirestore, Timing, find_official
from localcloud.tests.firestore.support import DIFFERENCES, close, connect

Connect = Callable[[], Client]


@pytest.fixture(scope="session")
def lenient() -> Iterator[FirestoreServer]:
    """An embedded server that asks for no indexes, as the official one does not."""
    server = FirestoreServer(enforce_indexes=False, timing=Timing(lock_wait_seconds=1.0))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def lenient_host(lenient: FirestoreServer) -> str:
    """The host of an embedded server that asks for no indexes."""
    return lenient.host


@pytest.fixture(scope="session")
def official_host() -> Iterator[str]:
    """The host of Google's emulator; skips where it is not found, saying why."""
    install, reason = find_official()
    if install is None:
        pytest.skip(f"official emulator not available: {reason}")
    official = OfficialFirestore()
    official.start()
    yield official.host
    official.stop()


@pytest.fixture(params=["embedded", "official"])
def host(request: pytest.FixtureRequest) -> str:
    """The host of each server in turn, but for the known differences."""
    name = request.node.originalname
    wrong, reason = DIFFERENCES.get(name, ("", ""))
    if request.param == wrong:
        pytest.skip(f"known difference of the {wrong} server: {reason}")
    found: str = request.getfixturevalue("lenient_host" if request.param == "embedded" else "official_host")
    return found


@pytest.fixture(params=["embedded", "official"])
def app_host(request: pytest.FixtureRequest) -> str:
    """Where apps find each server in turn."""
    if request.param == "official":
        found: str = request.getfixturevalue("official_host")
        return found
    lenient: FirestoreServer = request.getfixturevalue("lenient")
    return lenient.app_host


@pytest.fixture
def client(host: str) -> Iterator[Client]:
    """A client of an empty database on each server."""
    yield from _closing(connect(host))


@pytest.fixture
def index_file(tmp_path: Path) -> Path:
    """Where the strict server looks for its indexes. There is no file yet."""
    return tmp_path / "firestore.indexes.json"


@pytest.fixture
def server(index_file: Path) -> Iterator[FirestoreServer]:
    """A strict embedded server of the test's own, on which nobody waits long."""
    server = FirestoreServer(indexes=index_file, timing=Timing(lock_wait_seconds=20.0))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def strict(server: FirestoreServer) -> Iterator[Client]:
    """A client of the strict server."""
    yield from _closing(connect(server.host))


def _closing(client: Client) -> Iterator[Client]:
    yield client
    close(client)
